//! The history of a device's telemetry, as its profile chooses.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions};
use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

fn profile(history: &Value) -> Value {
    json!({
        "observeAttr": {
            "keyName": {"/3/0/9": "batteryLevel"}, "observe": ["/3/0/9"],
            "telemetry": ["/3/0/9"], "attribute": [], "attributeLwm2m": {}
        },
        "rookery": {"history": history}
    })
}

/// A device whose battery goes through these levels.
fn run_down(engine: &Engine, endpoint: &str, levels: &[i64]) -> Client {
    let mut options = ClientOptions::thingsboard(engine.coap(), endpoint);
    options.time_frequency = Duration::from_secs(3_600);
    let device = Client::start(options).expect("a device starts");
    assert!(device.wait_registered(PATIENCE));
    eventually("its battery is observed", || {
        let observed = device.observations();
        (!observed.is_empty()).then_some(()).ok_or(observed)
    });
    for level in levels {
        // Of values of one millisecond the last one counts.
        std::thread::sleep(Duration::from_millis(3));
        assert!(device.set("/3/0/9", *level));
        engine.await_telemetry(endpoint, "batteryLevel", &json!(level));
    }
    device
}

fn levels(telemetry: &Value) -> Vec<i64> {
    let values = telemetry["batteryLevel"].as_array().expect("values");
    let levels = values.iter().map(|value| value["value"].as_i64());
    levels.map(|level| level.expect("a level")).collect()
}

#[test]
fn a_profile_with_a_retention_keeps_every_value() {
    let engine = Engine::start();
    engine.put_profile("kept", &profile(&json!({"days": 30})));
    engine.put_device("meter", &json!({"profile": "kept"}));
    let _device = run_down(&engine, "meter", &[91, 82, 73]);
    eventually("three values are kept", || {
        let found = levels(&engine.telemetry("meter"));
        found.starts_with(&[73, 82, 91]).then_some(()).ok_or(found)
    });
    let newest = engine.telemetry("meter")["batteryLevel"][0]["ts"].clone();
    let before = newest.as_i64().expect("a time") - 1;
    let path = format!("/api/v1/devices/meter/telemetry?keys=batteryLevel&to={before}&limit=1");
    assert_eq!(levels(&engine.get(&path)), [82]);
    assert!(engine.metric("lwm2m_history_values_total", &["stored"]) >= 3.0);
}

#[test]
fn other_profiles_keep_the_latest_value_at_most() {
    let engine = Engine::start();
    engine.put_profile("latest", &profile(&json!("latest")));
    engine.put_profile("none", &profile(&json!("none")));
    for name in ["latest", "none"] {
        engine.put_device(name, &json!({"profile": name}));
        let _device = run_down(&engine, name, &[91, 82]);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(levels(&engine.telemetry(name)), [82], "{name}");
    }
    let latest = engine.metric("lwm2m_history_values_total", &[]);
    assert!(latest >= 2.0, "values of `latest` are counted: {latest}");
}

#[test]
fn a_removed_device_leaves_no_history() {
    let engine = Engine::start();
    engine.put_profile("kept", &profile(&json!({"hours": 1})));
    engine.put_device("gone", &json!({"profile": "kept"}));
    let device = run_down(&engine, "gone", &[91, 82]);
    eventually("the values are kept", || {
        let found = levels(&engine.telemetry("gone"));
        (found.len() >= 2).then_some(()).ok_or(found)
    });
    drop(device);
    let removed = engine.send_json("DELETE", "/api/v1/devices/gone", &json!({}));
    assert_eq!(removed.status, 204, "{}", removed.body);
    engine.put_device("gone", &json!({"profile": "kept"}));
    assert_eq!(engine.telemetry("gone"), json!({}));
}
