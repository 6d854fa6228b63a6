//! What must cost nothing, change nothing, and be counted.

use std::net::SocketAddr;

use openssl::nid::Nid;

use super::client::{Client, Login, Setup, certificate};
use super::traps::fragments;
use super::world::{KEY, World, new_key};
use crate::proto::dtls::wire;
use crate::proto::dtls::{FailReason, RecordDrop, Suite};

fn hello_with_cookie(client: &mut Client, world: &mut World) -> Vec<u8> {
    let first = client.outgoing().remove(0);
    world.deliver(client.address, &first);
    let ask = world.take_sent(client.address).remove(0);
    client.take(&ask);
    client.outgoing().remove(0)
}

#[test]
fn ten_thousand_hellos_without_cookie_leave_nothing_behind() {
    let mut world = World::new();
    let hello = Setup::psk().start().outgoing().remove(0);
    let mut rng = fastrand::Rng::with_seed(1);
    for port in 0..10_000_u16 {
        let mut hello = hello.clone();
        for _ in 0..rng.usize(0..3) {
            let at = rng.usize(13..hello.len());
            hello[at] = rng.u8(..);
        }
        world.deliver(SocketAddr::from(([10, 1, 1, 1], port)), &hello);
        world.sent.clear();
    }
    let endpoint = &world.endpoint;
    assert_eq!(endpoint.counters().handshakes_started, 0);
    assert_eq!((endpoint.handshakes(), endpoint.partial_hellos()), (0, 0));
    assert_eq!(endpoint.next_wake(), None);
}

#[test]
fn answers_to_an_unproven_address_are_smaller_than_what_it_sent() {
    let mut world = World::new();
    let hello = Setup::psk().start().outgoing().remove(0);
    for part in [hello.clone()].into_iter().chain(fragments(&hello, 60)) {
        world.deliver(SocketAddr::from(([10, 1, 1, 1], 1)), &part);
        let sent: usize = world.sent.drain(..).map(|(_, bytes)| bytes.len()).sum();
        assert!(sent < part.len());
    }
}

#[test]
fn a_cookie_is_good_for_one_address_and_two_periods() {
    let mut world = World::new();
    let mut client = Setup::psk().start();
    let hello = hello_with_cookie(&mut client, &mut world);
    let elsewhere = SocketAddr::from(([10, 0, 0, 1], 40_001));
    world.deliver(elsewhere, &hello);
    assert_eq!(world.endpoint.handshakes(), 0);
    world.pass(60_000);
    world.deliver(client.address, &hello);
    assert_eq!(world.endpoint.handshakes(), 1);

    let mut world = World::new();
    let mut client = Setup::psk().start();
    let hello = hello_with_cookie(&mut client, &mut world);
    world.pass(120_000);
    world.deliver(client.address, &hello);
    assert_eq!(world.endpoint.handshakes(), 0);
    assert_eq!(world.endpoint.counters().dropped(RecordDrop::Cookie), 1);
}

#[test]
fn identities_with_a_nul_or_without_bounds_are_refused_before_any_look_up() {
    for identity in [
        &b"urn:imei:490154203237518\0x"[..],
        &[b'a'; 129],
        &vec![b'a'; 65_535],
    ] {
        let mut world = World::new();
        let mut client = Setup::psk().start();
        let hello = hello_with_cookie(&mut client, &mut world);
        world.deliver(client.address, &hello);
        world.sent.clear();
        let mut body = (identity.len() as u16).to_be_bytes().to_vec();
        body.extend_from_slice(identity);
        let record = wire::handshake_record(wire::CLIENT_KEY_EXCHANGE, 2, 5, wire::DTLS12, &body);
        let parts = if record.len() > 16_384 {
            fragments_of(&body)
        } else {
            vec![record]
        };
        for part in parts {
            world.deliver(client.address, &part);
        }
        let alert = &world.take_sent(client.address)[0];
        assert_eq!(alert[13..], [2, 115]);
        let counters = world.endpoint.counters();
        assert_eq!(counters.failed(FailReason::MalformedIdentity), 1);
        assert!(world.lookups.is_empty() && world.endpoint.handshakes() == 0);
    }
}

fn fragments_of(body: &[u8]) -> Vec<Vec<u8>> {
    let u24 = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
    let part = |at: usize| {
        let mut content = vec![wire::CLIENT_KEY_EXCHANGE];
        content.extend(u24(body.len()));
        content.extend([0, 2]);
        content.extend(u24(at));
        content.extend(u24(1_000));
        content.extend(&body[at..at + 1_000]);
        let mut out = Vec::new();
        wire::put_plain_record(&mut out, wire::HANDSHAKE, wire::DTLS12, 5, &content);
        out
    };
    (0..3).map(|at| part(at * 1_000)).collect()
}

