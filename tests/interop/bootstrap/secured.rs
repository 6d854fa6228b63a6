//! Leshan over Scandium bootstraps, registers with what it was told, and bootstraps anew on demand.

use std::time::Duration;

use serde_json::json;

use super::super::client::{Client, Kind};
use super::server::{BootstrapServer, DEVICE};
use crate::support::wait::until;

#[test]
fn b15_leshan_bootstraps_with_a_pre_shared_key_and_registers() {
    bootstraps_and_registers("psk");
}

#[test]
fn b18_leshan_bootstraps_with_a_raw_public_key_and_registers() {
    bootstraps_and_registers("rpk");
}

#[test]
fn b20_leshan_bootstraps_with_a_certificate_and_registers() {
    bootstraps_and_registers("x509");
}

#[test]
fn leshan_bootstraps_with_a_certificate_that_only_the_trust_store_vouches_for() {
    bootstraps_with("x509", &["--trusted"]);
}

#[test]
fn b23_leshan_bootstraps_in_the_clear_and_registers_with_a_pre_shared_key() {
    is_given_keys("psk");
}

#[test]
fn b24_leshan_bootstraps_in_the_clear_and_registers_with_a_raw_public_key() {
    is_given_keys("rpk");
}

#[test]
fn b17_a_wrong_pre_shared_key_bootstraps_nothing() {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision("psk", "psk", &json!({}));
    let wrong = "00".repeat(16);
    let options = ["--bootstrap", "--psk", DEVICE, &wrong];
    let _device = Client::open_at(Kind::Leshan, &server.coaps(), DEVICE, &options);
    until("the handshake has failed", Duration::from_secs(60), || {
        server.secured.handshakes("psk", "wrong_key") >= 1.0
    });
    assert!(server.finished() < 0.5);
    assert_eq!(server.registration_status(), 404);
}

/// With accounts of both servers, then once more by `Execute` of `/1/x/9`, after which the credentials
/// that it was told have to do for both.
fn bootstraps_and_registers(mode: &str) {
    bootstraps_with(mode, &[]);
}

/// The same with these arguments of `rookery credentials generate`.
fn bootstraps_with(mode: &str, arguments: &[&str]) {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision_with(mode, mode, &json!({}), arguments);
    let mut options = vec!["--bootstrap".to_owned()];
    options.extend(server.factory_credentials(mode));
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let mut device = Client::open_at(Kind::Leshan, &server.coaps(), DEVICE, &options);
    device.expect("bootstrapped");
    device.expect("registered");
    let shown = server.engine().registration(DEVICE);
    assert_eq!(shown["security"], mode.to_uppercase());
    assert_eq!(shown["lifetime"], 88);
    assert_eq!(server.session()["security"], mode.to_uppercase());
    let call = json!({"id": "/1/0/9"});
    let answer = server.engine().rpc(DEVICE, "Execute", &call);
    assert_eq!(answer, json!({"result": "CHANGED"}));
    device.expect("bootstrapped");
    device.expect("registered");
    until("both are counted", Duration::from_secs(10), || {
        server.finished() > 1.5
    });
    assert_eq!(
        server.engine().registration(DEVICE)["security"],
        mode.to_uppercase()
    );
}

fn is_given_keys(mode: &str) {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision(mode, "no_sec", &json!({}));
    let uri = format!("coap://{}", server.plain);
    let mut device = Client::open_at(Kind::Leshan, &uri, DEVICE, &["--bootstrap"]);
    device.expect("bootstrapped");
    device.expect("registered");
    assert_eq!(server.session()["security"], "NO_SEC");
    let shown = server.engine().registration(DEVICE);
    assert_eq!(shown["security"], mode.to_uppercase());
}
