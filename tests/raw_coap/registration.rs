//! Register, Update and De-register.

use serde_json::{Value, json};

use crate::support::datagram::{CONTENT_FORMAT, DELETE, Datagram, LINK_FORMAT, POST, hex};
use crate::support::engine::Engine;
use crate::support::peer::{Peer, diagnostic, location};

const ANJAY_1_0: &str = "4802dad82abee61549f893ffb272641128396c776d326d3d312e300c65703d616e6a61792d312e30056c743d3630ff3c2f312f313e2c3c2f323e2c3c2f332f303e2c3c2f342f303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f392f303e2c3c2f392f313e2c3c2f31303e3b7665723d22312e31222c3c2f31302f303e2c3c2f31313e2c3c2f31363e2c3c2f31393e2c3c2f32302f303e2c3c2f333330332f303e2c3c2f333331332f303e2c3c2f333334372f303e2c3c2f33333630353e2c3c2f33333630362f303e2c3c2f33333630372f303e2c3c2f33333630383e2c3c2f33333630392f303e2c3c2f33333632393e";
const ANJAY_1_1: &str = "480275f01051812d45123594b272641128396c776d326d3d312e310c65703d616e6a61792d312e31056c743d3630ff3c2f312f313e2c3c2f323e2c3c2f332f303e2c3c2f342f303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f392f303e2c3c2f392f313e2c3c2f31303e3b7665723d312e312c3c2f31302f303e2c3c2f31313e2c3c2f31363e2c3c2f31393e2c3c2f32302f303e2c3c2f333330332f303e2c3c2f333331332f303e2c3c2f333334372f303e2c3c2f33333630353e2c3c2f33333630362f303e2c3c2f33333630372f303e2c3c2f33333630383e2c3c2f33333630392f303e2c3c2f33333632393e";
const ANJAY_1_2: &str = "4802a5efc4e2512b72497dbcb272641128396c776d326d3d312e320c65703d616e6a61792d312e32056c743d3630ff3c2f312f313e2c3c2f323e2c3c2f332f303e2c3c2f342f303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f392f303e2c3c2f392f313e2c3c2f31303e3b7665723d312e312c3c2f31302f303e2c3c2f31313e2c3c2f31363e2c3c2f31393e2c3c2f32302f303e2c3c2f333330332f303e2c3c2f333331332f303e2c3c2f333334372f303e2c3c2f33333630353e2c3c2f33333630362f303e2c3c2f33333630372f303e2c3c2f33333630383e2c3c2f33333630392f303e2c3c2f33333632393e";
const ANJAY_QUEUE_1_1: &str = "4802550af69e8099e8060118b272641128396c776d326d3d312e310d0165703d616e6a61792d7175657565066c743d3330300151ff3c2f312f313e2c3c2f323e2c3c2f332f303e2c3c2f342f303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f392f303e2c3c2f392f313e2c3c2f31303e3b7665723d312e312c3c2f31302f303e2c3c2f31313e2c3c2f31363e2c3c2f31393e2c3c2f32302f303e2c3c2f333330332f303e2c3c2f333331332f303e2c3c2f333334372f303e2c3c2f33333630353e2c3c2f33333630362f303e2c3c2f33333630372f303e2c3c2f33333630383e2c3c2f33333630392f303e2c3c2f33333632393e";
const WAKAAMA_1_0: &str = "44027af2f27a8c2cb272641128396c776d326d3d312e300965703d77616b2d313003623d55056c743d3630ff3c2f3e3b72743d226f6d612e6c776d326d223b63743d31313534332c3c2f312f303e2c3c2f322f303e2c3c2f332f303e2c3c2f342f303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f33313032343e3b7665723d312e302c3c2f33313032342f31303e2c3c2f33313032342f31313e2c3c2f33313032342f31323e";
const WAKAAMA_1_1: &str = "4402d92626d98a2cb272641128396c776d326d3d312e310965703d77616b2d313103623d55056c743d3630ff3c2f3e3b72743d226f6d612e6c776d326d223b63743d3131302c3c2f313e3b7665723d312e312c3c2f312f303e2c3c2f322f303e2c3c2f332f303e2c3c2f342f303e2c3c2f352f303e2c3c2f362f303e2c3c2f372f303e2c3c2f33313032343e3b7665723d312e302c3c2f33313032342f31303e2c3c2f33313032342f31313e2c3c2f33313032342f31323e";
const LIBCOAP: &str = "4102eadf017216974272641128396c776d326d3d312e310b65703d6c6962636f617031056c743d3630ff3c2f332f303e2c3c2f312f303e";
const AIOCOAP: &str =
    "4202c5b07e83b272641128396c776d326d3d312e310765703d61696f31056c743d3630ff3c2f332f303e";

