//! RFC 9146: who is found, who moves, and who does not.

use std::net::SocketAddr;

use super::client::Setup;
use super::world::World;
use crate::proto::dtls::cid::{shard_of_cid, shard_of_datagram};
use crate::proto::dtls::{Event, RecordDrop};

fn moves(world: &World) -> usize {
    let rebound = |event: &&Event| matches!(event, Event::Rebound { .. });
    world.events.iter().filter(rebound).count()
}

#[test]
fn identifiers_of_every_length_lead_to_their_session() {
    for length in 0..=16 {
        let mut world = World::with(|config| config.cid_length = Some(length));
        for last in 1..4 {
            let setup = Setup::psk().cid(b"abcd").at(last, 1);
            let mut client = setup.start().connect(&mut world);
            let cid = client.server_cid();
            let established = *world.established().last().unwrap();
            assert_eq!(established.cid, length > 0 && !cid.is_empty());
            let session = established.session;
            if length > 1 {
                assert_eq!(cid.len(), usize::from(length));
                assert_eq!(shard_of_cid(&cid), Some(3));
            }
            let datagram = client.say(b"hello");
            assert_eq!(shard_of_datagram(&datagram), shard_of_cid(&cid));
            world.deliver(client.address, &datagram);
            assert_eq!(world.received.pop(), Some((session, b"hello".to_vec())));
            world.send(session, b"answer");
            client.pump(&mut world);
            assert_eq!(client.received, [b"answer".to_vec()]);
        }
    }
}

#[test]
fn without_the_extension_on_our_side_clients_go_without() {
    let mut world = World::with(|config| config.cid_length = None);
    let mut client = Setup::psk().cid(b"abc").start().connect(&mut world);
    assert!(!world.established()[0].cid && client.server_cid().is_empty());
    let datagram = client.say(b"classic");
    world.deliver(client.address, &datagram);
    assert_eq!(world.received.len(), 1);
}

#[test]
fn every_client_may_move_at_once_without_a_handshake() {
    let mut world = World::new();
    let connect = |last| Setup::psk().cid(b"c").at(last, 1).start();
    let clients: Vec<_> = (1..50)
        .map(|last| connect(last).connect(&mut world))
        .collect();
    let started = world.endpoint.counters().handshakes_started;
    for (at, mut client) in clients.into_iter().enumerate() {
        let datagram = client.say(b"moved");
        let to = SocketAddr::from(([192, 0, 2, 1], 1_000 + at as u16));
        world.deliver(to, &datagram);
        let (session, _) = world.received.pop().unwrap();
        assert_eq!(world.endpoint.peer(session), Some(to));
    }
    assert_eq!(moves(&world), 49);
    assert_eq!(world.endpoint.counters().handshakes_started, started);
}

#[test]
fn an_address_changes_only_by_a_newer_authenticated_record() {
    let mut world = World::new();
    let mut client = Setup::psk().cid(b"c").start().connect(&mut world);
    let session = world.established()[0].session;
    let (older, newer) = (client.say(b"older"), client.say(b"newer"));
    world.deliver(client.address, &newer);
    let elsewhere = SocketAddr::from(([192, 0, 2, 7], 7));
    world.deliver(elsewhere, &newer);
    let mut forged = client.say(b"forged");
    *forged.last_mut().unwrap() ^= 1;
    world.deliver(elsewhere, &forged);
    assert_eq!(world.received.len(), 1, "replayed and forged");
    world.deliver(elsewhere, &older);
    assert_eq!(world.received.len(), 2, "late, but good");
    assert_eq!(
        (moves(&world), world.endpoint.peer(session)),
        (0, Some(client.address))
    );
    let counters = world.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::Replay), 1);
    assert_eq!(counters.dropped(RecordDrop::Authentication), 1);
}

#[test]
fn a_wrong_identifier_reaches_nobody() {
    let mut world = World::new();
    let mut client = Setup::psk().cid(b"c").start().connect(&mut world);
    for at in 11..19 {
        let mut datagram = client.say(b"x");
        datagram[at] ^= 0x40;
        world.deliver(client.address, &datagram);
    }
    assert!(world.received.is_empty());
    let counters = world.endpoint.counters();
    assert_eq!(counters.dropped(RecordDrop::UnknownCid), 8);
}

#[test]
fn a_slot_used_again_has_another_identifier_and_another_id() {
    let mut world = World::with(|config| config.limits.sessions = 1);
    let mut first = Setup::psk().cid(b"c").start().connect(&mut world);
    let old = world.established()[0].session;
    assert!(world.close(old));
    world.sent.clear();
    let second = Setup::psk().cid(b"c").start().connect(&mut world);
    let new = world.established()[1].session;
    assert_ne!(old, new);
    assert_ne!(first.server_cid(), second.server_cid());
    let datagram = first.say(b"late");
    world.deliver(first.address, &datagram);
    assert!(world.received.is_empty());
    assert!(!world.close(old) && world.endpoint.seal(old, b"", &mut Vec::new()).is_err());
    assert_eq!(world.endpoint.sessions(), 1);
}
