//! Packages, assignments and what is told of updates.

use serde_json::{Map, Value, json};

use super::engine::Engine;
use super::http::EventStream;
use super::wait::eventually;

/// Name of the profile of devices that are updated.
pub const PROFILE: &str = "updates";

/// Resources that ThingsBoard's own tests of updates observe.
pub const WATCHED: [&str; 9] = [
    "/5/0/3", "/5/0/5", "/5/0/6", "/5/0/7", "/5/0/9", "/9/0/0", "/9/0/1", "/9/0/7", "/9/0/9",
];

/// Puts the profile `updates`, which observes all of that, with these `clientLwM2mSettings`.
pub fn put_profile(engine: &Engine, settings: &Value) {
    engine.put_profile(PROFILE, &profile(&WATCHED, settings));
}

/// A profile that observes these resources, under names such as `r_5_0_3`.
pub fn profile(watched: &[&str], settings: &Value) -> Value {
    let names: Map<String, Value> = watched
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
    json!({"observeAttr": observe, "clientLwM2mSettings": settings})
}

/// Id of a new package with these bytes.
pub fn upload(engine: &Engine, query: &str, bytes: &[u8]) -> String {
    let path = format!("/api/v1/packages?{query}");
    let answer = engine.send("POST", &path, ("application/octet-stream", bytes));
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// Assigns a package to the device or profile at `path`.
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

/// Values of `fw_state` or `sw_state` as they are told, up to and with `last`.
pub fn states_until(events: &EventStream, key: &str, last: &str) -> Vec<String> {
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != last) {
        let event = events.expect(&format!("{key} {last} after {states:?}"), |event| {
            event.name == "telemetry" && event.data["key"] == key
        });
        let state = event.data["value"].as_str().expect("a text");
        states.push(state.to_owned());
    }
    states
}

/// `length` bytes in which no block equals another.
pub fn image(length: usize) -> Vec<u8> {
    let mut state = length as u32 | 1;
    let bytes = (0..length).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    bytes.collect()
}
