//! The API of a running server, through the socket file in its data directory.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// For whether a server is there at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct LocalApi {
    socket: PathBuf,
}

/// The server answered, but not with a success.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    detail: Option<String>,
    errors: Vec<String>,
}

impl Refused {
    /// Every error, where the server names several.
    pub(super) fn details(&self) -> Vec<String> {
        if self.errors.is_empty() {
            vec![self.to_string()]
        } else {
            self.errors.clone()
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => f.write_str(detail),
            None => write!(f, "the server answers {}", self.status),
        }
    }
}

impl std::error::Error for Refused {}

impl LocalApi {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Whether a server listens.
    pub(super) async fn answers(&self) -> bool {
        let connecting = UnixStream::connect(&self.socket);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        matches!(connected, Ok(Ok(_)))
    }

    /// Calls a route; `Value::Null` when the answer has no body.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let body = Full::new(Bytes::from(body));
        let response = self.send(method, path, "application/json", body).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).context("the server's answer is not JSON")
    }

    /// Sends a request; fails unless the answer is a success, with [`Refused`] when there is one.
    pub(super) async fn send<B>(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: B,
    ) -> anyhow::Result<Response<Incoming>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = UnixStream::connect(&self.socket)
            .await
            .with_context(|| format!("cannot reach the server at {}", self.socket.display()))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", content_type)
            .body(body)?;
        let response = sender.send_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail = problem["detail"].as_str().map(str::to_owned);
        let errors = problem["errors"].as_array().into_iter().flatten();
        let errors = errors
            .filter_map(|error| error["detail"].as_str().map(str::to_owned))
            .collect();
        bail!(Refused {
            status,
            detail,
            errors
        })
    }
}
