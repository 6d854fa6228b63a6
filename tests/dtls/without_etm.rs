//! Devices that have CBC suites alone and no encrypt-then-MAC.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use openssl::ssl::SslOptions;
use serde_json::json;

use crate::openssl_client::{Device, NO_ENCRYPT_THEN_MAC, Offer};
use crate::peer::{CHANGED, PATIENCE};
use crate::support::secured::Secured;
use crate::support::wait::until;

const COMMITTED: Duration = Duration::from_millis(600);
const SUITE: &str = "PSK-AES128-CBC-SHA256";

fn offer() -> Offer {
    Offer::of(SUITE, NO_ENCRYPT_THEN_MAC | SslOptions::NO_TICKET)
}

fn kept(server: &Secured) -> f64 {
    server.engine.metric("lwm2m_dtls_sessions_without_etm", &[])
}

fn made(server: &Secured) -> f64 {
    let name = "lwm2m_dtls_handshakes_without_etm_total";
    server.engine.metric(name, &[])
}

/// What the engine asks is answered while a command is given.
fn command(
    server: &Secured,
    device: &mut Device,
    method: &str,
    params: &serde_json::Value,
) -> serde_json::Value {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let answering = scope.spawn(|| {
            while !done.load(Relaxed) {
                device.serve(|_| done.load(Relaxed));
            }
        });
        let answer = server.engine.rpc("dev-1", method, params);
        done.store(true, Relaxed);
        answering.join().expect("the device answers");
        answer
    })
}

#[test]
fn such_a_device_is_managed_and_makes_a_handshake_after_a_restart() {
    let mut server = Secured::start();
    server.provision("psk", "dev-1", &[]);
    let mut device = Device::connect(&server, "dev-1", &offer()).expect("a session");
    assert_eq!(device.suite(), SUITE);
    let id = device.register();
    let read = command(&server, &mut device, "Read", &json!({"id": "/3/0/0"}));
    assert_eq!(read["result"], "CONTENT", "{read}");
    assert_eq!(device.update(&id), Some(CHANGED));
    assert_eq!((kept(&server), made(&server)), (1.0, 1.0));
    assert_eq!(server.handshakes("psk", "ok"), 1.0);

    thread::sleep(COMMITTED);
    server.engine.kill();
    server.engine.start_again();
    assert_eq!((server.sessions(), kept(&server)), (0.0, 0.0));
    let mut device = Device::connect(&server, "dev-1", &offer()).expect("a session");
    assert_eq!(device.update(&id), Some(CHANGED), "the same registration");
    assert!(device.close(), "the server closes as well");
    until("the session has ended", PATIENCE, || kept(&server) == 0.0);
    assert_eq!(server.sessions(), 0.0);
}

#[test]
fn beyond_the_bound_they_are_refused_and_others_are_not() {
    let server = Secured::start_with(&[("ROOKERY_DTLS__MAX_SESSIONS_WITHOUT_ETM", "0")]);
    server.provision("psk", "dev-1", &[]);
    let refused = Device::connect(&server, "dev-1", &offer()).err();
    let refused = refused.expect("refused");
    assert!(refused.contains("handshake failure"), "{refused}");
    assert_eq!(server.handshakes("psk", "cbc_without_etm"), 1.0);
    let with_etm = Offer::of(SUITE, SslOptions::empty());
    let mut device = Device::connect(&server, "dev-1", &with_etm).expect("a session");
    device.register();
    assert_eq!((kept(&server), made(&server)), (0.0, 0.0));
}

/// Also where records are protected by the engine itself.
#[test]
fn bodies_come_in_blocks_that_fit_the_records_a_device_takes() {
    let text = "x".repeat(300);
    for (suite, options) in [
        (SUITE, NO_ENCRYPT_THEN_MAC),
        ("PSK-AES128-CCM8", SslOptions::empty()),
    ] {
        let server = Secured::start();
        server.provision("psk", "dev-1", &[]);
        let mut small = Offer::of(suite, options);
        small.record_limit = Some(256);
        let mut device = Device::connect(&server, "dev-1", &small).expect("a session");
        device.register();
        let write = json!({"id": "/3/0/15", "value": text});
        let answer = command(&server, &mut device, "WriteReplace", &write);
        assert_eq!(answer["result"], "CHANGED", "{answer}");
        assert!((128..=256).contains(&device.largest), "{}", device.largest);
        let written = String::from_utf8_lossy(&device.written).into_owned();
        assert!(written.contains(&text), "{written}");
        let failures = "lwm2m_dtls_seal_failures_total";
        assert_eq!(server.engine.metric(failures, &[]), 0.0);
    }
}