#[test]
fn an_identity_of_128_bytes_is_looked_up() {
    let mut world = World::new();
    world.verdict = |_| Some(super::world::psk(KEY));
    let login = Login::Psk(vec![b'i'; 128], KEY.into());
    Setup::new(login, Suite::PskCcm8.name())
        .start()
        .connect(&mut world);
}

#[test]
fn keys_on_other_curves_than_p256_and_p384_are_refused() {
    for curve in [Nid::SECP224R1, Nid::SECP521R1, Nid::SECP256K1] {
        let key = new_key(curve);
        let chain = vec![certificate(&key, "weak")];
        let mut world = World::new();
        let suites = "ECDHE-ECDSA-AES128-CCM8";
        let mut client = Setup::new(Login::Certificate(chain, key), suites).start();
        client.pump(&mut world);
        assert!(world.established().is_empty() && !client.connected);
        // OpenSSL looks at the curve before we do: illegal_parameter.
        assert_eq!(client.alerts, [47]);
        assert_eq!(world.endpoint.counters().failed(FailReason::Protocol), 1);
    }
    let key = new_key(Nid::SECP384R1);
    let chain = vec![certificate(&key, "strong")];
    let mut world = World::new();
    let suites = "ECDHE-ECDSA-AES128-CCM8";
    Setup::new(Login::Certificate(chain, key), suites)
        .start()
        .connect(&mut world);
}

#[test]
fn records_of_other_epochs_replays_and_cut_datagrams_change_nothing() {
    let mut world = World::new();
    let mut client = Setup::psk().start().connect(&mut world);
    let data = client.say(b"once");
    world.deliver(client.address, &data);
    world.deliver(client.address, &data);
    for end in 0..data.len() {
        world.deliver(client.address, &data[..end]);
    }
    for epoch in [0, 2, 0xffff] {
        let record = client.record(wire::APPLICATION_DATA, epoch, 70, b"x");
        world.deliver(client.address, &record);
    }
    assert_eq!(world.received.len(), 1);
    let counters = world.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::Replay), 1);
    assert_eq!(counters.dropped(RecordDrop::Epoch), 2);
    assert_eq!(
        counters.dropped(RecordDrop::Malformed),
        data.len() as u64 - 1
    );
    let next = client.say(b"alive");
    world.deliver(client.address, &next);
    assert_eq!(world.received.len(), 2);
}

#[test]
fn partial_hellos_are_bounded_and_forgotten() {
    let mut world = World::with(|config| config.limits.partial_hellos = 2);
    for last in 1..5 {
        let mut client = Setup::psk().at(last, 1).start();
        let hello = hello_with_cookie(&mut client, &mut world);
        world.deliver(client.address, &fragments(&hello, 80)[0]);
    }
    assert_eq!(world.endpoint.partial_hellos(), 2);
    world.pass(10_001);
    assert_eq!(world.endpoint.partial_hellos(), 0);
}

#[test]
fn handshakes_beyond_the_limits_are_held_off_and_live_sessions_go_on() {
    let mut world = World::with(|config| {
        config.limits.handshakes = 10;
        config.limits.handshakes_per_ip = 5;
    });
    let mut live = Setup::psk().at(99, 1).start().connect(&mut world);
    for port in 0..8 {
        let mut client = Setup::psk().at(1, port).start();
        let hello = hello_with_cookie(&mut client, &mut world);
        world.deliver(client.address, &hello);
    }
    let dropped = |world: &World, reason| world.endpoint.counters().dropped(reason);
    assert_eq!(dropped(&world, RecordDrop::AddressRate), 3);
    for last in 2..9 {
        let mut client = Setup::psk().at(last, 1).start();
        let Some(first) = client.outgoing().pop() else {
            unreachable!()
        };
        world.deliver(client.address, &first);
        let Some(ask) = world.take_sent(client.address).pop() else {
            continue;
        };
        client.take(&ask);
        let hello = client.outgoing().remove(0);
        world.deliver(client.address, &hello);
    }
    assert_eq!(world.endpoint.handshakes(), 10);
    assert_eq!(dropped(&world, RecordDrop::HoldOff), 2);
    let data = live.say(b"alive");
    world.deliver(live.address, &data);
    assert_eq!(world.received.len(), 1);
    world.pass(60_000);
    assert_eq!(world.endpoint.handshakes(), 0);
    Setup::psk().at(50, 1).start().connect(&mut world);
}

#[test]
fn when_every_session_is_in_use_newcomers_are_dropped() {
    let mut world = World::with(|config| config.limits.sessions = 1);
    Setup::psk().start().connect(&mut world);
    let mut second = Setup::psk().at(2, 1).start();
    second.pump(&mut world);
    assert!(!second.connected);
    assert_eq!(world.endpoint.counters().dropped(RecordDrop::Full), 1);
}
