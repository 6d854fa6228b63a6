//! What follows a Register: observe, read, notifications, Sends.

use super::*;
use crate::engine::endpoint::slot::State;

#[test]
fn after_register_the_profile_is_observed_first_and_read_then_one_request_at_a_time() {
    let mut bench = Bench::new();
    let (_, mut sent) = registered(&mut bench, peer(1), "dev-1");
    let mut asked = Vec::new();
    while let Some(request) = sent.pop() {
        assert!(sent.is_empty(), "one at a time");
        asked.push((request.path(), request.view().observe()));
        let options: &[(u16, u32)] = if request.view().observe().is_some() {
            &[(option::OBSERVE, 0)]
        } else {
            &[]
        };
        let payload: &[u8] = if request.path() == "/3/0/9" {
            b"87"
        } else {
            b"x"
        };
        sent = bench.send(
            peer(1),
            &response(&request, Code::CONTENT, options, payload),
        );
    }
    let expected = [
        ("/3/0/9", Some(0)),
        ("/3/0/0", None),
        ("/3/0/1", None),
        ("/3/0/3", None),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(path, o)| ((*path).to_owned(), *o))
        .collect();
    assert_eq!(asked, expected);
}

#[test]
fn values_of_the_first_answers_are_shown() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 87);
    let attributes = bench.attributes("dev-1");
    assert_eq!(attributes["manufacturer"].value, "Rookery Works");
    assert_eq!(attributes["modelNumber"].value, "R1");
    assert_eq!(attributes["firmwareVersion"].value, "1.0.2");
    let view = bench.registration("dev-1");
    assert_eq!((view.queue_length, view.observations.len()), (0, 1));
    assert_eq!(
        bench.metric("lwm2m_requests_total{operation=\"read\",result=\"success\"}"),
        3.0
    );
}

#[test]
fn the_battery_level_is_understood_in_every_content_format() {
    let cases: [(u32, &[u8]); 5] = [
        (0, b"42"),
        (11542, &[0xc1, 0x09, 42]),
        (110, br#"[{"bn":"/3/0/9","v":42}]"#),
        (112, b"\x81\xa2\x21\x66/3/0/9\x02\x18\x2a"),
        (60, &[0x18, 42]),
    ];
    for (format, payload) in cases {
        let mut bench = Bench::new();
        let (_, mut sent) = registered(&mut bench, peer(1), "dev-1");
        let options = [(option::OBSERVE, 0), (option::CONTENT_FORMAT, format)];
        bench.send(
            peer(1),
            &response(&sent.remove(0), Code::CONTENT, &options, payload),
        );
        let telemetry = bench.telemetry("dev-1");
        assert_eq!(telemetry["batteryLevel"][0].value, 42, "format {format}");
    }
}

#[test]
fn an_undecodable_value_is_counted_and_shown_and_the_observation_stays() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let options = [(option::OBSERVE, 3)];
    let nonsense = message(
        MessageType::Confirmable,
        Code::CONTENT,
        9,
        &token,
        &options,
        b"full",
    );
    let sent = bench.send(peer(1), &nonsense);
    assert_eq!(
        sent[0].bytes,
        [0x60, 0, 0, 9],
        "it is acknowledged all the same"
    );
    let view = bench.registration("dev-1");
    let problem = view
        .problems
        .iter()
        .find(|p| p.reason == "undecodable")
        .unwrap();
    assert_eq!(problem.path.as_deref(), Some("/3/0/9"));
    assert_eq!(view.observations.len(), 1);
    assert_eq!(
        bench.metric("lwm2m_values_dropped_total{reason=\"undecodable\"}"),
        1.0
    );
    let options = [(option::OBSERVE, 4), (option::CONTENT_FORMAT, 666)];
    bench.send(
        peer(1),
        &message(
            MessageType::NonConfirmable,
            Code::CONTENT,
            10,
            &token,
            &options,
            b"?",
        ),
    );
    assert_eq!(
        bench.metric("lwm2m_values_dropped_total{reason=\"unsupported_format\"}"),
        1.0
    );
}

#[test]
fn a_notification_overtaken_by_a_newer_one_changes_nothing() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    for (mid, sequence, value) in [(20, 7, b"60"), (21, 6, b"61")] {
        let options = [(option::OBSERVE, sequence)];
        bench.send(
            peer(1),
            &message(
                MessageType::NonConfirmable,
                Code::CONTENT,
                mid,
                &token,
                &options,
                value,
            ),
        );
    }
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 60);
    assert_eq!(
        bench.metric("lwm2m_notifications_total{strategy=\"single\",result=\"stale\"}"),
        1.0
    );
}

