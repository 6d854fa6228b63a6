use super::*;

fn revoke(world: &mut World, endpoint: &str, identity: u64) {
    take_back(world, endpoint, identity, true);
}

fn take_back(world: &mut World, endpoint: &str, identity: u64, ends_registration: bool) {
    let endpoint: Arc<str> = endpoint.into();
    world.command(|| Command::Revoke {
        endpoint: Arc::clone(&endpoint),
        identity: Some(identity),
        ends_registration,
    });
}

#[test]
fn credentials_that_are_taken_back_end_the_registration_and_its_session_at_once() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    world.book.forget("id-1");
    revoke(&mut world, "dev-1", 1);
    device.exchange(&mut world);
    assert!(!device.connection.is_up(), "it is told by close_notify");
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 0.0);
    assert_eq!(world.registration("dev-1").state, DeviceState::Expired);
    // New credentials: a new session, but the registration has to be made again.
    world.book.psk("id-2", "dev-1", 2);
    let mut device = Device::psk("id-2", "10.0.0.1:4000");
    assert_eq!(device.update(&mut world, &location), Code::NOT_FOUND);
    device.registered(&mut world, "dev-1");
}

#[test]
fn sessions_that_never_registered_end_with_their_identity_too() {
    let mut world = World::new(2);
    for n in 0..4_u64 {
        let identity = format!("id-{n}");
        world.book.psk(&identity, &format!("dev-{n}"), n);
        let mut device = Device::psk(&identity, &format!("10.0.0.{n}:4000"));
        device.send(
            &mut world,
            &request(Code::GET, 7, "/.well-known/core", &[], b""),
        );
        assert!(device.connection.is_up());
    }
    revoke(&mut world, "dev-2", 2);
    world.wait(100);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 3.0);
    world.book.forget("id-0");
    world.book.forget("id-1");
    world.command(|| Command::RevokeUnknown);
    world.wait(100);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 1.0);
}

#[test]
fn another_identity_of_the_endpoint_keeps_its_session() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    device.registered(&mut world, "dev-1");
    revoke(&mut world, "dev-1", 7);
    world.wait(100);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 1.0);
}

#[test]
fn a_retired_identity_loses_its_sessions_and_the_registration_of_the_newer_one_stays() {
    for shards in [1, 2] {
        let mut world = World::new(shards);
        world.book.psk("id-1", "dev-1", 1);
        world.book.psk("id-2", "dev-1", 2);
        let mut former = Device::psk("id-1", "10.0.0.1:4000");
        former.registered(&mut world, "dev-1");
        let mut newer = Device::psk("id-2", "10.0.0.2:4000");
        let location = newer.registered(&mut world, "dev-1");
        let registered = world.book.registered.lock().unwrap().clone();
        let expected = [("dev-1".to_owned(), 1), ("dev-1".to_owned(), 2)];
        assert_eq!(registered, expected, "it is told who registered with what");
        world.book.forget("id-1");
        take_back(&mut world, "dev-1", 1, false);
        world.wait(100);
        former.exchange(&mut world);
        assert!(!former.connection.is_up());
        assert_eq!(world.metric("lwm2m_dtls_sessions"), 1.0);
        assert_eq!(world.registration("dev-1").state, DeviceState::Registered);
        assert_eq!(newer.update(&mut world, &location), Code::CHANGED);
    }
}
