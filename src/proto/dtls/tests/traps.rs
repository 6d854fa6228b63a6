//! What went wrong with real clients once, and must not again.

use super::client::{Client, Login, Setup};
use super::world::{IDENTITY, KEY, World, all_credentials, psk};
use crate::proto::dtls::wire::{self, Fragment, HelloHead, TLS12_CID};
use crate::proto::dtls::{
    Claim, Event, FailReason, RecordDrop, ServerContexts, ServerCredentials, SessionId, Suite,
};

/// Hello, cookie, hello: gives the flight that answers.
pub(super) fn up_to_first_flight(client: &mut Client, world: &mut World) -> Vec<Vec<u8>> {
    for _ in 0..2 {
        for datagram in world.take_sent(client.address) {
            client.take(&datagram);
        }
        for datagram in client.outgoing() {
            world.deliver(client.address, &datagram);
        }
    }
    world.take_sent(client.address)
}

pub(super) fn session(world: &World) -> SessionId {
    world.established().last().unwrap().session
}

fn sequence(datagram: &[u8]) -> u64 {
    wire::records(datagram, 0).next().unwrap().0.sequence
}

/// The ClientHello in a datagram, as records with fragments of `size` bytes.
pub(super) fn fragments(datagram: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (header, record) = wire::records(datagram, 0).next().unwrap();
    let message = Fragment::parse(header.fragment(record)).unwrap();
    let u24 = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
    let chunk = |(index, body): (usize, &[u8])| {
        let mut content = vec![message.message_type];
        content.extend(u24(message.length));
        content.extend(message.message_seq.to_be_bytes());
        content.extend(u24(index * size));
        content.extend(u24(body.len()));
        content.extend(body);
        let mut out = Vec::new();
        let number = header.sequence + index as u64;
        wire::put_plain_record(&mut out, wire::HANDSHAKE, wire::DTLS12, number, &content);
        out
    };
    message.body.chunks(size).enumerate().map(chunk).collect()
}

#[test]
fn flights_begin_with_the_number_of_the_hello_that_had_the_cookie() {
    let mut world = World::new();
    let mut client = Setup::psk().start();
    let first = client.outgoing().remove(0);
    world.deliver(client.address, &first);
    let ask = world.take_sent(client.address).remove(0);
    client.take(&ask);
    let mut second = client.outgoing().remove(0);
    second[10] = 9;
    world.deliver(client.address, &second);
    let flight = world.take_sent(client.address);
    assert_eq!(sequence(&flight[0]), 9);
    let numbers: Vec<_> = flight
        .iter()
        .flat_map(|datagram| wire::records(datagram, 0).map(|(header, _)| header.sequence))
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
}

#[test]
fn a_hello_in_fragments_is_asked_for_a_cookie_and_then_put_together() {
    for size in [70, 90, 120] {
        let mut world = World::new();
        let mut client = Setup::psk().cid(b"c").start();
        let first = client.outgoing().remove(0);
        for part in fragments(&first, size) {
            world.deliver(client.address, &part);
        }
        assert_eq!(world.endpoint.partial_hellos(), 0);
        let asked = world.take_sent(client.address);
        assert_eq!(asked.len(), 1, "later fragments are not answered");
        client.take(&asked[0]);
        let second = client.outgoing().remove(0);
        let parts = fragments(&second, size);
        for part in &parts[..parts.len() - 1] {
            world.deliver(client.address, part);
            assert_eq!(world.endpoint.partial_hellos(), 1);
        }
        world.deliver(client.address, &parts[parts.len() - 1]);
        assert_eq!(world.endpoint.partial_hellos(), 0);
        client.connect(&mut world);
    }
}

#[test]
fn a_session_resumes_by_id_after_its_openssl_object_is_gone() {
    for setup in [Setup::psk(), Setup::certificate(), Setup::rpk().cid(b"x")] {
        let credentials = ServerCredentials {
            ticket_key: None,
            session_ids: 8,
            ..all_credentials()
        };
        let mut world = World::of(&credentials, |_| {});
        let first = setup.clone().start().connect(&mut world);
        let again = Setup {
            session: Some(first.session()),
            ..setup
        };
        let second = again.start().connect(&mut world);
        assert!(second.resumed());
        let established = world.established();
        assert!(established[1].resumed);
        assert_eq!(established[0].claim, established[1].claim);
    }
}

