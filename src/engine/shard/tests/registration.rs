//! Register, Update, De-register, expiry (LwM2M Core 1.2 §6.2).

use super::*;
use crate::engine::directory::Admitted;

#[test]
fn a_register_is_answered_with_its_location() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    assert!(
        location.starts_with("/rd/") && location.len() == 15,
        "{location}"
    );
    let view = bench.registration("dev-1");
    assert_eq!(view.state, DeviceState::Registered);
    assert_eq!(view.id.as_deref(), Some(&location[4..]));
    assert_eq!(view.lwm2m_version, "1.1");
    assert_eq!(view.lifetime, Some(300));
    assert_eq!(view.objects[&3].version, "1.1");
    assert_eq!(view.objects[&3303].version, "1.1");
    assert!(view.objects[&3303].version_stated);
    assert_eq!(view.content_formats, [110]);
    assert_eq!(bench.event_names(), ["registered"]);
    assert_eq!(
        bench.metric("lwm2m_registrations{security=\"NO_SEC\",state=\"registered\"}"),
        1.0
    );
}

#[test]
fn a_repeated_register_gets_the_same_answer_and_makes_no_second_registration() {
    let mut bench = Bench::new();
    let first = bench.send(peer(1), &register(7, "dev-1"));
    let again = bench.send(peer(1), &register(7, "dev-1"));
    assert_eq!(first[0].bytes, again[0].bytes);
    assert_eq!(again.len(), 1);
    assert_eq!(bench.event_names(), ["registered"]);
    assert_eq!(bench.metric("lwm2m_coap_duplicates_total"), 1.0);
}

#[test]
fn a_register_is_recognised_again_after_the_conversation_it_started() {
    let mut bench = Bench::new();
    let created = bench.send(peer(1), &register(7, "dev-1"));
    let answer = created[0].bytes.clone();
    initialised(&mut bench, peer(1), created.into_iter().skip(1).collect());
    // The device did not get its answer and sends again after two seconds.
    bench.wait(2_000);
    let again = bench.send(peer(1), &register(7, "dev-1"));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].bytes, answer);
    assert_eq!(bench.registration("dev-1").observations.len(), 1);
}

#[test]
fn a_register_is_recognised_again_whatever_the_device_sent_since() {
    let mut bench = Bench::new();
    let created = bench.send(peer(1), &register(7, "dev-1"));
    let answer = created[0].bytes.clone();
    let token = initialised(&mut bench, peer(1), created.into_iter().skip(1).collect());
    for n in 1..=10 {
        let options = [(option::OBSERVE, n)];
        let kind = MessageType::Confirmable;
        let mid = 0x700 + n as u16;
        let notification = message(kind, Code::CONTENT, mid, &token, &options, b"9");
        bench.send(peer(1), &notification);
    }
    bench.wait(40_000);
    let again = bench.send(peer(1), &register(7, "dev-1"));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].bytes, answer, "a copy that was held up");
    assert_eq!(
        bench
            .event_names()
            .iter()
            .filter(|name| **name == "registered")
            .count(),
        1
    );
}

#[test]
fn copies_held_up_at_its_old_address_do_not_bring_a_device_back_there() {
    let mut bench = Bench::new();
    let created = bench.send(peer(1), &register(7, "dev-1"));
    let location = location(&created[0]);
    let before = request(Code::POST, 8, &location, &[], &[]);
    bench.send(peer(1), &before);
    bench.send(peer(2), &request(Code::POST, 9, &location, &[], &[]));
    let id = bench.registration("dev-1").id;
    for copy in [register(7, "dev-1"), before] {
        let sent = bench.send(peer(1), &copy);
        assert_eq!(sent.len(), 1, "it is answered as the first time");
        let view = bench.registration("dev-1");
        assert_eq!(view.address.as_deref(), Some("127.1.2.3:2"));
        assert_eq!(view.id, id);
    }
}

