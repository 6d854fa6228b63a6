//! Shared attributes reach the device, once and only where they differ.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions, Kind, Value as Held};
use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::wait::eventually;

const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for a Write that should not come to be seen.
const QUIET: Duration = Duration::from_millis(500);

fn engine() -> Engine {
    let engine = Engine::start();
    engine.put_profile(
        "values",
        &json!({"observeAttr": {
            "keyName": {"/3/0/14": "utfOffset", "/3/0/15": "timezone", "/3/0/9": "batteryLevel",
                        "/19/0/2": "valve_state", "/19/0/0": "tag_data"},
            "observe": [], "telemetry": ["/3/0/9"],
            "attribute": ["/3/0/14", "/19/0/2", "/19/0/0"], "attributeLwm2m": {}
        }}),
    );
    engine
}

fn set(engine: &Engine, endpoint: &str, values: &Value) {
    let path = format!("/api/v1/devices/{endpoint}/attributes/shared");
    let answer = engine.send_json("PUT", &path, values);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn start(engine: &Engine, endpoint: &str) -> Client {
    start_with(engine, endpoint, |_| {})
}

fn start_with(engine: &Engine, endpoint: &str, change: impl FnOnce(&mut ClientOptions)) -> Client {
    let mut options = ClientOptions::thingsboard(engine.coap(), endpoint);
    options.time_frequency = Duration::from_secs(3_600);
    change(&mut options);
    let client = Client::start(options).expect("a device starts");
    assert!(client.wait_registered(PATIENCE), "{endpoint} registers");
    client
}

#[track_caller]
fn await_write(engine: &Engine, endpoint: &str, key: &str, state: &str) -> Value {
    let mut shown = Value::Null;
    eventually(&format!("{key} of {endpoint} is {state}"), || {
        shown = engine.attributes(endpoint)["shared"][key].clone();
        let found = shown["write"]["state"].clone();
        (found == state).then_some(()).ok_or_else(|| shown.clone())
    });
    shown
}

#[test]
fn a_mapped_attribute_is_written_to_a_device_that_is_there() {
    let engine = engine();
    engine.put_device("there", &json!({"profile": "values"}));
    let device = start(&engine, "there");
    let events = engine.events("/api/v1/devices/there/events");
    set(
        &engine,
        "there",
        &json!({"utfOffset": "+07", "unmapped": {"any": [1]}}),
    );
    let shown = await_write(&engine, "there", "utfOffset", "written");
    assert_eq!(shown["value"], "+07");
    assert_eq!(device.get("/3/0/14"), Some(Held::from("+07")));
    let event = events.expect("a written attribute", |event| {
        event.name == "sharedAttribute"
    });
    assert_eq!(event.data["key"], "utfOffset");
    assert_eq!(event.data["state"], "written");
    // What no Resource is mapped to is kept and shown, and that is all.
    eventually("it is known to be mapped to nothing", || {
        let shown = engine.attributes("there")["shared"]["unmapped"].clone();
        let known = shown["write"].is_null() && shown["value"] == json!({"any": [1]});
        known.then_some(()).ok_or(shown)
    });
    // The client attribute follows the Write.
    engine.await_attribute("there", "utfOffset", &json!("+07"));

    let writes = device.requests(Kind::Write);
    set(&engine, "there", &json!({"utfOffset": "+07"}));
    await_write(&engine, "there", "utfOffset", "written");
    std::thread::sleep(QUIET);
    assert_eq!(
        device.requests(Kind::Write),
        writes,
        "a value the device has is not written"
    );
}

#[test]
fn names_with_words_of_updates_in_them_and_times_are_written() {
    let engine = engine();
    engine.put_device("words", &json!({"profile": "values"}));
    let device = start(&engine, "words");
    set(
        &engine,
        "words",
        &json!({"valve_state": 1_700_000_000_000_i64}),
    );
    await_write(&engine, "words", "valve_state", "written");
    assert_eq!(device.get("/19/0/2"), Some(Held::Time(1_700_000_000)));
    let writes = device.requests(Kind::Write);
    // The same instant, spelled otherwise.
    set(
        &engine,
        "words",
        &json!({"valve_state": "2023-11-14T22:13:20Z"}),
    );
    await_write(&engine, "words", "valve_state", "written");
    assert_eq!(device.requests(Kind::Write), writes);
}

#[test]
fn instances_that_are_not_stated_stay_on_the_device() {
    let engine = engine();
    engine.put_device("many", &json!({"profile": "values"}));
    let device = start(&engine, "many");
    set(
        &engine,
        "many",
        &json!({"tag_data": {"0": "00ad", "5": "05"}}),
    );
    await_write(&engine, "many", "tag_data", "written");
    set(&engine, "many", &json!({"tag_data": {"7": "0707"}}));
    await_write(&engine, "many", "tag_data", "written");
    let bytes = |hex: &[u8]| Some(Held::Opaque(hex.to_vec()));
    assert_eq!(device.get("/19/0/0/0"), bytes(&[0x00, 0xad]));
    assert_eq!(device.get("/19/0/0/5"), bytes(&[0x05]));
    assert_eq!(device.get("/19/0/0/7"), bytes(&[0x07, 0x07]));
}

#[test]
fn an_absent_device_gets_the_newest_value_when_it_registers_and_again_when_it_lost_it() {
    let engine = engine();
    engine.put_device("absent", &json!({"profile": "values"}));
    set(&engine, "absent", &json!({"timezone": "Europe/Kyiv"}));
    set(&engine, "absent", &json!({"timezone": "Europe/Berlin"}));
    let shown = engine.attributes("absent")["shared"]["timezone"].clone();
    assert_eq!(shown["write"]["state"], "pending");
    let device = start(&engine, "absent");
    await_write(&engine, "absent", "timezone", "written");
    assert_eq!(device.get("/3/0/15"), Some(Held::from("Europe/Berlin")));
    assert_eq!(
        device.requests(Kind::Write),
        1,
        "only the newest value is written"
    );

    // The device comes back without it.
    assert!(device.set("/3/0/15", "UTC"));
    device.restart();
    assert!(device.wait_until(PATIENCE, |device| {
        device.value("/3/0/15") == Some(Held::from("Europe/Berlin"))
    }));
    // The device comes back with it.
    let writes = device.requests(Kind::Write);
    await_write(&engine, "absent", "timezone", "written");
    device.restart();
    std::thread::sleep(QUIET);
    assert_eq!(device.requests(Kind::Write), writes);
}

#[test]
fn a_sleeping_device_gets_the_newest_value_when_it_wakes() {
    let engine = engine();
    let power_mode = json!({"powerMode": "PSM", "psmActivityTimer": 1_000});
    engine.put_device(
        "sleeper",
        &json!({"profile": "values", "transportConfiguration": power_mode}),
    );
    let device = start_with(&engine, "sleeper", |options| {
        options.update_period = Some(Duration::from_secs(100));
    });
    engine.await_state("sleeper", "asleep");
    std::thread::sleep(QUIET);
    set(&engine, "sleeper", &json!({"timezone": "Asia/Tokyo"}));
    set(&engine, "sleeper", &json!({"timezone": "Asia/Seoul"}));
    std::thread::sleep(QUIET);
    let shown = engine.attributes("sleeper")["shared"]["timezone"].clone();
    assert_eq!(shown["write"]["state"], "pending");
    assert_eq!(device.requests(Kind::Write), 0);
    device.update().expect("the Update is answered");
    await_write(&engine, "sleeper", "timezone", "written");
    assert_eq!(device.get("/3/0/15"), Some(Held::from("Asia/Seoul")));
    assert_eq!(device.requests(Kind::Write), 1);
}

#[test]
fn what_cannot_be_written_says_why() {
    let engine = engine();
    engine.put_device("reader", &json!({"profile": "values"}));
    let device = start(&engine, "reader");
    set(
        &engine,
        "reader",
        &json!({"batteryLevel": 7, "tag_data": "00ad"}),
    );
    let shown = await_write(&engine, "reader", "batteryLevel", "failed");
    let reason = shown["write"]["reason"].as_str().unwrap();
    assert!(reason.contains("cannot be written"), "{reason}");
    let shown = await_write(&engine, "reader", "tag_data", "failed");
    let reason = shown["write"]["reason"].as_str().unwrap();
    assert!(reason.contains("must be in Json format"), "{reason}");
    assert_eq!(device.requests(Kind::Write), 0);
    assert_eq!(
        engine.metric("lwm2m_shared_attribute_writes_total", &["refused"]),
        2.0
    );
}

#[test]
fn an_edit_of_the_profile_that_maps_an_attribute_writes_it_to_devices_that_are_there() {
    let engine = engine();
    engine.put_device("edited", &json!({"profile": "values"}));
    engine.put_profile("values", &json!({"observeAttr": {"keyName": {}}}));
    let device = start(&engine, "edited");
    set(&engine, "edited", &json!({"timezone": "Europe/Kyiv"}));
    eventually("it is known to be mapped to nothing", || {
        let shown = engine.attributes("edited")["shared"]["timezone"].clone();
        shown["write"].is_null().then_some(()).ok_or(shown)
    });
    assert_eq!(device.requests(Kind::Write), 0);
    engine.put_profile(
        "values",
        &json!({"observeAttr": {
            "keyName": {"/3/0/15": "timezone", "/3/0/0": "manufacturer"},
            "attribute": ["/3/0/0"]
        }}),
    );
    await_write(&engine, "edited", "timezone", "written");
    assert_eq!(device.get("/3/0/15"), Some(Held::from("Europe/Kyiv")));
    // What the edit maps for the first time is read as well.
    eventually("the manufacturer is read", || {
        let client = engine.attributes("edited")["client"].clone();
        client["manufacturer"]
            .is_object()
            .then_some(())
            .ok_or(client)
    });
    let elsewhere = json!({"observeAttr": {"keyName": {"/3/0/14": "timezone"}}});
    engine.put_profile("values", &elsewhere);
    eventually("the other Resource has it", || {
        let there = device.get("/3/0/14");
        (there == Some(Held::from("Europe/Kyiv")))
            .then_some(())
            .ok_or(there)
    });
    eventually("the device is done with the edit", || {
        let rollout = engine.get("/api/v1/profiles/values/rollout");
        (rollout["done"] == 1 && rollout["running"] == false)
            .then_some(())
            .ok_or(rollout)
    });
}
