//! RpcLwm2mIntegrationReadCollectedValueTest and RpcLwm2mIntegrationDataReceivedFromClientTest.

use std::thread;
use std::time::Duration;

use loadtest::client::formats::{SENML_CBOR, SENML_JSON};
use serde_json::json;

use crate::fixture::{Session, expect_values, profile};

/// 13.1 RpcLwm2mIntegrationReadCollectedValueTest
#[test]
fn values_collected_by_the_device_keep_their_times() {
    // Milliseconds apart: seconds would only take longer.
    const APART: Duration = Duration::from_millis(300);
    let session = Session::with("sent-collected", profile::TEMPERATURE, |options| {
        options.time_frequency = Duration::from_secs(3_600);
    });
    let events = session.events();
    for value in [25.05, 35.12] {
        session.device.set("/3303/12/5700", value);
        let collected = session.device.collect(&["/3303/12/5700"]);
        assert_eq!(collected, Ok(1));
        // The time that is measured, not something waited for.
        thread::sleep(APART);
    }
    session
        .device
        .send_collected(&["/3303/12/5700"], SENML_CBOR)
        .expect("the Send is taken");

    let mut times = [25.05, 35.12].map(|value| {
        let event = events.expect(&format!("temperature {value}"), |event| {
            event.name == "telemetry" && event.data["value"] == json!(value)
        });
        assert_eq!(event.data["key"], "temperature");
        event.data["measured"].as_i64().expect("a time")
    });
    times.sort_unstable();
    let apart = times[1] - times[0];
    // Each of them is rounded to a millisecond.
    assert!(apart >= 299, "{apart} ms");
    let newest = &session.engine.telemetry(session.endpoint)["temperature"][0];
    assert_eq!(
        (&newest["value"], &newest["ts"]),
        (&json!(35.12), &json!(times[1]))
    );
}

/// 13.1 RpcLwm2mIntegrationDataReceivedFromClientTest
#[test]
fn ten_sends_are_ten_values() {
    let session = Session::with("sent-ten", profile::TEMPERATURE, |options| {
        options.time_frequency = Duration::from_secs(3_600);
    });
    let events = session.events();
    session.device.set("/3/0/9", 44);
    for n in 0..10 {
        let format = if n % 2 == 0 { SENML_CBOR } else { SENML_JSON };
        session
            .device
            .send(&["/3/0/9"], format)
            .expect("the Send is taken");
    }
    expect_values(&events, "batteryLevel", 10);
    let newest = &session.engine.telemetry(session.endpoint)["batteryLevel"][0];
    assert_eq!(newest["value"], 44);
}
