//! libcoap's command-line client, one process for each request: a device that sends but cannot be observed.

use serde_json::{Value, json};

use super::client::{Client, Kind};
use super::rules::{ENDPOINT, Pair, registered};

#[test]
fn it_registers_updates_and_deregisters() {
    let Some(mut pair) = registered(Kind::Libcoap, &[]) else {
        return;
    };
    pair.device.tell("update", "updated");
    pair.device.tell("update 900", "updated");
    assert_eq!(pair.engine.registration(ENDPOINT)["lifetime"], 900);
    pair.device.tell("deregister", "deregistered");
    pair.engine.await_state(ENDPOINT, "expired");
}

#[test]
fn a_registration_in_blocks_is_put_together() {
    let Some(mut pair) = registered(Kind::Libcoap, &[]) else {
        return;
    };
    pair.device.tell("register-blockwise 64", "registered");
    let objects = &pair.engine.registration(ENDPOINT)["objects"];
    assert_eq!(
        objects["3303"]["instances"],
        json!([0, 1, 2, 3, 4, 5, 6, 7, 8])
    );
}

#[test]
fn a_send_becomes_telemetry() {
    let Some(mut pair) = registered(Kind::Libcoap, &[]) else {
        return;
    };
    pair.device.tell("set /3/0/9 17", "set");
    let sent = pair.device.tell("send json /3/0/9", "sent");
    assert_eq!(sent["code"], "2.04");
    pair.engine
        .await_telemetry(ENDPOINT, "batteryLevel", &json!(17));
}

#[test]
fn an_update_from_a_new_port_moves_the_registration() {
    let Some(mut pair) = registered(Kind::Libcoap, &[]) else {
        return;
    };
    let moved_to = pair.device.tell("rebind", "rebound")["address"].clone();
    pair.device.tell("update", "updated");
    assert_eq!(pair.engine.registration(ENDPOINT)["address"], moved_to);
}

#[test]
fn an_unknown_path_is_not_found() {
    answers("request get /no/such/path", "4.04");
}

#[test]
fn an_unknown_registration_is_not_found() {
    answers("request post /rd/no-such-registration", "4.04");
    answers("request delete /rd/no-such-registration", "4.04");
}

#[test]
fn a_lifetime_that_is_no_number_is_a_bad_request_that_names_it() {
    let message = answers("request post /rd?lwm2m=1.1&ep=other&lt=soon </3/0>", "4.00");
    assert!(message.is_none_or(|message| message.contains("lt")));
}

#[test]
fn a_register_without_objects_is_a_bad_request() {
    answers("request post /rd?lwm2m=1.1&ep=other&lt=60", "4.00");
}

#[test]
fn the_resources_of_the_engine_can_be_discovered() {
    let links = answers("request get /.well-known/core", "2.05");
    assert!(links.is_none_or(|links| links.contains("</rd>")));
}

/// Asks something of an engine the device is registered with; returns the payload of the answer, or
/// nothing where the client is missing.
fn answers(request: &str, code: &str) -> Option<String> {
    let Pair {
        engine: _engine,
        mut device,
        ..
    } = registered(Kind::Libcoap, &[])?;
    let answered = ask(&mut device, request);
    assert_eq!(answered["code"], code, "{request}: {answered}");
    Some(answered["message"].as_str().unwrap_or_default().to_owned())
}

fn ask(device: &mut Client, request: &str) -> Value {
    device.tell(request, "answered")
}
