//! HTTP/1.1 as far as the API needs it, on a plain socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a request brought.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// Fetches one page over a connection of its own.
pub fn get(server: SocketAddr, path: &str) -> io::Result<Answer> {
    send(server, "GET", path, None)
}

/// What a request carries: its media type and its bytes.
pub type Body<'a> = (&'a str, &'a [u8]);

/// Sends one request over a connection of its own.
pub fn send(
    server: SocketAddr,
    method: &str,
    path: &str,
    body: Option<Body<'_>>,
) -> io::Result<Answer> {
    let (status, chunked, mut reader) = open(server, method, path, "close", body)?;
    let mut body = Vec::new();
    if chunked {
        while let Some(chunk) = read_chunk(&mut reader)? {
            body.extend(chunk);
        }
    } else {
        reader.read_to_end(&mut body)?;
    }
    let body = String::from_utf8(body).map_err(|_| invalid("a body that is not UTF-8"))?;
    Ok(Answer { status, body })
}

/// Puts a JSON document over a connection of its own.
pub fn put(server: SocketAddr, path: &str, json: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE * 3))?;
    let length = json.len();
    write!(
        stream,
        "PUT {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| invalid("an answer without an empty line"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(|| invalid("a status line without a code"))?,
        body: body.to_owned(),
    })
}

/// One server-sent event.
#[derive(Debug)]
pub struct ServerEvent {
    /// The `event:` field.
    pub name: String,
    /// The `data:` field.
    pub data: Value,
}

/// A stream of server-sent events.
pub struct EventStream {
    events: Receiver<ServerEvent>,
}

impl EventStream {
    /// Returns when the server has begun the stream.
    pub fn open(server: SocketAddr, path: &str) -> Self {
        let (status, chunked, reader) =
            open(server, "GET", path, "keep-alive", None).expect("the API answers");
        assert_eq!(status, 200, "GET {path}");
        assert!(chunked, "a stream has no length");
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = EventLines::default();
            let mut reader = reader;
            // The stream ends with the engine, the receiver with the test.
            while let Ok(Some(chunk)) = read_chunk(&mut reader) {
                for event in lines.feed(&String::from_utf8_lossy(&chunk)) {
                    if sender.send(event).is_err() {
                        return;
                    }
                }
            }
        });
        Self { events }
    }

    /// The next event that is wanted; others are passed over.
    pub fn expect(&self, what: &str, mut wanted: impl FnMut(&ServerEvent) -> bool) -> ServerEvent {
        let deadline = Instant::now() + PATIENCE;
        let mut passed_over = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) if wanted(&event) => return event,
                Ok(event) => passed_over.push(event),
                Err(_) => panic!("no event for {what}; others: {passed_over:?}"),
            }
        }
    }
}

/// Puts events together from the pieces in which their lines arrive.
#[derive(Default)]
struct EventLines {
    pending: String,
    name: String,
    data: String,
}

impl EventLines {
    fn feed(&mut self, text: &str) -> Vec<ServerEvent> {
        self.pending.push_str(text);
        let mut events = Vec::new();
        while let Some(end) = self.pending.find('\n') {
            let line: String = self.pending.drain(..=end).collect();
            let line = line.trim_end();
            if let Some(name) = line.strip_prefix("event:") {
                self.name = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.trim());
            } else if line.is_empty() && !self.data.is_empty() {
                let data = std::mem::take(&mut self.data);
                events.push(ServerEvent {
                    name: std::mem::take(&mut self.name),
                    data: serde_json::from_str(&data).expect("event data is JSON"),
                });
            }
        }
        events
    }
}

type Reader = BufReader<TcpStream>;

fn open(
    server: SocketAddr,
    method: &str,
    path: &str,
    connection: &str,
    body: Option<Body<'_>>,
) -> io::Result<(u16, bool, Reader)> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE * 3))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: {connection}\r\n")
            .into_bytes();
    if let Some((media_type, bytes)) = body {
        let length = bytes.len();
        write!(
            request,
            "Content-Type: {media_type}\r\nContent-Length: {length}\r\n"
        )?;
    }
    request.extend(b"\r\n");
    request.extend(body.map_or(&[][..], |(_, bytes)| bytes));
    // A server that refuses a body closes the connection without having read all of it.
    let written = stream.write_all(&request);
    let mut reader = BufReader::new(stream);
    let first = read_line(&mut reader)?;
    if first.is_empty() {
        written?;
    }
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| invalid("a status line without a code"))?;
    let mut chunked = false;
    loop {
        let line = read_line(&mut reader)?.to_ascii_lowercase();
        match line.split_once(':') {
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
            None => return Ok((status, chunked, reader)),
        }
    }
}

/// The next chunk of a chunked body, `None` at its end.
fn read_chunk(reader: &mut Reader) -> io::Result<Option<Vec<u8>>> {
    let size = read_line(reader)?;
    let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
        .map_err(|_| invalid("a chunk without a size"))?;
    let mut chunk = vec![0; size];
    reader.read_exact(&mut chunk)?;
    read_line(reader)?;
    Ok((size > 0).then_some(chunk))
}

fn read_line(reader: &mut Reader) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
