//! An engine with a profile for updates, and devices that simulate them.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions, PackageMode};
use serde_json::json;

use crate::support::engine::Engine;
pub use crate::support::updates::{assign, await_state, put_profile, upload};

const PATIENCE: Duration = Duration::from_secs(20);

/// An engine whose profile `updates` watches what ThingsBoard's own tests watch.
pub fn engine() -> Engine {
    let engine = Engine::start();
    put_profile(&engine, &json!({}));
    engine
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
