//! OMA's interoperability cases for the interface "Information Reporting" (leshan-and-specs 3.4), as far as their
//! titles are sure.

use std::time::Duration;

use loadtest::client::Kind;
use loadtest::client::formats::{SENML_CBOR, SENML_JSON};
use serde_json::json;

use crate::fixture::{Session, expect_values, profile};
use crate::support::wait::{eventually, until};

const PATIENCE: Duration = Duration::from_secs(10);

/// LightweightM2M-1.0-int-301, LightweightM2M-1.1-int-301: Observation and Notification of parameter values
#[test]
fn int_301_observe() {
    let session = Session::open("int-301");
    let params = json!({"id": "/3_1.2/0/9", "attributes": {"pmin": 0, "pmax": 20}});
    session.change("WriteAttributes", &params);
    let events = session.events();
    session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    expect_values(&events, "batteryLevel", 3);
}

/// LightweightM2M-1.0-int-302, LightweightM2M-1.1-int-302: Cancel Observations using Reset Operation. A notification
/// of an observation the server does not know is answered with a Reset (`tests/raw_coap`, bytes); here the observation
/// is gone with the registration that it belonged to.
#[test]
fn int_302_an_observation_of_an_earlier_registration_is_reset() {
    let session = Session::open("int-302");
    session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    session.device.restart();
    until("the device observes nothing", PATIENCE, || {
        session.device.observations().is_empty()
    });
    assert_eq!(session.observations(), [""; 0]);
}

/// LightweightM2M-1.0-int-303, LightweightM2M-1.1-int-303: Cancel observations using Observe with Cancel parameter
#[test]
fn int_303_cancel_with_observe_1() {
    let session = Session::open("int-303");
    for id in ["/3_1.2/0/9", "/3_1.2/0/20"] {
        session.content("Observe", &json!({"id": id}));
    }
    session.content("ObserveCancel", &json!({"id": "/3_1.2/0/9"}));
    until("the device was told", PATIENCE, || {
        session.device.observations() == ["/3/0/20"]
    });
    assert_eq!(session.device.requests(Kind::CancelObserve), 1);
}

/// LightweightM2M-1.1-int-304, LightweightM2M-1.1-int-305: Observe-Composite Operation, Cancel Observation-Composite
#[test]
fn int_304_observe_composite_and_cancel() {
    let session = Session::open("int-304");
    let ids = json!({"ids": ["/3_1.2/0/9", "/3_1.2/0/14", "/5_1.2/0/3"]});
    let events = session.events();
    session.content("ObserveComposite", &ids);
    expect_values(&events, "batteryLevel", 3);
    session.content("ObserveCompositeCancel", &ids);
    until("the device was told", PATIENCE, || {
        session.device.observations().is_empty()
    });
}

/// LightweightM2M-1.1-int-306, LightweightM2M-1.1-int-311: Send Operation, Send command
#[test]
fn int_306_send() {
    let session = Session::with("int-306", profile::TEMPERATURE, |options| {
        options.time_frequency = Duration::from_secs(3_600);
    });
    for (format, value) in [(SENML_JSON, 11), (SENML_CBOR, 12)] {
        session.device.set("/3/0/9", value);
        // The clock of the device may be a little behind: what it measured just now is old then.
        eventually("the value that was sent is the newest", || {
            let sent = session.device.send(&["/3/0/9", "/3/0/1"], format);
            sent.expect("the Send is taken");
            let newest = session.engine.telemetry(session.endpoint)["batteryLevel"][0].clone();
            (newest["value"] == value).then_some(()).ok_or(newest)
        });
    }
}

/// LightweightM2M-1.1-int-308, LightweightM2M-1.1-int-309: Observe-Composite and an instance that comes and goes
#[test]
fn int_308_observe_composite_while_an_instance_comes_and_goes() {
    let session = Session::open("int-308");
    let ids = json!({"ids": ["/19_1.1", "/3_1.2/0/9"]});
    session.content("ObserveComposite", &ids);
    let events = session.events();
    let value = json!({"0": {"0": "00AC"}, "1": 1});
    let created = session.rpc("Create", &json!({"id": "/19_1.1/7", "value": value}));
    assert_eq!(created["result"], "CREATED", "{created}");
    expect_values(&events, "batteryLevel", 2);
    let deleted = session.on("Delete", "/19_1.1/7");
    assert_eq!(deleted, json!({"result": "DELETED"}));
    expect_values(&events, "batteryLevel", 2);
    assert_eq!(
        session.observations(),
        ["CompositeObservation: [/19, /3/0/9]"]
    );
}

/// LightweightM2M-1.1-int-310: Observe-Composite and Write-Composite, one modification of several values
#[test]
fn int_310_observe_composite_and_a_modification() {
    let session = Session::open("int-310");
    session.content(
        "ObserveComposite",
        &json!({"ids": ["/3_1.2/0/14", "/3_1.2/0/15"]}),
    );
    let nodes = json!({"/3_1.2/0/14": "+11", "/3_1.2/0/15": "Asia/Tokyo"});
    session.change("WriteComposite", &json!({"nodes": nodes}));
    session
        .engine
        .await_attribute(session.endpoint, "UtfOffset", &json!("+11"));
}