#[test]
fn a_repeated_confirmable_notification_is_acknowledged_again_and_counted_once() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let options = [(option::OBSERVE, 1)];
    let notification = message(
        MessageType::Confirmable,
        Code::CONTENT,
        30,
        &token,
        &options,
        b"9",
    );
    for _ in 0..2 {
        assert_eq!(
            bench.send(peer(1), &notification)[0].bytes,
            [0x60, 0, 0, 30]
        );
    }
    assert_eq!(
        bench.metric("lwm2m_notifications_total{strategy=\"single\",result=\"accepted\"}"),
        1.0
    );
}

#[test]
fn an_error_notification_ends_the_observation() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    bench.send(
        peer(1),
        &message(
            MessageType::Confirmable,
            Code::NOT_FOUND,
            30,
            &token,
            &[],
            &[],
        ),
    );
    assert!(bench.registration("dev-1").observations.is_empty());
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 0.0);
}

#[test]
fn a_request_is_sent_again_with_back_off_and_given_up_after_the_fourth_time() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let again = bench.wait(100_000);
    assert_eq!(again.len(), 4, "MAX_RETRANSMIT");
    assert!(
        again.iter().all(|sent| sent.bytes == first[0].bytes),
        "the same message each time"
    );
    assert_eq!(bench.metric("lwm2m_coap_retransmissions_total"), 4.0);
    let view = bench.registration("dev-1");
    assert_eq!(view.problems[0].reason, "request_timeout");
    assert_eq!(view.queue_length, 4, "the request waits");
}

#[test]
fn what_a_silent_device_was_to_be_asked_is_asked_when_it_speaks_again() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    bench.wait(100_000);
    let mut sent = bench.send(peer(1), &request(Code::POST, 2, &location, &[], &[]));
    assert_eq!(sent.remove(0).code(), Code::CHANGED);
    assert_eq!(sent[0].path(), "/3/0/9");
    initialised(&mut bench, peer(1), sent);
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 87);
}

#[test]
fn a_silent_device_that_always_listens_is_asked_again_later_though_it_does_not_speak() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    bench.wait(100_000);
    let problem = &bench.registration("dev-1").problems[0];
    let detail = "Observe not answered in time; tried again later";
    assert_eq!(problem.detail, detail);
    assert!(bench.wait(20_000).is_empty());
    let again = bench.wait(36_000);
    assert_eq!(again[0].path(), "/3/0/9");
    assert_ne!(again[0].view().mid(), first[0].view().mid());
    initialised(&mut bench, peer(1), again.into_iter().take(1).collect());
    let view = bench.registration("dev-1");
    assert_eq!((view.queue_length, view.active), (0, false));
    assert_eq!(view.observations[0].state, "established");
}

#[test]
fn a_silent_device_is_asked_again_a_few_times_only() {
    let mut bench = Bench::new();
    let query = ["lwm2m=1.1", "ep=dev-1", "lt=100000"];
    bench.send(peer(1), &request(Code::POST, 1, "/rd", &query, LINKS));
    bench.wait(24 * 3_600_000);
    let view = bench.registration("dev-1");
    let asked: Vec<_> = view.problems.iter().map(|known| known.count).collect();
    assert_eq!(asked, [3; 4]);
    assert_eq!((view.queue_length, view.active), (4, false));
}

#[test]
fn what_stays_unanswered_gives_way_to_the_rest_and_is_tried_once_more_after_each_update() {
    let mut bench = Bench::new();
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    bench.wait(100_000);
    // The device answers all but the Observe.
    let update = |bench: &mut Bench, mid| {
        let update = request(Code::POST, mid, &location, &[], &[]);
        let mut asked = Vec::new();
        let mut waiting = bench.send(peer(1), &update).split_off(1);
        while let Some(request) = waiting.pop() {
            let path = request.path();
            if path != "/3/0/9" {
                let answer = response(&request, Code::CONTENT, &[], b"x");
                waiting.extend(bench.send(peer(1), &answer));
            }
            asked.push(path);
        }
        bench.wait(100_000);
        asked
    };
    assert_eq!(update(&mut bench, 2), ["/3/0/9"]);
    assert_eq!(update(&mut bench, 3), ["/3/0/9"]);
    assert_eq!(
        update(&mut bench, 4),
        ["/3/0/0", "/3/0/1", "/3/0/3", "/3/0/9"],
        "after the third time the others have their turn"
    );
    assert_eq!(update(&mut bench, 5), ["/3/0/9"]);
    let view = bench.registration("dev-1");
    assert_eq!((view.queue_length, view.active), (1, false));
    assert_eq!(view.observations[0].state, "pending");
    let sent = bench.send(peer(1), &request(Code::POST, 6, &location, &[], &[]));
    initialised(&mut bench, peer(1), sent.into_iter().skip(1).collect());
    let view = bench.registration("dev-1");
    assert_eq!(view.queue_length, 0);
    assert_eq!(view.observations[0].state, "established");
}

