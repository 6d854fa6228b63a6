//! Requests that the device has acknowledged and not answered.

use super::commands::{TEXT, at_rest, read, sleeper};
use super::*;
use crate::proto::coap::block::BlockValue;
use crate::proto::lwm2m::Value;

fn acknowledge(bench: &mut Bench, request: &Sent) -> Vec<Sent> {
    let ack = [0x60, 0, request.bytes[2], request.bytes[3]];
    bench.send(peer(1), &ack)
}

/// The response in a message of its own.
fn separate(to: &Sent, mid: u16, options: &[(u16, u32)], body: &[u8]) -> Vec<u8> {
    message(
        MessageType::NonConfirmable,
        Code::CONTENT,
        mid,
        to.view().token(),
        options,
        body,
    )
}

#[test]
fn a_request_that_the_device_has_acknowledged_keeps_no_other_waiting() {
    let mut bench = at_rest();
    let (mut slow, first) = bench.operate(read("/3/0/1"));
    let (mut quick, none) = bench.operate(read("/3/0/2"));
    assert!(none.is_empty());
    let second = acknowledge(&mut bench, &first[0]);
    assert_eq!(second[0].path(), "/3/0/2");
    bench.answer(&second[0], Code::CONTENT, TEXT, b"S1");
    assert_eq!(quick.values()[0].1, Value::String("S1".into()));
    assert!(slow.outcome().is_none());
    bench.send(peer(1), &separate(&first[0], 70, TEXT, b"R1"));
    assert_eq!(slow.values()[0].1, Value::String("R1".into()));
    assert_eq!(bench.registration("dev-1").queue_length, 0);
}

#[test]
fn an_initial_read_that_is_acknowledged_and_never_answered_holds_up_no_command() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let mut asked = Vec::new();
    let mut sent = first;
    while let Some(request) = sent.pop() {
        asked.push(request.path());
        sent = acknowledge(&mut bench, &request);
    }
    assert_eq!(asked, ["/3/0/9", "/3/0/0", "/3/0/1", "/3/0/3"]);
    let (mut command, sent) = bench.operate(read("/3/0/2"));
    bench.answer(&sent[0], Code::CONTENT, TEXT, b"S1");
    assert_eq!(command.values().len(), 1);
}

#[test]
fn a_late_first_block_waits_for_its_turn_to_ask_for_the_next() {
    let mut bench = at_rest();
    let (mut long, first) = bench.operate(read("/3/0/1"));
    let (mut other, _) = bench.operate(read("/3/0/2"));
    let second = acknowledge(&mut bench, &first[0]);
    let block = |number, more| BlockValue::new(number, more, 0).unwrap().encode();
    let options = [
        (option::CONTENT_FORMAT, 0),
        (option::BLOCK2, block(0, true)),
    ];
    let none = bench.send(
        peer(1),
        &separate(&first[0], 71, &options, b"0123456789abcdef"),
    );
    assert!(none.is_empty(), "another request is outstanding");
    let next = bench.answer(&second[0], Code::CONTENT, TEXT, b"S1");
    assert_eq!(other.values().len(), 1);
    assert_eq!(next[0].path(), "/3/0/1");
    let options = [
        (option::CONTENT_FORMAT, 0),
        (option::BLOCK2, block(1, false)),
    ];
    bench.answer(&next[0], Code::CONTENT, &options, b"end");
    assert_eq!(
        long.values()[0].1,
        Value::String("0123456789abcdefend".into())
    );
}

#[test]
fn what_waits_behind_a_request_that_is_sent_again_waits_for_a_silent_device() {
    let mut bench = at_rest();
    let _asked = bench.operate(read("/3/0/1"));
    let _waiting = bench.operate(read("/3/0/2"));
    let reason = |bench: &mut Bench| bench.registration("dev-1").commands[1].waiting_for;
    assert_eq!(reason(&mut bench), "other requests come first");
    bench.wait(5_000);
    assert_eq!(reason(&mut bench), "the device does not answer");
}

#[test]
fn values_that_come_in_one_moment_have_times_of_their_own() {
    let mut bench = at_rest();
    let mut last = 0;
    for value in 0..20 {
        let body = format!(r#"[{{"n":"/3/0/9","v":{value}}}]"#);
        let send = request_with(
            MessageType::Confirmable,
            Code::POST,
            500 + value,
            "/dp",
            &[],
            &[(option::CONTENT_FORMAT, 110)],
            body.as_bytes(),
        );
        bench.send(peer(1), &send);
        let telemetry = &bench.telemetry("dev-1")["batteryLevel"][0];
        assert_eq!(telemetry.value, value);
        assert!(telemetry.ts > last);
        last = telemetry.ts;
    }
}

#[test]
fn a_device_whose_time_awake_is_over_is_not_asked_before_its_deadline_has_run() {
    let mut bench = sleeper();
    bench.now.tick = bench.now.tick.plus_millis(94_000);
    bench.shard.begin(bench.now);
    let (_asked, sent) = bench.operate(read("/3/0/1"));
    assert!(sent.is_empty());
    let waiting = &bench.registration("dev-1").commands[0];
    assert_eq!(waiting.waiting_for, "the device is asleep");
}
