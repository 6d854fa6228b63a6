//! CBC without encrypt-then-MAC: OpenSSL protects the records, for a bounded number of clients.

use openssl::ssl::SslOptions;

use super::client::{Client, Login, Setup};
use super::traps::{session, up_to_first_flight};
use super::world::{IDENTITY, World, all_credentials};
use crate::proto::dtls::wire;
use crate::proto::dtls::{
    CloseReason, Event, FailReason, RecordDrop, SealError, ServerCredentials, SessionId, Suite,
};

fn psk() -> Setup {
    Setup::without_etm(Suite::PskCbc)
}

/// The records that a client is about to send, one by one.
fn records(client: &mut Client) -> Vec<Vec<u8>> {
    let datagrams = client.outgoing();
    let records = datagrams.iter().flat_map(|bytes| wire::records(bytes, 0));
    records.map(|(_, record)| record.to_vec()).collect()
}

fn closed(world: &World) -> Option<(SessionId, CloseReason)> {
    world.events.iter().find_map(|event| match event {
        Event::Closed { session, reason } => Some((*session, *reason)),
        _ => None,
    })
}

fn goes_on(world: &mut World, client: &mut Client) {
    world.received.clear();
    let datagram = client.say(b"on");
    world.deliver(client.address, &datagram);
    assert_eq!(world.received, [(session(world), b"on".to_vec())]);
    world.send(session(world), b"and on");
    client.pump(world);
    assert_eq!(client.received.pop(), Some(b"and on".to_vec()));
}

#[test]
fn data_goes_both_ways_in_the_classic_form_in_any_size() {
    for suite in [Suite::PskCbc, Suite::EcdsaCbc] {
        let mut world = World::new();
        let setup = Setup::without_etm(suite).cid(b"mine");
        let mut client = setup.start().connect(&mut world);
        let id = session(&world);
        {
            let established = world.established()[0];
            assert_eq!((established.suite, established.cid), (suite, false));
        }
        for length in [1, 15, 16, 17, 300, 1_200, 4_000, 16_384] {
            let up = vec![length as u8; length];
            let datagram = client.say(&up);
            assert_eq!(datagram[0], wire::APPLICATION_DATA);
            world.deliver(client.address, &datagram);
            assert_eq!(world.received.pop(), Some((id, up.clone())));
            world.send(id, &up);
            client.pump(&mut world);
            assert_eq!(client.received.pop(), Some(up));
        }
        assert_eq!(world.endpoint.kept_sessions(), 1);
        let counters = world.endpoint.counters();
        assert_eq!(counters.handshakes_without_etm, 1);
        assert_eq!((counters.records_opened, counters.records_sealed), (8, 8));
    }
}

#[test]
fn clients_beyond_the_bound_are_refused_and_counted_until_one_leaves() {
    let mut world = World::with(|config| config.limits.kept_sessions = 1);
    let mut first = psk().start().connect(&mut world);
    let mut second = psk().at(2, 2).start();
    second.pump(&mut world);
    assert_eq!(second.alerts, [40]);
    let counters = world.endpoint.counters();
    assert_eq!(counters.failed(FailReason::CbcWithoutEtm), 1);
    goes_on(&mut world, &mut first);

    assert!(world.close(session(&world)));
    assert_eq!(world.endpoint.kept_sessions(), 0);
    psk().at(3, 3).start().connect(&mut world);
    assert_eq!(world.endpoint.kept_sessions(), 1);
}

#[test]
fn handshakes_in_flight_take_no_place_and_who_is_late_is_told() {
    let mut world = World::with(|config| config.limits.kept_sessions = 1);
    let mut late = psk().at(2, 2).start();
    let flight = up_to_first_flight(&mut late, &mut world);
    psk().start().connect(&mut world);
    flight.iter().for_each(|datagram| late.take(datagram));
    late.pump(&mut world);
    assert!(late.connected);
    assert_eq!(late.failed.as_deref(), Some("ErrorCode(6)"), "close_notify");
    let counters = world.endpoint.counters();
    assert_eq!(counters.failed(FailReason::CbcWithoutEtm), 1);
    let endpoint = &world.endpoint;
    assert_eq!((endpoint.kept_sessions(), endpoint.sessions()), (1, 1));
}

