use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Method;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::Reply;
use crate::server::{MAX_BODY, Server};

const NDJSON: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];
const PATH: &str = "/api/v1/devices:import";

fn results(reply: &Reply) -> Vec<Value> {
    let text = reply.text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn each_line_is_answered_with_a_line() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/old", json!({})).await;
    let lines = [
        r#"{"endpoint":"new","profile":"default"}"#,
        "",
        r#"{"credentials":{"client":{"securityConfigClientMode":"NO_SEC","endpoint":"old"}}}"#,
        r#"{"endpoint":"x","profile":"water"}"#,
        r#"{"endpoint":"#,
        r#"{"profile":"default"}"#,
        &format!(r#"{{"endpoint":"{}"}}"#, "y".repeat(MAX_BODY)),
        r#"{"endpoint":"last"}"#,
    ];
    let body = lines.join("\n").into_bytes();
    let reply = server.admin.send(Method::POST, PATH, &NDJSON, body).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    let results = results(&reply);
    let seen: Vec<_> = results
        .iter()
        .map(|result| {
            let problem = result["problem"]["type"].as_str().unwrap_or_default();
            (
                result["line"].as_u64().unwrap(),
                result["result"].as_str().unwrap(),
                result["endpoint"].as_str().unwrap_or_default(),
                problem.trim_start_matches("urn:rookery:problem:"),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, "created", "new", ""),
            (3, "replaced", "old", ""),
            (4, "refused", "", "unknown-profile"),
            (5, "refused", "", "invalid-json"),
            (6, "refused", "", "invalid-device"),
            (7, "refused", "", "body-too-large"),
            (8, "created", "last", ""),
        ]
    );
    for endpoint in ["new", "old", "last"] {
        assert!(server.engine.is_admitted(endpoint), "{endpoint}");
    }
    assert_eq!(server.engine.admitted(), 3);
}

#[tokio::test]
async fn ten_thousand_lines_pass_while_they_are_sent() {
    let server = Server::start().await;
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(Frame::data(chunk)), receiver))
    });
    let client = server.admin.clone();
    sender
        .send(Bytes::from("{\"endpoint\":\"d0\"}\n"))
        .await
        .unwrap();
    let mut response = client
        .open(Method::POST, PATH, &NDJSON, StreamBody::new(chunks))
        .await;
    assert_eq!(response.status(), 200);

    // The first result is there although the request has not ended.
    let waiting = response.body_mut().frame();
    let first = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    let first = first.unwrap().unwrap().unwrap().into_data().unwrap();
    assert!(first.ends_with(b"\"created\"}\n"), "{first:?}");

    for tens in 0..1_000 {
        let lines = (tens * 10 + 1..=tens * 10 + 10)
            .map(|n| format!("{{\"endpoint\":\"d{n}\"}}\n"))
            .collect::<String>();
        sender.send(lines.into()).await.unwrap();
    }
    drop(sender);
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    let rest = std::str::from_utf8(&rest).unwrap();
    assert_eq!(rest.lines().count(), 10_000);
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!(
        last,
        json!({"line": 10_001, "endpoint": "d10000", "result": "created"})
    );
    assert_eq!(server.engine.admitted(), 10_001);
}

#[tokio::test]
async fn a_request_cut_off_says_how_far_it_came() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start().await;
    let token = server.admin.token.clone().unwrap();
    let mut stream = tokio::net::TcpStream::connect(server.admin.address)
        .await
        .unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: 1000\r\n\r\n"
    );
    let lines = "{\"endpoint\":\"a\"}\n{\"endp";
    stream
        .write_all(format!("{head}{lines}").as_bytes())
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // The connection may be closed hard: what matters is what was done.
    let _ = stream.read_to_string(&mut answer).await;
    for _ in 0..500 {
        if server.engine.is_admitted("a") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.engine.is_admitted("a"));
    assert_eq!(server.engine.admitted(), 1, "half a line is no device");
}

#[tokio::test]
async fn a_client_that_reads_only_after_sending_is_served() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start().await;
    let token = server.admin.token.clone().unwrap();
    // HTTP/1.0, so that the response is not cut into chunks. Enough that the results fill every socket buffer on the way.
    let line = "{\"endpoint\":\"same\",\"profile\":\"none\"}\n";
    let count = 60_000;
    let head = format!(
        "POST {PATH} HTTP/1.0\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        line.len() * count
    );
    let mut stream = tokio::net::TcpStream::connect(server.admin.address)
        .await
        .unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let body = line.repeat(count);
    let sending = stream.write_all(body.as_bytes());
    tokio::time::timeout(Duration::from_secs(30), sending)
        .await
        .unwrap()
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer.matches("unknown-profile").count(), count);
}
