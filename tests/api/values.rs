use std::collections::BTreeMap;

use rookery::engine::view::{ObjectView, ObservationView};
use rookery::services::engine::{
    AttributesView, DeviceState, RegistrationView, SecurityMode, TelemetryView, TimedValue,
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
