//! Addresses that change under a device, and the engine's own end.

use std::time::Duration;

use loadtest::client::{Client, ClientOptions, ClientSecurity};
use loadtest::dtls::Login;
use serde_json::json;

use crate::peer::{CHANGED, PATIENCE, Peer, SILENCE};
use crate::records::rebinds;
use crate::support::secured::Secured;
use crate::support::wait::eventually;

/// Longer than a change waits for its commit.
const COMMITTED: Duration = Duration::from_millis(600);

/// A whole device with the key that was generated for it.
fn device(server: &Secured, endpoint: &str, connection_id: Option<u8>) -> Client {
    server.provision("psk", endpoint, &[]);
    let key = server.text(&format!("{endpoint}_psk.hex"));
    let key = data_encoding::HEXUPPER_PERMISSIVE.decode(key.as_bytes());
    let login = Login::Psk {
        identity: endpoint.into(),
        key: key.expect("hexadecimal digits"),
    };
    let mut options = ClientOptions::new(server.coaps, endpoint);
    options.security = Some(ClientSecurity {
        connection_id,
        ..ClientSecurity::new(login)
    });
    let device = Client::start(options).expect("a socket");
    assert!(device.wait_registered(PATIENCE));
    device
}

#[test]
fn a_device_with_an_identifier_goes_on_from_another_port_without_a_handshake() {
    let server = Secured::start();
    let device = device(&server, "cid-1", Some(4));
    for round in 1..4 {
        let address = device.rebind().expect("another port");
        device.update().expect("2.04");
        assert_eq!(rebinds(&server), f64::from(round));
        let shown = server.engine.registration("cid-1");
        let port = shown["address"].as_str().and_then(|a| a.rsplit_once(':'));
        let port = port.expect("an address and a port").1;
        assert_eq!(port, address.port().to_string());
        let read = server.engine.rpc("cid-1", "Read", &json!({"id": "/3/0/0"}));
        assert_eq!(read["result"], "CONTENT", "{read}");
    }
    assert_eq!(server.handshakes_started(), 1.0);
    assert_eq!(device.counters().registered, 1);
}

/// Its records are nobody's from another port: it makes a handshake, and its registration is there.
#[test]
fn a_device_without_an_identifier_makes_a_handshake_and_keeps_its_registration() {
    let server = Secured::start();
    let (mut peer, id) = Peer::registered(&server, "plain-1", false);
    peer.move_away();
    assert_eq!(peer.update(&id, SILENCE), None, "deaf");
    peer.forget();
    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));
    let shown = server.engine.registration("plain-1");
    assert_eq!(shown["id"], id);
    let address = peer.socket.local_addr().expect("bound").to_string();
    assert_eq!(shown["address"], address);
    assert_eq!((peer.handshakes, server.sessions()), (2, 1.0));
    assert_eq!(rebinds(&server), 0.0);
}

#[test]
fn devices_go_on_without_a_handshake_after_a_kill() {
    let mut server = Secured::start();
    let (mut plain, plain_id) = Peer::registered(&server, "plain-1", false);
    let (mut cid, cid_id) = Peer::registered(&server, "cid-1", true);
    let device = device(&server, "cid-2", Some(0));
    server
        .engine
        .await_attribute("cid-2", "modelNumber", &model(&device));
    std::thread::sleep(COMMITTED);
    server.engine.kill();
    server.engine.start_again();
    assert_eq!(plain.update(&plain_id, PATIENCE), Some(CHANGED));
    assert_eq!(cid.update(&cid_id, PATIENCE), Some(CHANGED));
    device.update().expect("2.04");
    assert!(device.set("/3/0/9", 44));
    server
        .engine
        .await_telemetry("cid-2", "batteryLevel", &json!(44));
    assert_eq!(server.sessions(), 3.0);
    assert_eq!(server.handshakes_started(), 0.0);
    assert_eq!((plain.handshakes, cid.handshakes), (1, 1));

    // What was sealed before the kill is still a repetition after it.
    let before = cid.sealed_update(&cid_id);
    cid.socket.send(&before).expect("sent");
    cid.serve(COMMITTED);
    server.engine.kill();
    server.engine.start_again();
    cid.socket.send(&before).expect("sent");
    eventually("the repetition is dropped", || {
        let dropped = server.dropped("replay");
        (dropped == 1.0).then_some(()).ok_or(dropped)
    });
    assert_eq!(cid.update(&cid_id, PATIENCE), Some(CHANGED));
    assert_eq!(cid.handshakes, 1);
}

fn model(device: &Client) -> serde_json::Value {
    let value = device.get("/3/0/1").expect("a model number");
    json!(value.to_string())
}