#[test]
fn the_same_message_id_at_another_address_is_another_message() {
    let mut bench = Bench::new();
    registered(&mut bench, peer(1), "dev-1");
    // The address changed while the device waited for its answer: it must learn its new location.
    let (location, _) = registered(&mut bench, peer(2), "dev-1");
    let view = bench.registration("dev-1");
    assert_eq!(view.address.as_deref(), Some("127.1.2.3:2"));
    assert_eq!(view.id.as_deref(), Some(&location[4..]));
}

#[test]
fn a_register_of_another_address_is_no_repetition_though_its_message_id_and_token_are_the_same() {
    let mut bench = Bench::new();
    let mut before = String::new();
    let mut ports: Vec<u16> = (1..4_000).collect();
    fastrand::Rng::with_seed(3).shuffle(&mut ports);
    for port in ports {
        let sent = bench.send(peer(port), &register(1, "dev-1"));
        let location = location(&sent[0]);
        assert_ne!(location, before, "port {port}");
        before = location;
    }
    assert_eq!(bench.metric("lwm2m_coap_duplicates_total"), 0.0);
}

#[test]
fn an_update_starts_the_lifetime_anew() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    bench.wait(200_000);
    let sent = bench.send(peer(1), &request(Code::POST, 2, &location, &[], &[]));
    assert_eq!(sent[0].code(), Code::CHANGED);
    bench.wait(200_000);
    assert_eq!(bench.registration("dev-1").state, DeviceState::Registered);
    bench.wait(101_000);
    assert_eq!(bench.registration("dev-1").state, DeviceState::Expired);
    assert_eq!(bench.event_names().last(), Some(&"expired"));
}

#[test]
fn an_update_changes_what_it_states_and_nothing_else() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    bench.send(
        peer(1),
        &request(Code::POST, 2, &location, &["lt=60", "sms=4711"], &[]),
    );
    let view = bench.registration("dev-1");
    assert_eq!(view.lifetime, Some(60));
    assert_eq!(view.sms.as_deref(), Some("4711"));
    assert!(view.objects.contains_key(&3303));
    bench.send(
        peer(1),
        &request(Code::POST, 3, &location, &[], b"</1/0>,</3/0>"),
    );
    let view = bench.registration("dev-1");
    assert_eq!(view.lifetime, Some(60));
    assert!(
        !view.objects.contains_key(&3303),
        "a link list in an Update replaces the old one"
    );
}

#[test]
fn an_update_from_another_address_moves_the_device() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let moved = peer(2);
    let sent = bench.send(moved, &request(Code::POST, 2, &location, &[], &[]));
    assert_eq!((sent[0].code(), sent[0].peer), (Code::CHANGED, moved));
    assert_eq!(
        bench.registration("dev-1").address.as_deref(),
        Some("127.1.2.3:2")
    );
    let notification = message(
        MessageType::NonConfirmable,
        Code::CONTENT,
        9,
        &token,
        &[(option::OBSERVE, 1)],
        b"50",
    );
    assert!(bench.send(moved, &notification).is_empty());
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 50);
}

#[test]
fn a_notification_from_another_address_is_ignored_until_the_device_updates() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let options = [(option::OBSERVE, 1)];
    let notification = message(
        MessageType::NonConfirmable,
        Code::CONTENT,
        9,
        &token,
        &options,
        b"50",
    );
    assert!(
        bench.send(peer(2), &notification).is_empty(),
        "no Reset: it would end the observation"
    );
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 87);
    assert_eq!(
        bench.metric("lwm2m_coap_rejected_total{reason=\"foreign_address\"}"),
        1.0
    );
}

