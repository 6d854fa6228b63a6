//! Repeated messages, blocks, faults.

use super::*;
use crate::client::formats::{OPAQUE, SENML_JSON, TLV};
use crate::client::options::Fault;
use crate::client::request::Kind;

fn block(number: u32, more: bool, exponent: u32) -> u32 {
    number << 4 | u32::from(more) << 3 | exponent
}

fn write_block(number: u32, more: bool, payload: &[u8]) -> Ask {
    put("/19/0/0/0")
        .body(OPAQUE, payload)
        .number(CoapOption::Block1, block(number, more, 0))
}

#[test]
fn a_repeated_message_gets_the_same_answer_and_is_carried_out_once() {
    let mut lab = Lab::new(options());
    let bytes = lab.bytes_of(post("/19").body(TLV, b"\x83\x00\x41\x00\xaa"));
    lab.device.receive(&bytes, lab.now);
    let first = lab.device.transmit().unwrap();
    lab.accept_all();
    lab.device.receive(&bytes, lab.now + 3_000);
    assert_eq!(lab.device.transmit().unwrap(), first);
    assert_eq!(lab.device.asked(Kind::Create), 1);
    assert_eq!(lab.device.counters().repeated, 1);
    assert!(lab.device.value("/19/3/0/0").is_none());
}

#[test]
fn a_body_in_blocks_is_put_together_whatever_the_tokens() {
    let mut lab = Lab::new(options());
    let first = lab.ask(write_block(0, true, b"0123456789abcdef").token(b"a"));
    assert_eq!(code_of(&first), "2.31");
    assert_eq!(
        number_of(&first, CoapOption::Block1),
        Some(block(0, true, 0))
    );
    let last = lab.ask(write_block(1, false, b"xy").token(b"b"));
    assert_eq!(code_of(&last), "2.04");
    assert_eq!(last.get_token(), b"b");
    let expected = Value::Opaque(b"0123456789abcdefxy".to_vec());
    assert_eq!(lab.device.value("/19/0/0/0"), Some(expected));
}

#[test]
fn a_missing_block_is_4_08_and_too_long_a_body_4_13() {
    let mut lab = Lab::new(ClientOptions {
        largest_body: 20,
        ..options()
    });
    assert_eq!(lab.code(write_block(1, false, b"xy")), "4.08");
    assert_eq!(lab.code(write_block(0, true, b"0123456789abcdef")), "2.31");
    assert_eq!(lab.code(write_block(2, false, b"xy")), "4.08");
    assert_eq!(lab.code(write_block(0, true, b"short")), "4.08");
    assert_eq!(lab.code(write_block(0, true, b"0123456789abcdef")), "2.31");
    assert_eq!(lab.code(write_block(1, true, b"0123456789abcdef")), "4.13");
}

#[test]
fn a_long_answer_leaves_in_blocks_of_the_size_asked_for() {
    let mut lab = Lab::new(options());
    let whole = lab.ask(get("/3/0").accept(SENML_JSON)).payload;
    assert!(whole.len() > 256);
    let mut parts = Vec::new();
    for number in 0.. {
        let part = lab.ask(
            get("/3/0")
                .accept(SENML_JSON)
                .number(CoapOption::Block2, block(number, false, 2)),
        );
        let option = number_of(&part, CoapOption::Block2).unwrap();
        assert_eq!((option >> 4, option & 7), (number, 2));
        assert!(part.payload.len() <= 64);
        parts.extend(part.payload);
        // A change on the way does not tear the answer.
        lab.device.put("/3/0/1", format!("Model {number}").into());
        if option & 8 == 0 {
            break;
        }
    }
    assert_eq!(parts, whole);
}

#[test]
fn the_own_block_size_bounds_answers_and_notifications() {
    let mut lab = Lab::new(ClientOptions {
        block_size: 64,
        ..options()
    });
    // The Register went out in blocks, which this server did not expect.
    let answer = lab.ask(get("/3/0").accept(SENML_JSON).observe(0));
    assert_eq!(
        number_of(&answer, CoapOption::Block2),
        Some(block(0, true, 2))
    );
    lab.set("/3/0/1", "Model 501");
    let notification = lab.next().unwrap();
    assert_eq!(notification.payload.len(), 64);
    let later = lab.ask(
        get("/3/0")
            .accept(SENML_JSON)
            .number(CoapOption::Block2, block(1, false, 2)),
    );
    assert_eq!(code_of(&later), "2.05");
    assert_eq!(later.payload.len(), 64);
}

#[test]
fn a_long_register_goes_in_blocks_with_another_token_each() {
    let mut device = Device::new(
        ClientOptions {
            block_size: 64,
            ..options()
        },
        START,
    );
    device.tick(START);
    let mut lab = Lab {
        device,
        now: START,
        mid: 100,
    };
    let (mut body, mut tokens) = (Vec::new(), Vec::new());
    while let Some(packet) = lab.next() {
        let option = number_of(&packet, CoapOption::Block1).unwrap();
        body.extend_from_slice(&packet.payload);
        tokens.push(packet.get_token().to_vec());
        let more = option & 8 != 0;
        let code = if more {
            ResponseType::Continue
        } else {
            ResponseType::Created
        };
        lab.answer(&packet, code, (!more).then_some("r1"));
    }
    assert!(tokens.len() > 2);
    tokens.dedup();
    assert!(tokens.len() > 2);
    assert_eq!(
        String::from_utf8(body).unwrap(),
        lab.device.registration().objects
    );
    assert!(lab.device.registration().registered);
}

#[test]
fn each_fault_shows_on_the_wire() {
    let mut lab = Lab::new(options());
    let mut raw = |fault| {
        lab.device.set_fault(Some(fault));
        let bytes = lab.bytes_of(get("/3/0/1"));
        lab.device.receive(&bytes, lab.now);
        lab.device.transmit()
    };
    assert_eq!(raw(Fault::NeverAnswer), None);
    assert_eq!(raw(Fault::AcknowledgeOnly).unwrap().len(), 4);
    assert!(Packet::from_bytes(&raw(Fault::NotCoap).unwrap()).is_err());
    let mut parsed = |fault| Packet::from_bytes(&raw(fault).unwrap()).unwrap();
    assert_ne!(parsed(Fault::Garbage).payload, b"Model 500");
    assert_eq!(parsed(Fault::WrongToken).get_token(), b"wrong");
    let strange = number_of(&parsed(Fault::WrongFormat), CoapOption::ContentFormat);
    assert_eq!(strange, Some(65_000));
    assert_eq!(parsed(Fault::TruncatedPayload).payload, b"Mode");
    assert_eq!(raw(Fault::DropEvery(1)), None);
    lab.device.set_fault(None);
    assert_eq!(lab.asked(get("/3/0/1")).1, "Model 500");
}

#[test]
fn nonsense_and_pings_leave_the_device_unharmed() {
    let mut lab = Lab::new(options());
    let mut rng = Rng::with_seed(7);
    for _ in 0..20_000 {
        let length = rng.usize(..80);
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        if let Some(first) = bytes.first_mut() {
            *first = 0x40 | (*first & 0x03);
        }
        lab.device.receive(&bytes, lab.now);
        while lab.device.transmit().is_some() {}
    }
    lab.device.receive(b"\x40\x00\xab\xcd", lab.now);
    assert_eq!(lab.device.transmit().unwrap(), b"\x70\x00\xab\xcd");
    lab.mid = 30_000;
    assert_eq!(lab.asked(get("/3/0/1")).1, "Model 500");
}
