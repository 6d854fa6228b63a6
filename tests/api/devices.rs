use std::collections::BTreeSet;

use rookery::services::engine::DeviceState;
use rookery::services::storage::{Change, Store, Table};
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

fn body(endpoint: &str) -> Value {
    json!({
        "profile": "default",
        "credentials": {
            "client": {"securityConfigClientMode": "NO_SEC", "endpoint": endpoint},
            "bootstrap": {
                "bootstrapServer": {
                    "securityMode": "PSK",
                    "clientPublicKeyOrId": "me",
                    "clientSecretKey": "000102030405060708090a0b0c0d0e0f"
                },
                "lwm2mServer": {"securityMode": "NO_SEC"}
            }
        },
        "transportConfiguration": {"powerMode": "PSM"}
    })
}

/// Follows `next` from page to page; returns the endpoints and the number of pages.
async fn list_all(client: &Client, query: &str) -> (Vec<String>, usize) {
    let mut endpoints = Vec::new();
    let mut cursor = String::new();
    for page in 1.. {
        let reply = client
            .get(&format!("/api/v1/devices?{query}&cursor={cursor}"))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let list = reply.json();
        for item in list["items"].as_array().unwrap() {
            endpoints.push(item["endpoint"].as_str().unwrap().to_owned());
        }
        match &list["next"] {
            Value::String(next) => cursor.clone_from(next),
            next => {
                assert!(next.is_null());
                return (endpoints, page);
            }
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_provisioned_device_is_shown_without_its_secrets() {
    let server = Server::start().await;
    let created = server
        .admin
        .put("/api/v1/devices/dev-1", body("dev-1"))
        .await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert!(server.engine.is_admitted("dev-1"));
    let shown = server.admin.get("/api/v1/devices/dev-1").await.json();
    assert_eq!(shown, created.json());
    assert_eq!(
        shown,
        json!({
            "endpoint": "dev-1", "profile": "default", "security": "NO_SEC", "state": "never",
            "lastSeen": null, "provisioned": true,
            "credentials": {
                "client": {"securityConfigClientMode": "NO_SEC", "endpoint": "dev-1"},
                "bootstrap": {
                    "bootstrapServer": {"securityMode": "PSK", "clientPublicKeyOrId": "me"},
                    "lwm2mServer": {"securityMode": "NO_SEC"}
                }
            },
            "transportConfiguration": {"powerMode": "PSM"}
        })
    );
    let stored = server.store.get(Table::Devices, "dev-1").unwrap().unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored, body("dev-1"), "stored unchanged");
}

#[tokio::test]
async fn what_the_server_shows_may_be_sent_back() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", json!({})).await;
    let shown = server.admin.get("/api/v1/devices/a").await.json();
    let again = server.admin.put("/api/v1/devices/a", shown.clone()).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, shown));
}

#[tokio::test]
async fn a_device_removed_is_gone_from_store_and_engine() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/a", body("a")).await;
    server.engine.register("a", DeviceState::Registered);
    assert_eq!(server.admin.delete("/api/v1/devices/a").await.status, 204);
    assert!(!server.engine.is_admitted("a"));
    let gone = server.admin.get("/api/v1/devices/a").await;
    gone.assert_problem(404, "device-not-found");
    let again = server.admin.delete("/api/v1/devices/a").await;
    again.assert_problem(404, "device-not-found");
}

#[tokio::test]
async fn a_device_let_in_without_being_provisioned_can_be_shown_and_removed() {
    let server = Server::start().await;
    server.engine.register("guest", DeviceState::Asleep);
    let shown = server.admin.get("/api/v1/devices/guest").await.json();
    assert_eq!(
        shown,
        json!({
            "endpoint": "guest", "profile": "default", "security": "NO_SEC", "state": "asleep",
            "lastSeen": 1_700_000_000_000_i64, "provisioned": false
        })
    );
    assert_eq!(
        server.admin.delete("/api/v1/devices/guest").await.status,
        204
    );
}

#[tokio::test]
async fn endpoint_names_are_percent_decoded() {
    let server = Server::start().await;
    let cases = [
        ("urn%3Aimei%3A1", "urn:imei:1"),
        ("urn:imei:2", "urn:imei:2"),
        ("a%2Fb%2fc", "a/b/c"),
        ("Z%C3%A4hler%20%231%3F", "Zähler #1?"),
        ("100%25", "100%"),
        ("a+b", "a+b"),
        ("devices%3Aimport", "devices:import"),
    ];
    for (path, endpoint) in cases {
        let path = format!("/api/v1/devices/{path}");
        let created = server.admin.put(&path, body(endpoint)).await;
        assert_eq!(created.status, 201, "{endpoint}: {}", created.text());
        assert_eq!(server.admin.get(&path).await.json()["endpoint"], endpoint);
        let telemetry = server.admin.get(&format!("{path}/telemetry")).await;
        assert_eq!(telemetry.status, 200, "{endpoint}");
    }
    let list = server
        .admin
        .get("/api/v1/devices?q=Z%C3%A4hler")
        .await
        .json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let invalid = server.admin.get("/api/v1/devices/%ff").await;
    invalid.assert_problem(400, "invalid-endpoint");
    let control = server.admin.get("/api/v1/devices/a%00b").await;
    control.assert_problem(400, "invalid-endpoint");
}

