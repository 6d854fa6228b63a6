use super::*;

#[test]
fn a_new_session_takes_the_registration_over_without_a_register() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    let before = world.registration("dev-1").session;
    device.connection.forget();
    device.address = "10.0.0.2:5000".parse().unwrap();
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    let after = world.registration("dev-1");
    assert_ne!(after.session, before);
    assert_eq!(after.address.as_deref(), Some("10.0.0.2:5000"));
    assert_eq!(
        world.metric("lwm2m_dtls_sessions"),
        1.0,
        "the session before it ends when the new one has carried data"
    );
}

#[test]
fn the_server_reaches_the_device_in_its_newest_session_before_it_has_said_anything() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    device.registered(&mut world, "dev-1");
    device.connection.forget();
    device.address = "10.0.0.2:5000".parse().unwrap();
    // A message to nobody: it brings the handshake and is no use of the registration.
    device.send(
        &mut world,
        &request(Code::GET, 7, "/.well-known/core", &[], b""),
    );
    assert!(device.connection.is_up());
    let shown = world.registration("dev-1");
    assert_eq!(shown.address.as_deref(), Some("10.0.0.2:5000"));
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 2.0);
}

#[test]
fn an_observation_survives_the_change_of_the_session() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let created = device.register(&mut world, &["ep=dev-1"]);
    assert_eq!(created.code(), Code::CREATED);
    let token = device.comply(&mut world);
    device.connection.forget();
    device.address = "10.0.0.2:5000".parse().unwrap();
    let kind = MessageType::Confirmable;
    let observe = [(option::OBSERVE, 2)];
    let notification = message(kind, Code::CONTENT, 0x77, &token, &observe, b"49");
    device.send(&mut world, &notification);
    let answer = MessageView::parse(device.inbox.last().unwrap()).unwrap();
    assert_eq!(answer.kind(), MessageType::Acknowledgement);
    let accepted = "lwm2m_notifications_total{strategy=\"single\",result=\"accepted\"}";
    assert_eq!(world.metric(accepted), 1.0);
}

#[test]
fn a_device_whose_address_changes_goes_on_by_its_connection_identifier() {
    let mut world = World::new(2);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    for port in 5_000..5_008 {
        device.address.set_port(port);
        assert_eq!(device.update(&mut world, &location), Code::CHANGED);
        let shown = world.registration("dev-1").address;
        assert_eq!(shown, Some(device.address.to_string()));
    }
    assert_eq!(world.metric("lwm2m_dtls_handshakes_started_total"), 1.0);
    assert_eq!(world.metric("lwm2m_dtls_cid_rebinds_total"), 8.0);
}

#[test]
fn what_comes_late_in_the_session_before_does_not_bring_the_registration_back_there() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    let mut again = Device::psk("id-1", "10.0.0.2:5000");
    again.send(
        &mut world,
        &request(Code::GET, 7, "/.well-known/core", &[], b""),
    );
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    let shown = world.registration("dev-1").address;
    assert_eq!(shown.as_deref(), Some("10.0.0.2:5000"));
    assert_eq!(again.update(&mut world, &location), Code::CHANGED);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 1.0);
}

#[test]
fn a_session_that_fetches_a_package_does_not_take_the_registration_over() {
    let mut world = World::new(1);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", "10.0.0.1:4000");
    let location = device.registered(&mut world, "dev-1");
    let mut download = Device::psk("id-1", "10.0.0.1:4001");
    let asked = download.ask_with(&mut world, Code::GET, "/tbfw/none", &[], b"");
    assert_eq!(asked.code(), Code::NOT_FOUND);
    let shown = world.registration("dev-1").address;
    assert_eq!(shown.as_deref(), Some("10.0.0.1:4000"));
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 2.0);
    let asked = download.ask_with(&mut world, Code::GET, "/tbfw/none", &[], b"");
    assert_eq!(asked.code(), Code::NOT_FOUND);
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
}
