//! Peers that break the rules cost an answer at most.

use super::*;

#[test]
fn a_ping_is_answered_with_a_reset() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.send(peer(1), &[0x40, 0, 0x12, 0x34])[0].bytes,
        [0x70, 0, 0x12, 0x34]
    );
}

#[test]
fn a_malformed_confirmable_message_is_reset_and_others_are_dropped() {
    let mut bench = Bench::new();
    let sent = bench.send(peer(1), &[0x49, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sent[0].bytes, [0x70, 0, 0, 1]);
    for silent in [
        &[][..],
        &[0x40],
        &[0x59, 1, 0, 1],
        &[0xc0, 1, 0, 1],
        &[0x50, 0, 0, 1, 9],
    ] {
        assert!(bench.send(peer(1), silent).is_empty(), "{silent:x?}");
    }
    assert_eq!(
        bench.metric("lwm2m_coap_rejected_total{reason=\"malformed\"}"),
        6.0
    );
}

#[test]
fn an_unknown_critical_option_is_answered_with_4_02_when_confirmable_and_dropped_otherwise() {
    let mut bench = Bench::new();
    let con = request_with(
        MessageType::Confirmable,
        Code::POST,
        1,
        "/rd",
        &["ep=a"],
        &[(9, 1)],
        LINKS,
    );
    assert_eq!(bench.send(peer(1), &con)[0].code(), Code::BAD_OPTION);
    let non = request_with(
        MessageType::NonConfirmable,
        Code::POST,
        2,
        "/rd",
        &["ep=a"],
        &[(9, 1)],
        LINKS,
    );
    assert!(bench.send(peer(1), &non).is_empty());
    let elective = request_with(
        MessageType::Confirmable,
        Code::POST,
        3,
        "/rd",
        &["ep=a"],
        &[(65000, 1)],
        LINKS,
    );
    assert_eq!(bench.send(peer(1), &elective)[0].code(), Code::CREATED);
}

#[test]
fn unknown_resources_and_methods_are_answered_as_such() {
    let mut bench = Bench::new();
    let mut code =
        |method, path| bench.send(peer(1), &request(method, 1, path, &[], &[]))[0].code();
    assert_eq!(code(Code::GET, "/nowhere"), Code::NOT_FOUND);
    assert_eq!(code(Code::POST, "/rd/a/b"), Code::NOT_FOUND);
    assert_eq!(code(Code::GET, "/rd"), Code::METHOD_NOT_ALLOWED);
    assert_eq!(code(Code::PUT, "/dp"), Code::METHOD_NOT_ALLOWED);
    assert_eq!(code(Code::POST, "/rd/AAAAAAAAAAA"), Code::NOT_FOUND);
    assert_eq!(code(Code::GET, "/.well-known/core"), Code::CONTENT);
}

#[test]
fn a_response_nobody_waits_for_is_reset_unless_it_is_an_acknowledgement() {
    let mut bench = Bench::new();
    let mut send = |kind| {
        bench.send(
            peer(1),
            &message(kind, Code::CONTENT, 5, &[1; 8], &[], b"x"),
        )
    };
    assert_eq!(send(MessageType::NonConfirmable)[0].bytes, [0x70, 0, 0, 5]);
    assert_eq!(send(MessageType::Confirmable)[0].bytes, [0x70, 0, 0, 5]);
    assert!(send(MessageType::Acknowledgement).is_empty());
}

#[test]
fn spoofed_acknowledgements_and_resets_change_nothing() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let mid = first[0].view().mid();
    for kind in [MessageType::Acknowledgement, MessageType::Reset] {
        let other_mid = message(kind, Code::EMPTY, mid.wrapping_add(1), &[], &[], &[]);
        assert!(bench.send(peer(1), &other_mid).is_empty());
        let other_peer = message(kind, Code::EMPTY, mid, &[], &[], &[]);
        assert!(bench.send(peer(2), &other_peer).is_empty());
    }
    assert_eq!(
        bench.wait(4_000).len(),
        1,
        "the request is still unanswered and sent again"
    );
    assert_eq!(
        bench.metric("lwm2m_coap_rejected_total{reason=\"unmatched\"}"),
        4.0
    );
}

#[test]
fn an_unverified_peer_is_sent_at_most_three_times_what_it_sent() {
    let mut bench = Bench::new();
    let register = request(Code::POST, 1, "/rd", &["ep=a"], b"</3>");
    let received = register.len();
    let answered: usize = bench
        .send(peer(1), &register)
        .iter()
        .map(|sent| sent.bytes.len())
        .sum();
    let later: usize = bench
        .wait(200_000)
        .iter()
        .map(|sent| sent.bytes.len())
        .sum();
    assert!(
        answered + later <= 3 * received,
        "{answered} + {later} for {received}"
    );
    assert!(bench.metric("lwm2m_coap_rejected_total{reason=\"amplification\"}") > 0.0);
}

