//! Ten thousand ClientHellos of nobody.

use std::net::UdpSocket;

use fastrand::Rng;

use crate::peer::{CHANGED, PATIENCE, Peer, connection, socket_to};
use crate::support::secured::Secured;
use crate::support::wait::until;

const HELLOS: usize = 10_000;
const SOURCES: usize = 50;
/// Between looks whether the engine keeps up: what its socket holds is not to be the test.
const BURST: usize = 200;
/// What the process may have grown by, in bytes.
const GROWTH: u64 = 8 << 20;

#[test]
fn ten_thousand_hellos_of_nobody_cost_neither_memory_nor_sessions() {
    let server = Secured::start();
    let (mut plain, plain_id) = Peer::registered(&server, "plain-1", false);
    let (mut cid, cid_id) = Peer::registered(&server, "cid-1", true);
    let mut stranger = connection(&server, "plain-1", true);
    stranger.send(b"x", 0);
    stranger.poll(0);
    let hello = stranger.transmit().next().expect("a ClientHello");
    let sources: Vec<_> = (0..SOURCES).map(|_| socket_to(server.coaps)).collect();
    let mut rng = Rng::with_seed(5);
    // Buffers, and pages of code, are there after the first of them.
    flood(&server, &sources, &hello, &mut rng, HELLOS / 10);
    let before = resident(&server);
    flood(&server, &sources, &hello, &mut rng, HELLOS);
    let after = resident(&server);

    assert!(after < before + GROWTH, "{before} to {after}");
    assert_eq!(plain.update(&plain_id, PATIENCE), Some(CHANGED));
    assert_eq!(cid.update(&cid_id, PATIENCE), Some(CHANGED));
    assert_eq!((plain.handshakes, cid.handshakes), (1, 1));
    assert_eq!(server.sessions(), 2.0);
    let gauge = |name| server.engine.metric(name, &[]);
    assert_eq!(gauge("lwm2m_dtls_handshakes_open"), 0.0);
    assert_eq!(gauge("lwm2m_dtls_partial_hellos"), 0.0);
    assert_eq!(server.handshakes_started(), 2.0);
    // Each was asked for a cookie or dropped with a reason; two more were the devices' own.
    until("every hello is accounted for", PATIENCE, || {
        let asked = gauge("lwm2m_dtls_verify_requests_total");
        asked - 2.0 + gauge("lwm2m_dtls_records_dropped_total") == (HELLOS + HELLOS / 10) as f64
    });
}

/// Half of them as a device sends them, half with bytes exchanged or cut off.
fn flood(server: &Secured, sources: &[UdpSocket], hello: &[u8], rng: &mut Rng, count: usize) {
    let name = "lwm2m_dtls_verify_requests_total";
    for burst in 0..count / BURST {
        let answered = server.engine.metric(name, &[]);
        for n in 0..BURST {
            let mut datagram = hello.to_vec();
            // Another client random: another client.
            rng.fill(&mut datagram[27..59]);
            if n % 2 == 1 {
                let at = rng.usize(25..datagram.len());
                datagram[at] = rng.u8(..);
                datagram.truncate(rng.usize(14..=hello.len()));
                let length = (datagram.len() - 13) as u16;
                datagram[11..13].copy_from_slice(&length.to_be_bytes());
            }
            let source = &sources[(burst * BURST + n) % sources.len()];
            source.send(&datagram).expect("sent");
        }
        let wanted = answered + (BURST / 2) as f64;
        until("whole hellos are answered", PATIENCE, || {
            server.engine.metric(name, &[]) >= wanted
        });
    }
}

/// Resident memory of the engine's process, in bytes.
fn resident(server: &Secured) -> u64 {
    let path = format!("/proc/{}/statm", server.engine.process_id());
    let statm = std::fs::read_to_string(path).expect("the process is there");
    let pages = statm.split(' ').nth(1).expect("a second number");
    pages.parse::<u64>().expect("a number") * 4_096
}
