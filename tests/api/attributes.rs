use std::time::Duration;

use rookery::services::tokens::Role;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

const SHARED: &str = "/api/v1/devices/dev-1/attributes/shared";

async fn server() -> Server {
    let server = Server::start().await;
    let created = server.admin.put("/api/v1/devices/dev-1", json!({})).await;
    assert_eq!(created.status, 201);
    server
}

async fn shared(client: &Client) -> Value {
    let shown = client.get("/api/v1/devices/dev-1/attributes").await;
    shown.json()["shared"].clone()
}

#[tokio::test]
async fn shared_attributes_are_kept_and_shown_with_the_time_they_were_set() {
    let server = server().await;
    let put = server
        .admin
        .put(SHARED, json!({"a": 1, "b": {"0": "x"}}))
        .await;
    assert_eq!(put.status, 200);
    let put = put.json();
    assert_eq!(put["a"]["value"], 1);
    assert!(put["a"]["ts"].as_i64().unwrap() > 1_700_000_000_000);
    // The device is not there: what is to be written waits.
    assert_eq!(put["a"]["write"]["state"], "pending");
    assert_eq!(shared(&server.admin).await, put);

    let changed = server.admin.put(SHARED, json!({"a": 2})).await.json();
    assert_eq!(changed["a"]["value"], 2);
    assert!(changed["a"]["ts"].as_i64() > put["a"]["ts"].as_i64());
    assert_eq!(changed["b"], put["b"]);
}

#[tokio::test]
async fn deleted_attributes_are_gone_and_others_stay() {
    let server = server().await;
    server
        .admin
        .put(SHARED, json!({"a": 1, "b": 2, "c": 3}))
        .await;
    let left = server
        .admin
        .delete(&format!("{SHARED}?keys=a,c,never"))
        .await;
    assert_eq!(left.status, 200);
    let left = left.json();
    let keys: Vec<_> = left.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["b"]);
    let refused = server.admin.delete(SHARED).await;
    let problem = refused.assert_problem(400, "invalid-parameter");
    assert_eq!(problem["parameter"], "keys");
}

#[tokio::test]
async fn what_cannot_be_an_attribute_is_refused_and_nothing_is_changed() {
    let server = server().await;
    let long = "k".repeat(256);
    for (body, member, said) in [
        (json!({"a": 1, "b": null}), json!("b"), "DELETE"),
        (
            json!({"a": 1, "fw_title": "x"}),
            json!("fw_title"),
            "package",
        ),
        (json!({"a": 1, "sw_url": "x"}), json!("sw_url"), "package"),
        (json!({"": 1}), json!(""), "1 to 255 bytes"),
        (json!({"x,y": 1}), json!("x,y"), "commas"),
        (json!({long: 1}), json!("k".repeat(64)), "1 to 255 bytes"),
        (json!({}), Value::Null, "values by attribute name"),
    ] {
        let refused = server.admin.put(SHARED, body.clone()).await;
        let problem = refused.assert_problem(422, "invalid-attribute");
        assert_eq!(problem["member"], member, "{body}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{detail}");
    }
    server
        .admin
        .put(SHARED, json!([1]))
        .await
        .assert_problem(422, "invalid-body");
    assert_eq!(shared(&server.admin).await, json!({}));
    // Only the exact names are reserved.
    let put = server
        .admin
        .put(SHARED, json!({"voltage": 1, "fw_titles": 2, "state": 3}))
        .await;
    assert_eq!(put.status, 200);
}

#[tokio::test]
async fn a_device_has_a_bounded_number_of_attributes() {
    let server = server().await;
    let many = |from: usize| -> Value {
        (from..from + 150)
            .map(|n| (format!("k{n}"), json!(n)))
            .collect()
    };
    assert_eq!(server.admin.put(SHARED, many(0)).await.status, 200);
    let refused = server.admin.put(SHARED, many(100)).await;
    let problem = refused.assert_problem(422, "invalid-attribute");
    assert!(
        problem["detail"].as_str().unwrap().contains("250"),
        "{problem}"
    );
    assert_eq!(shared(&server.admin).await.as_object().unwrap().len(), 150);
}

#[tokio::test]
async fn viewers_read_and_operators_write() {
    let server = server().await;
    let viewer = server.with_role(Role::Viewer).await;
    viewer
        .put(SHARED, json!({"a": 1}))
        .await
        .assert_problem(403, "forbidden");
    viewer
        .delete(&format!("{SHARED}?keys=a"))
        .await
        .assert_problem(403, "forbidden");
    let operator = server.with_role(Role::Operator).await;
    assert_eq!(operator.put(SHARED, json!({"a": 1})).await.status, 200);
    assert_eq!(shared(&viewer).await["a"]["value"], 1);
}

#[tokio::test]
async fn the_attributes_go_with_the_device() {
    let server = server().await;
    server.admin.put(SHARED, json!({"a": 1})).await;
    assert_eq!(
        server.admin.delete("/api/v1/devices/dev-1").await.status,
        204
    );
    server
        .admin
        .put(SHARED, json!({"a": 1}))
        .await
        .assert_problem(404, "device-not-found");
    server.admin.put("/api/v1/devices/dev-1", json!({})).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(shared(&server.admin).await, json!({}));
}