#[test]
fn gcm_nonces_are_epoch_and_number_from_the_finished_on() {
    for suite in [Suite::PskGcm, Suite::PskGcm256, Suite::EcdsaGcm] {
        let mut world = World::new();
        let mut client = Setup::of_suite(suite).start();
        let mut checked = 0;
        for _ in 0..10 {
            for datagram in client.outgoing() {
                world.deliver(client.address, &datagram);
            }
            for datagram in world.take_sent(client.address) {
                for (header, record) in wire::records(&datagram, 0) {
                    if header.epoch == 1 {
                        assert_eq!(record[3..11], header.fragment(record)[..8]);
                        checked += 1;
                    }
                }
                client.take(&datagram);
            }
        }
        assert!(client.connected && checked == 1, "{suite:?}");
    }
}

#[test]
fn a_client_that_offers_both_kinds_is_asked_for_its_pre_shared_key() {
    let mut world = World::new();
    let suites = "ECDHE-ECDSA-AES128-CCM8:PSK-AES128-CCM8";
    let login = Login::Psk(IDENTITY.into(), KEY.into());
    Setup::new(login, suites).start().connect(&mut world);
    assert_eq!(world.established()[0].suite, Suite::PskCcm8);
}

#[test]
fn a_new_session_with_identifier_leaves_the_old_one_of_its_identity_alone() {
    let mut world = World::new();
    let mut first = Setup::psk().cid(b"a").start().connect(&mut world);
    let old = session(&world);
    let second = Setup::psk().cid(b"b").start().connect(&mut world);
    assert_eq!(second.address, first.address);
    assert_eq!(world.established()[1].replaces, None);
    let datagram = first.say(b"still here");
    world.deliver(first.address, &datagram);
    assert_eq!(world.received, [(old, b"still here".to_vec())]);
}

#[test]
fn the_address_is_that_of_the_transmission() {
    let mut world = World::new();
    let mut client = Setup::psk().cid(b"a").start().connect(&mut world);
    let id = session(&world);
    let datagram = client.say(b"from elsewhere");
    let elsewhere = "10.9.9.9:9".parse().unwrap();
    world.deliver(elsewhere, &datagram);
    let to = world.endpoint.seal(id, b"there", &mut Vec::new()).unwrap();
    assert_eq!(to, elsewhere);
}

#[test]
fn the_last_flight_is_sent_again_only_for_a_fresh_authenticated_finished() {
    for cid in [None, Some(b"cid".to_vec())] {
        let mut world = World::new();
        let mut setup = Setup::psk();
        setup.cid = cid;
        let mut client = setup.start();
        let flight = up_to_first_flight(&mut client, &mut world);
        flight.iter().for_each(|datagram| client.take(datagram));
        let key_exchange = client.outgoing();
        for datagram in &key_exchange {
            world.deliver(client.address, datagram);
        }
        let lost = world.take_sent(client.address);
        assert!(!lost.is_empty() && world.established().len() == 1);

        for datagram in &key_exchange {
            world.deliver(client.address, datagram);
        }
        assert!(world.sent.is_empty(), "a replay asks for nothing");
        let finished = client.record(wire::HANDSHAKE, 1, 1, &[wire::FINISHED, 0, 0, 12]);
        world.deliver(client.address, &finished);
        assert_eq!(world.take_sent(client.address), lost);
        lost.iter().for_each(|datagram| client.take(datagram));
        assert!(client.connected);

        let data = client.record(wire::APPLICATION_DATA, 1, 2, b"data");
        world.deliver(client.address, &data);
        let finished = client.record(wire::HANDSHAKE, 1, 3, &[wire::FINISHED, 0, 0, 12]);
        world.deliver(client.address, &finished);
        assert!(world.sent.is_empty(), "the peer has it");
        assert_eq!(world.endpoint.counters().last_flights_repeated, 1);
    }
}