#[test]
fn a_separate_response_is_acknowledged_and_its_repetition_too() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let request = &first[0];
    let mid = request.view().mid();
    let ack = message(
        MessageType::Acknowledgement,
        Code::EMPTY,
        mid,
        &[],
        &[],
        &[],
    );
    bench.send(peer(1), &ack);
    let sent = bench.wait(20_000);
    assert!(
        sent.iter().all(|sent| sent.view().mid() != mid),
        "an acknowledged request is not sent again"
    );
    let token = request.view().token();
    let options = [(option::OBSERVE, 0)];
    let separate = message(
        MessageType::Confirmable,
        Code::CONTENT,
        77,
        token,
        &options,
        b"55",
    );
    let sent = bench.send(peer(1), &separate);
    assert_eq!(sent[0].bytes, [0x60, 0, 0, 77]);
    assert_eq!(
        bench.send(peer(1), &separate)[0].bytes,
        [0x60, 0, 0, 77],
        "not a Reset"
    );
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 55);
}

#[test]
fn a_reset_and_an_error_end_a_request_and_the_next_one_goes_out() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let reset = message(
        MessageType::Reset,
        Code::EMPTY,
        first[0].view().mid(),
        &[],
        &[],
        &[],
    );
    let next = bench.send(peer(1), &reset);
    assert_eq!(next[0].path(), "/3/0/0");
    let next = bench.send(
        peer(1),
        &response(&next[0], Code::METHOD_NOT_ALLOWED, &[], &[]),
    );
    assert_eq!(next[0].path(), "/3/0/1");
    let problems = bench.registration("dev-1").problems;
    let reasons: Vec<_> = problems.iter().map(|p| p.reason.as_str()).collect();
    assert_eq!(reasons, ["request_reset", "request_refused"]);
}

#[test]
fn a_large_value_is_fetched_block_by_block_each_with_its_own_deadline() {
    let mut bench = Bench::new();
    let (_, mut sent) = registered(&mut bench, peer(1), "dev-1");
    let options = [(option::OBSERVE, 0)];
    sent = bench.send(peer(1), &response(&sent[0], Code::CONTENT, &options, b"1"));
    assert_eq!(sent[0].path(), "/3/0/0");
    let value = "m".repeat(40);
    for (num, chunk) in value.as_bytes().chunks(16).enumerate() {
        let more = u32::from((num + 1) * 16 < value.len());
        let options = [(option::BLOCK2, (num as u32) << 4 | more << 3)];
        bench.wait(1_500);
        sent = bench.send(peer(1), &response(&sent[0], Code::CONTENT, &options, chunk));
    }
    assert_eq!(
        sent[0].path(),
        "/3/0/1",
        "the next request follows the last block"
    );
    assert_eq!(bench.attributes("dev-1")["manufacturer"].value, value);
}

#[test]
fn the_remainder_of_a_notification_is_fetched() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let options = [
        (option::OBSERVE, 1),
        (option::CONTENT_FORMAT, 110),
        (option::BLOCK2, 8),
    ];
    let first_block = br#"[{"bn":"/3/0/9",    "v":42}]"#;
    let notification = message(
        MessageType::NonConfirmable,
        Code::CONTENT,
        40,
        &token,
        &options,
        &first_block[..16],
    );
    let sent = bench.send(peer(1), &notification);
    assert_eq!(sent[0].path(), "/3/0/9");
    assert_eq!(
        sent[0].view().observe(),
        None,
        "without Observe (RFC 7959 §2.6)"
    );
    assert_eq!(sent[0].view().block2().unwrap().unwrap().num(), 1);
    let options = [(option::CONTENT_FORMAT, 110), (option::BLOCK2, 1 << 4)];
    bench.send(
        peer(1),
        &response(&sent[0], Code::CONTENT, &options, &first_block[16..]),
    );
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 42);
}

