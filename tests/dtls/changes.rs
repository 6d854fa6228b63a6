//! Credentials that are changed or taken away, and keys of the server that are replaced.

use std::process::Command;

use serde_json::json;

use crate::peer::{CHANGED, PATIENCE, Peer, SILENCE};
use crate::support::engine::Engine;
use crate::support::secured::Secured;
use crate::support::wait::until;

const OTHER_KEY: &str = "f0e0d0c0b0a090807060504030201000";

/// What ends the credentials of a device.
type Change = fn(&Secured);

#[test]
fn a_session_ends_at_once_with_the_credentials_that_it_proved() {
    let changes: [(&str, Change); 3] = [
        ("another key", |server| {
            put(
                server,
                &json!({
                    "securityConfigClientMode": "PSK", "endpoint": "dev-1",
                    "identity": "dev-1", "key": OTHER_KEY,
                }),
            );
        }),
        ("another mode", |server| {
            let mode = json!({"securityConfigClientMode": "NO_SEC", "endpoint": "dev-1"});
            put(server, &mode);
        }),
        ("deleted", |server| {
            let answer = server
                .engine
                .send_json("DELETE", "/api/v1/devices/dev-1", &json!({}));
            assert!(answer.is_success(), "{}", answer.body);
        }),
    ];
    for (name, change) in changes {
        for cid in [false, true] {
            let server = Secured::start();
            let (mut peer, id) = Peer::registered(&server, "dev-1", cid);
            let (mut other, other_id) = Peer::registered(&server, "dev-2", cid);
            assert_eq!(server.sessions(), 2.0);
            change(&server);
            until("the session has ended", PATIENCE, || {
                server.sessions() == 1.0
            });
            let sealed = peer.sealed_update(&id);
            peer.serve(SILENCE);
            peer.last_received.clear();
            peer.socket.send(&sealed).expect("sent");
            peer.serve(SILENCE);
            assert_eq!(peer.last_received, [0; 0], "{name} {cid}");
            let device = server
                .engine
                .send_json("GET", "/api/v1/devices/dev-1", &json!({}));
            assert!(
                !device.body.contains("\"state\":\"registered\""),
                "{name}: and the registration: {}",
                device.body
            );
            assert_eq!(other.update(&other_id, PATIENCE), Some(CHANGED));
            assert_eq!(other.handshakes, 1, "{name}: nobody else notices");
        }
    }
}

#[test]
fn the_same_credentials_again_change_nothing() {
    let server = Secured::start();
    let (mut peer, id) = Peer::registered(&server, "dev-1", true);
    let device = server.text("dev-1_device.json");
    let device = serde_json::from_str(&device).expect("JSON");
    server.engine.put_device("dev-1", &device);
    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));
    assert!(peer.has_session());
    assert_eq!((peer.handshakes, server.sessions()), (1, 1.0));
}

#[test]
fn another_server_certificate_counts_for_handshakes_and_sessions_stay() {
    let server = Secured::start();
    let (mut peer, id) = Peer::registered(&server, "dev-1", true);
    let before = server.text("server_certificate.pem");
    let shown = |server: &Secured| server.engine.get("/api/v1/server")["keys"].clone();
    let keys = shown(&server);
    server.replace_server_keys();
    assert_ne!(server.text("server_certificate.pem"), before);
    let hangup = Command::new("kill")
        .args(["-HUP", &server.engine.process_id().to_string()])
        .status();
    assert!(hangup.expect("kill runs").success());
    until("the new keys are shown", PATIENCE, || {
        shown(&server) != keys
    });
    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));
    assert_eq!((peer.handshakes, server.sessions()), (1, 1.0));
    // And handshakes are made as before.
    let (_other, _) = Peer::registered(&server, "dev-2", true);
    assert_eq!(server.sessions(), 2.0);
}

#[test]
fn the_development_form_makes_no_keys_where_some_are_configured() {
    let server = Secured::start();
    assert!(!server.engine.data().join("dtls").exists());
    let other = Engine::start();
    assert!(other.data().join("dtls/server_key.pem").exists());
}

fn put(server: &Secured, client: &serde_json::Value) {
    let device = json!({"credentials": {"client": client}});
    server.engine.put_device("dev-1", &device);
}
