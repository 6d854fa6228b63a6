//! Real clients that know nothing but their bootstrap server.

mod generated;
mod sections;
mod secured;
mod server;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::json;

use super::client::{Client, Kind};
use super::rules::ENDPOINT;
use crate::support::engine::Engine;
use crate::support::wait::until;

/// An engine that serves bootstrap, and where.
fn engine() -> (Engine, SocketAddr) {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let bootstrap = free.local_addr().expect("bound");
    drop(free);
    let setting = ("ROOKERY_LISTEN__BOOTSTRAP_COAP", &*bootstrap.to_string());
    let engine = Engine::start_with(&["serve", "--dev"], &[setting]);
    (engine, bootstrap)
}

fn provision(engine: &Engine, update: bool, bootstrap: SocketAddr) {
    let mut servers = vec![json!({
        "securityMode": "NO_SEC", "host": "127.0.0.1", "port": engine.coap().port(),
        "shortServerId": 123, "lifetime": 77
    })];
    if update {
        servers.push(json!({
            "securityMode": "NO_SEC", "host": "127.0.0.1", "port": bootstrap.port(),
            "bootstrapServerIs": true, "shortServerId": null
        }));
    }
    engine.put_profile(
        "told",
        &json!({"bootstrapServerUpdateEnable": update, "bootstrap": servers}),
    );
    engine.put_device(ENDPOINT, &json!({"profile": "told"}));
}

fn bootstrapped(update: bool) -> Option<(Engine, Client)> {
    Kind::Leshan.is_available().then(|| {
        let (engine, bootstrap) = engine();
        provision(&engine, update, bootstrap);
        let mut device = Client::open(Kind::Leshan, bootstrap, ENDPOINT, &["--bootstrap"]);
        device.expect("bootstrapped");
        device.expect("registered");
        (engine, device)
    })
}

fn session(engine: &Engine) -> serde_json::Value {
    engine.get("/api/v1/bootstrap/sessions")["items"][0].clone()
}

#[test]
fn leshan_bootstraps_with_lwm2m_only_and_registers_as_it_was_told() {
    let Some((engine, _device)) = bootstrapped(false) else {
        return;
    };
    assert_eq!(engine.registration(ENDPOINT)["lifetime"], 77);
    let shown = session(&engine);
    assert_eq!(
        (&shown["endpoint"], &shown["state"]),
        (&json!(ENDPOINT), &json!("finished"))
    );
    let finished = engine.metric("lwm2m_bootstrap_sessions_total", &["result=\"finished\""]);
    assert!((finished - 1.0).abs() < f64::EPSILON);
}

#[test]
fn leshan_with_both_accounts_bootstraps_again_when_it_is_told_to() {
    let Some((engine, mut device)) = bootstrapped(true) else {
        return;
    };
    let call = json!({"id": "/1/0/9"});
    let answer = engine.rpc(ENDPOINT, "Execute", &call);
    assert_eq!(answer, json!({"result": "CHANGED"}));
    device.expect("bootstrapped");
    device.expect("registered");
    until(
        "the second session is counted",
        Duration::from_secs(10),
        || engine.metric("lwm2m_bootstrap_sessions_total", &["result=\"finished\""]) > 1.5,
    );
    assert_eq!(engine.registration(ENDPOINT)["state"], "registered");
}

#[test]
fn a_leshan_device_that_nobody_knows_is_refused() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let bootstrap = free.local_addr().expect("bound");
    drop(free);
    let settings = [("ROOKERY_LISTEN__BOOTSTRAP_COAP", &*bootstrap.to_string())];
    let engine = Engine::start_with(&["serve", "--dev"], &settings);
    // Its credentials want a session that plain CoAP is not.
    engine.put_device(
        ENDPOINT,
        &json!({"credentials": {"client": {
            "securityConfigClientMode": "PSK", "endpoint": ENDPOINT, "identity": "me",
            "key": "000102030405060708090a0b0c0d0e0f"
        }}}),
    );
    let mut device = Client::open(Kind::Leshan, bootstrap, ENDPOINT, &["--bootstrap"]);
    let failed = device.expect("bootstrap-failed");
    assert_eq!(failed["code"], "4.00", "{failed}");
    assert_eq!(session(&engine)["state"], "unauthorized");
}

/// One server for bootstrap, two to register with: the rule names the other one.
#[test]
fn leshan_registers_with_the_server_that_placement_chooses() {
    if !Kind::Leshan.is_available() {
        return;
    }
    let (engine, bootstrap) = engine();
    let other = Engine::start();
    provision(&engine, false, bootstrap);
    engine.put_device(ENDPOINT, &json!({"profile": "told", "label": "north"}));
    let placement = json!({"rules": [
        {"match": {"label": "south"}, "targets": [{"host": "192.0.2.1"}]},
        {"match": {"label": "north", "profile": "told"},
         "targets": [{"host": "127.0.0.1", "port": other.coap().port()}]}
    ]});
    let put = engine.put("/api/v1/bootstrap/placement", &placement.to_string());
    assert_eq!(put.status, 200, "{}", put.body);
    let mut device = Client::open(Kind::Leshan, bootstrap, ENDPOINT, &["--bootstrap"]);
    device.expect("bootstrapped");
    device.expect("registered");
    assert_eq!(other.registration(ENDPOINT)["lifetime"], 77);
    let path = format!("/api/v1/devices/{ENDPOINT}/registration");
    assert_eq!(engine.status(&path), 404);
    let uri = format!("coap://{}", other.coap());
    assert_eq!(session(&engine)["servers"], json!([uri]));
}