#[test]
fn a_diagnostic_text_is_cut_to_three_times_the_request() {
    let mut bench = Bench::new();
    let tiny = [0x40, 2, 0, 1, 0xb2, b'r', b'd'];
    let sent = bench.send(peer(1), &tiny);
    assert_eq!(sent[0].code(), Code::FORBIDDEN);
    assert!(sent[0].bytes.len() <= 3 * tiny.len());
}

#[test]
fn a_flood_of_new_names_from_one_address_is_refused_and_others_are_served() {
    let config = EngineConfig {
        allow_unknown: true,
        newcomers_per_second: 10,
        ..EngineConfig::default()
    };
    let mut bench = Bench::with(config);
    let mut refused = 0;
    for n in 0..100 {
        let sent = bench.send(peer(1), &register(n, &format!("flood-{n}")));
        refused += u32::from(sent[0].code() == Code::SERVICE_UNAVAILABLE);
    }
    assert_eq!(refused, 60);
    assert_eq!(
        bench.send(peer(2), &register(1, "honest"))[0].code(),
        Code::CREATED
    );
}

#[test]
fn the_number_of_endpoints_is_bounded() {
    let config = EngineConfig {
        allow_unknown: true,
        max_endpoints: 3,
        ..EngineConfig::default()
    };
    let mut bench = Bench::with(config);
    let codes: Vec<_> = (0..5)
        .map(|n| bench.send(peer(n + 1), &register(n, &format!("ep-{n}")))[0].code())
        .collect();
    assert_eq!(codes[..3], [Code::CREATED; 3]);
    assert_eq!(codes[3..], [Code::SERVICE_UNAVAILABLE; 2]);
}

#[test]
fn a_truncated_datagram_is_answered_with_4_13() {
    let mut bench = Bench::new();
    let bytes = register(1, "dev-1");
    let datagram = Datagram {
        truncated: true,
        ..Datagram::plain(&bytes, peer(1))
    };
    bench.shard.on_datagram(&datagram, Origin::Socket);
    assert_eq!(bench.drain()[0].code(), Code::REQUEST_ENTITY_TOO_LARGE);
}

#[test]
fn a_body_above_the_limit_is_answered_with_4_13_and_the_limit() {
    let mut bench = Bench::new();
    let extra = [(option::BLOCK1, 4_095 << 4 | 8 | 6)];
    let kind = MessageType::Confirmable;
    let bytes = request_with(kind, Code::POST, 1, "/rd", &["ep=a"], &extra, &[b'x'; 1024]);
    let sent = bench.send(peer(1), &bytes);
    assert_eq!(sent[0].code(), Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(sent[0].view().size1(), Some(65_536));
}

#[test]
fn two_endpoints_behind_one_address_are_told_apart() {
    let mut bench = Bench::new();
    let (_, first_a) = registered(&mut bench, peer(1), "a");
    let mut sent = bench.send(peer(1), &register(0x101, "b"));
    assert_eq!(sent.remove(0).code(), Code::CREATED);
    initialised(&mut bench, peer(1), sent);
    initialised(&mut bench, peer(1), first_a);
    for endpoint in ["a", "b"] {
        assert_eq!(
            bench.telemetry(endpoint)["batteryLevel"][0].value,
            87,
            "{endpoint}"
        );
    }
}

#[test]
fn the_no_response_option_suppresses_what_it_names() {
    let mut bench = Bench::new();
    let extra = [(option::NO_RESPONSE, 2)];
    let bytes = request_with(
        MessageType::NonConfirmable,
        Code::POST,
        1,
        "/rd",
        &["ep=a"],
        &extra,
        LINKS,
    );
    let sent = bench.send(peer(1), &bytes);
    assert!(sent.iter().all(|sent| sent.code() != Code::CREATED));
    assert_eq!(bench.registration("a").state, DeviceState::Registered);
}

#[test]
fn a_send_from_a_shared_address_is_of_the_registered_endpoint_that_came_last() {
    let mut bench = Bench::new();
    registered(&mut bench, peer(1), "a");
    let (b, _) = registered(&mut bench, peer(1), "b");
    let send = |mid, value: u8| {
        let extra = [(option::CONTENT_FORMAT, 110)];
        let payload = format!("[{{\"n\":\"/3/0/9\",\"v\":{value}}}]");
        let kind = MessageType::Confirmable;
        request_with(
            kind,
            Code::POST,
            mid,
            "/dp",
            &[],
            &extra,
            payload.as_bytes(),
        )
    };
    assert_eq!(bench.send(peer(1), &send(1, 1))[0].code(), Code::CHANGED);
    assert_eq!(bench.telemetry("b")["batteryLevel"][0].value, 1);
    bench.send(peer(1), &request(Code::DELETE, 2, &b, &[], &[]));
    assert_eq!(bench.send(peer(1), &send(3, 2))[0].code(), Code::CHANGED);
    assert_eq!(bench.telemetry("a")["batteryLevel"][0].value, 2);
}

#[test]
fn a_send_without_a_registration_is_refused_whether_or_not_there_was_one() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "a");
    bench.send(peer(1), &request(Code::DELETE, 2, &location, &[], &[]));
    for port in [1, 2] {
        let sent = bench.send(peer(port), &request(Code::POST, 3, "/dp", &[], b"[]"));
        assert_eq!(sent[0].code(), Code::BAD_REQUEST, "port {port}");
    }
}

