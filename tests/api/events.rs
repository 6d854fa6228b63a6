use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Method, Response};
use rookery::services::engine::{DeviceState, Event, EventKind, TracedMessage};
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// A stream of server-sent events, read as a browser does.
struct Stream {
    response: Response<Incoming>,
    buffer: String,
}

#[derive(Debug, PartialEq)]
struct Received {
    id: String,
    name: String,
    data: Value,
}

impl Stream {
    async fn open(client: &Client, path: &str, last: Option<&str>) -> Self {
        let headers: Vec<_> = last.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = client.open(Method::GET, path, &headers, Empty::new()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let mut stream = Self {
            response,
            buffer: String::new(),
        };
        let hello = stream.block().await.unwrap();
        assert!(hello.contains("retry:"), "{hello}");
        stream
    }

    /// The next block of lines, without the empty line that ends it; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block = self.buffer[..end].to_owned();
                self.buffer.drain(..end + 2);
                return Some(block);
            }
            let waiting = self.response.body_mut().frame();
            let frame = tokio::time::timeout(Duration::from_secs(10), waiting)
                .await
                .unwrap()?;
            let data = frame.unwrap().into_data().unwrap();
            self.buffer.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn next(&mut self) -> Received {
        let block = self.block().await.unwrap();
        let field = |name: &str| {
            let prefix = format!("{name}: ");
            let line = block
                .lines()
                .find_map(|line| line.strip_prefix(prefix.as_str()));
            line.unwrap_or_else(|| panic!("no {name} in {block:?}"))
                .to_owned()
        };
        Received {
            id: field("id"),
            name: field("event"),
            data: serde_json::from_str(&field("data")).unwrap(),
        }
    }
}

fn telemetry(endpoint: &str, value: i64) -> Arc<Event> {
    Arc::new(Event {
        ts: value,
        endpoint: endpoint.into(),
        kind: EventKind::Telemetry {
            key: "batteryLevel".into(),
            value: json!(value),
            measured: value,
        },
    })
}

#[tokio::test]
async fn events_arrive_with_id_type_and_json() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server.admin, "/api/v1/events", None).await;
    server.engine.events.send(telemetry("a", 42)).unwrap();
    let received = stream.next().await;
    assert_eq!(received.name, "telemetry");
    assert_eq!(
        received.data,
        json!({
            "ts": 42, "endpoint": "a", "type": "telemetry",
            "key": "batteryLevel", "value": 42, "measured": 42
        })
    );
}

#[tokio::test]
async fn a_device_stream_has_only_the_events_of_the_device() {
    let server = Server::start().await;
    server.engine.register("a/b", DeviceState::Registered);
    let path = "/api/v1/devices/a%2Fb/events";
    let mut stream = Stream::open(&server.admin, path, None).await;
    for (endpoint, value) in [("other", 1), ("a/b", 2), ("other", 3), ("a/b", 4)] {
        server
            .engine
            .events
            .send(telemetry(endpoint, value))
            .unwrap();
    }
    assert_eq!(stream.next().await.data["value"], 2);
    assert_eq!(stream.next().await.data["value"], 4);
}

#[tokio::test]
async fn a_client_that_connects_again_goes_on_where_it_was() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server.admin, "/api/v1/events", None).await;
    server.engine.events.send(telemetry("a", 1)).unwrap();
    let first = stream.next().await;
    drop(stream);
    for value in 2..5 {
        server.engine.events.send(telemetry("a", value)).unwrap();
    }
    let mut stream = Stream::open(&server.admin, "/api/v1/events", Some(&first.id)).await;
    for value in 2..5 {
        assert_eq!(stream.next().await.data["value"], value);
    }
    let mut stranger = Stream::open(&server.admin, "/api/v1/events", Some("1-1")).await;
    let lost = stranger.next().await;
    assert_eq!(
        (lost.name.as_str(), lost.data),
        ("lost", json!({"count": null}))
    );
}

#[tokio::test]
async fn a_stream_says_how_many_events_it_lost() {
    let server = Server::start_with(false, 16).await;
    let mut stream = Stream::open(&server.admin, "/api/v1/events", None).await;
    // More than the engine's queue holds, without giving the feed a chance to run.
    for value in 0..100 {
        server.engine.events.send(telemetry("a", value)).unwrap();
    }
    let lost = stream.next().await;
    assert_eq!(
        (lost.name.as_str(), lost.data),
        ("lost", json!({"count": 84}))
    );
    assert_eq!(stream.next().await.data["value"], 84);
}

#[tokio::test]
async fn the_number_of_streams_is_bounded() {
    let server = Server::start().await;
    let first = Stream::open(&server.admin, "/api/v1/events", None).await;
    let _second = Stream::open(&server.admin, "/api/v1/events", None).await;
    let refused = server.admin.get("/api/v1/events").await;
    let problem = refused.assert_problem(503, "too-many-streams");
    assert_eq!(problem["limit"], 2);
    drop(first);
    for _ in 0..100 {
        let body = Empty::new();
        let again = server
            .admin
            .open(Method::GET, "/api/v1/events", &[], body)
            .await;
        if again.status() == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place of a closed stream was not given to another");
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server.admin, "/api/v1/events", None).await;
    let stopped = tokio::time::timeout(Duration::from_secs(3), server.stop());
    let (stopped, rest) = tokio::join!(stopped, stream.block());
    assert!(
        stopped.is_ok(),
        "an open stream keeps the server from stopping"
    );
    assert_eq!(rest, None);
}

#[tokio::test]
async fn a_trace_decodes_messages_and_tells_what_is_missing() {
    let server = Server::start().await;
    server.engine.register("dev-1", DeviceState::Registered);
    let path = "/api/v1/devices/dev-1/trace";
    let headers = [];
    let response = server
        .admin
        .open(Method::GET, path, &headers, Empty::new())
        .await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let refused = server.admin.get(path).await;
    refused.assert_problem(503, "too-many-streams");

    let mut stream = Stream {
        response,
        buffer: String::new(),
    };
    assert!(stream.block().await.unwrap().contains("connected"));
    let trace = server.engine.traced.lock().unwrap().take().unwrap();
    let message = TracedMessage {
        ts: 1,
        incoming: false,
        peer: "192.0.2.1:5683".parse().ok(),
        bytes: [0x60, 0x00, 0x00, 0x07].into(),
        lost: 3,
    };
    trace.send(message).await.unwrap();
    let lost = stream.block().await.unwrap();
    assert!(
        lost.contains("event: lost") && lost.contains("{\"count\":3}"),
        "{lost}"
    );
    let message = stream.block().await.unwrap();
    assert!(message.contains("event: message"), "{message}");
    let data = message
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["type"], "ACK");
    assert_eq!(data["code"], "0.00");
    assert_eq!(data["mid"], 7);
    drop(trace);
    assert_eq!(stream.block().await, None);
}
