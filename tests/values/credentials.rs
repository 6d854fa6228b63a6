//! What is kept of a device whose credentials change.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions};
use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);

/// A device that has registered over plain CoAP and reported its battery level.
fn reported(engine: &Engine, endpoint: &str) -> Client {
    let mut options = ClientOptions::thingsboard(engine.coap(), endpoint);
    options.time_frequency = Duration::from_secs(3_600);
    let device = Client::start(options).expect("a device starts");
    assert!(device.wait_registered(PATIENCE));
    eventually("its battery is observed", || {
        let observed = device.observations();
        (!observed.is_empty()).then_some(()).ok_or(observed)
    });
    assert!(device.set("/3/0/9", 41));
    engine.await_telemetry(endpoint, "batteryLevel", &json!(41));
    device
}

fn with_key(endpoint: &str) -> Value {
    let client = json!({
        "securityConfigClientMode": "PSK", "endpoint": endpoint,
        "identity": endpoint, "key": "000102030405060708090a0b0c0d0e0f",
    });
    let none = json!({"securityMode": "NO_SEC"});
    let bootstrap = json!({"bootstrapServer": none, "lwm2mServer": none});
    json!({"credentials": {"client": client, "bootstrap": bootstrap}})
}

#[test]
fn new_credentials_end_a_registration_and_keep_what_the_device_reported() {
    let engine = Engine::start();
    engine.put_device("provisioned", &json!({}));
    for endpoint in ["provisioned", "unknown"] {
        let device = reported(&engine, endpoint);
        assert!(device.stop(false), "it ends without a De-register");
        engine.put_device(endpoint, &with_key(endpoint));
        engine.await_state(endpoint, "expired");
        let telemetry = engine.telemetry(endpoint);
        assert_eq!(telemetry["batteryLevel"][0]["value"], json!(41));
    }
}
