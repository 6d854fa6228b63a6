//! Keys that are generated at a bootstrap, told in the clear for the test to read along.

use std::net::{SocketAddr, UdpSocket};

use coap_lite::{CoapOption, Packet};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::peer::{CHANGED, CREATED, PATIENCE, Peer};
use crate::support::datagram::{CONTENT, CONTENT_FORMAT, Datagram, LINK_FORMAT, POST};
use crate::support::peer::Peer as PlainPeer;
use crate::support::secured::Secured;
use crate::support::wait::until;

const BAD_REQUEST: u8 = 0x80;
const FORBIDDEN: u8 = 0x83;

#[test]
fn what_a_device_had_holds_until_it_has_registered_with_what_was_generated() {
    let (mut server, bootstrap) = server();
    let mut device = PlainPeer::at(bootstrap);
    let told = told(&mut device, 1, CHANGED).expect("a key");
    let shown = generated(&server);
    assert_eq!(shown["pending"]["identity"], told.identity.as_str());
    assert_eq!(shown["current"], Value::Null);

    server.engine.kill();
    server.engine.start_again();
    assert_eq!(generated(&server), shown);
    assert_eq!(plain_register(&server, 0x11), CREATED, "it is as it was");

    let mut peer = Peer::knowing(&server, told.identity.as_bytes(), &told.key);
    let id = peer.register().expect("registered");
    until("what it had has ended", PATIENCE, || {
        generated(&server)["pending"].is_null()
    });
    let shown = generated(&server);
    assert_eq!(shown["current"]["identity"], told.identity.as_str());
    assert!(shown["current"]["registered"].is_number());
    assert_eq!(plain_register(&server, 0x12), FORBIDDEN);
    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));

    // It refuses what it is told next.
    assert!(self::told(&mut device, 2, BAD_REQUEST).is_none());
    until("that session is over", PATIENCE, || {
        let sessions = server.engine.get("/api/v1/bootstrap/sessions");
        sessions["items"][0]["state"] == "refused"
    });
    let failed = generated(&server);
    assert_eq!(failed["current"], shown["current"], "nothing is retired");
    let pending = &failed["pending"]["identity"];
    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));

    let next = self::told(&mut device, 3, CHANGED).expect("a key");
    assert_ne!(*pending, next.identity.as_str(), "it is replaced");
    let mut newer = Peer::knowing(&server, next.identity.as_bytes(), &next.key);
    let id = newer.register().expect("registered");
    until("the former session has ended", PATIENCE, || {
        server.sessions() < 1.5
    });
    assert_eq!(newer.update(&id, PATIENCE), Some(CHANGED));
    let mut former = Peer::knowing(&server, told.identity.as_bytes(), &told.key);
    assert_eq!(
        former.register(),
        None,
        "there is no such identity any more"
    );
}

/// One that tells `dev-1`, which comes without security, a generated pre-shared key.
fn server() -> (Secured, SocketAddr) {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let bootstrap = free.local_addr().expect("bound");
    drop(free);
    let setting = ("ROOKERY_LISTEN__BOOTSTRAP_COAP", &*bootstrap.to_string());
    let server = Secured::start_with(&[setting]);
    let told = json!({"securityMode": "PSK", "host": "localhost", "port": server.coaps.port()});
    let profile = json!({"bootstrap": [told], "rookery": {"bootstrap": {"generate": "PSK"}}});
    server.engine.put_profile("told", &profile);
    server
        .engine
        .put_device("dev-1", &json!({"profile": "told"}));
    (server, bootstrap)
}

fn generated(server: &Secured) -> Value {
    server.engine.get("/api/v1/devices/dev-1")["generatedCredentials"].clone()
}

fn plain_register(server: &Secured, mid: u16) -> u8 {
    let register = Datagram::con(POST, mid)
        .token(b"r")
        .path("rd")
        .query("lwm2m=1.1&ep=dev-1&lt=300")
        .payload(b"</1/0>,</3/0>");
    PlainPeer::of(&server.engine).exchange(&register.encode())[1]
}

struct Told {
    identity: String,
    key: Vec<u8>,
}

/// Bootstraps, with this answer to the first Write; what it was told, when it was told all of it.
fn told(device: &mut PlainPeer, mid: u16, answer: u8) -> Option<Told> {
    let request = Datagram::con(POST, mid)
        .token(&mid.to_be_bytes())
        .path("bs")
        .query("ep=dev-1")
        .query("pct=110");
    assert_eq!(device.exchange(&request.encode())[1], CHANGED);
    let mut told = None;
    loop {
        let request = device.request();
        let packet = Packet::from_bytes(&request).expect("CoAP");
        let path: Vec<_> = packet.get_option(CoapOption::UriPath).into_iter().collect();
        let is_finish = path.iter().any(|path| path.contains(&b"bs".to_vec()));
        let reply = |code| {
            let reply = Datagram::ack(code, packet.header.message_id);
            reply.token(packet.get_token())
        };
        let reply = match request[1] {
            1 => reply(CONTENT)
                .option(CONTENT_FORMAT, &[LINK_FORMAT])
                .payload(b"</0/0>"),
            3 if told.is_none() => {
                told = Some(read(&packet.payload));
                reply(answer)
            }
            _ => reply(CHANGED),
        };
        device.send(&reply.encode());
        if answer != CHANGED && told.is_some() {
            return None;
        }
        if is_finish {
            return told;
        }
    }
}

fn read(security: &[u8]) -> Told {
    let records: Vec<Value> = serde_json::from_slice(security).expect("SenML JSON");
    let bytes = |name: &str| {
        let record = records.iter().find(|record| record["n"] == name);
        let text = record.and_then(|record| record["vd"].as_str());
        let bytes = BASE64URL_NOPAD.decode(text.expect("bytes").as_bytes());
        bytes.expect("Base64")
    };
    Told {
        identity: String::from_utf8(bytes("3")).expect("text"),
        key: bytes("5"),
    }
}
