//! Leshan is given keys of its own at each bootstrap; those before end when it has used the new ones.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::client::{Client, Kind};
use super::server::{BootstrapServer, DEVICE};
use crate::support::wait::{eventually, until};

#[test]
fn a_device_gets_another_pre_shared_key_at_each_bootstrap() {
    is_given_others("psk");
}

#[test]
fn a_device_gets_another_key_pair_at_each_bootstrap() {
    is_given_others("rpk");
}

/// From its factory it has credentials of `mode`. It bootstraps with them, and registers with none but the
/// newest ones that were generated, also after a restart of the server.
fn is_given_others(mode: &str) {
    let Some(mut server) = BootstrapServer::start() else {
        return;
    };
    let name = mode.to_uppercase();
    let extensions = json!({"bootstrap": {"generate": name}});
    server.provision(mode, mode, &extensions);
    let factory = server.factory_credentials(mode);
    let factory: Vec<_> = factory.iter().map(String::as_str).collect();
    let options = [&["--bootstrap"], factory.as_slice()].concat();
    let mut device = Client::open_at(Kind::Leshan, &server.coaps(), DEVICE, &options);
    device.expect("bootstrapped");
    device.expect("registered");
    let first = in_use(&server, &Value::Null);
    assert_eq!(server.engine().registration(DEVICE)["security"], name);

    server.secured.engine.kill();
    server.secured.engine.start_again();
    device.tell("update", "updated");
    assert_eq!(in_use(&server, &Value::Null), first);

    let answer = server
        .engine()
        .rpc(DEVICE, "Execute", &json!({"id": "/1/0/9"}));
    assert_eq!(answer, json!({"result": "CHANGED"}));
    device.expect("bootstrapped");
    device.expect("registered");
    let second = in_use(&server, &first);
    assert_ne!(second, first);

    // What it has from its factory is good for bootstrap only.
    let refused = server.secured.handshakes(mode, "refused");
    let uri = format!("coaps://localhost:{}", server.secured.coaps.port());
    let _impostor = Client::open_at(Kind::Leshan, &uri, DEVICE, &factory);
    until("it is refused", Duration::from_secs(60), || {
        server.secured.handshakes(mode, "refused") > refused
    });
    let registration = server.engine().registration(DEVICE);
    assert_eq!(registration["state"], "registered");
}

#[test]
fn a_device_without_security_gets_a_key_and_registers_with_nothing_else_from_then_on() {
    let Some(server) = BootstrapServer::start() else {
        return;
    };
    server.provision("psk", "no_sec", &json!({"bootstrap": {"generate": "PSK"}}));
    server
        .engine()
        .put_device(DEVICE, &json!({"profile": "told"}));
    let bootstrap = format!("coap://{}", server.plain);
    let mut device = Client::open_at(Kind::Leshan, &bootstrap, DEVICE, &["--bootstrap"]);
    device.expect("bootstrapped");
    device.expect("registered");
    in_use(&server, &Value::Null);
    assert_eq!(server.engine().registration(DEVICE)["security"], "PSK");
    let mut plain = Client::open(Kind::Leshan, server.engine().coap(), DEVICE, &[]);
    assert_eq!(plain.expect("register-failed")["code"], "4.03");
}

/// The identity that the device has registered with, once it is another one than `before` and none is
/// pending.
fn in_use(server: &BootstrapServer, before: &Value) -> Value {
    eventually("the generated credentials are used", || {
        let device = server.engine().get(&format!("/api/v1/devices/{DEVICE}"));
        let generated = &device["generatedCredentials"];
        let identity = &generated["current"]["identity"];
        assert_eq!(generated["current"]["key"], Value::Null, "{generated}");
        let is_new = identity.is_string() && identity != before;
        if is_new && generated["pending"].is_null() {
            Ok(identity.clone())
        } else {
            Err(generated.clone())
        }
    })
}
