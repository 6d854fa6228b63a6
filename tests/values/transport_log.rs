//! The transport log of a device: what happened, in ThingsBoard's words (thingsboard-behaviour 3.10).

use std::time::Duration;

use loadtest::client::{Client, ClientOptions, Fault};
use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

fn start(engine: &Engine, endpoint: &str) -> Client {
    let mut options = ClientOptions::thingsboard(engine.coap(), endpoint);
    options.time_frequency = Duration::from_secs(3_600);
    options.update_period = Some(Duration::from_secs(3_600));
    let device = Client::start(options).expect("a device starts");
    assert!(device.wait_registered(PATIENCE));
    device
}

fn log(engine: &Engine, endpoint: &str) -> Vec<Value> {
    let shown = engine.get(&format!("/api/v1/devices/{endpoint}/log"));
    shown["items"].as_array().expect("entries").clone()
}

/// Waits for an entry with these words.
fn await_entry(engine: &Engine, endpoint: &str, level: &str, words: &str) -> String {
    eventually(&format!("{endpoint} logs {words}"), || {
        let log = log(engine, endpoint);
        let found = log.iter().find(|entry| {
            entry["level"] == level && entry["text"].as_str().is_some_and(|t| t.contains(words))
        });
        let text = found.and_then(|entry| entry["text"].as_str().map(str::to_owned));
        text.ok_or(log)
    })
}

#[test]
fn a_small_fleet_is_logged_without_being_asked_to() {
    let engine = Engine::start();
    let device = start(&engine, "talker");
    let events = engine.events("/api/v1/devices/talker/events");
    let registered = await_entry(
        &engine,
        "talker",
        "info",
        "Client registered with registration id",
    );
    assert!(
        registered.starts_with("info: Endpoint [talker] Client registered with registration id: ["),
        "{registered}"
    );
    for words in [
        "LwM2mVersion: [1.1]",
        "3=1.2",
        "QueueMode [false], BindingMode [U",
    ] {
        assert!(registered.contains(words), "{registered}");
    }
    await_entry(
        &engine,
        "talker",
        "info",
        "Sending request: ObserveRequest to /3/0/9",
    );
    await_entry(
        &engine,
        "talker",
        "info",
        "[info]: ObserveRequest [/3_1.2/0/9] successful. Result: CONTENT /3/0/9=",
    );

    device.update().expect("the Update is answered");
    let updated = await_entry(&engine, "talker", "info", "Updated registration.");
    let id = engine.registration("talker")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let address = device.local_address().unwrap().port();
    assert_eq!(
        updated,
        format!("[{id}][127.0.0.1:{address}] Updated registration.")
    );

    let refused = engine.rpc(
        "talker",
        "WriteReplace",
        &json!({"id": "/3/0/9", "value": 5}),
    );
    assert_eq!(refused["result"], "METHOD_NOT_ALLOWED", "{refused}");
    await_entry(
        &engine,
        "talker",
        "error",
        "[error]: WriteRequest [/3_1.2/0/9] failed to process successful. Result: METHOD_NOT_ALLOWED",
    );
    engine.rpc("talker", "Read", &json!({"id": "/4711/0/9"}));
    await_entry(
        &engine,
        "talker",
        "error",
        "[error]: Request [Read {\"id\":\"/4711/0/9\"}] validation failed. Reason: Specified object id 4711 absent",
    );
    engine.rpc("talker", "ObserveCancel", &json!({"id": "/3/0/9"}));
    await_entry(
        &engine,
        "talker",
        "info",
        "[info]: Cancel Observe for [/3/0/9] successful. Result: [1]",
    );
    engine.rpc("talker", "ObserveCancelAll", &json!({}));
    await_entry(
        &engine,
        "talker",
        "info",
        "[info]: Cancel of all observations was successful. Result: [0]",
    );

    device.set_fault(Some(Fault::NeverAnswer));
    engine.rpc_answer("talker", "?timeout=1000", "Read", &json!({"id": "/3/0/9"}));
    await_entry(
        &engine,
        "talker",
        "error",
        "processing failed. Reason: the device did not answer in time",
    );
    device.set_fault(None);

    let event = events.expect("an entry", |event| event.name == "transportLog");
    assert!(
        event.data["text"].is_string() && event.data["level"].is_string(),
        "{}",
        event.data
    );

    assert!(device.stop(true));
    await_entry(&engine, "talker", "info", "info: Client unRegistration");
    let all = log(&engine, "talker");
    let times: Vec<_> = all
        .iter()
        .map(|entry| entry["ts"].as_i64().unwrap())
        .collect();
    assert!(
        times.is_sorted_by(|newer, older| newer > older),
        "{times:?}"
    );
    let two = engine.get("/api/v1/devices/talker/log?limit=2");
    assert_eq!(two["items"], json!(all[..2]));
}

#[test]
fn a_profile_says_how_much_is_logged() {
    let engine = Engine::start();
    for level in ["off", "error"] {
        engine.put_profile(
            level,
            &json!({
                "observeAttr": {"keyName": {"/3/0/9": "batteryLevel"}, "telemetry": ["/3/0/9"]},
                "rookery": {"transportLog": level}
            }),
        );
        engine.put_device(level, &json!({"profile": level}));
    }
    let _devices = ["off", "error"].map(|endpoint| {
        let device = start(&engine, endpoint);
        engine.rpc(endpoint, "Read", &json!({"id": "/3/0/0"}));
        engine.rpc(
            endpoint,
            "WriteReplace",
            &json!({"id": "/3/0/9", "value": 5}),
        );
        device
    });
    await_entry(&engine, "error", "error", "METHOD_NOT_ALLOWED");
    let levels: Vec<_> = log(&engine, "error")
        .iter()
        .map(|entry| entry["level"].clone())
        .collect();
    assert!(!levels.contains(&json!("info")), "{levels:?}");
    assert_eq!(log(&engine, "off"), [Value::Null; 0]);
}

#[test]
fn shared_attributes_are_in_the_log() {
    let engine = Engine::start();
    let _device = start(&engine, "written");
    let shared = "/api/v1/devices/written/attributes/shared";
    engine.send_json("PUT", shared, &json!({"unmapped": 1, "batteryLevel": 2}));
    await_entry(
        &engine,
        "written",
        "error",
        "error: Failed update resource onAttributesUpdate unmapped is not configured in the device profile!.",
    );
    await_entry(
        &engine,
        "written",
        "error",
        "error: Failed update resource batteryLevel value - 2. Resource /3_1.2/0/9 cannot be written",
    );
}
