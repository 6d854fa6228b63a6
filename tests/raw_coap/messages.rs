//! The message layer (RFC 7252 §4), and what is no message at all.

use crate::support::datagram::{CONTENT, Datagram, GET, OBSERVE, POST, PROXY_URI, PUT, hex};
use crate::support::engine::Engine;
use crate::support::peer::{Peer, location};

#[test]
fn a_ping_is_reset() {
    let engine = Engine::start();
    assert_eq!(
        Peer::of(&engine).exchange(&hex("40001234")),
        hex("70001234")
    );
}

#[test]
fn a_repeated_register_gets_the_same_answer() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let register = register(0x2001).encode();
    let first = peer.exchange(&register);
    let second = peer.exchange(&register);
    assert_eq!(first, second);
    let id = location(&first).expect("a location");
    assert_eq!(engine.registration("device")["id"], id.as_str());
}

#[test]
fn a_repeated_refusal_gets_the_same_answer() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let request = Datagram::con(POST, 0x2002)
        .token(b"t")
        .path("rd")
        .query("lwm2m=9.9&ep=device")
        .payload(b"</3/0>")
        .encode();
    let first = peer.exchange(&request);
    assert_eq!(first[1], 0x8c);
    assert_eq!(peer.exchange(&request), first);
}

#[test]
fn malformed_confirmable_messages_are_reset() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    for (malformed, what) in [
        ("49021001010203040506070809", "a token of nine bytes"),
        ("4f021002", "the reserved token length"),
        ("440210030102", "a token cut short"),
        ("40021004ff", "a payload marker without payload"),
        ("40021005f0", "the reserved option delta"),
        ("400210060f", "the reserved option length"),
        ("40021007b57264", "an option cut short"),
        ("40021008b27264d0", "an extended delta cut short"),
        ("4000100901", "an empty message with bytes after it"),
        ("4020100a", "a code of the reserved class 1"),
        ("40e0100b", "a code of the reserved class 7"),
        ("4002100ce0ffffe0ffff", "option numbers over 65,535"),
    ] {
        let datagram = hex(malformed);
        let reset = vec![0x70, 0, datagram[2], datagram[3]];
        assert_eq!(peer.exchange(&datagram), reset, "{what}");
    }
    assert_alive(&mut peer);
}

#[test]
fn malformed_messages_that_are_not_confirmable_are_ignored() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.expect_silence(&hex("59021001010203040506070809"));
    peer.expect_silence(&hex("60021004ff"));
    peer.expect_silence(&hex("70021005f0"));
    assert_alive(&mut peer);
}

#[test]
fn datagrams_of_another_version_or_too_short_are_ignored() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    for noise in ["00021001", "80021002", "c0021003"] {
        peer.expect_silence(&hex(noise));
    }
    for scrap in ["", "40", "4002", "400210"] {
        peer.send(&hex(scrap));
    }
    assert_alive(&mut peer);
}

#[test]
fn acknowledgements_and_resets_of_nothing_are_ignored() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.expect_silence(&hex("60002001"));
    peer.expect_silence(&hex("70002002"));
    peer.expect_silence(&hex("62452003abcdff31"));
    assert_alive(&mut peer);
}

#[test]
fn notifications_of_unknown_observations_are_reset() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    peer.register(&register(1).encode());
    let notification = |datagram: Datagram| {
        datagram
            .token(b"nobody's")
            .option(OBSERVE, &[5])
            .payload(b"1")
            .encode()
    };
    let non = notification(Datagram::non(CONTENT, 0x3001));
    assert_eq!(peer.exchange(&non), hex("70003001"));
    let con = notification(Datagram::con(CONTENT, 0x3002));
    assert_eq!(peer.exchange(&con), hex("70003002"));
}

#[test]
fn an_unknown_critical_option_is_a_bad_option() {
    let engine = Engine::start();
    let request = register(0x4001).option(65_001, b"?").encode();
    let answer = Peer::of(&engine).exchange(&request);
    assert_eq!(answer[..4], hex("62824001"));
    assert_eq!(engine.status("/api/v1/devices/device/registration"), 404);
}

#[test]
fn an_unknown_elective_option_is_ignored() {
    let engine = Engine::start();
    let request = register(0x4002).option(65_000, b"?").encode();
    Peer::of(&engine).register(&request);
}

#[test]
fn a_request_for_a_proxy_is_not_supported() {
    let engine = Engine::start();
    let request = Datagram::con(GET, 0x4003)
        .option(PROXY_URI, b"coap://example.com/")
        .encode();
    assert_eq!(Peer::of(&engine).exchange(&request)[..4], hex("60a54003"));
}

#[test]
fn paths_and_methods_that_do_not_exist_are_told_apart() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    for (mid, method, path, code) in [
        (1, GET, "no/such/path", 0x84),
        (2, POST, "", 0x84),
        (3, GET, "rd", 0x85),
        (4, PUT, "rd", 0x85),
        (5, GET, "dp", 0x85),
    ] {
        let request = Datagram::con(method, mid).path(path).encode();
        assert_eq!(peer.exchange(&request)[1], code, "{method} /{path}");
    }
}

#[test]
fn an_error_answer_is_at_most_three_times_the_request() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    for request in [
        Datagram::con(POST, 1).path("rd"),
        Datagram::con(GET, 2),
        Datagram::con(GET, 3).path(".well-known/core"),
    ] {
        let request = request.encode();
        let answer = peer.exchange(&request);
        assert!(answer.len() <= 3 * request.len(), "{answer:02x?}");
    }
}

fn register(mid: u16) -> Datagram {
    Datagram::con(POST, mid)
        .token(&hex("c0de"))
        .path("rd")
        .query("lwm2m=1.1&ep=device&lt=60")
        .payload(b"</1/0>,</3/0>")
}

fn assert_alive(peer: &mut Peer) {
    assert_eq!(peer.exchange(&hex("4000fffe")), hex("7000fffe"));
}
