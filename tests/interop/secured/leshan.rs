//! Leshan over Scandium: pre-shared keys, raw public keys and certificates, with and without
//! connection identifiers.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::client::{Client, Kind};
use super::super::nat::Nat;
use crate::support::secured::Secured;
use crate::support::wait::{eventually, until};

const DEVICE: &str = "leshan-1";
/// With the start of a Java machine in it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_device_with_a_pre_shared_key_is_managed() {
    is_managed("psk", "PSK", &[]);
}

#[test]
fn a_device_with_a_pre_shared_key_and_connection_identifiers_is_managed() {
    is_managed("psk", "PSK", &["--cid", "4"]);
}

#[test]
fn a_device_with_a_raw_public_key_is_managed() {
    is_managed("rpk", "RPK", &[]);
}

#[test]
fn a_device_with_a_raw_public_key_and_connection_identifiers_is_managed() {
    is_managed("rpk", "RPK", &["--cid", "0"]);
}

#[test]
fn a_device_with_a_certificate_is_managed() {
    is_managed("x509", "X509", &[]);
}

#[test]
fn a_device_with_a_certificate_and_connection_identifiers_is_managed() {
    is_managed("x509", "X509", &["--cid", "6"]);
}

/// Scandium knows no encrypt-then-MAC.
#[test]
fn devices_that_have_nothing_but_cbc_are_managed() {
    for (mode, shown, suite) in [
        ("psk", "PSK", "TLS_PSK_WITH_AES_128_CBC_SHA256"),
        ("x509", "X509", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    ] {
        is_managed(mode, shown, &["--suites", suite]);
    }
}

#[test]
fn every_other_suite_of_scandium_is_taken() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Secured::start();
    for (mode, suite) in [
        ("psk", "TLS_PSK_WITH_AES_128_GCM_SHA256"),
        ("x509", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ] {
        let endpoint = format!("leshan-{mode}");
        server.provision(mode, &endpoint, &[]);
        let mut device = open(&server, mode, &endpoint, &["--suites", suite, "--cid", "2"]);
        device.expect("registered");
        assert_eq!(server.handshakes(mode, "ok"), 1.0, "{suite}");
    }
}

#[test]
fn a_wrong_key_is_refused_and_nobody_is_registered() {
    refused("psk", "wrong_key", |server| {
        server.provision("psk", DEVICE, &[]);
        let wrong = "00".repeat(16);
        vec!["--psk".into(), DEVICE.into(), wrong]
    });
}

#[test]
fn an_unknown_identity_is_refused() {
    refused("psk", "refused", |server| {
        server.provision("psk", DEVICE, &[]);
        vec!["--psk".into(), "stranger".into(), psk(server, DEVICE)]
    });
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let foreign = Secured::foreign(&["x509", "--endpoint", DEVICE]);
    refused("x509", "refused", |server| {
        server.provision("x509", DEVICE, &["--trusted"]);
        let file = |name: &str| foreign.path().join(format!("{DEVICE}_{name}"));
        vec![
            "--x509".into(),
            file("certificate.der").display().to_string(),
            file("key.der").display().to_string(),
            server.file("server_certificate.der").display().to_string(),
        ]
    });
}

#[test]
fn a_raw_public_key_of_nobody_is_refused() {
    let foreign = Secured::foreign(&["rpk", "--endpoint", DEVICE]);
    refused("rpk", "refused", |server| {
        server.provision("rpk", DEVICE, &[]);
        let file = |name: &str| foreign.path().join(format!("{DEVICE}_{name}"));
        vec![
            "--rpk".into(),
            file("key.der").display().to_string(),
            file("public.der").display().to_string(),
            server.file("server_public.der").display().to_string(),
        ]
    });
}

#[test]
fn another_endpoint_than_that_of_the_credentials_gets_4_03() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Secured::start();
    server.provision("psk", DEVICE, &[]);
    server.provision("psk", "leshan-2", &[]);
    let key = psk(&server, DEVICE);
    let options = ["--psk", DEVICE, key.as_str()];
    let mut device = Client::open_at(Kind::Leshan, &uri(&server), "leshan-2", &options);
    assert_eq!(device.expect("register-failed")["code"], "4.03");
    let path = "/api/v1/devices/leshan-2/registration";
    assert_eq!(server.engine.status(path), 404);
}

