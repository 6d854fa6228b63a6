//! Records that nobody with the keys has sent, or not there, or not now.

use crate::peer::{CHANGED, PATIENCE, Peer, SILENCE, connection, received, socket_to};
use crate::support::secured::Secured;
use crate::support::wait::until;

const ROUNDS: usize = 50;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// A record of DTLS 1.2 with nothing true in it but its form.
fn record(content_type: u8, epoch: u16, sequence: u64, fragment: &[u8]) -> Vec<u8> {
    let mut bytes = vec![content_type, 0xfe, 0xfd];
    bytes.extend_from_slice(&(u64::from(epoch) << 48 | sequence).to_be_bytes());
    bytes.extend_from_slice(&(fragment.len() as u16).to_be_bytes());
    bytes.extend_from_slice(fragment);
    bytes
}

/// From the device's own address, as one sends who guesses or sees it.
#[test]
fn spoofed_records_do_not_harm_a_live_session() {
    let server = Secured::start();
    for (endpoint, cid) in [("plain-1", false), ("cid-1", true)] {
        let (mut peer, id) = Peer::registered(&server, endpoint, cid);
        let started = server.handshakes_started();
        let mut hello = connection(&server, endpoint, cid);
        hello.send(b"x", 0);
        hello.poll(0);
        let hello = hello.transmit().next().expect("a ClientHello");
        for sequence in 0..ROUNDS as u64 {
            peer.socket.send(&hello).expect("sent");
            peer.socket.send(&with_cookie(&hello)).expect("sent");
            let garbage = [0x5a; 40];
            for datagram in [
                record(21, 0, sequence, &[2, 40]),
                record(21, 0, sequence, &[1, 0]),
                record(21, 1, 1_000 + sequence, &garbage),
                record(23, 1, 2_000 + sequence, &garbage),
                record(22, 1, 3_000 + sequence, &garbage),
                record(20, 0, sequence, &[1]),
                record(20, 1, 4_000 + sequence, &garbage),
                record(22, 0, sequence, &garbage),
                vec![0xff; 30],
            ] {
                peer.socket.send(&datagram).expect("sent");
            }
        }
        assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED), "{endpoint}");
        assert_eq!(peer.handshakes, 1, "{endpoint}");
        assert_eq!(server.handshakes_started(), started, "{endpoint}");
    }
    assert_eq!(server.sessions(), 2.0);
    let asked = server
        .engine
        .metric("lwm2m_dtls_verify_requests_total", &[]);
    assert!(asked >= 4.0 * ROUNDS as f64, "{asked}");
    // A session with an identifier is not found by its address.
    let reasons = [
        "plain_alert",
        "authentication",
        "cookie",
        "malformed",
        "unknown_peer",
    ];
    for reason in reasons {
        let dropped = server.dropped(reason);
        assert!(dropped >= ROUNDS as f64, "{reason}: {dropped}");
    }
}

/// A ClientHello with a cookie that nobody has given.
fn with_cookie(hello: &[u8]) -> Vec<u8> {
    // Headers, version, random, and the length of the session identifier.
    let at = 13 + 12 + 2 + 32;
    let at = at + 1 + usize::from(hello[at]);
    assert_eq!(hello[at], 0, "a hello without cookie");
    let mut bytes = hello.to_vec();
    bytes[at] = 32;
    bytes.splice(at + 1..at + 1, [0xc0; 32]);
    let length = bytes.len();
    bytes[11..13].copy_from_slice(&((length - 13) as u16).to_be_bytes());
    let body = ((length - 25) as u32).to_be_bytes();
    bytes[14..17].copy_from_slice(&body[1..]);
    bytes[22..25].copy_from_slice(&body[1..]);
    bytes
}

