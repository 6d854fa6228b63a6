use std::time::Duration;

use rookery::proto::lwm2m::{Path, Record, Value as LwM2mValue};
use rookery::services::engine::{DeviceAnswer, DeviceOutcome, DeviceState, RequestError, Waiting};
use serde_json::{Value, json};

use crate::client::Reply;
use crate::server::Server;

const PATH: &str = "/api/v1/devices/dev/rpc";

fn read() -> Value {
    json!({"method": "Read", "params": {"id": "/3/0/9"}})
}

fn value() -> DeviceOutcome {
    Ok(DeviceAnswer::Values {
        records: vec![Record {
            path: Path::resource(3, 0, 9),
            time: None,
            value: Some(LwM2mValue::Integer(42)),
        }],
        format: 0,
        observing: false,
    })
}

/// A server with the provisioned device `dev`.
async fn server() -> Server {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/dev", json!({})).await;
    server
}

/// The same, with `dev` registered; it answers as `outcomes` say.
async fn registered(outcomes: impl IntoIterator<Item = DeviceOutcome>) -> Server {
    let server = server().await;
    server.engine.register("dev", DeviceState::Registered);
    server.engine.outcomes.lock().unwrap().extend(outcomes);
    server
}

async fn post(server: &Server, query: &str, body: Value) -> Reply {
    server.admin.post(&format!("{PATH}{query}"), body).await
}