/// Registers, is observed, read and written, updates, moves, makes new sessions, and begins anew.
fn is_managed(mode: &str, shown: &str, options: &[&str]) {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Secured::start();
    server.provision(mode, DEVICE, &[]);
    let nat = Nat::before(server.coaps);
    let credentials = credentials(&server, mode, DEVICE);
    let all: Vec<_> = credentials.iter().map(String::as_str).collect();
    let all = [&all, options].concat();
    let uri = format!("coaps://localhost:{}", nat.address().port());
    let mut device = Client::open_at(Kind::Leshan, &uri, DEVICE, &all);
    let first = device.expect("registered")["id"].clone();
    let registration = server.engine.registration(DEVICE);
    assert_eq!(registration["security"], shown);
    assert_eq!(registration["id"], first);
    let observed = |device: &mut Client, value: i64| {
        device.tell(&format!("set /3/0/9 {value}"), "set");
        let value = json!(value);
        server
            .engine
            .await_telemetry(DEVICE, "batteryLevel", &value);
    };
    // A change that comes while the device answers the Observe is not notified.
    let observed_first = || {
        let full = json!(100);
        server.engine.await_telemetry(DEVICE, "batteryLevel", &full);
    };
    observed_first();
    observed(&mut device, 90);
    rpc(&server, "Read", &json!({"id": "/3/0/0"}), "CONTENT");
    let write = json!({"id": "/3/0/14", "value": "+05"});
    rpc(&server, "WriteReplace", &write, "CHANGED");
    device.tell("update", "updated");
    assert_eq!(server.handshakes(mode, "ok"), 1.0);

    if options.contains(&"--cid") {
        nat.forget_binding();
        device.tell("update", "updated");
        observed(&mut device, 80);
        let address = &server.engine.registration(DEVICE)["address"];
        assert_eq!(*address, nat.outside().to_string());
        let rebinds = server.engine.metric("lwm2m_dtls_cid_rebinds_total", &[]);
        assert_eq!((server.handshakes_started(), rebinds), (1.0, 1.0));
    }

    // Scandium offers no session tickets: it resumes by id.
    for (round, how, ended) in [(2, "resume", (1.0, 1.0)), (3, "full", (2.0, 1.0))] {
        device.tell(&format!("reconnect {how}"), "reconnecting");
        device.tell("update", "updated");
        let handshakes = ["ok", "resumed"].map(|result| server.handshakes(mode, result));
        assert_eq!(handshakes, <[f64; 2]>::from(ended), "{how}");
        assert_eq!(server.engine.registration(DEVICE)["id"], first);
        rpc(&server, "Read", &json!({"id": "/3/0/0"}), "CONTENT");
        observed(&mut device, 70 + round);
    }

    let second = device.tell("register", "registered")["id"].clone();
    assert_ne!(second, first);
    assert_eq!(server.handshakes(mode, "ok"), 3.0);
    observed_first();
    observed(&mut device, 60);
    eventually("one session", || {
        let sessions = server.sessions();
        (sessions == 1.0).then_some(()).ok_or(sessions)
    });
    device.tell("deregister", "deregistered");
    server.engine.await_state(DEVICE, "expired");
}

/// A device whose handshake must end like this, and that is not registered.
fn refused(mode: &str, result: &str, options: impl FnOnce(&Secured) -> Vec<String>) {
    if !Kind::Leshan.is_available() {
        return;
    }
    let server = Secured::start();
    let options = options(&server);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let _device = Client::open_at(Kind::Leshan, &uri(&server), DEVICE, &options);
    until("the handshake has failed", PATIENCE, || {
        server.handshakes(mode, result) >= 1.0
    });
    assert_eq!(server.handshakes(mode, "ok"), 0.0);
    let path = format!("/api/v1/devices/{DEVICE}/registration");
    assert_eq!(server.engine.status(&path), 404);
}

fn rpc(server: &Secured, method: &str, params: &Value, result: &str) {
    let answer = server.engine.rpc(DEVICE, method, params);
    assert_eq!(answer["result"], result, "{method} {params}: {answer}");
}

fn open(server: &Secured, mode: &str, endpoint: &str, options: &[&str]) -> Client {
    let credentials = credentials(server, mode, endpoint);
    let all: Vec<_> = credentials.iter().map(String::as_str).collect();
    let all = [&all, options].concat();
    Client::open_at(Kind::Leshan, &uri(server), endpoint, &all)
}

/// The name is the one in the server's certificate.
fn uri(server: &Secured) -> String {
    format!("coaps://localhost:{}", server.coaps.port())
}

fn psk(server: &Secured, endpoint: &str) -> String {
    server.text(&format!("{endpoint}_psk.hex"))
}

/// The options that give a device what was generated for it.
fn credentials(server: &Secured, mode: &str, endpoint: &str) -> Vec<String> {
    let file = |name: &str| server.file(name).display().to_string();
    let own = |name: &str| file(&format!("{endpoint}_{name}"));
    match mode {
        "psk" => vec!["--psk".into(), endpoint.into(), psk(server, endpoint)],
        "rpk" => vec![
            "--rpk".into(),
            own("key.der"),
            own("public.der"),
            file("server_public.der"),
        ],
        _ => vec![
            "--x509".into(),
            own("certificate.der"),
            own("key.der"),
            file("server_certificate.der"),
        ],
    }
}