#[test]
fn both_ways_to_ask_for_a_proxy_are_answered_with_5_05() {
    let mut bench = Bench::new();
    for (mid, number) in [(1, option::PROXY_URI), (2, option::PROXY_SCHEME)] {
        let kind = MessageType::Confirmable;
        let extra = [(number, 0x636f_6170)];
        let bytes = request_with(kind, Code::GET, mid, "/rd", &[], &extra, &[]);
        let sent = bench.send(peer(1), &bytes);
        assert_eq!(sent[0].code(), Code::PROXYING_NOT_SUPPORTED);
    }
}

#[test]
fn a_response_with_an_unknown_critical_option_is_rejected() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let mut notify = |mid, kind| {
        let options = [(option::OBSERVE, u32::from(mid)), (option::OSCORE, 1)];
        bench.send(
            peer(1),
            &message(kind, Code::CONTENT, mid, &token, &options, b"1"),
        )
    };
    assert_eq!(
        notify(1, MessageType::Confirmable)[0].bytes,
        [0x70, 0, 0, 1]
    );
    assert!(notify(2, MessageType::NonConfirmable).is_empty());
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 87);
}

#[test]
fn discovery_is_answered_in_the_blocks_the_peer_asks_for() {
    let mut bench = Bench::new();
    let mut ask = |num: u32| {
        let extra = [(option::BLOCK2, num << 4)];
        let kind = MessageType::Confirmable;
        let path = "/.well-known/core";
        bench
            .send(
                peer(1),
                &request_with(kind, Code::GET, num as u16, path, &[], &extra, &[]),
            )
            .remove(0)
    };
    let (first, last, beyond) = (ask(0), ask(1), ask(2));
    assert!(first.view().block2().unwrap().unwrap().more());
    assert!(!last.view().block2().unwrap().unwrap().more());
    assert_eq!(
        first.payload() + &last.payload(),
        "</rd>;rt=\"core.rd\",</dp>"
    );
    assert_eq!(beyond.code(), Code::BAD_REQUEST);
}

#[test]
fn every_error_says_in_words_what_is_wrong() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    bench.send(peer(1), &request(Code::DELETE, 1, &location, &[], &[]));
    let requests = [
        (Code::GET, "/nowhere"),
        (Code::GET, "/rd"),
        (Code::POST, "/rd"),
        (Code::POST, "/dp"),
        (Code::POST, &location),
        (Code::DELETE, &location),
        (Code::POST, "/rd/AAAAAAAAAAA"),
    ];
    for (mid, (method, path)) in (2..).zip(requests) {
        let sent = bench.send(peer(1), &request(method, mid, path, &[], &[]));
        assert!(!sent[0].code().is_success(), "{path}");
        assert!(!sent[0].payload().is_empty(), "{} {path}", sent[0].code());
    }
}

#[test]
fn a_response_nobody_waits_for_any_more_is_counted() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let late = response(&first[0], Code::CONTENT, &[(option::OBSERVE, 0)], b"1");
    bench.send(peer(1), &late);
    assert!(bench.send(peer(1), &late).is_empty());
    let token = first[0].view().token();
    let read = MessageType::NonConfirmable;
    // The observation is ended by an error, then the device notifies once more.
    bench.send(peer(1), &message(read, Code::NOT_FOUND, 7, token, &[], &[]));
    let sent = bench.send(peer(1), &message(read, Code::CONTENT, 8, token, &[], b"2"));
    assert_eq!(sent[0].bytes, [0x70, 0, 0, 8]);
    assert_eq!(
        bench.metric("lwm2m_coap_rejected_total{reason=\"unmatched\"}"),
        2.0
    );
}

#[test]
fn datagrams_that_cannot_be_sent_do_not_pile_up_without_bound() {
    let mut bench = Bench::new();
    let mut waiting = 0;
    for round in 0..15_u16 {
        for mid in 0..10_000 {
            let query = "long enough to be answered in words";
            let ask = request(Code::GET, mid, "/rd", &[query], &[]);
            let datagram = Datagram::plain(&ask, peer(round + 1));
            bench.shard.on_datagram(&datagram, Origin::Socket);
        }
        // The socket takes nothing.
        bench.shard.sent(0);
        waiting = waiting.max(bench.shard.outbox().0.len());
    }
    assert!(waiting <= 8 << 20, "{waiting}");
    let lost = bench.metric("lwm2m_udp_send_errors_total");
    assert!((1.0..150_000.0).contains(&lost), "{lost}");
}