#[test]
fn a_repeated_record_is_not_answered() {
    let server = Secured::start();
    for (endpoint, cid) in [("plain-1", false), ("cid-1", true)] {
        let (mut peer, id) = Peer::registered(&server, endpoint, cid);
        let sealed = peer.sealed_update(&id);
        peer.socket.send(&sealed).expect("sent");
        assert!(received(&peer.socket, PATIENCE).is_some());
        let dropped = server.dropped("replay");
        peer.socket.send(&sealed).expect("sent");
        assert_eq!(received(&peer.socket, SILENCE), None, "{endpoint}");
        assert_eq!(server.dropped("replay"), dropped + 1.0);
        assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));
    }
}

/// Only what is new and authentic moves a session.
#[test]
fn copied_and_forged_records_from_another_port_do_not_move_a_session() {
    let server = Secured::start();
    let (mut peer, id) = Peer::registered(&server, "cid-1", true);
    let home = peer.socket.local_addr().expect("bound").to_string();
    let sealed = peer.sealed_update(&id);
    peer.socket.send(&sealed).expect("sent");
    assert!(received(&peer.socket, PATIENCE).is_some());
    let thief = socket_to(server.coaps);
    thief.send(&sealed).expect("sent");

    let mut forged = peer.sealed_update(&id);
    *forged.last_mut().expect("a tag") ^= 1;
    thief.send(&forged).expect("sent");
    // Of an identifier that no session has.
    let mut unknown = forged.clone();
    unknown[18] ^= 0xff;
    thief.send(&unknown).expect("sent");
    assert_eq!(received(&thief, SILENCE), None);
    for reason in ["replay", "authentication", "unknown_cid"] {
        assert_eq!(server.dropped(reason), 1.0, "{reason}");
    }

    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));
    assert_eq!(server.engine.registration("cid-1")["address"], home);
    assert_eq!(rebinds(&server), 0.0);
}

/// Where identifiers were agreed, an address proves nothing; where none were, it is all there is.
#[test]
fn a_record_of_a_session_without_identifier_is_nothing_from_another_port() {
    let server = Secured::start();
    let (mut peer, id) = Peer::registered(&server, "plain-1", false);
    let sealed = peer.sealed_update(&id);
    let thief = socket_to(server.coaps);
    thief.send(&sealed).expect("sent");
    assert_eq!(received(&thief, SILENCE), None);
    assert_eq!(server.dropped("unknown_peer"), 1.0);
    assert_eq!(peer.update(&id, PATIENCE), Some(CHANGED));
}

#[test]
fn a_cookie_is_good_for_the_address_alone_that_it_was_given_to() {
    let server = Secured::start();
    server.provision("psk", "dev-1", &[]);
    let mut device = connection(&server, "dev-1", false);
    device.send(b"x", 0);
    device.poll(0);
    let (home, thief) = (socket_to(server.coaps), socket_to(server.coaps));
    let hello = device.transmit().next().expect("a ClientHello");
    home.send(&hello).expect("sent");
    let request = received(&home, PATIENCE).expect("a HelloVerifyRequest");
    assert_eq!(request[13], HELLO_VERIFY_REQUEST);
    assert!(request.len() < hello.len(), "nobody is amplified");
    device.receive(&request, 0, &mut |_| {});
    let with_cookie = device.transmit().next().expect("a second ClientHello");

    thief.send(&with_cookie).expect("sent");
    let answer = received(&thief, PATIENCE).expect("a HelloVerifyRequest");
    assert_eq!(answer[13], HELLO_VERIFY_REQUEST);
    assert_eq!(server.dropped("cookie"), 1.0);
    assert_eq!(server.handshakes_started(), 0.0);

    home.send(&with_cookie).expect("sent");
    assert!(received(&home, PATIENCE).is_some());
    until("the handshake has begun", PATIENCE, || {
        server.handshakes_started() == 1.0
    });
}

pub fn rebinds(server: &Secured) -> f64 {
    server.engine.metric("lwm2m_dtls_cid_rebinds_total", &[])
}
