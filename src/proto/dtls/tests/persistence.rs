//! Sessions over a restart, and what a session costs.

use super::client::Setup;
use super::world::World;
use crate::proto::dtls::session::Session;
use crate::proto::dtls::table::Slot;
use crate::proto::dtls::{RecordDrop, RestoreError, SavedSession, Suite};

#[test]
fn a_session_takes_120_bytes_of_its_slot() {
    assert_eq!((size_of::<Session>(), size_of::<Slot>()), (120, 120));
}

#[test]
fn a_restored_session_goes_on_and_takes_nothing_twice() {
    for &suite in Suite::ALL {
        for cid in [None, Some(&b"c"[..]), Some(&[7; 20])] {
            let mut world = World::new();
            let mut setup = Setup::of_suite(suite);
            setup.cid = cid.map(<[u8]>::to_vec);
            let mut client = setup.start().connect(&mut world);
            let old = client.say(b"before");
            world.deliver(client.address, &old);
            let session = world.established()[0].session;
            world.send(session, b"before");
            let sealed_before = world.take_sent(client.address);
            let mut saved = Vec::new();
            assert!(world.endpoint.save(session, &mut saved));
            let inspected = SavedSession::parse(&saved).unwrap();
            assert_eq!((inspected.shard, inspected.session), (3, session));

            let mut world = World::new();
            let now = world.now;
            let (id, identity) = world.endpoint.restore(now, &saved, None).unwrap();
            assert_eq!((id, identity), (session, inspected.identity));
            world.deliver(client.address, &old);
            assert!(world.received.is_empty(), "{suite:?}");
            assert_eq!(world.endpoint.counters().dropped(RecordDrop::Replay), 1);
            let new = client.say(b"after");
            world.deliver(client.address, &new);
            assert_eq!(world.received, [(session, b"after".to_vec())]);
            world.send(session, b"after");
            sealed_before.iter().for_each(|bytes| client.take(bytes));
            client.pump(&mut world);
            assert_eq!(client.received, [b"before".to_vec(), b"after".to_vec()]);
            let again = world.endpoint.restore(now, &saved, None);
            assert_eq!(again, Err(RestoreError::SlotTaken(session.slot)));
        }
    }
}

#[test]
fn what_was_not_saved_here_is_not_restored() {
    let mut world = World::new();
    Setup::psk().start().connect(&mut world);
    let mut saved = Vec::new();
    assert!(
        world
            .endpoint
            .save(world.established()[0].session, &mut saved)
    );
    let mut other = World::with(|config| config.shard = 4);
    let now = other.now;
    let error = other.endpoint.restore(now, &saved, None);
    assert_eq!(error, Err(RestoreError::OtherShard(3)));
    for end in 0..saved.len() {
        assert_eq!(
            SavedSession::parse(&saved[..end]),
            Err(RestoreError::Malformed)
        );
    }
}

#[test]
fn what_came_after_saving_is_not_replayed_where_its_number_was_noted() {
    let mut world = World::new();
    let mut client = Setup::psk().start().connect(&mut world);
    let session = world.established()[0].session;
    let mut saved = Vec::new();
    assert!(world.endpoint.save(session, &mut saved));
    let late = client.say(b"late");
    world.deliver(client.address, &late);
    assert_eq!(world.received.len(), 1);
    let noted = world.endpoint.next_read(session);

    let mut world = World::new();
    let now = world.now;
    world.endpoint.restore(now, &saved, noted).unwrap();
    world.deliver(client.address, &late);
    assert_eq!(world.endpoint.counters().dropped(RecordDrop::Replay), 1);
    let new = client.say(b"new");
    world.deliver(client.address, &new);
    assert_eq!(world.received, [(session, b"new".to_vec())]);
}

#[test]
fn a_session_is_to_be_saved_anew_before_its_numbers_could_come_twice() {
    let mut world = World::new();
    Setup::psk().start().connect(&mut world);
    let session = world.established()[0].session;
    let mut saved = Vec::new();
    assert!(world.endpoint.save(session, &mut saved));
    let mut out = Vec::new();
    let due = (1..=1 << 19).find(|_| {
        out.clear();
        world.endpoint.seal(session, b"", &mut out).unwrap();
        world.endpoint.is_to_be_saved(session)
    });
    assert!(due.is_some(), "half of the 2^20 numbers that are left out");
}
