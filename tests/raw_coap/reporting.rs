//! Observe, Notify and Send.

use serde_json::json;

use crate::support::datagram::{CONTENT, CONTENT_FORMAT, Datagram, OBSERVE, POST, SENML_JSON, hex};
use crate::support::engine::Engine;
use crate::support::peer::{Peer, diagnostic};

const TEXT: u8 = 0;

#[test]
fn notifications_become_telemetry_in_their_order() {
    let (engine, mut peer, token) = observed_device("50");
    engine.await_telemetry("device", "batteryLevel", &json!(50));
    peer.send(&notification(&token, 0x1b43, 10, "51"));
    engine.await_telemetry("device", "batteryLevel", &json!(51));
    peer.send(&notification(&token, 0x1b44, 9, "99"));
    // Once a ping has been answered, what was sent before it has been dealt with.
    assert_eq!(peer.exchange(&hex("40000001")), hex("70000001"));
    let level = engine.telemetry("device")["batteryLevel"][0]["value"].clone();
    assert_eq!(level, 51, "it was overtaken on the way");
    peer.send(&notification(&token, 0x1b45, 11, "52"));
    engine.await_telemetry("device", "batteryLevel", &json!(52));
}

#[test]
fn a_confirmable_notification_is_acknowledged_with_an_empty_message() {
    let (engine, mut peer, token) = observed_device("50");
    let notification = Datagram::con(CONTENT, 0xa3ba)
        .token(&token)
        .option(OBSERVE, &[1])
        .option(CONTENT_FORMAT, &[TEXT])
        .payload(b"51")
        .encode();
    assert_eq!(peer.exchange(&notification), hex("6000a3ba"));
    assert_eq!(peer.exchange(&notification), hex("6000a3ba"), "repeated");
    engine.await_telemetry("device", "batteryLevel", &json!(51));
}

#[test]
fn a_notification_from_an_address_that_is_not_the_devices_is_ignored() {
    let (engine, _peer, token) = observed_device("50");
    engine.await_telemetry("device", "batteryLevel", &json!(50));
    let mut stranger = Peer::of(&engine);
    // No Reset either: it would end the observation of a device that moved and has yet to update.
    stranger.expect_silence(&notification(&token, 0x1b43, 1, "66"));
    let level = engine.telemetry("device")["batteryLevel"][0]["value"].clone();
    assert_eq!(level, 50);
}

#[test]
fn sends_of_anjay_become_telemetry_and_attributes() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.register(&register().encode());
    let values = hex(
        "4802343d1f35b948c330c87eb264701170ff83a421642f332f3000622f3022fb41dac10b7de0d2910365616e6a6179a200632f3133021a6b042df7a200642f372f3002197c05",
    );
    assert_eq!(peer.exchange(&values), hex("6844343d1f35b948c330c87e"));
    engine.await_attribute("device", "manufacturer", &json!("anjay"));
    let level =
        hex("4802343eab06803451c9797db264701170ff81a321662f332f302f3922fb41dac10b7e4005f10200");
    assert_eq!(peer.exchange(&level), hex("6844343eab06803451c9797d"));
    engine.await_telemetry("device", "batteryLevel", &json!(0));
    // The base time of the record, not the time of arrival.
    let measured = engine.telemetry("device")["batteryLevel"][0]["ts"].clone();
    assert_eq!(measured, 1_795_436_025_000_i64);
}

#[test]
fn a_send_of_wakaama_with_an_empty_token_becomes_telemetry() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.register(&register().encode());
    let send = hex(
        "4002bcc9b264701170ff82a321652f332f302f00613003744f70656e204d6f62696c6520416c6c69616e6365a2006139021864",
    );
    assert_eq!(peer.exchange(&send), hex("6044bcc9"));
    engine.await_telemetry("device", "batteryLevel", &json!(100));
    engine.await_attribute("device", "manufacturer", &json!("Open Mobile Alliance"));
}

#[test]
fn a_send_that_cannot_be_decoded_is_a_bad_request() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.register(&register().encode());
    let answer = peer.exchange(&send(2, b"[{\"n\":").encode());
    assert_eq!(answer[..4], hex("60800002"));
    assert_ne!(diagnostic(&answer), "");
}

#[test]
fn a_send_from_an_address_where_nobody_is_registered_is_a_bad_request() {
    let engine = Engine::start();
    let request = send(2, br#"[{"n":"/3/0/9","v":1}]"#).encode();
    assert_eq!(Peer::of(&engine).exchange(&request)[..4], hex("60800002"));
}

#[test]
fn a_send_of_an_object_that_is_not_registered_is_not_found() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.register(&register().encode());
    let request = send(2, br#"[{"n":"/3303/0/5700","v":1}]"#).encode();
    assert_eq!(peer.exchange(&request)[..4], hex("60840002"));
}

#[test]
fn a_send_is_of_the_endpoint_that_came_last_to_the_address_whichever_shard_it_lives_on() {
    let engine = Engine::start();
    let register_as = |peer: &mut Peer, endpoint: &str, mid| {
        let query = format!("lwm2m=1.1&ep={endpoint}&lt=60");
        let register = Datagram::con(POST, mid).path("rd").query(&query);
        peer.register(&register.payload(b"</1/0>,</3/0>").encode());
    };
    // The kernel brings about half of the addresses to each of the two shards.
    for n in 0..8_u16 {
        let mut peer = Peer::of(&engine);
        let resident = format!("resident-{n}");
        for (step, endpoint) in (1..).zip([&resident, "wanderer", &resident, "wanderer"]) {
            register_as(&mut peer, endpoint, 2 * step);
            let value = 10 * i32::from(n) + i32::from(step);
            let payload = format!(r#"[{{"n":"/3/0/9","v":{value}}}]"#);
            let answer = peer.exchange(&send(2 * step + 1, payload.as_bytes()).encode());
            assert_eq!(answer[..2], hex("6044"), "{}", diagnostic(&answer));
            engine.await_telemetry(endpoint, "batteryLevel", &json!(value));
        }
    }
}

/// An engine and a registered device whose battery level is observed.
fn observed_device(level: &str) -> (Engine, Peer, Vec<u8>) {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.register(&register().encode());
    let token = peer.be_observed(level);
    (engine, peer, token)
}

fn register() -> Datagram {
    Datagram::con(POST, 1)
        .path("rd")
        .query("lwm2m=1.1&ep=device&lt=60")
        .payload(b"</1/0>,</3/0>")
}

fn notification(token: &[u8], mid: u16, sequence: u8, value: &str) -> Vec<u8> {
    Datagram::non(CONTENT, mid)
        .token(token)
        .option(OBSERVE, &[sequence])
        .option(CONTENT_FORMAT, &[TEXT])
        .payload(value.as_bytes())
        .encode()
}

fn send(mid: u16, payload: &[u8]) -> Datagram {
    Datagram::con(POST, mid)
        .path("dp")
        .option(CONTENT_FORMAT, &[SENML_JSON])
        .payload(payload)
}
