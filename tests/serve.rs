//! `rookery serve`, from its start to its end.

#[path = "support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

use support::datagram::{Datagram, POST, hex};
use support::engine::Engine;
use support::peer::Peer;

#[test]
fn sigterm_ends_it_in_order() {
    let mut engine = Engine::start();
    Peer::of(&engine).register(&register());
    let status = engine.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn without_dev_an_unknown_device_is_forbidden() {
    let engine = Engine::start_with(&["serve"], &[]);
    let answer = Peer::of(&engine).exchange(&register());
    assert_eq!(answer[..4], hex("60830001"));
}

#[test]
fn without_dev_the_api_wants_a_token() {
    let engine = Engine::start_with(&["serve"], &[]);
    assert_eq!(engine.status("/api/v1/devices"), 401);
    assert_eq!(engine.status("/livez"), 200);
}

fn register() -> Vec<u8> {
    Datagram::con(POST, 1)
        .path("rd")
        .query("lwm2m=1.1&ep=device&lt=60")
        .payload(b"</1/0>,</3/0>")
        .encode()
}
