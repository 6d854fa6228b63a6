//! One restart, looked at closely.

use std::time::Duration;

use serde_json::json;

use crate::device::{CHANGED, Device};
use crate::support::engine::Engine;

/// Longer than a change waits for its commit.
pub const COMMITTED: Duration = Duration::from_millis(600);

/// 4.04
const NOT_FOUND: u8 = 0x84;
/// 2.02
const DELETED: u8 = 0x42;

#[test]
fn after_a_kill_a_device_goes_on_without_registering() {
    let mut engine = Engine::start();
    let mut device = Device::new(&engine, "meter-1");
    device.register("&b=U&tariff=night");
    device.await_observation();
    device.serve(Duration::from_millis(200));
    assert!(device.notify());
    let before = engine.registration("meter-1");
    let value = engine.telemetry("meter-1");
    device.serve(COMMITTED);
    engine.kill();
    engine.start_again();
    let after = engine.registration("meter-1");
    for member in [
        "id",
        "endpoint",
        "profile",
        "state",
        "address",
        "lwm2mVersion",
        "binding",
        "lifetime",
        "registeredAt",
        "objects",
        "additional",
        "observations",
        "problems",
        "queueLength",
    ] {
        assert_eq!(after[member], before[member], "{member}: {after}");
    }
    assert_eq!(engine.telemetry("meter-1"), value);
    assert_eq!(device.update(""), CHANGED);
    assert!(device.notify(), "the token fits");
    engine.await_telemetry("meter-1", "batteryLevel", &json!(2));
    assert_eq!(
        (device.observes, device.resets),
        (1, 0),
        "nobody observed again"
    );
    let metrics = engine.metrics();
    assert!(
        metrics.contains("lwm2m_state_restored_total{result=\"registered\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("lwm2m_registrations{security=\"NO_SEC\",state=\"registered\"} 1"));
    assert!(metrics.contains("lwm2m_observations{strategy=\"single\"} 1"));
}

#[test]
fn what_an_update_changed_is_kept_and_so_is_the_end_of_a_registration() {
    let mut engine = Engine::start();
    let (mut one, mut two) = (Device::new(&engine, "one"), Device::new(&engine, "two"));
    for device in [&mut one, &mut two] {
        device.register("");
        device.await_observation();
        device.serve(Duration::from_millis(200));
    }
    assert_eq!(one.update("lt=1234"), CHANGED);
    assert_eq!(two.deregister(), DELETED);
    one.serve(COMMITTED);
    engine.kill();
    engine.start_again();
    assert_eq!(engine.registration("one")["lifetime"], 1234);
    assert_eq!(two.update(""), NOT_FOUND);
    let kept = engine.telemetry("two");
    assert_eq!(
        kept["batteryLevel"][0]["value"], 0,
        "its values stay: {kept}"
    );
}

#[test]
fn steps_that_were_not_made_before_the_kill_are_made_after_it() {
    let mut engine = Engine::start();
    let mut device = Device::new(&engine, "slow");
    device.register("");
    // It does not answer until the engine is another one.
    std::thread::sleep(COMMITTED);
    engine.kill();
    engine.start_again();
    // It answers the request of the killed engine as well, whose observation nobody knows.
    device.await_observations(2);
    device.serve(Duration::from_millis(300));
    device.notify();
    assert!(device.notify());
    engine.await_telemetry("slow", "batteryLevel", &json!(2));
    assert_eq!(device.observers.len(), 1);
    let observations = &engine.registration("slow")["observations"];
    assert_eq!(
        observations.as_array().map(Vec::len),
        Some(1),
        "{observations}"
    );
}

#[test]
fn devices_of_a_shard_that_went_register_again_and_are_counted() {
    let mut engine = Engine::start();
    let mut devices: Vec<_> = (0..8)
        .map(|n| Device::new(&engine, &format!("dev-{n}")))
        .collect();
    for device in &mut devices {
        device.register("");
        device.await_observation();
    }
    devices[0].serve(COMMITTED);
    engine.kill();
    engine.set("ROOKERY_ENGINE__SHARDS", "1");
    engine.start_again();
    let gone = devices.iter_mut().map(|device| device.update(""));
    let gone = gone.filter(|code| *code == NOT_FOUND).count();
    let metrics = engine.metrics();
    let counted = format!("lwm2m_state_restored_total{{result=\"left_behind\"}} {gone}");
    assert!(gone > 0 && gone < 8, "both shards had devices: {gone}");
    assert!(metrics.contains(&counted), "{gone} {metrics}");
    assert!(
        engine
            .log()
            .contains("engine.shards is smaller than before")
    );
}

#[test]
fn a_clean_end_loses_nothing_at_all() {
    let mut engine = Engine::start();
    let mut device = Device::new(&engine, "clean");
    device.register("");
    device.await_observation();
    device.serve(Duration::from_millis(200));
    assert!(device.notify());
    assert!(engine.terminate().success());
    engine.start_again();
    engine.await_telemetry("clean", "batteryLevel", &json!(1));
    assert_eq!(device.update(""), CHANGED);
}
