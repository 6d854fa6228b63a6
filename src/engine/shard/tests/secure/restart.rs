use super::*;

/// A device that is registered on a shard that keeps everything.
fn stored(memory: &Arc<Memory>, book: &Arc<Book>) -> (World, Device, String) {
    let (mut world, _) = World::restored(memory, book);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    world.wait(300);
    (world, device, location)
}

fn book() -> Arc<Book> {
    let book = Arc::new(Book::default());
    book.psk("id-1", "dev-1", 1);
    book
}

#[test]
fn a_session_goes_on_after_a_restart_without_a_handshake() {
    let (memory, book) = (Arc::new(Memory::default()), book());
    let (_, mut device, location) = stored(&memory, &book);
    let (mut world, restored) = World::restored(&memory, &book);
    assert_eq!((restored.registered, restored.sessions.restored), (1, 1));
    let shown = world.registration("dev-1");
    assert_eq!(shown.security, SecurityMode::Psk);
    assert_eq!(shown.address.as_deref(), Some("10.0.0.1:4000"));
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    assert_eq!(world.metric("lwm2m_dtls_handshakes_started_total"), 0.0);
}

#[test]
fn a_record_from_before_a_restart_is_not_taken_again() {
    let (memory, book) = (Arc::new(Memory::default()), book());
    let (mut world, mut device, location) = stored(&memory, &book);
    let now = world.now.tick.as_millis() * 1_000;
    let update = request(Code::POST, 0x999, &location, &[], b"");
    device.connection.send(&update, now);
    let datagrams: Vec<_> = device.connection.transmit().collect();
    world.deliver(device.address, &datagrams[0]);
    world.wait(300);
    let (mut world, _) = World::restored(&memory, &book);
    world.deliver(device.address, &datagrams[0]);
    assert!(world.sent.is_empty());
    let replays = "lwm2m_dtls_records_dropped_total{reason=\"replay\"}";
    assert_eq!(world.metric(replays), 1.0);
}

#[test]
fn a_session_whose_identity_was_taken_back_meanwhile_does_not_come_back() {
    let (memory, book) = (Arc::new(Memory::default()), book());
    stored(&memory, &book);
    book.forget("id-1");
    let (world, restored) = World::restored(&memory, &book);
    assert_eq!(restored.sessions.revoked, 1);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 0.0);
    assert!(memory.sessions.lock().unwrap().is_empty());
}

#[test]
fn a_session_that_is_lost_costs_a_handshake_and_no_register() {
    let (memory, book) = (Arc::new(Memory::default()), book());
    let (_, mut device, location) = stored(&memory, &book);
    for record in memory.sessions.lock().unwrap().values_mut() {
        record.truncate(20);
    }
    let (mut world, restored) = World::restored(&memory, &book);
    assert_eq!(restored.sessions.unreadable, 1);
    device.connection.forget();
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
}

#[test]
fn a_session_that_ended_is_not_kept() {
    let (memory, book) = (Arc::new(Memory::default()), book());
    let (mut world, mut device, _) = stored(&memory, &book);
    assert_eq!(memory.sessions.lock().unwrap().len(), 1);
    device.connection.close();
    device.exchange(&mut world);
    world.wait(300);
    assert!(memory.sessions.lock().unwrap().is_empty());
}

#[test]
fn no_record_number_comes_twice_however_often_it_is_killed() {
    let (memory, book) = (Arc::new(Memory::default()), book());
    let (_, device, _) = stored(&memory, &book);
    let mut numbers = std::collections::BTreeSet::new();
    for _ in 0..3 {
        // It says something before anything of it is stored again.
        let (mut world, _) = World::restored(&memory, &book);
        let session = world.registration("dev-1").session.unwrap();
        world.members[0]
            .shard
            .seal_for_other(session.id(), b"request");
        world.settle();
        let sent = world.sent.remove(&device.address).unwrap();
        // Type, version, epoch, then the number (RFC 6347 §4.1).
        assert!(numbers.insert(sent[0][5..11].to_vec()), "{numbers:?}");
    }
}