#[test]
fn a_device_that_comes_back_takes_its_own_place() {
    let mut world = World::with(|config| config.limits.kept_sessions = 1);
    psk().start().connect(&mut world);
    let mut client = psk().start().connect(&mut world);
    assert_eq!(world.endpoint.kept_sessions(), 1);
    goes_on(&mut world, &mut client);
}

#[test]
fn a_bound_of_nothing_refuses_them_all_but_clients_that_have_better() {
    let mut world = World::with(|config| config.limits.kept_sessions = 0);
    let mut setup = psk();
    let mut client = setup.clone().start();
    client.pump(&mut world);
    assert_eq!(client.alerts, [40]);
    setup.suites = "PSK-AES128-CBC-SHA256:PSK-AES128-GCM-SHA256".into();
    setup.start().connect(&mut world);
    assert_eq!(world.established()[0].suite, Suite::PskGcm);
}

#[test]
fn replayed_forged_and_foreign_records_change_nothing() {
    let mut world = World::new();
    let mut client = psk().start().connect(&mut world);
    let once = client.say(b"once");
    world.deliver(client.address, &once);
    world.deliver(client.address, &once);
    let next = client.say(b"next");
    for at in 13..next.len() {
        let mut forged = next.clone();
        forged[at] ^= 1;
        world.deliver(client.address, &forged);
    }
    for content_type in [wire::CHANGE_CIPHER_SPEC, wire::ALERT, wire::HANDSHAKE] {
        let mut forged = next.clone();
        forged[0] = content_type;
        world.deliver(client.address, &forged);
    }
    for length in [0, 1, 16, 48] {
        let mut short = next[..13 + length].to_vec();
        short[12] = length as u8;
        short[11] = 0;
        world.deliver(client.address, &short);
    }
    world.deliver("10.9.9.9:9".parse().unwrap(), &next);
    assert_eq!(world.received.len(), 1);
    let counters = world.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::Replay), 1);
    assert_eq!(counters.dropped(RecordDrop::UnknownPeer), 1);
    assert_eq!(counters.dropped(RecordDrop::ContentType), 1);
    let forged = (next.len() - 13 + 2 + 4) as u64;
    assert_eq!(counters.dropped(RecordDrop::Authentication), forged);
    assert_eq!(world.endpoint.peer(session(&world)), Some(client.address));
    world.deliver(client.address, &next);
    assert_eq!(world.received.len(), 2);
    goes_on(&mut world, &mut client);
}

#[test]
fn close_notify_goes_both_ways() {
    let mut world = World::new();
    let mut client = psk().start().connect(&mut world);
    let id = session(&world);
    for datagram in client.shut_down() {
        world.deliver(client.address, &datagram);
    }
    assert_eq!(closed(&world), Some((id, CloseReason::PeerClosed)));
    assert_eq!(world.take_sent(client.address).len(), 1);

    let mut client = psk().start().connect(&mut world);
    assert!(world.close(session(&world)));
    client.pump(&mut world);
    assert_eq!(client.failed.as_deref(), Some("ErrorCode(6)"));
    assert_eq!(world.endpoint.sessions(), 0);
}

#[test]
fn silence_revocation_and_another_handshake_end_it_like_any_other() {
    let mut world = World::with(|config| config.limits.session_idle_ms = 10_000);
    let mut client = psk().start().connect(&mut world);
    world.pass(9_000);
    goes_on(&mut world, &mut client);
    world.pass(9_000);
    assert_eq!(world.endpoint.sessions(), 1);
    psk().start().connect(&mut world);
    assert_eq!(closed(&world).unwrap().1, CloseReason::Replaced);
    world.events.clear();
    world.pass(12_000);
    assert_eq!(closed(&world).unwrap().1, CloseReason::Idle);

    world.events.clear();
    psk().start().connect(&mut world);
    let fingerprint = world.established()[0].claim.fingerprint();
    world.endpoint.close_identity(fingerprint);
    world.pass(1);
    assert_eq!(closed(&world).unwrap().1, CloseReason::Revoked);
    assert_eq!(world.endpoint.kept_sessions(), 0);
}

#[test]
fn renegotiation_is_refused_and_the_session_goes_on() {
    let mut world = World::new();
    let mut client = psk().start().connect(&mut world);
    for hello in client.renegotiate() {
        world.deliver(client.address, &hello);
    }
    let answer = world.take_sent(client.address).remove(0);
    assert_eq!(answer[0], wire::ALERT);
    assert_eq!(world.endpoint.counters().renegotiations_refused, 1);
    assert_eq!(world.endpoint.handshakes(), 0);
    world.send(session(&world), b"still here");
    client.pump(&mut world);
    assert_eq!(world.endpoint.sessions(), 1);
}

