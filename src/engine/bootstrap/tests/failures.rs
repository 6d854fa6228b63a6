//! What ends a session, and what a request is refused with.

use super::*;

/// Code and text of an answer.
fn answer(sent: &[(PeerAddr, Vec<u8>)]) -> (Code, String) {
    let view = MessageView::parse(&sent[0].1).unwrap();
    (
        view.code(),
        String::from_utf8_lossy(view.payload()).into_owned(),
    )
}

fn failed(device: &mut Device, end: End) -> World {
    let mut world = World::new(one_server());
    let request = device.bootstrap_request();
    world.talk(device, request);
    assert_eq!(world.ends(), [end], "{:?}", world.notes);
    assert!(
        !device.finished,
        "a configuration in part is never finished"
    );
    assert_eq!(world.open(), 0);
    world
}

#[test]
fn an_error_to_a_write_stops_the_session() {
    let mut device = Device::new(1);
    device
        .refuses
        .push((Code::PUT, Path::instance(1, 0), Code::BAD_REQUEST));
    let world = failed(&mut device, End::Refused);
    assert_eq!(device.asked(), ["GET /", "PUT /0/1", "PUT /1/0"]);
    assert_eq!(
        world.notes[2..],
        [
            "info: BootstrapWriteRequest /1/0 receives error response 4.00 ",
            "error: Bootstrap session failed because of BootstrapWriteRequest /1/0 was answered 4.00",
        ]
    );
}

#[test]
fn an_error_to_a_delete_stops_it_unless_there_is_nothing_to_delete() {
    let mut device = Device::new(1);
    device.account(1, Some(123), "coap://old");
    device
        .refuses
        .push((Code::DELETE, Path::instance(0, 1), Code::METHOD_NOT_ALLOWED));
    failed(&mut device, End::Refused);
    let mut device = Device::new(1);
    device.account(1, Some(123), "coap://old");
    device
        .refuses
        .push((Code::DELETE, Path::instance(0, 1), Code::NOT_FOUND));
    let mut world = World::new(one_server());
    let request = device.bootstrap_request();
    world.talk(&mut device, request);
    assert_eq!(world.ends(), [End::Finished]);
}

#[test]
fn b10_a_configuration_that_the_device_refuses_ends_at_finish() {
    let mut device = Device::new(1);
    device.account(8, None, "coap://second");
    let world = failed(&mut device, End::FinishRefused);
    let stopped = "error: error response for request bootstrap finish. Stop the session: 4.06";
    assert!(
        world.notes.iter().any(|note| note == stopped),
        "{:?}",
        world.notes
    );
}

#[test]
fn a_device_that_falls_silent_is_given_up_after_the_last_retransmission() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let sent = world.deliver(device.address, &device.bootstrap_request());
    assert_eq!(sent.len(), 2, "the answer and a Discover");
    let mut repeated = 0;
    for _ in 0..130 {
        repeated += world.pass(1_000).len();
    }
    assert_eq!(repeated, 4);
    assert_eq!(world.ends(), [End::Unanswered]);
    let note = "error: BootstrapDiscoverRequest / failed because of the device does not answer";
    assert_eq!(world.notes[0], note);
}

#[test]
fn a_device_that_answers_ever_later_is_stopped_after_five_minutes() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let mut sent = world.deliver(device.address, &device.bootstrap_request());
    for _ in 0..6 {
        let (_, request) = sent.pop().unwrap();
        let view = MessageView::parse(&request).unwrap();
        let mut ack = Vec::new();
        MessageWriter::empty(&mut ack, MessageType::Acknowledgement, view.mid());
        world.deliver(device.address, &ack);
        world.pass(80_000);
        if !world.ended.is_empty() {
            break;
        }
        let mut separate = Vec::new();
        for answer in device.take(&request) {
            let view = MessageView::parse(&answer).unwrap();
            let kind = MessageType::NonConfirmable;
            let mut writer =
                MessageWriter::new(&mut separate, kind, view.code(), 0x7777, view.token());
            if let Some(format) = view.content_format() {
                writer.uint(option::CONTENT_FORMAT, format.into());
            }
            if !view.payload().is_empty() {
                writer.payload(view.payload());
            }
            writer.finish();
        }
        sent = world.deliver(device.address, &separate);
    }
    assert_eq!(world.ends(), [End::TimedOut]);
}