#[tokio::test]
async fn pages_cover_engine_and_store_without_gaps_or_repeats() {
    let server = Server::start().await;
    for n in 0..25 {
        server
            .engine
            .register(&format!("held-{n:02}"), DeviceState::Registered);
    }
    for n in 0..30 {
        let endpoint = format!("never-{n:02}");
        server
            .admin
            .put(&format!("/api/v1/devices/{endpoint}"), body(&endpoint))
            .await;
    }
    // Provisioned and registered: once in the list.
    server
        .admin
        .put("/api/v1/devices/held-07", body("held-07"))
        .await;
    for limit in [1, 4, 7, 1000] {
        let (endpoints, _) = list_all(&server.admin, &format!("limit={limit}")).await;
        let distinct: BTreeSet<_> = endpoints.iter().collect();
        assert_eq!((endpoints.len(), distinct.len()), (55, 55), "limit {limit}");
    }
    let page = server.admin.get("/api/v1/devices?limit=4").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_list_is_filtered_on_the_server() {
    let server = Server::start().await;
    for (endpoint, state) in [
        ("a-1", DeviceState::Registered),
        ("a-2", DeviceState::Asleep),
        ("b-1", DeviceState::Expired),
    ] {
        server.engine.register(endpoint, state);
    }
    server.admin.put("/api/v1/devices/a-3", body("a-3")).await;
    let cases = [
        ("state=asleep", vec!["a-2"]),
        ("state=expired", vec!["b-1"]),
        ("state=never", vec!["a-3"]),
        ("q=a-", vec!["a-1", "a-2", "a-3"]),
        ("q=a-&state=registered", vec!["a-1"]),
        ("profile=default&security=NO_SEC&q=-1", vec!["a-1", "b-1"]),
        ("profile=other", vec![]),
    ];
    for (query, expected) in cases {
        let (mut endpoints, _) = list_all(&server.admin, query).await;
        endpoints.sort();
        assert_eq!(endpoints, expected, "{query}");
    }
}

#[tokio::test]
async fn an_unreadable_device_is_left_out_and_counted() {
    let server = Server::start().await;
    server.admin.put("/api/v1/devices/good", json!({})).await;
    let damaged = Change::Put {
        table: Table::Devices,
        key: "bad".to_owned(),
        value: b"\xff".to_vec(),
    };
    server.store.write(vec![damaged]).await.unwrap();
    let (endpoints, _) = list_all(&server.admin, "limit=10").await;
    assert_eq!(endpoints, ["good"]);
    let about = server.admin.get("/api/v1/server").await.json();
    assert_eq!(about["store"]["setAside"], 1);
    assert_eq!(about["store"]["devices"], 1);
}

#[tokio::test]
async fn a_busy_engine_is_said_to_be_busy() {
    let server = Server::start().await;
    server
        .engine
        .busy
        .store(true, std::sync::atomic::Ordering::Relaxed);
    for path in [
        "/api/v1/devices",
        "/api/v1/devices/a",
        "/api/v1/devices/a/registration",
    ] {
        let reply = server.admin.get(path).await;
        reply.assert_problem(503, "engine-busy");
        assert_eq!(reply.headers["retry-after"], "1");
    }
}

fn psk(identity: &str) -> Value {
    json!({"credentials": {"client": {
        "securityConfigClientMode": "PSK",
        "identity": identity,
        "key": "000102030405060708090a0b0c0d0e0f"
    }}})
}

#[tokio::test]
async fn credentials_are_of_one_device_until_it_has_others_or_is_gone() {
    let server = Server::start().await;
    let put = |endpoint: &str, body: Value| {
        let path = format!("/api/v1/devices/{endpoint}");
        let client = &server.admin;
        async move { client.put(&path, body).await }
    };
    assert_eq!(put("a", psk("me")).await.status, 201);
    let refused = put("b", psk("me")).await;
    let problem = refused.assert_problem(409, "credentials-taken");
    assert_eq!(problem["member"], "credentials.client.identity");
    assert_eq!(put("a", psk("other")).await.status, 200);
    assert_eq!(put("b", psk("me")).await.status, 201);
    let deleted = server.admin.delete("/api/v1/devices/b").await;
    assert!(deleted.status.is_success());
    assert_eq!(put("a", psk("me")).await.status, 200);
}

#[tokio::test]
async fn a_device_is_let_in_whatever_it_proves_itself_with() {
    let server = Server::start().await;
    let path = "/api/v1/devices/a";
    server.admin.put(path, json!({})).await;
    assert!(server.engine.is_admitted("a"));
    server.admin.put(path, psk("me")).await;
    assert!(server.engine.is_admitted("a"));
    server.admin.put(path, json!({})).await;
    assert!(server.engine.is_admitted("a"));
}