#[test]
fn the_last_flight_is_sent_again_when_it_got_lost() {
    let mut world = World::new();
    let mut setup = psk();
    setup.quick = true;
    let mut client = setup.start();
    let flight = up_to_first_flight(&mut client, &mut world);
    flight.iter().for_each(|datagram| client.take(datagram));
    for datagram in client.outgoing() {
        world.deliver(client.address, &datagram);
    }
    let lost = world.take_sent(client.address);
    assert!(!lost.is_empty() && world.established().len() == 1);
    std::thread::sleep(std::time::Duration::from_millis(10));
    client.time_out();
    for datagram in client.outgoing() {
        world.deliver(client.address, &datagram);
    }
    assert_eq!(world.take_sent(client.address), lost);
    assert_eq!(world.endpoint.counters().last_flights_repeated, 1);
    lost.iter().for_each(|datagram| client.take(datagram));
    assert!(client.connected);
    goes_on(&mut world, &mut client);
}

#[test]
fn the_records_of_a_handshake_may_come_in_any_order() {
    let mut world = World::new();
    let mut client = psk().start();
    let flight = up_to_first_flight(&mut client, &mut world);
    flight.iter().for_each(|datagram| client.take(datagram));
    let last = records(&mut client);
    assert_eq!(last.len(), 3, "key exchange, change of cipher, finished");
    for at in [2, 0, 1] {
        world.deliver(client.address, &last[at]);
    }
    let mut client = client.connect(&mut world);
    goes_on(&mut world, &mut client);
}

#[test]
fn a_wrong_key_is_told_from_loss() {
    let mut world = World::new();
    let mut setup = psk();
    setup.login = Login::Psk(IDENTITY.into(), b"another key".into());
    let mut client = setup.start();
    client.pump(&mut world);
    world.pass(3_001);
    assert_eq!(world.endpoint.counters().failed(FailReason::WrongKey), 1);
}

#[test]
fn it_resumes_by_id_and_by_ticket_and_data_may_overtake_the_end() {
    for by_id in [true, false] {
        let credentials = ServerCredentials {
            session_ids: 8,
            ..all_credentials()
        };
        let mut world = World::of(&credentials, |_| {});
        let mut setup = psk();
        if !by_id {
            setup.options -= SslOptions::NO_TICKET;
        }
        let first = setup.clone().start().connect(&mut world);
        setup.session = Some(first.session());
        let mut second = setup.start();
        let flight = up_to_first_flight(&mut second, &mut world);
        flight.iter().for_each(|datagram| second.take(datagram));
        let end = records(&mut second);
        assert!(second.connected && second.resumed(), "by id: {by_id}");
        let early = second.say(b"early");
        world.deliver(second.address, &early);
        assert!(world.established().len() == 1 && world.received.is_empty());
        for record in end {
            world.deliver(second.address, &record);
        }
        assert_eq!(world.received, [(session(&world), b"early".to_vec())]);
        goes_on(&mut world, &mut second);
    }
}

#[test]
fn the_fragment_length_a_client_asks_for_bounds_our_records() {
    let mut world = World::with(|config| config.limits.mtu = 256);
    let mut setup = psk();
    setup.max_fragment_code = 1;
    let mut client = setup.start().connect(&mut world);
    let id = session(&world);
    assert_eq!(world.endpoint.max_plaintext(id), Some(512));
    let too_large = world.endpoint.seal(id, &[0; 513], &mut Vec::new());
    let most = 512;
    assert_eq!(too_large, Err(SealError::TooLarge { length: 513, most }));
    world.send(id, &[7; 512]);
    client.pump(&mut world);
    assert_eq!(client.received, [vec![7; 512]]);
}

#[test]
fn it_is_not_saved_so_after_a_restart_the_handshake_is_made_again() {
    let mut world = World::new();
    let mut client = psk().start().connect(&mut world);
    let mut saved = Vec::new();
    assert!(!world.endpoint.save(session(&world), &mut saved));
    assert!(saved.is_empty());
    let mut after = World::new();
    let datagram = client.say(b"who is there");
    after.deliver(client.address, &datagram);
    let counters = after.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::UnknownPeer), 1);
    let mut client = psk().start().connect(&mut after);
    goes_on(&mut after, &mut client);
}
