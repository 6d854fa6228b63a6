//! The API of a running server: through the socket file in its data directory, or over HTTP.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// For whether a server is there at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the server is.
pub(super) enum ServerApi {
    /// The socket file of a server on this machine.
    Local { socket: PathBuf },
    /// A server somewhere.
    Remote {
        /// `host:port`.
        authority: String,
        token: Option<String>,
    },
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

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl ServerApi {
    pub(super) fn local(socket: PathBuf) -> Self {
        Self::Local { socket }
    }

    /// The server at `url`, such as `http://127.0.0.1:8080`.
    pub(super) fn remote(url: &str, token: Option<String>) -> anyhow::Result<Self> {
        let parsed: Uri = url
            .parse()
            .with_context(|| format!("--server {url} is not a URL"))?;
        let plain = parsed.scheme_str() == Some("http");
        let (Some(authority), true, "/" | "") = (parsed.authority(), plain, parsed.path()) else {
            bail!("--server {url} is not accepted; accepted is http://HOST:PORT");
        };
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self::Remote {
            authority: format!("{}:{port}", authority.host()),
            token,
        })
    }

    /// Whether a server listens.
    pub(super) async fn answers(&self) -> bool {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await;
        matches!(connected, Ok(Ok(_)))
    }

    /// Calls a route; `Value::Null` when the answer has no body.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        match self.call_for_text(method, path, body).await?.as_str() {
            "" => Ok(Value::Null),
            text => serde_json::from_str(text).context("the server's answer is not JSON"),
        }
    }

    /// Calls a route; the answer as it came.
    pub(super) async fn call_for_text(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<String> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let body = Full::new(Bytes::from(body));
        let response = self.send(method, path, "application/json", body).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        String::from_utf8(bytes.into()).context("the server's answer is not UTF-8")
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
        let stream = self
            .connect()
            .await
            .with_context(|| format!("cannot reach the server at {self}"))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (host, token) = match self {
            Self::Local { .. } => ("localhost", None),
            Self::Remote { authority, token } => (authority.as_str(), token.as_ref()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .header("content-type", content_type);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = sender.send_request(request.body(body)?).await?;
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

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Local { socket } => Box::new(UnixStream::connect(socket).await?),
            Self::Remote { authority, .. } => Box::new(TcpStream::connect(authority).await?),
        })
    }
}

impl fmt::Display for ServerApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { socket } => write!(f, "{}", socket.display()),
            Self::Remote { authority, .. } => write!(f, "http://{authority}"),
        }
    }
}

/// `text` as a segment of a path.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_a_path() {
        assert_eq!(percent_encoded("a-1/ä"), "a-1%2F%C3%A4");
    }

    #[test]
    fn a_server_is_named_by_an_http_url_without_a_path() {
        for (url, shown) in [
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://lwm2m.example", "http://lwm2m.example:80"),
        ] {
            assert_eq!(ServerApi::remote(url, None).unwrap().to_string(), shown);
        }
        for url in ["https://a", "a:8080", "http://a/api", ""] {
            assert!(ServerApi::remote(url, None).is_err(), "{url}");
        }
    }
}
