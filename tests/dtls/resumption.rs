//! Sessions that are resumed, by ticket and by id.

use std::process::Command;

use openssl::ssl::SslOptions;

use crate::openssl_client::{Device, Offer};
use crate::peer::CHANGED;
use crate::support::engine::Engine;
use crate::support::secured::Secured;
use crate::support::wait::until;

const SUITE: &str = "PSK-AES128-CCM8";

fn hang_up(engine: &Engine) {
    let hangup = Command::new("kill")
        .args(["-HUP", &engine.process_id().to_string()])
        .status();
    assert!(hangup.expect("kill runs").success());
}

#[test]
fn a_session_resumes_by_ticket_also_after_a_restart() {
    let mut server = Secured::start();
    server.provision("psk", "dev-1", &[]);
    let mut offer = Offer::of(SUITE, SslOptions::empty());
    let mut device = Device::connect(&server, "dev-1", &offer).expect("a session");
    let id = device.register();
    offer.session = Some(device.session());
    let mut device = Device::connect(&server, "dev-1", &offer).expect("a session");
    assert!(device.is_resumed());
    assert_eq!(device.update(&id), Some(CHANGED));

    std::thread::sleep(std::time::Duration::from_millis(600));
    server.engine.kill();
    server.engine.start_again();
    let mut device = Device::connect(&server, "dev-1", &offer).expect("a session");
    assert!(device.is_resumed());
    assert_eq!(device.update(&id), Some(CHANGED));
    assert_eq!(server.handshakes("psk", "resumed"), 1.0);
    assert_eq!(server.handshakes("psk", "ok"), 0.0);
}

#[test]
fn a_session_resumes_by_id_while_the_server_runs() {
    let mut server = Secured::start();
    server.provision("psk", "dev-1", &[]);
    let mut offer = Offer::of(SUITE, SslOptions::NO_TICKET);
    let mut device = Device::connect(&server, "dev-1", &offer).expect("a session");
    let id = device.register();
    offer.session = Some(device.session());
    for _ in 0..2 {
        let mut device = Device::connect(&server, "dev-1", &offer).expect("a session");
        assert!(device.is_resumed());
        assert_eq!(device.update(&id), Some(CHANGED));
    }
    assert_eq!(server.handshakes("psk", "resumed"), 2.0);
    server.engine.kill();
    server.engine.start_again();
    let device = Device::connect(&server, "dev-1", &offer).expect("a session");
    assert!(!device.is_resumed());
}

#[test]
fn without_room_for_sessions_by_id_each_handshake_is_whole() {
    let server = Secured::start_with(&[("ROOKERY_DTLS__SESSION_IDS", "0")]);
    server.provision("psk", "dev-1", &[]);
    let mut offer = Offer::of(SUITE, SslOptions::NO_TICKET);
    let device = Device::connect(&server, "dev-1", &offer).expect("a session");
    offer.session = Some(device.session());
    let device = Device::connect(&server, "dev-1", &offer).expect("a session");
    assert!(!device.is_resumed());
}

/// Whoever would not be believed any more must not come in by what was believed before.
#[test]
fn a_ticket_is_nothing_under_other_keys_of_the_server() {
    let server = Secured::start();
    server.provision("psk", "dev-1", &[]);
    let mut offer = Offer::of(SUITE, SslOptions::empty());
    let device = Device::connect(&server, "dev-1", &offer).expect("a session");
    offer.session = Some(device.session());
    let again = Device::connect(&server, "dev-1", &offer).expect("a session");
    assert!(again.is_resumed());
    server.replace_server_keys();
    hang_up(&server.engine);
    // The shards are told one after another.
    until("the handshake is a full one", crate::peer::PATIENCE, || {
        let device = Device::connect(&server, "dev-1", &offer).expect("a session");
        !device.is_resumed()
    });
}