#[test]
fn registrations_of_real_clients_are_created() {
    let engine = Engine::start();
    for (register, endpoint, version) in [
        (ANJAY_1_0, "anjay-1.0", "1.0"),
        (ANJAY_1_1, "anjay-1.1", "1.1"),
        (ANJAY_1_2, "anjay-1.2", "1.2"),
        (WAKAAMA_1_0, "wak-10", "1.0"),
        (WAKAAMA_1_1, "wak-11", "1.1"),
        (LIBCOAP, "libcoap1", "1.1"),
        (AIOCOAP, "aio1", "1.1"),
    ] {
        let mut peer = Peer::of(&engine);
        let register = hex(register);
        let answer = peer.exchange(&register);
        let id = location(&answer).expect("a location");
        assert_eq!(answer, created(&register, &id), "{endpoint}");
        let shown = engine.registration(endpoint);
        assert_eq!(shown["id"], id.as_str());
        assert_eq!(shown["lwm2mVersion"], version, "{endpoint}");
        assert_eq!(shown["lifetime"], 60);
        assert_eq!(shown["objects"]["3"]["instances"], json!([0]));
    }
}

#[test]
fn a_deregistration_is_deleted() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let id = peer.register(&hex(ANJAY_1_0));
    let deregister = Datagram::con(DELETE, 0xdad9)
        .token(&hex("e89d24005e2fff1d"))
        .path(&format!("rd/{id}"))
        .encode();
    assert_eq!(peer.exchange(&deregister), hex("6842dad9e89d24005e2fff1d"));
    engine.await_state("anjay-1.0", "expired");
}

#[test]
fn updates_of_anjay_are_changed() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let id = peer.register(&hex(ANJAY_1_1));
    let empty = update(&id, 0x343f, "e0dd84a83707a16f").encode();
    assert_eq!(peer.exchange(&empty), hex("6844343fe0dd84a83707a16f"));
    let lifetime = update(&id, 0x3440, "4f1731e8425a7257").query("lt=120");
    assert_eq!(
        peer.exchange(&lifetime.encode()),
        hex("684434404f1731e8425a7257")
    );
    assert_eq!(engine.registration("anjay-1.1")["lifetime"], 120);
}

#[test]
fn an_update_of_wakaama_brings_objects_without_content_format() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let id = peer.register(&hex(WAKAAMA_1_1));
    let links = br#"</>;rt="oma.lwm2m";ct=112,</1>;ver=1.1,</1/0>,</2/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>"#;
    let update = update(&id, 0xbcc8, "c8bc7033").payload(links).encode();
    assert_eq!(peer.exchange(&update), hex("6444bcc8c8bc7033"));
    let objects = &engine.registration("wak-11")["objects"];
    assert_eq!(
        objects["31024"],
        Value::Null,
        "it is not announced any more"
    );
    assert_eq!(objects["7"]["instances"], json!([0]));
}

#[test]
fn queue_mode_without_a_value_is_understood() {
    let engine = Engine::start();
    Peer::of(&engine).register(&hex(ANJAY_QUEUE_1_1));
    assert_eq!(engine.registration("anjay-queue")["queueMode"], true);
}

#[test]
fn quoted_and_bare_object_versions_are_understood() {
    let engine = Engine::start();
    for (register, endpoint) in [(ANJAY_1_0, "anjay-1.0"), (ANJAY_1_1, "anjay-1.1")] {
        Peer::of(&engine).register(&hex(register));
        let shown = engine.registration(endpoint);
        assert_eq!(shown["objects"]["10"]["version"], "1.1", "{endpoint}");
        assert_eq!(shown["objects"]["10"]["versionStated"], true, "{endpoint}");
    }
}

#[test]
fn a_register_without_objects_is_a_bad_request() {
    assert_refused(register("lwm2m=1.1&ep=device&lt=60").payload(b""), "80");
}

#[test]
fn a_register_without_endpoint_name_is_forbidden() {
    assert_refused(register("lwm2m=1.1&lt=60"), "83");
}

#[test]
fn an_unknown_lwm2m_version_fails_the_precondition() {
    let diagnostic = assert_refused(register("lwm2m=9.9&ep=device&lt=60"), "8c");
    for supported in ["1.0", "1.1", "1.2"] {
        assert!(diagnostic.contains(supported), "{diagnostic}");
    }
}

#[test]
fn a_lifetime_that_is_no_number_is_a_bad_request_that_names_it() {
    let diagnostic = assert_refused(register("lwm2m=1.1&ep=device&lt=soon"), "80");
    assert!(diagnostic.contains("lt"), "{diagnostic}");
}

#[test]
fn the_uq_binding_of_lwm2m_1_0_is_accepted() {
    assert_accepted(register("lwm2m=1.0&ep=device&lt=60&b=UQ"));
}