#[test]
fn a_wrong_key_is_told_from_loss_and_is_over_sooner() {
    for cid in [None, Some(b"cid".to_vec())] {
        let mut world = World::new();
        let login = Login::Psk(IDENTITY.into(), b"another key".into());
        let mut setup = Setup::new(login, Suite::PskCcm8.name());
        setup.cid = cid;
        let mut client = setup.start();
        client.pump(&mut world);
        assert!(!client.connected && client.alerts.is_empty());
        world.pass(2_000);
        assert_eq!(world.endpoint.handshakes(), 1);
        world.pass(1_001);
        assert_eq!(world.endpoint.handshakes(), 0);
        let failed = world.events.iter().find_map(|event| match event {
            Event::HandshakeFailed { claim, reason, .. } => Some((claim.clone(), *reason)),
            _ => None,
        });
        let claim = Claim::PskIdentity(IDENTITY.into());
        assert_eq!(failed, Some((Some(claim), FailReason::WrongKey)));
    }
}

#[test]
fn records_ahead_of_their_time_are_kept() {
    for cid in [None, Some(b"cid".to_vec())] {
        let mut world = World::new();
        world.verdict = |_| None;
        let mut setup = Setup::psk();
        setup.cid = cid;
        let mut client = setup.start();
        let flight = up_to_first_flight(&mut client, &mut world);
        flight.iter().for_each(|datagram| client.take(datagram));
        let last: Vec<_> = client
            .outgoing()
            .iter()
            .flat_map(|datagram| {
                let cid_length = client.server_cid().len();
                let records = wire::records(datagram, cid_length);
                records
                    .map(|(_, record)| record.to_vec())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(last.len(), 3, "key exchange, change of cipher, finished");
        let early = client.record(wire::APPLICATION_DATA, 1, 1, b"early");
        world.deliver(client.address, &early);
        world.deliver(client.address, &last[2]);
        world.deliver(client.address, &last[0]);
        world.deliver(client.address, &last[1]);
        let (handshake, _, resumed) = world.lookups[0].clone();
        assert!(!resumed && world.sent.is_empty());
        assert!(world.answer(handshake, psk(KEY)));
        assert_eq!(world.received, [(session(&world), b"early".to_vec())]);
        assert!(!world.answer(handshake, psk(KEY)), "answered once");
    }
}

#[test]
fn only_the_form_agreed_upon_is_taken() {
    let mut world = World::new();
    let mut plain = Setup::psk().start().connect(&mut world);
    let mut with_cid = Setup::psk().cid(b"a").at(2, 2).start().connect(&mut world);
    let mut classic = with_cid.record(wire::APPLICATION_DATA, 1, 7, b"x");
    assert_eq!(classic[0], TLS12_CID);
    classic.drain(11..19);
    classic[0] = wire::APPLICATION_DATA;
    world.deliver(with_cid.address, &classic);
    let mut foreign = plain.record(wire::APPLICATION_DATA, 1, 7, b"x");
    foreign[0] = TLS12_CID;
    foreign.splice(11..11, with_cid.server_cid());
    world.deliver(plain.address, &foreign);
    assert!(world.received.is_empty());
    let counters = world.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::UnknownPeer), 1);
    assert_eq!(counters.dropped(RecordDrop::Authentication), 1);
}

#[test]
fn renegotiation_is_refused_and_the_session_goes_on() {
    let mut world = World::new();
    let mut client = Setup::psk().start().connect(&mut world);
    let hello = client.record(wire::HANDSHAKE, 1, 50, &[wire::CLIENT_HELLO, 0, 0, 0]);
    world.deliver(client.address, &hello);
    let answer = world.take_sent(client.address).remove(0);
    assert_eq!(answer[0], wire::ALERT);
    let data = client.record(wire::APPLICATION_DATA, 1, 51, b"on");
    world.deliver(client.address, &data);
    assert_eq!(world.received.len(), 1);
    assert_eq!(world.endpoint.counters().renegotiations_refused, 1);
}

