use std::collections::BTreeMap;

use rookery::engine::view::{ObjectView, ObservationView};
use rookery::services::engine::{
    AttributesView, DeviceState, Engine, Measured, RegistrationView, SecurityMode, Severity,
    TelemetryView, TimedValue,
};
use serde_json::json;

use crate::fake_engine::{Held, summary};
use crate::server::Server;

fn value(ts: i64, value: impl Into<serde_json::Value>) -> TimedValue {
    TimedValue {
        ts,
        value: value.into(),
    }
}

fn held() -> Held {
    Held {
        summary: summary("dev-1", DeviceState::Registered),
        registration: Some(RegistrationView {
            id: Some("x7".to_owned()),
            endpoint: "dev-1".to_owned(),
            profile: "default".to_owned(),
            state: DeviceState::Registered,
            state_reason: "registered, answers at once".to_owned(),
            address: Some("192.0.2.1:5683".to_owned()),
            session: None,
            security: SecurityMode::NoSec,
            lwm2m_version: "1.1".to_owned(),
            binding: "U".to_owned(),
            queue_mode: false,
            sms: None,
            lifetime: Some(300),
            registered_at: Some(1),
            last_seen: Some(2),
            expires: Some(3),
            next_expected: None,
            objects: BTreeMap::from([(
                3,
                ObjectView {
                    version: "1.1".to_owned(),
                    version_stated: false,
                    instances: vec![0],
                },
            )]),
            alternate_path: None,
            observe_composite_limit: None,
            read_composite_limit: Some(2),
            content_formats: vec![110, 11_542],
            additional: BTreeMap::new(),
            queue_length: 0,
            commands: Vec::new(),
            observations: vec![ObservationView {
                path: "/3/0/9".to_owned(),
                state: "established",
                notifications: 4,
            }],
            active: false,
            problems: Vec::new(),
            updates: Vec::new(),
        }),
        telemetry: TelemetryView::from([
            (
                "batteryLevel".to_owned(),
                vec![value(30, 42), value(20, 41), value(10, 40)],
            ),
            ("rssi".to_owned(), vec![value(15, -80)]),
        ]),
        attributes: AttributesView::from([("manufacturer".to_owned(), value(5, "Acme"))]),
    }
}

async fn server() -> Server {
    let server = Server::start().await;
    server.engine.hold(held());
    server.admin.put("/api/v1/devices/never", json!({})).await;
    server
}

#[tokio::test]
async fn a_registration_is_shown_whole() {
    let server = server().await;
    let shown = server.admin.get("/api/v1/devices/dev-1/registration").await;
    assert_eq!(shown.status, 200);
    assert_eq!(
        shown.json(),
        serde_json::to_value(held().registration).unwrap()
    );
    assert_eq!(shown.json()["objects"]["3"]["versionStated"], false);
}

#[tokio::test]
async fn telemetry_is_selected_by_key_time_and_number() {
    let server = server().await;
    let cases = [
        (
            "",
            json!({
                "batteryLevel": [
                    {"ts": 30, "value": 42}, {"ts": 20, "value": 41}, {"ts": 10, "value": 40}],
                "rssi": [{"ts": 15, "value": -80}]
            }),
        ),
        (
            "?keys=rssi,other",
            json!({"rssi": [{"ts": 15, "value": -80}]}),
        ),
        (
            "?limit=1&keys=batteryLevel",
            json!({"batteryLevel": [{"ts": 30, "value": 42}]}),
        ),
        (
            "?from=12&to=20",
            json!({
                "batteryLevel": [{"ts": 20, "value": 41}], "rssi": [{"ts": 15, "value": -80}]
            }),
        ),
    ];
    for (query, expected) in cases {
        let path = format!("/api/v1/devices/dev-1/telemetry{query}");
        assert_eq!(server.admin.get(&path).await.json(), expected, "{query}");
    }
}

#[tokio::test]
async fn attributes_are_client_and_shared() {
    let server = server().await;
    let shown = server
        .admin
        .get("/api/v1/devices/dev-1/attributes")
        .await
        .json();
    assert_eq!(
        shown,
        json!({"client": {"manufacturer": {"ts": 5, "value": "Acme"}}, "shared": {}})
    );
}