#[test]
fn a_register_of_a_registered_device_replaces_the_registration_and_its_observations() {
    let mut bench = Bench::new();
    let (old, first) = registered(&mut bench, peer(1), "dev-1");
    let old_token = initialised(&mut bench, peer(1), first);
    let mut sent = bench.send(peer(1), &register(0x200, "dev-1"));
    let created = sent.remove(0);
    assert_eq!(created.code(), Code::CREATED);
    assert_ne!(location(&created), old);
    let gone = bench.send(peer(1), &request(Code::POST, 2, &old, &[], &[]));
    assert_eq!(gone[0].code(), Code::NOT_FOUND);
    let new_token = initialised(&mut bench, peer(1), sent);
    assert_ne!(old_token, new_token);
    assert_eq!(bench.registration("dev-1").observations.len(), 1);
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 1.0);
    let stale = message(
        MessageType::NonConfirmable,
        Code::CONTENT,
        9,
        &old_token,
        &[(option::OBSERVE, 5)],
        b"1",
    );
    let sent = bench.send(peer(1), &stale);
    assert_eq!(
        sent[0].view().kind(),
        MessageType::Reset,
        "the device drops the old observation"
    );
}

#[test]
fn a_de_register_ends_the_registration_and_its_repetition_is_answered_alike() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    let request = request(Code::DELETE, 5, &location, &[], &[]);
    let first = bench.send(peer(1), &request);
    assert_eq!(first[0].code(), Code::DELETED);
    assert_eq!(bench.send(peer(1), &request)[0].bytes, first[0].bytes);
    assert_eq!(bench.registration("dev-1").state, DeviceState::Expired);
    assert_eq!(
        bench.metric("lwm2m_registrations{security=\"NO_SEC\",state=\"registered\"}"),
        0.0
    );
    let update = super::request(Code::POST, 6, &location, &[], &[]);
    assert_eq!(bench.send(peer(1), &update)[0].code(), Code::NOT_FOUND);
}

#[test]
fn an_unprovisioned_device_is_forgotten_some_time_after_its_registration_ended() {
    let config = EngineConfig {
        allow_unknown: true,
        forget_after: 60,
        ..EngineConfig::default()
    };
    let mut bench = Bench::with(config);
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    bench.send(peer(1), &request(Code::DELETE, 5, &location, &[], &[]));
    bench.wait(50_000);
    assert!(bench.shared.directory.home("dev-1").is_some());
    bench.wait(15_000);
    assert!(bench.shared.directory.home("dev-1").is_none());
    assert_eq!(bench.shard.endpoints.len(), 0);
}

#[test]
fn an_unknown_device_is_refused_unless_unknown_devices_are_let_in() {
    let mut bench = Bench::with(EngineConfig::default());
    let sent = bench.send(peer(1), &register(1, "dev-1"));
    assert_eq!(sent[0].code(), Code::FORBIDDEN);
    let admitted = Admitted {
        profile: DEFAULT_PROFILE,
        power: 0,
    };
    bench.shared.directory.admit("dev-1", admitted);
    let sent = bench.send(peer(1), &register(2, "dev-1"));
    assert_eq!(sent[0].code(), Code::CREATED);
}

#[test]
fn a_register_without_endpoint_name_is_forbidden_on_plain_coap() {
    let mut bench = Bench::new();
    let sent = bench.send(
        peer(1),
        &request(Code::POST, 1, "/rd", &["lwm2m=1.1"], LINKS),
    );
    assert_eq!(sent[0].code(), Code::FORBIDDEN);
}

#[test]
fn a_register_without_object_list_is_a_bad_request_that_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let sent = bench.send(
        peer(1),
        &request(Code::POST, 1, "/rd", &["ep=a", "lwm2m=1.1"], &[]),
    );
    assert_eq!(sent[0].code(), Code::BAD_REQUEST);
    assert!(!sent[0].payload().is_empty(), "the answer says why");
    assert_eq!(bench.shard.endpoints.len(), 0);
}

#[test]
fn an_unsupported_version_is_answered_with_4_12() {
    let mut bench = Bench::new();
    let sent = bench.send(
        peer(1),
        &request(Code::POST, 1, "/rd", &["ep=a", "lwm2m=9.9"], LINKS),
    );
    assert_eq!(sent[0].code(), Code::PRECONDITION_FAILED);
}

