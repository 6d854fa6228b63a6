//! An engine with a profile for updates, packages, and devices that simulate them.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions, PackageMode};
use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(20);

/// An engine whose profile `updates` watches what ThingsBoard's own tests watch.
pub fn engine() -> Engine {
    let engine = Engine::start();
    put_profile(&engine, &json!({}));
    engine
}

/// Puts the profile `updates` with these `clientLwM2mSettings`.
pub fn put_profile(engine: &Engine, settings: &Value) {
    let watched = [
        "/5/0/3", "/5/0/5", "/5/0/6", "/5/0/7", "/5/0/9", "/9/0/0", "/9/0/1", "/9/0/7", "/9/0/9",
    ];
    let names: serde_json::Map<String, Value> = watched
        .iter()
        .map(|path| {
            (
                (*path).to_owned(),
                format!("r{}", path.replace('/', "_")).into(),
            )
        })
        .collect();
    let observe = json!({"keyName": names, "observe": watched, "telemetry": watched,
                         "attribute": [], "attributeLwm2m": {}});
    let profile = json!({"observeAttr": observe, "clientLwM2mSettings": settings});
    engine.put_profile("updates", &profile);
}

/// Id of a new package with these bytes.
pub fn upload(engine: &Engine, query: &str, bytes: &[u8]) -> String {
    let path = format!("/api/v1/packages?{query}");
    let answer = engine.send("POST", &path, ("application/octet-stream", bytes));
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// A registered device of the profile `updates`.
pub fn device(engine: &Engine, endpoint: &str) -> Client {
    engine.put_device(endpoint, &json!({"profile": "updates"}));
    let mut options = ClientOptions::new(engine.coap(), endpoint);
    options.packages = PackageMode::Simulated;
    options.time_frequency = Duration::from_secs(3_600);
    let client = Client::start(options).expect("a device starts");
    assert!(client.wait_registered(PATIENCE), "{endpoint} registers");
    client
}

pub fn assign(engine: &Engine, path: &str, package: &str) {
    let answer = engine.send_json("PUT", path, &json!({ "packageId": package }));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Waits until what is shown at `path` has this state; what is shown.
#[track_caller]
pub fn await_state(engine: &Engine, path: &str, state: &str) -> Value {
    let mut shown = Value::Null;
    eventually(&format!("{path} is {state}"), || {
        // Nothing may be there yet.
        shown = engine.send("GET", path, ("application/json", b"")).json();
        (shown["state"] == state)
            .then_some(())
            .ok_or_else(|| shown.clone())
    });
    shown
}
