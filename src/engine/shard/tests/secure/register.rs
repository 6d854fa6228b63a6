use super::*;

#[test]
fn a_device_registers_over_psk_and_is_shown_as_such() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    let shown = world.registration("dev-1");
    assert_eq!(shown.security, SecurityMode::Psk);
    assert_eq!(shown.address.as_deref(), Some("10.0.0.1:4000"));
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    let registered = "lwm2m_registrations{security=\"PSK\",state=\"registered\"}";
    assert_eq!(world.metric(registered), 1.0);
    let handshakes = "lwm2m_dtls_handshakes_total{mode=\"psk\",result=\"ok\"}";
    assert_eq!(world.metric(handshakes), 1.0);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 1.0);
    assert_eq!(
        device.ask(&mut world, Code::DELETE, &location, &[]).code(),
        Code::DELETED
    );
    assert_eq!(world.metric(registered), 0.0);
}

#[test]
fn a_device_registers_with_its_raw_public_key() {
    let mut world = World::new(1);
    let key = new_key();
    world.book.raw_public_key(&key, "dev-1", 1);
    let mut device = Device::with(Login::RawPublicKey(key), "10.0.0.1:4000");
    device.registered(&mut world, "dev-1");
    assert_eq!(world.registration("dev-1").security, SecurityMode::Rpk);
}

#[test]
fn the_endpoint_is_that_of_the_identity_whether_stated_or_not() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    world.book.psk("id-2", "dev-2", 2);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let refused = device.register(&mut world, &["ep=dev-2"]);
    assert_eq!(refused.code(), Code::FORBIDDEN);
    assert!(refused.text().contains("identity"), "{}", refused.text());
    let created = device.register(&mut world, &[]);
    assert_eq!(created.code(), Code::CREATED);
    assert!(world.home("dev-1").is_some() && world.home("dev-2").is_none());
}

#[test]
fn a_device_with_credentials_does_not_register_without_them() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let from = "10.0.0.1:4000".parse().unwrap();
    let sent = world.plain(from, &register(1, "dev-1"));
    assert_eq!(Message(sent[0].clone()).code(), Code::FORBIDDEN);
    let sent = world.plain(from, &register(2, "free"));
    assert_eq!(Message(sent[0].clone()).code(), Code::CREATED);
}

#[test]
fn what_plain_coap_says_of_a_secured_registration_is_refused() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    for code in [Code::POST, Code::DELETE] {
        let sent = world.plain(device.address, &request(code, 9, &location, &[], b""));
        assert_eq!(Message(sent[0].clone()).code(), Code::FORBIDDEN);
    }
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
}

#[test]
fn nothing_of_a_registration_is_changed_by_another_identity() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    world.book.psk("id-2", "dev-2", 2);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    let mut other = Device::psk("id-2", "10.0.0.2:4000");
    assert_eq!(other.update(&mut world, &location), Code::FORBIDDEN);
    let deleted = other.ask(&mut world, Code::DELETE, &location, &[]);
    assert_eq!(deleted.code(), Code::FORBIDDEN);
    let sent = other.ask_with(&mut world, Code::POST, "/dp", &[], b"[]");
    assert_eq!(sent.code(), Code::BAD_REQUEST, "it is registered nowhere");
    assert_eq!(
        world.registration("dev-1").address.as_deref(),
        Some("10.0.0.1:4000")
    );
}

#[test]
fn an_unknown_identity_and_a_wrong_key_make_no_session() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut stranger = Device::psk("id-9", "10.0.0.1:4000");
    stranger.send(&mut world, &register(1, "dev-1"));
    assert!(!stranger.connection.is_up());
    let refused = "lwm2m_dtls_handshakes_total{mode=\"psk\",result=\"refused\"}";
    assert_eq!(world.metric(refused), 1.0);

    let mut known = Device::psk("id-1", "10.0.0.2:4000");
    known.registered(&mut world, "dev-1");
    let login = Login::Psk {
        identity: b"id-1".to_vec(),
        key: b"fedcba9876543210".to_vec(),
    };
    let mut wrong = Device::with(login, "10.0.0.3:4000");
    wrong.send(&mut world, &register(1, "dev-1"));
    assert!(!wrong.connection.is_up());
    for _ in 0..70 {
        world.wait(1_000);
    }
    let problems = world.registration("dev-1").problems;
    let noted = problems.iter().find(|one| one.reason == "dtls_handshake");
    let noted = noted.expect("an operator sees it");
    assert!(noted.detail.contains("10.0.0.3:4000"), "{}", noted.detail);
}