#[test]
fn bindings_of_another_version_are_tolerated_in_register_and_refused_in_update() {
    for (version, registered_with, updated_with) in [("1.0", "UQ", "UT"), ("1.1", "UT", "UQ")] {
        let mut bench = Bench::new();
        let lwm2m = format!("lwm2m={version}");
        let binding = format!("b={registered_with}");
        let register = request(Code::POST, 1, "/rd", &["ep=a", &lwm2m, &binding], LINKS);
        let created = bench.send(peer(1), &register).remove(0);
        assert_eq!(created.code(), Code::CREATED, "{version} {registered_with}");
        let binding = format!("b={updated_with}");
        let update = request(Code::POST, 2, &location(&created), &[&binding], &[]);
        assert_eq!(
            bench.send(peer(1), &update)[0].code(),
            Code::BAD_REQUEST,
            "{version}"
        );
    }
}

#[test]
fn a_lifetime_of_zero_never_ends_in_1_2_and_is_the_default_before() {
    for (version, lifetime) in [("1.0", Some(86_400)), ("1.1", Some(86_400)), ("1.2", None)] {
        let mut bench = Bench::new();
        let lwm2m = format!("lwm2m={version}");
        bench.send(
            peer(1),
            &request(Code::POST, 1, "/rd", &["ep=a", "lt=0", &lwm2m], LINKS),
        );
        let view = bench.registration("a");
        assert_eq!(view.lifetime, lifetime, "{version}");
        assert_eq!(view.expires.is_none(), lifetime.is_none());
    }
}

#[test]
fn a_register_may_come_in_blocks_with_a_new_token_each() {
    let mut bench = Bench::new();
    let query = ["ep=blocks", "lwm2m=1.1"];
    let block = |num: u32, more: bool| [(option::BLOCK1, num << 4 | u32::from(more) << 3)];
    let mut sent = Vec::new();
    let chunks: Vec<_> = LINKS.chunks(16).collect();
    for (num, chunk) in chunks.iter().enumerate() {
        let last = num + 1 == chunks.len();
        let extra = block(num as u32, !last);
        let kind = MessageType::Confirmable;
        let mid = 0x300 + num as u16;
        let bytes = request_with(kind, Code::POST, mid, "/rd", &query, &extra, chunk);
        sent = bench.send(peer(1), &bytes);
        let expected = if last { Code::CREATED } else { Code::CONTINUE };
        assert_eq!(sent[0].code(), expected, "block {num}");
        assert_eq!(sent[0].view().block1().unwrap().unwrap().num(), num as u32);
        if last {
            let again = bench.send(peer(1), &bytes);
            assert_eq!(
                again[0].bytes, sent[0].bytes,
                "the last block again is answered alike"
            );
        }
    }
    assert!(!location(&sent[0]).is_empty());
    assert_eq!(bench.registration("blocks").objects.len(), 3);
}

#[test]
fn a_block_without_the_ones_before_is_answered_with_4_08() {
    let mut bench = Bench::new();
    let extra = [(option::BLOCK1, 3 << 4)];
    let kind = MessageType::Confirmable;
    let bytes = request_with(kind, Code::POST, 1, "/rd", &["ep=a"], &extra, b"</3/0>");
    assert_eq!(
        bench.send(peer(1), &bytes)[0].code(),
        Code::REQUEST_ENTITY_INCOMPLETE
    );
}

