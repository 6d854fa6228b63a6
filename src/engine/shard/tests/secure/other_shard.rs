use super::*;

/// An address that is steered to a shard of two.
fn address(shard: usize, last: u8) -> SocketAddr {
    let on = |port| SocketAddr::from(([10, 0, 0, last], port));
    let steered = |at: &SocketAddr| steer::shard_of(&(*at).into(), 2) == shard;
    (4_000..5_000).map(on).find(steered).unwrap()
}

/// A device that lives on shard 0 and whose session is on shard 1.
fn apart() -> (World, Device, String) {
    let mut world = World::new(2);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", &address(0, 1).to_string());
    let location = device.registered(&mut world, "dev-1");
    assert_eq!(world.home("dev-1").unwrap().shard, 0);
    device.connection.forget();
    device.address = address(1, 2);
    (world, device, location)
}

#[test]
fn a_device_whose_session_is_on_another_shard_is_served_as_any_other() {
    let (mut world, mut device, location) = apart();
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    let shown = world.registration("dev-1");
    assert_eq!(shown.session.unwrap().shard(), 1);
    assert_eq!(shown.security, SecurityMode::Psk);
    let sent = device.ask_with(&mut world, Code::POST, "/dp", &[], b"not senml");
    assert_ne!(sent.code(), Code::NOT_FOUND, "the endpoint is found");
    let created = device.register(&mut world, &["ep=dev-1"]);
    assert_eq!(created.code(), Code::CREATED);
    let observed = device.comply(&mut world);
    assert!(!observed.is_empty(), "what the server asks arrives");
    assert_eq!(world.registration("dev-1").observations.len(), 1);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 1.0);
    let lost = "lwm2m_coap_rejected_total{reason=\"handoff\"}";
    assert_eq!(world.metric(lost), 0.0);
}

#[test]
fn another_identity_is_refused_across_shards_too() {
    let (mut world, _, location) = apart();
    world.book.psk("id-2", "dev-2", 2);
    let mut other = Device::psk("id-2", &address(1, 3).to_string());
    assert_eq!(other.update(&mut world, &location), Code::FORBIDDEN);
    let refused = other.register(&mut world, &["ep=dev-1"]);
    assert_eq!(refused.code(), Code::FORBIDDEN);
}

#[test]
fn a_record_that_the_kernel_brings_to_another_shard_finds_its_session() {
    let (mut world, mut device, location) = apart();
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    let now = world.now.tick.as_millis() * 1_000;
    let update = request(Code::POST, 0x999, &location, &[], b"");
    device.connection.send(&update, now);
    let datagrams: Vec<_> = device.connection.transmit().collect();
    for datagram in datagrams {
        world.deliver_to(0, device.address, &datagram);
    }
    device.exchange(&mut world);
    let answer = MessageView::parse(device.inbox.last().unwrap()).unwrap();
    assert_eq!((answer.code(), answer.mid()), (Code::CHANGED, 0x999));
}

#[test]
fn a_download_in_a_session_of_another_shard_leaves_the_registration_where_it_was() {
    let mut world = World::new(2);
    world.book.psk("id-1", "dev-1", 1);
    let mut device = Device::psk("id-1", &address(0, 1).to_string());
    let location = device.registered(&mut world, "dev-1");
    let mut download = Device::psk("id-1", &address(1, 2).to_string());
    let asked = download.ask_with(&mut world, Code::GET, "/tbfw/none", &[], b"");
    assert_eq!(asked.code(), Code::NOT_FOUND);
    assert_eq!(world.registration("dev-1").session.unwrap().shard(), 0);
    assert_eq!(device.update(&mut world, &location), Code::CHANGED);
    assert_eq!(world.metric("lwm2m_dtls_sessions"), 2.0);
}