#[test]
fn a_reset_ends_the_session() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let sent = world.deliver(device.address, &device.bootstrap_request());
    let mid = MessageView::parse(&sent[1].1).unwrap().mid();
    let mut reset = Vec::new();
    MessageWriter::empty(&mut reset, MessageType::Reset, mid);
    world.deliver(address(2), &reset);
    assert!(world.ends().is_empty(), "of somebody else");
    world.deliver(device.address, &reset);
    assert_eq!(world.ends(), [End::Unusable]);
}

#[test]
fn b02_requests_that_cannot_be_served_say_why() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let cases: [(Code, &str, &[&str], Code, &str); 6] = [
        (Code::POST, "bs", &[], Code::BAD_REQUEST, "ep is missing"),
        (
            Code::POST,
            "bs",
            &["ep=a", "pct=60"],
            Code::UNSUPPORTED_CONTENT_FORMAT,
            "pct",
        ),
        (
            Code::POST,
            "bs",
            &["ep=a", "pct=x"],
            Code::UNSUPPORTED_CONTENT_FORMAT,
            "pct",
        ),
        (
            Code::GET,
            "bs",
            &["ep=a"],
            Code::METHOD_NOT_ALLOWED,
            "accepted",
        ),
        (Code::POST, "rd", &["ep=a"], Code::NOT_FOUND, "no such"),
        (Code::POST, "bs", &["ep=\u{1}"], Code::BAD_REQUEST, "ep="),
    ];
    for (method, path, queries, code, text) in cases {
        let request = device.request(method, path, queries);
        let (found, said) = answer(&world.deliver(device.address, &request));
        assert_eq!(found, code, "{path} {queries:?}");
        assert!(said.starts_with(text), "{said}");
    }
    assert!(world.asked.is_empty());
    assert_eq!(world.open(), 0);
}

#[test]
fn services_refuse_in_thingsboards_words() {
    let cases = [
        (Refusal::Unauthorized, Code::BAD_REQUEST, "Unauthorized"),
        (
            Refusal::NoConfiguration,
            Code::BAD_REQUEST,
            "no bootstrap config",
        ),
        (
            Refusal::Busy,
            Code::SERVICE_UNAVAILABLE,
            "the server is busy",
        ),
    ];
    for (refusal, code, text) in cases {
        let mut world = World::new(one_server());
        world.refusal = Some(refusal);
        let mut device = Device::new(1);
        let request = device.bootstrap_request();
        let sent = world.deliver(device.address, &request);
        assert_eq!(answer(&sent), (code, text.to_owned()));
        assert_eq!(world.open(), 0);
        let again = world.deliver(device.address, &request);
        assert_eq!(answer(&again), (code, text.to_owned()));
        assert_eq!(world.asked.len(), 1, "a repetition is answered as before");
    }
}

#[test]
fn a_request_that_services_do_not_answer_ends_with_5_03() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let request = device.bootstrap_request();
    let server = world.member.shard.bootstrap().unwrap();
    server.on_datagram(&request, device.address, None, false);
    let told = world.told.try_recv();
    assert!(matches!(told, Ok(Told::Asked(_))));
    assert!(world.take().is_empty());
    let sent = world.pass(10_000);
    assert_eq!(answer(&sent).0, Code::SERVICE_UNAVAILABLE);
    assert_eq!(world.open(), 0);
}

#[test]
fn malformed_and_foreign_messages_change_nothing() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let mut sent = world.deliver(device.address, &device.bootstrap_request());
    let discover = sent.pop().unwrap().1;
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..5_000 {
        let mut bytes = device.take(&discover)[0].clone();
        let at = rng.usize(0..8.min(bytes.len()));
        bytes[at] ^= 1 << rng.u8(..8);
        bytes.truncate(rng.usize(..=bytes.len()));
        world.deliver(address(9), &bytes);
        let noise: Vec<_> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
        world.deliver(address(9), &noise);
    }
    let answer = device.take(&discover).pop().unwrap();
    world.talk(&mut device, answer);
    assert_eq!(world.ends(), [End::Finished]);
}