#[tokio::test]
async fn a_device_that_never_registered_has_no_values_and_no_registration() {
    let server = server().await;
    let telemetry = server.admin.get("/api/v1/devices/never/telemetry").await;
    assert_eq!(telemetry.json(), json!({}));
    let attributes = server.admin.get("/api/v1/devices/never/attributes").await;
    assert_eq!(attributes.json(), json!({"client": {}, "shared": {}}));
    let registration = server.admin.get("/api/v1/devices/never/registration").await;
    registration.assert_problem(404, "never-registered");
}

#[tokio::test]
async fn an_unknown_device_is_not_found_everywhere() {
    let server = server().await;
    for part in ["", "/registration", "/telemetry", "/attributes", "/events"] {
        let reply = server
            .admin
            .get(&format!("/api/v1/devices/unknown{part}"))
            .await;
        let problem = reply.assert_problem(404, "device-not-found");
        assert!(problem["detail"].as_str().unwrap().contains("unknown"));
    }
}

#[tokio::test]
async fn a_history_is_kept_where_the_profile_asks_for_it() {
    let server = server().await;
    for (name, history) in [("kept", json!({"days": 1})), ("latest", json!("latest"))] {
        let profile = json!({"rookery": {"history": history}});
        let put = server
            .admin
            .put(&format!("/api/v1/profiles/{name}"), profile)
            .await;
        assert_eq!(put.status, 201, "{}", put.text());
    }
    let measured = |profile: &str, key: &str, ts: i64| Measured {
        endpoint: "never".into(),
        profile: profile.into(),
        key: key.into(),
        ts,
        value: json!(ts),
    };
    let batch = [10, 30, 20]
        .map(|ts| measured("kept", "all", ts))
        .into_iter();
    let batch = batch.chain([10, 30, 20].map(|ts| measured("latest", "one", ts)));
    let batch = batch.chain([measured("default", "none", 1)]);
    let sender = server.engine.measured.lock().unwrap().clone().unwrap();
    sender.send(batch.collect()).await.unwrap();
    let expected = json!({
        "all": [{"ts": 30, "value": 30}, {"ts": 20, "value": 20}, {"ts": 10, "value": 10}],
        "one": [{"ts": 30, "value": 30}]
    });
    let path = "/api/v1/devices/never/telemetry";
    let mut shown = json!({});
    for _ in 0..100 {
        shown = server.admin.get(path).await.json();
        if shown == expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(shown, expected);
    let some = server
        .admin
        .get(&format!("{path}?keys=all&from=11&to=30&limit=1"))
        .await;
    assert_eq!(some.json(), json!({"all": [{"ts": 30, "value": 30}]}));
    let keys: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    let many = format!("{path}?limit=1000&keys={}", keys.join(","));
    let refused = server.admin.get(&many).await;
    refused.assert_problem(400, "invalid-parameter");

    server.admin.delete("/api/v1/devices/never").await;
    server.admin.put("/api/v1/devices/never", json!({})).await;
    assert_eq!(server.admin.get(path).await.json(), json!({}));
}

#[tokio::test]
async fn a_log_is_shown_newest_first() {
    let server = server().await;
    for n in 0..3 {
        server
            .engine
            .note("dev-1", Severity::Warn, format!("entry {n}"));
    }
    let shown = server.admin.get("/api/v1/devices/dev-1/log?limit=2").await;
    assert_eq!(
        shown.json(),
        json!({"items": [
            {"ts": 2, "level": "warn", "text": "entry 2"}, {"ts": 1, "level": "warn", "text": "entry 1"}
        ]})
    );
    assert_eq!(
        server.admin.get("/api/v1/devices/never/log").await.json(),
        json!({"items": []})
    );
    let refused = server
        .admin
        .get("/api/v1/devices/dev-1/log?limit=101")
        .await;
    refused.assert_problem(400, "invalid-parameter");
    let unknown = server.admin.get("/api/v1/devices/unknown/log").await;
    unknown.assert_problem(404, "device-not-found");
}

#[tokio::test]
async fn a_refused_command_is_in_the_log() {
    let server = server().await;
    let call = json!({"method": "Read", "params": {"id": "/4711/0"}});
    server.admin.post("/api/v1/devices/dev-1/rpc", call).await;
    let log = server.admin.get("/api/v1/devices/dev-1/log").await.json();
    let text = log["items"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with(
            "[error]: Request [Read {\"id\":\"/4711/0\"}] validation failed. Reason: "
        ),
        "{text}"
    );
}