#[test]
fn the_ut_binding_of_lwm2m_1_1_is_accepted() {
    assert_accepted(register("lwm2m=1.1&ep=device&lt=60&b=UT"));
}

#[test]
fn an_update_to_a_binding_that_lwm2m_1_1_lacks_is_a_bad_request() {
    assert_binding_update_refused("1.1", "UQ");
}

#[test]
fn an_update_to_a_binding_that_lwm2m_1_0_lacks_is_a_bad_request() {
    assert_binding_update_refused("1.0", "UT");
}

#[test]
fn updates_and_deregistrations_of_nobody_are_not_found() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    for (mid, code) in [(1, POST), (2, DELETE)] {
        let request = Datagram::con(code, mid)
            .token(b"t")
            .path("rd/no-such-registration")
            .encode();
        let answer = peer.exchange(&request);
        assert_eq!(answer[..5], [0x61, 0x84, 0, request[3], b't']);
    }
}

#[test]
fn the_id_of_a_replaced_registration_is_not_found() {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let old = peer.register(&register("lwm2m=1.1&ep=device&lt=60").encode());
    let mut again = register("lwm2m=1.1&ep=device&lt=60").encode();
    again[3] += 1;
    let new = peer.register(&again);
    assert_ne!(old, new);
    let update_of_old = update(&old, 0x0101, "aa").encode();
    assert_eq!(peer.exchange(&update_of_old)[1], 0x84);
    let update_of_new = update(&new, 0x0102, "bb").encode();
    assert_eq!(peer.exchange(&update_of_new), hex("61440102bb"));
}

#[test]
fn an_update_from_another_port_moves_the_registration() {
    let engine = Engine::start();
    let id = Peer::of(&engine).register(&register("lwm2m=1.1&ep=device&lt=60").encode());
    let before = engine.registration("device")["address"].clone();
    let mut elsewhere = Peer::of(&engine);
    elsewhere.exchange(&update(&id, 1, "aa").encode());
    let after = engine.registration("device")["address"].clone();
    assert_ne!(before, after);
    assert_eq!(engine.registration("device")["id"], id.as_str());
}

#[test]
fn a_registration_ends_with_its_lifetime() {
    let engine = Engine::start();
    Peer::of(&engine).register(&register("lwm2m=1.1&ep=device&lt=2").encode());
    assert_eq!(engine.registration("device")["state"], "registered");
    engine.await_state("device", "expired");
}

/// The answer to a Register with this id.
fn created(register: &[u8], id: &str) -> Vec<u8> {
    let token = &register[4..4 + usize::from(register[0] & 0x0f)];
    let mut answer = vec![0x60 | register[0] & 0x0f, 0x41, register[2], register[3]];
    answer.extend(token);
    answer.extend(hex("827264"));
    let length = u8::try_from(id.len()).expect("a short id");
    if length < 13 {
        answer.push(length);
    } else {
        answer.extend([13, length - 13]);
    }
    answer.extend(id.as_bytes());
    answer
}

fn register(query: &str) -> Datagram {
    Datagram::con(POST, 0x4a01)
        .token(&hex("beef"))
        .path("rd")
        .option(CONTENT_FORMAT, &[LINK_FORMAT])
        .query(query)
        .payload(b"</1/0>,</3/0>")
}

fn update(id: &str, mid: u16, token: &str) -> Datagram {
    Datagram::con(POST, mid)
        .token(&hex(token))
        .path(&format!("rd/{id}"))
}

/// Returns the diagnostic.
fn assert_refused(register: Datagram, code: &str) -> String {
    let engine = Engine::start();
    let answer = Peer::of(&engine).exchange(&register.encode());
    assert_eq!(answer[..6], hex(&format!("62{code}4a01beef")));
    assert_eq!(engine.status("/api/v1/devices/device/registration"), 404);
    let diagnostic = diagnostic(&answer);
    assert_ne!(diagnostic, "", "a refusal says why");
    diagnostic
}

fn assert_accepted(register: Datagram) {
    let engine = Engine::start();
    let register = register.encode();
    let answer = Peer::of(&engine).exchange(&register);
    let id = location(&answer).expect("a location");
    assert_eq!(answer, created(&register, &id));
}

fn assert_binding_update_refused(version: &str, binding: &str) {
    let engine = Engine::start();
    let mut peer = Peer::of(&engine);
    let id = peer.register(&register(&format!("lwm2m={version}&ep=device&lt=60")).encode());
    let update = update(&id, 0x0102, "aa").query(&format!("b={binding}"));
    let answer = peer.exchange(&update.encode());
    assert_eq!(answer[..5], hex("61800102aa"));
    assert!(diagnostic(&answer).contains(binding));
    assert_eq!(engine.registration("device")["binding"], "U");
}
