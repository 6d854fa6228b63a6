//! The live trace of one device.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions};
use serde_json::json;

use crate::support::engine::Engine;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

fn start(engine: &Engine, endpoint: &str) -> Client {
    let mut options = ClientOptions::thingsboard(engine.coap(), endpoint);
    options.time_frequency = Duration::from_secs(3_600);
    options.update_period = Some(Duration::from_secs(3_600));
    let device = Client::start(options).expect("a device starts");
    assert!(device.wait_registered(PATIENCE));
    eventually("it has been asked everything", || {
        let active = engine.registration(endpoint)["active"].clone();
        (active == false).then_some(()).ok_or(active)
    });
    device
}

#[test]
fn every_message_of_the_device_is_shown_and_none_of_others() {
    let engine = Engine::start();
    let device = start(&engine, "traced");
    let _other = start(&engine, "other");
    let trace = engine.events("/api/v1/devices/traced/trace");
    engine.rpc("other", "Read", &json!({"id": "/3/0/1"}));
    engine.rpc("traced", "Read", &json!({"id": "/3/0/0"}));
    let request = trace.expect("the first message", |_| true);
    let request = request.data;
    assert_eq!(request["direction"], "out", "{request}");
    assert_eq!(
        (&request["type"], &request["name"]),
        (&json!("CON"), &json!("GET"))
    );
    let path: Vec<_> = request["options"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|option| option["name"] == "Uri-Path")
        .map(|option| option["value"].as_str().unwrap())
        .collect();
    assert_eq!(path, ["3", "0", "0"]);
    let answer = trace.expect("the answer", |_| true).data;
    assert_eq!(
        (&answer["direction"], &answer["code"]),
        (&json!("in"), &json!("2.05")),
        "{answer}"
    );
    assert_eq!(answer["token"], request["token"]);
    let port = device.local_address().unwrap().port();
    assert_eq!(answer["peer"], format!("127.0.0.1:{port}"));

    device.update().expect("the Update is answered");
    let update = trace.expect("the Update", |_| true).data;
    assert_eq!(
        (&update["direction"], &update["name"]),
        (&json!("in"), &json!("POST")),
        "{update}"
    );
    let changed = trace.expect("its answer", |_| true).data;
    assert_eq!(
        (&changed["direction"], &changed["code"]),
        (&json!("out"), &json!("2.04")),
        "{changed}"
    );
}

#[test]
fn four_traces_can_be_open_at_once() {
    let engine = Engine::start();
    let _device = start(&engine, "traced");
    let path = "/api/v1/devices/traced/trace";
    let _open: Vec<_> = (0..4).map(|_| engine.events(path)).collect();
    assert_eq!(engine.status(path), 503);
}

#[test]
fn a_device_that_is_not_there_is_not_traced() {
    let engine = Engine::start();
    assert_eq!(engine.status("/api/v1/devices/nobody/trace"), 404);
    engine.put_device("never", &json!({}));
    assert_eq!(engine.status("/api/v1/devices/never/trace"), 404);
}
