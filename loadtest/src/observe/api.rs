//! The HTTP API of the server under test.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use tokio::net::TcpStream;

/// Where the API is, and who asks.
#[derive(Clone, Debug)]
pub struct Api {
    /// `host:port`.
    authority: String,
    token: Option<String>,
}

/// A connection to it, for one request after the other.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    api: Api,
}

/// Why a call brought nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The URL is not one of the API.
    #[error("--api {0} is not accepted; accepted is http://HOST:PORT")]
    Url(String),
    /// Nobody listens there.
    #[error("cannot reach the API at http://{authority}: {source}")]
    Unreachable {
        authority: String,
        source: std::io::Error,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the API at http://{authority} broke off: {source}")]
    Broken {
        authority: String,
        source: hyper::Error,
    },
    /// It answered, but not with a success.
    #[error("{method} {path}: {detail}")]
    Refused {
        method: Method,
        path: String,
        status: StatusCode,
        detail: String,
    },
    /// The answer is not what the API is known to answer.
    #[error("{method} {path}: the answer is not JSON: {source}")]
    NotJson {
        method: Method,
        path: String,
        source: serde_json::Error,
    },
}

impl Api {
    /// The API at `url`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// When it is another kind of URL.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, ApiError> {
        let refused = || ApiError::Url(url.to_owned());
        let parsed: Uri = url.parse().map_err(|_| refused())?;
        let plain = parsed.scheme_str() == Some("http");
        let (Some(authority), true, "/" | "") = (parsed.authority(), plain, parsed.path()) else {
            return Err(refused());
        };
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            token,
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(&self) -> Result<Connection, ApiError> {
        let stream = TcpStream::connect(&self.authority)
            .await
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|source| ApiError::Unreachable {
                authority: self.authority.clone(),
                source,
            })?;
        let handshaken = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshaken.map_err(|source| self.broken(source))?;
        tokio::spawn(connection);
        Ok(Connection {
            sender,
            api: self.clone(),
        })
    }

    fn broken(&self, source: hyper::Error) -> ApiError {
        ApiError::Broken {
            authority: self.authority.clone(),
            source,
        }
    }
}

impl Connection {
    /// Calls a route with a JSON body, or none; `Value::Null` when the answer has none.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let text = self
            .text(method.clone(), path, "application/json", body)
            .await?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|source| ApiError::NotJson {
            method,
            path: path.to_owned(),
            source,
        })
    }

    /// Calls a route; the answer as it came.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn text(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<String, ApiError> {
        let response = self.send(method, path, content_type, body).await?;
        let collected = response.into_body().collect().await;
        let bytes = collected.map_err(|source| self.api.broken(source))?;
        Ok(String::from_utf8_lossy(&bytes.to_bytes()).into_owned())
    }

    /// Sends a request and returns the answer's head, with the body still to come.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Response<Incoming>, ApiError> {
        let body = body.into();
        // A server closes what was idle for a while, possibly while a request is on its way there.
        if self.sender.ready().await.is_err() {
            *self = self.api.connect().await?;
        }
        let request = self.request(&method, path, content_type, body.clone())?;
        let response = match self.sender.send_request(request).await {
            Err(error) if error.is_canceled() => {
                *self = self.api.connect().await?;
                let request = self.request(&method, path, content_type, body)?;
                self.sender.send_request(request).await
            }
            other => other,
        };
        let response = response.map_err(|source| self.api.broken(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let collected = response.into_body().collect().await;
        let bytes = collected.map_err(|source| self.api.broken(source))?;
        let problem: Value = serde_json::from_slice(&bytes.to_bytes()).unwrap_or_default();
        Err(ApiError::Refused {
            method,
            path: path.to_owned(),
            status,
            detail: problem["detail"]
                .as_str()
                .map_or_else(|| format!("the server answers {status}"), str::to_owned),
        })
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ApiError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        let uri = path.parse();
        *request.uri_mut() = uri.map_err(|_| ApiError::Url(path.to_owned()))?;
        let token = self.api.token.as_ref();
        let headers = [
            ("host", Some(self.api.authority.clone())),
            ("content-type", Some(content_type.to_owned())),
            (
                "authorization",
                token.map(|token| format!("Bearer {token}")),
            ),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                request.headers_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_that_the_server_has_closed_is_opened_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Answers one request on each connection, and closes it.
        let server = std::thread::spawn(move || {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept().unwrap();
                let read = stream.read(&mut [0; 1_024]).unwrap();
                assert!(read > 0);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let api = Api::new(&url, None).unwrap();
            let mut connection = api.connect().await.unwrap();
            for _ in 0..3 {
                let answer = connection.call(Method::GET, "/", None).await.unwrap();
                assert_eq!(answer, serde_json::json!({}));
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        server.join().unwrap();
    }

    #[test]
    fn only_a_plain_url_without_a_path_names_an_api() {
        assert!(Api::new("http://127.0.0.1:8080", None).is_ok());
        assert!(Api::new("http://[::1]:8080/", None).is_ok());
        for url in ["https://a:1", "127.0.0.1:8080", "http://a/api/v1", ""] {
            let refused = Api::new(url, None).unwrap_err().to_string();
            assert!(refused.contains("accepted is http://HOST:PORT"), "{url}");
        }
    }
}
