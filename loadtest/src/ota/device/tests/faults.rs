//! What goes wrong: blocks lost and repeated, power, flash, refusals.

use super::*;

fn put_block(lab: &mut Lab, at: usize) -> MessageClass {
    let request = lab.block(at, "/5/0/0");
    lab.receive(Peer::Server, &request);
    lab.next().header.code
}

#[test]
fn a_message_that_comes_again_gets_its_answer_again_and_a_block_is_taken_once() {
    let mut lab = lab(|_| {}, None);
    let first = lab.block(0, "/5/0/0");
    lab.receive(Peer::Server, &first);
    let answer = lab.next();
    lab.receive(Peer::Server, &first);
    assert_eq!(lab.next(), answer);
    // The server goes on where it knows that the device was.
    assert_eq!(put_block(&mut lab, 0), code(ResponseType::Continue));
    assert_eq!(put_block(&mut lab, 1), code(ResponseType::Continue));
    assert_eq!(put_block(&mut lab, 2), code(ResponseType::Changed));
    assert_eq!(put_block(&mut lab, 2), code(ResponseType::Changed));
    lab.is("2", "0");
    let repeated = lab.events.iter().filter(|event| **event == Event::Repeated);
    assert_eq!(repeated.count(), 2);
}

#[test]
fn a_block_without_the_one_before_it_is_incomplete() {
    let mut lab = lab(|_| {}, None);
    assert_eq!(
        put_block(&mut lab, 1),
        code(ResponseType::RequestEntityIncomplete)
    );
    assert_eq!(put_block(&mut lab, 0), code(ResponseType::Continue));
    assert_eq!(
        put_block(&mut lab, 2),
        code(ResponseType::RequestEntityIncomplete)
    );
    lab.is("0", "0");
}

#[test]
fn another_image_than_the_right_one_is_wrong_and_fails_the_integrity_check() {
    let mut lab = lab(|_| {}, None);
    lab.image.bytes[2_000] ^= 0x80;
    lab.push("/5/0/0");
    assert!(lab.events.contains(&Event::Wrong));
    lab.is("0", "5");
    lab.image.bytes[2_000] ^= 0x80;
    lab.push("/5/0/0");
    lab.is("2", "0");
}

#[test]
fn flash_that_spoils_a_bit_is_noticed() {
    let mut lab = lab(|scenario| scenario.corrupt = 0.999_999, None);
    lab.push("/5/0/0");
    assert!(lab.events.contains(&Event::Spoilt) && !lab.events.contains(&Event::Wrong));
    lab.is("0", "5");
}

#[test]
fn without_power_a_download_is_lost_and_an_image_in_flash_is_not() {
    let (mut in_download, mut in_installation) = (0, 0);
    for seed in 0..60 {
        let mut lab = lab(
            |scenario| (scenario.power_cuts, scenario.seed) = (0.999_999, seed),
            None,
        );
        for at in 0..3 {
            let request = lab.block(at, "/5/0/0");
            lab.receive(Peer::Server, &request);
        }
        let cut = lab.events.contains(&Event::Cut);
        if !cut {
            lab.sent.clear();
            lab.ask(RequestType::Post, "/5/0/2", b"");
            lab.wait();
        }
        assert!(lab.events.ends_with(&[Event::Cut, Event::Off]));
        lab.sent.clear();
        lab.wait();
        lab.accept_register();
        if cut {
            in_download += 1;
            lab.is("0", "0");
        } else {
            in_installation += 1;
            lab.is("2", "0");
        }
        assert_eq!(lab.read("/3/0/3"), "1.0");
    }
    assert!(in_download > 40 && in_installation > 0, "{in_download}");
}

#[test]
fn slow_flash_answers_late_and_a_repetition_does_not_hurry_it() {
    let mut lab = lab(|scenario| scenario.flash_ms = 30.0, None);
    let request = lab.block(0, "/5/0/0");
    lab.receive(Peer::Server, &request);
    lab.receive(Peer::Server, &request);
    assert!(lab.sent.is_empty());
    lab.wait();
    assert_eq!(lab.now, 31_000);
    let answer = lab.next();
    assert_eq!(answer.header.get_type(), MessageType::Acknowledgement);
    assert_eq!(answer.header.code, code(ResponseType::Continue));
    assert!(lab.sent.is_empty());
}

#[test]
fn slow_flash_may_answer_by_a_message_of_its_own() {
    let change = |scenario: &mut OtaScenario| (scenario.flash_ms, scenario.separate) = (30.0, true);
    let mut lab = lab(change, None);
    let request = lab.block(0, "/5/0/0");
    for _ in 0..2 {
        lab.receive(Peer::Server, &request);
        assert_eq!(lab.next().header.code, MessageClass::Empty);
    }
    lab.wait();
    let answer = lab.next();
    assert_eq!(answer.header.get_type(), MessageType::Confirmable);
    assert_eq!(answer.get_token(), request.get_token());
    // Until it is acknowledged.
    lab.wait();
    assert_eq!(lab.next(), answer);
    lab.acknowledge(&answer);
    assert_eq!(lab.device.next_wake(), Micros::MAX);
}

#[test]
fn a_device_that_refuses_reports_its_result() {
    for result in [2, 3, 4, 5, 6] {
        let mut lab = lab(|_| {}, Some(result));
        lab.push("/5/0/0");
        lab.is("0", &result.to_string());
        assert!(lab.events.contains(&Event::Refused(result)));
    }
    for result in [7, 9] {
        let mut lab = lab(|_| {}, Some(result));
        lab.ask(RequestType::Put, "/5/0/1", b"coap://127.0.0.1:5685/x");
        lab.is("0", &result.to_string());
    }
    let mut lab = lab(|_| {}, Some(8));
    lab.push("/5/0/0");
    lab.ask(RequestType::Post, "/5/0/2", b"");
    lab.wait();
    lab.is("0", "8");
}

#[test]
fn an_order_to_install_nothing_is_refused() {
    let mut lab = lab(|_| {}, None);
    let answer = lab.ask(RequestType::Post, "/5/0/2", b"");
    assert_eq!(answer.header.code, code(ResponseType::MethodNotAllowed));
}

#[test]
fn a_download_goes_on_after_silence_and_is_given_up_after_too_much_of_it() {
    let mut lab = lab(|_| {}, None);
    lab.ask(RequestType::Put, "/5/0/1", b"coap://127.0.0.1:5685/x");
    let mut asked = 0;
    while lab.device.fetch.is_some() {
        asked += lab.sent.drain(..).count();
        lab.wait();
    }
    assert_eq!(asked, 4 * 5, "four times, with four retransmissions");
    lab.is("0", "4");
}

#[test]
fn a_refused_download_is_an_invalid_address() {
    let mut lab = lab(|_| {}, None);
    lab.ask(RequestType::Put, "/5/0/1", b"coap://127.0.0.1:5685/x");
    let request = lab.next();
    lab.respond(Peer::Server, &request, ResponseType::NotFound, |packet| {
        packet
    });
    lab.is("0", "7");
    lab.ask(RequestType::Put, "/5/0/1", b"");
    lab.is("0", "0");
}