#[test]
fn a_device_in_queue_mode_falls_asleep_and_its_next_message_wakes_it() {
    let mut bench = Bench::new();
    let register = request(
        Code::POST,
        1,
        "/rd",
        &["ep=q", "lwm2m=1.1", "Q", "lt=3600"],
        LINKS,
    );
    let mut sent = bench.send(peer(1), &register);
    let location = location(&sent.remove(0));
    initialised(&mut bench, peer(1), sent);
    assert_eq!(bench.registration("q").state, DeviceState::Registered);
    bench.wait(94_000);
    assert_eq!(bench.registration("q").state, DeviceState::Asleep);
    assert_eq!(
        bench.metric("lwm2m_registrations{security=\"NO_SEC\",state=\"asleep\"}"),
        1.0
    );
    let sent = bench.send(peer(1), &request(Code::POST, 2, &location, &[], &[]));
    assert_eq!(sent[0].code(), Code::CHANGED);
    assert_eq!(
        sent[1].path(),
        "/3/0/0",
        "attributes are read again after a wake-up"
    );
    assert_eq!(bench.registration("q").state, DeviceState::Registered);
}

#[test]
fn an_object_that_an_update_announces_no_more_is_observed_no_more() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let update = |mid, links| request(Code::POST, mid, &location, &[], links);
    bench.send(peer(1), &update(2, b"</1/0>"));
    assert!(bench.registration("dev-1").observations.is_empty());
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 0.0);
    let options = [(option::OBSERVE, 1)];
    let kind = MessageType::NonConfirmable;
    let late = message(kind, Code::CONTENT, 9, &token, &options, b"50");
    assert_eq!(
        bench.send(peer(1), &late)[0].view().kind(),
        MessageType::Reset
    );
    let sent = bench.send(peer(1), &update(3, b"</1/0>,</3/0>"));
    assert_eq!(
        sent[1].path(),
        "/3/0/9",
        "announced again, it is observed again"
    );
}

#[test]
fn new_links_in_an_update_start_the_observations_the_profile_wants() {
    let mut bench = Bench::new();
    let register = request(Code::POST, 1, "/rd", &["ep=n", "lwm2m=1.1"], b"</1/0>");
    let mut sent = bench.send(peer(1), &register);
    assert_eq!(sent.len(), 1, "nothing the profile maps is announced");
    let view = bench.registration("n");
    assert!(
        view.problems
            .iter()
            .any(|p| p.reason == "not_announced" && p.path.as_deref() == Some("/3/0/9"))
    );
    let location = location(&sent.remove(0));
    let mut sent = bench.send(
        peer(1),
        &request(Code::POST, 2, &location, &[], b"</1/0>,</3/0>"),
    );
    assert_eq!(sent.remove(0).code(), Code::CHANGED);
    initialised(&mut bench, peer(1), sent);
    let view = bench.registration("n");
    assert_eq!(view.observations.len(), 1);
    assert!(view.problems.is_empty());
}

#[test]
fn the_binding_of_an_update_says_in_1_0_whether_there_is_a_queue() {
    let mut bench = Bench::new();
    let queries = ["lwm2m=1.0", "ep=dev-1"];
    let sent = bench.send(peer(1), &request(Code::POST, 1, "/rd", &queries, LINKS));
    let location = location(&sent[0]);
    for (mid, binding, queue_mode) in [(2, "b=UQ", true), (3, "b=U", false)] {
        let update = request(Code::POST, mid, &location, &[binding], &[]);
        assert_eq!(bench.send(peer(1), &update)[0].code(), Code::CHANGED);
        assert_eq!(bench.registration("dev-1").queue_mode, queue_mode);
    }
}

#[test]
fn updates_cannot_pile_up_parameters_without_bound() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    let mut update = |mid: u16, n: u16| {
        let parameter = format!("key{n}=value{mid}");
        let update = request(Code::POST, mid, &location, &[&parameter], &[]);
        bench.send(peer(1), &update)[0].code()
    };
    for n in 0..32 {
        assert_eq!(update(1_000 + n, n), Code::CHANGED, "{n}");
    }
    assert_eq!(update(2_000, 32), Code::BAD_REQUEST);
    assert_eq!(update(2_001, 31), Code::CHANGED, "a known one is replaced");
    let additional = bench.registration("dev-1").additional;
    assert_eq!(additional.len(), 32);
    assert_eq!(additional["key31"], "value2001");
}