#[test]
fn a_send_is_taken_with_its_timestamps() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    let kind = MessageType::Confirmable;
    let payload = br#"[{"bn":"/3/0/9","bt":1795435900,"v":10},{"t":50,"v":11}]"#;
    let extra = [(option::CONTENT_FORMAT, 110)];
    bench.now.wall += 1_000;
    bench.shard.begin(bench.now);
    let sent = bench.send(
        peer(1),
        &request_with(kind, Code::POST, 50, "/dp", &[], &extra, payload),
    );
    assert_eq!(sent[0].code(), Code::CHANGED);
    let events = bench.event_names();
    assert_eq!(
        events.iter().filter(|name| **name == "telemetry").count(),
        3,
        "each value is told"
    );
    let latest = &bench.telemetry("dev-1")["batteryLevel"][0];
    assert_eq!(
        (latest.value.as_i64(), latest.ts),
        (Some(87), 1_795_435_985_890),
        "the latest by time"
    );
}

#[test]
fn a_send_is_refused_when_undecodable_foreign_or_from_nobody() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    let kind = MessageType::Confirmable;
    let mut send = |from, mid, payload: &[u8]| {
        let extra = [(option::CONTENT_FORMAT, 110)];
        let bytes = request_with(kind, Code::POST, mid, "/dp", &[], &extra, payload);
        bench.send(from, &bytes)[0].code()
    };
    assert_eq!(send(peer(1), 60, b"[{"), Code::BAD_REQUEST);
    assert_eq!(
        send(peer(1), 61, br#"[{"n":"/3304/0/5700","v":1}]"#),
        Code::NOT_FOUND
    );
    assert_eq!(
        send(peer(9), 62, br#"[{"n":"/3/0/9","v":1}]"#),
        Code::BAD_REQUEST
    );
}

#[test]
fn an_unmapped_value_is_counted_and_shown_per_device() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    let kind = MessageType::Confirmable;
    let extra = [(option::CONTENT_FORMAT, 110)];
    let payload = br#"[{"n":"/3303/0/5700","v":21.5}]"#;
    let sent = bench.send(
        peer(1),
        &request_with(kind, Code::POST, 50, "/dp", &[], &extra, payload),
    );
    assert_eq!(sent[0].code(), Code::CHANGED);
    let view = bench.registration("dev-1");
    let problem = view
        .problems
        .iter()
        .find(|p| p.reason == "unmapped")
        .unwrap();
    assert_eq!(problem.path.as_deref(), Some("/3303/0/5700"));
    assert_eq!(
        bench.metric("lwm2m_values_dropped_total{reason=\"unmapped\"}"),
        1.0
    );
}

#[test]
fn requests_go_below_the_alternate_path() {
    let mut bench = Bench::new();
    let links = b"</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>";
    let sent = bench.send(peer(1), &request(Code::POST, 1, "/rd", &["ep=alt"], links));
    assert_eq!(sent[1].path(), "/lwm2m/3/0/9");
}

#[test]
fn the_path_of_a_link_is_asked_for_without_its_percent_encoding() {
    let mut bench = Bench::new();
    let links = b"</my%20things%2F;x%zz%4>;rt=\"oma.lwm2m\",</my%20things%2F;x%zz%4/3/0>";
    let sent = bench.send(
        peer(1),
        &request(Code::POST, 1, "/rd", &["ep=dev-1"], links),
    );
    let segments: Vec<_> = sent[1].view().uri_path().collect();
    assert_eq!(segments, [&b"my things/;x%zz%4"[..], b"3", b"0", b"9"]);
}

#[test]
fn a_token_of_an_observation_is_not_used_again() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    let slot = bench.shared.directory.home("dev-1").unwrap().slot;
    let State::Rest(core) = &mut bench.shard.endpoints.get_mut(slot).unwrap().state else {
        panic!("the endpoint is at rest");
    };
    // As after 65,536 requests.
    core.restart_tokens();
    let update = request(Code::POST, 2, &location, &[], LINKS);
    let sent = bench.send(peer(1), &update);
    assert_eq!(sent[1].path(), "/3/0/0");
    assert_ne!(sent[1].view().token(), token);
}