#[test]
fn openssl_knows_every_suite_of_the_record_layer() {
    ServerContexts::build(&all_credentials()).unwrap();
    let none = ServerCredentials::default();
    let error = ServerContexts::build(&none).unwrap_err().to_string();
    assert!(error.starts_with("no credentials"), "{error}");
}

#[test]
fn alerts_in_clear_end_neither_handshakes_nor_sessions() {
    let mut world = World::new();
    let mut client = Setup::psk().start();
    let flight = up_to_first_flight(&mut client, &mut world);
    let mut alert = Vec::new();
    wire::put_plain_record(&mut alert, wire::ALERT, wire::DTLS12, 77, &[2, 40]);
    world.deliver(client.address, &alert);
    flight.iter().for_each(|datagram| client.take(datagram));
    let mut client = client.connect(&mut world);
    world.deliver(client.address, &alert);
    let data = client.say(b"alive");
    world.deliver(client.address, &data);
    assert_eq!(world.received.len(), 1);
    let counters = world.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::PlainAlert), 2);
}

#[test]
fn a_verify_request_is_44_bytes_of_dtls_1_0_with_the_number_of_the_hello() {
    let mut world = World::new();
    let mut client = Setup::psk().start();
    let mut hello = client.outgoing().remove(0);
    hello[10] = 5;
    world.deliver(client.address, &hello);
    let ask = world.take_sent(client.address).remove(0);
    let head = [
        22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 31, // record
        3, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 19, // message
        0xfe, 0xff, 16,
    ];
    assert_eq!(ask[..28], head);
    assert!(ask.len() == 44 && hello.len() > ask.len());
}

#[test]
fn a_repeated_hello_is_answered_with_the_flight_and_the_deadline_is_a_minute() {
    let mut world = World::new();
    let mut client = Setup::psk().start();
    let first = client.outgoing().remove(0);
    world.deliver(client.address, &first);
    let ask = world.take_sent(client.address).remove(0);
    client.take(&ask);
    let hello = client.outgoing().remove(0);
    world.deliver(client.address, &hello);
    let flight = world.take_sent(client.address).len();
    world.deliver(client.address, &hello);
    assert!(world.sent.is_empty(), "at most every half second");
    world.pass(600);
    world.deliver(client.address, &hello);
    assert_eq!(world.take_sent(client.address).len(), flight);
    for _ in 0..59 {
        world.pass(1_000);
    }
    let repeated = world.take_sent(client.address).len();
    assert!(repeated >= 4 * flight && world.endpoint.handshakes() == 1);
    world.pass(1_000);
    let counters = world.endpoint.counters();
    assert_eq!(counters.failed(FailReason::Timeout), 1);
    assert_eq!(counters.handshakes_started, 1);
}

#[test]
fn a_session_lives_until_the_next_handshake_from_its_address_completes() {
    let mut world = World::new();
    let mut first = Setup::psk().start().connect(&mut world);
    let old = session(&world);
    let mut second = Setup::psk().start();
    let flight = up_to_first_flight(&mut second, &mut world);
    assert_eq!(world.endpoint.handshakes(), 1);
    let data = first.say(b"both ways");
    world.deliver(first.address, &data);
    assert_eq!(world.received.pop().unwrap().0, old);
    world.send(old, b"back");
    first.pump(&mut world);
    assert_eq!(first.received, [b"back".to_vec()]);

    flight.iter().for_each(|datagram| second.take(datagram));
    second.connect(&mut world);
    assert_eq!(world.established()[1].replaces, Some(old));
    let data = first.say(b"too late");
    world.deliver(first.address, &data);
    assert!(world.received.is_empty());
    assert!(world.endpoint.peer(old).is_none());
}

#[test]
fn cookies_cover_only_what_the_first_fragment_has() {
    let body = [&[0xfe, 0xfd][..], &[7; 32], &[0, 3, 1, 2, 3]].concat();
    let head = HelloHead::parse(&body).unwrap();
    assert_eq!(head.cookie, [1, 2, 3]);
    assert_eq!(head.before_cookie.len(), 35);
}