/// Waits until a persistent command is in `state`.
async fn await_state(server: &Server, id: &str, state: &str) -> Value {
    for _ in 0..500 {
        let shown = server.admin.get(&format!("/api/v1/rpc/{id}")).await.json();
        if shown["state"] == state {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} is never {state}");
}

#[tokio::test]
async fn a_command_is_answered_as_thingsboard_answers_it() {
    let server = registered([value(), value()]).await;
    let reply = post(&server, "", read()).await;
    assert_eq!(reply.status, 200);
    let text = "LwM2mSingleResource [id=9, value=42, type=INTEGER]";
    assert_eq!(reply.json(), json!({"result": "CONTENT", "value": text}));
    let reply = post(&server, "?format=json&timeout=2000", read()).await;
    assert_eq!(reply.json()["result"], "CONTENT");
    assert!(reply.json()["value"].to_string().contains("42"));
    let asked = server.engine.asked.lock().unwrap();
    let timeouts: Vec<_> = asked.iter().map(|request| request.timeout_millis).collect();
    assert_eq!(timeouts, [10_000, 2_000]);
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_an_unknown_device_is_not_found() {
    let server = server().await;
    let reply = post(&server, "", read()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({"result": "INTERNAL_SERVER_ERROR", "error": "Registration is empty"})
    );
    server.engine.register("dev", DeviceState::Registered);
    for mode in ["twoway", "oneway"] {
        let reply = post(
            &server,
            &format!("?mode={mode}"),
            json!({"method": "Shout"}),
        )
        .await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.json(),
            json!({"result": "METHOD_NOT_ALLOWED", "error": "Unsupported operation type: Shout"})
        );
    }
    for path in [
        "/api/v1/devices/unknown/rpc",
        "/api/v1/devices/unknown/rpc?mode=persistent",
    ] {
        let reply = server.admin.post(path, read()).await;
        reply.assert_problem(404, "device-not-found");
    }
    let list = server.admin.get("/api/v1/devices/unknown/rpc").await;
    list.assert_problem(404, "device-not-found");
}

#[tokio::test]
async fn a_timeout_says_what_was_waited_for_and_a_full_queue_is_busy() {
    let asleep = RequestError::NotSent {
        waiting: Waiting::Asleep,
    };
    let server = registered([Err(asleep), Err(RequestError::QueueFull)]).await;
    let problem = post(&server, "", read())
        .await
        .assert_problem(504, "device-timeout");
    assert!(
        problem["detail"].as_str().unwrap().contains("asleep"),
        "{problem}"
    );
    let full = post(&server, "", read()).await;
    full.assert_problem(503, "too-many-commands");
    assert_eq!(full.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_oneway_command_is_answered_with_nothing_when_the_queue_has_it() {
    let server = registered([]).await;
    let reply = post(&server, "?mode=oneway", read()).await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (200, ""));
    assert_eq!(server.engine.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_persistent_command_is_delivered_when_the_device_registers() {
    let server = server().await;
    let body = json!({
        "method": "Read", "params": "{\"id\":\"/3/0/9\"}", "persistent": true, "retries": 1,
        "timeout": 5000, "additionalInfo": {"why": "test"}
    });
    let kept = post(&server, "?retries=3", body).await;
    assert_eq!(kept.status, 200);
    let id = kept.json()["rpcId"].as_str().unwrap().to_owned();
    let shown = server.admin.get(&format!("/api/v1/rpc/{id}")).await.json();
    for (member, expected) in [
        ("id", json!(id)),
        ("endpoint", json!("dev")),
        ("state", json!("QUEUED")),
        ("retries", json!(3)),
        ("timeout", json!(5_000)),
        ("oneway", json!(false)),
        ("additionalInfo", json!({"why": "test"})),
    ] {
        assert_eq!(shown[member], expected, "{member}");
    }
    server.engine.outcomes.lock().unwrap().push_back(value());
    server.engine.register("dev", DeviceState::Registered);
    let shown = await_state(&server, &id, "SUCCESSFUL").await;
    assert_eq!(shown["response"]["result"], "CONTENT");
    let list = server
        .admin
        .get(&format!("{PATH}?state=SUCCESSFUL"))
        .await
        .json();
    assert_eq!(list, json!({"items": [shown], "next": null}));
    let none = server
        .admin
        .get(&format!("{PATH}?state=QUEUED"))
        .await
        .json();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn a_persistent_command_is_removed_alone_or_with_its_device() {
    let server = server().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let kept = post(&server, "?mode=persistent", read()).await.json();
        ids.push(format!("/api/v1/rpc/{}", kept["rpcId"].as_str().unwrap()));
    }
    assert_eq!(server.admin.delete(&ids[0]).await.status, 204);
    server
        .admin
        .delete(&ids[0])
        .await
        .assert_problem(404, "rpc-not-found");
    assert_eq!(server.admin.get(&ids[1]).await.status, 200);
    assert_eq!(server.admin.delete("/api/v1/devices/dev").await.status, 204);
    server
        .admin
        .get(&ids[1])
        .await
        .assert_problem(404, "rpc-not-found");
    server
        .admin
        .get("/api/v1/rpc/nonsense")
        .await
        .assert_problem(404, "rpc-not-found");
}

#[tokio::test]
async fn what_waits_for_one_device_is_bounded() {
    let server = server().await;
    for _ in 0..100 {
        assert_eq!(post(&server, "?mode=persistent", read()).await.status, 200);
    }
    let refused = post(&server, "?mode=persistent", read()).await;
    refused.assert_problem(503, "too-many-commands");
}

#[tokio::test]
async fn parameters_and_members_are_checked() {
    let server = registered([]).await;
    for (query, parameter) in [
        ("?mode=both", "mode"),
        ("?timeout=999", "timeout"),
        ("?timeout=3600001", "timeout"),
        ("?format=xml", "format"),
        ("?retries=101", "retries"),
        ("?expirationTime=soon", "expirationTime"),
        ("?wait=1", "wait"),
    ] {
        let problem = post(&server, query, read())
            .await
            .assert_problem(400, "invalid-parameter");
        assert_eq!(problem["parameter"], parameter);
    }
    for (member, value) in [("timeout", json!(10)), ("retries", json!(101))] {
        let mut body = read();
        body[member] = value;
        let problem = post(&server, "", body)
            .await
            .assert_problem(422, "invalid-body");
        assert_eq!(problem["member"], member);
    }
    let mut body = read();
    body["timeOut"] = json!(10_000);
    let problem = post(&server, "", body)
        .await
        .assert_problem(422, "invalid-body");
    assert!(
        problem["detail"].as_str().unwrap().contains("`timeOut`"),
        "{problem}"
    );
    let late = post(&server, "?mode=persistent&expirationTime=1", read()).await;
    late.assert_problem(422, "rpc-expired");
    let cursor = server.admin.get(&format!("{PATH}?cursor=x")).await;
    cursor.assert_problem(400, "invalid-cursor");
}

#[tokio::test]
async fn commands_are_counted_by_mode_and_result() {
    let server = registered([value()]).await;
    post(&server, "", read()).await;
    post(&server, "?mode=oneway", json!({"method": "Shout"})).await;
    let text = server.anonymous().get("/metrics").await.text();
    for labels in [
        "mode=\"twoway\",result=\"success\"",
        "mode=\"oneway\",result=\"refused\"",
    ] {
        let line = format!("lwm2m_rpc_commands_total{{{labels}}}");
        assert!(text.contains(&line), "{line}\n{text}");
    }
}
