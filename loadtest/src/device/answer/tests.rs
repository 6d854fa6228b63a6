use super::*;
use crate::device::OBSERVATIONS;

const IDENTITY: Identity<'static> = Identity {
    endpoint: "sim-0000042",
    number: 42,
    lifetime: 300,
};

fn request(code: RequestType, path: &str, options: &[(CoapOption, &[u8])]) -> Parsed {
    let mut message = Message::new(
        MessageType::Confirmable,
        MessageClass::Request(code),
        0x0777,
        &[0xAA, 0xBB],
    );
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        message = message.option(CoapOption::UriPath, segment);
    }
    for (option, value) in options {
        message = message.option(*option, value.to_vec());
    }
    Parsed::from_bytes(&message.encode()).unwrap()
}

fn get(path: &str, options: &[(CoapOption, &[u8])]) -> (Asked, Answer, Vec<u8>) {
    let (request, mut device) = (request(RequestType::Get, path, options), Device::new(0, 1));
    let (asked, given) = answer(&mut device, &request, &IDENTITY);
    (
        asked,
        given,
        repeat(&given, &request, 0, &IDENTITY).encode(),
    )
}

#[test]
fn a_read_is_answered_in_the_accepted_format_with_id_and_token_of_the_request() {
    let (asked, _, bytes) = get("/3/0/9", &[]);
    assert_eq!(
        (asked, &bytes[..]),
        (Asked::Read, &b"\x62\x45\x07\x77\xaa\xbb\xc0\xff42"[..])
    );
    let (_, _, bytes) = get("/3/0/9", &[(CoapOption::Accept, b"\x2d\x16")]);
    assert_eq!(
        bytes,
        b"\x62\x45\x07\x77\xaa\xbb\xc2\x2d\x16\xff\xc1\x09\x2a"
    );
    let (_, _, bytes) = get("/3/0/0", &[(CoapOption::Accept, &[112])]);
    assert_eq!(
        bytes,
        b"\x62\x45\x07\x77\xaa\xbb\xc1\x70\xff\x81\xa2\x00\x66/3/0/0\x03\x67Rookery"
    );
}

#[test]
fn error_codes_tell_what_was_wrong() {
    for (path, options, code) in [
        ("/3/0/77", &[][..], 0x84), // 4.04
        ("/5/0/3", &[], 0x84),
        ("/3/1/9", &[], 0x84),
        ("/rd", &[], 0x84),
        ("/3/0/4", &[], 0x85),                                    // 4.05
        ("/3/0/9", &[(CoapOption::Accept, &[60][..])][..], 0x86), // 4.06
        ("/3/0", &[(CoapOption::Accept, &[][..])][..], 0x86),
        (
            "/3/0/9",
            &[(CoapOption::Unknown(9_999), &[1][..])][..],
            0x82,
        ), // 4.02
    ] {
        assert_eq!(get(path, options).1.code, code, "{path}");
    }
    for code in [RequestType::Fetch, RequestType::Put, RequestType::Delete] {
        let mut with_payload = request(code, "/3/0/9", &[]);
        with_payload.packet.payload = vec![1];
        assert_eq!(
            answer(&mut Device::new(0, 1), &with_payload, &IDENTITY)
                .1
                .code,
            0x85,
            "{code:?}"
        );
    }
}

#[test]
fn an_observe_is_kept_and_its_notifications_carry_its_token_and_format() {
    let mut device = Device::new(0, 1);
    let observe = request(
        RequestType::Get,
        "/3/0/9",
        &[(CoapOption::Observe, &[]), (CoapOption::Accept, &[112])],
    );
    let (asked, given) = answer(&mut device, &observe, &IDENTITY);
    assert_eq!(asked, Asked::Observe);
    assert_eq!(
        repeat(&given, &observe, 0, &IDENTITY).encode()[6..9],
        [0x60, 0x61, 112]
    );

    let observation = device.observation(0).unwrap();
    let notification =
        observe_notification(observation, MessageType::NonConfirmable, 5, 1, &IDENTITY).encode();
    assert_eq!(
        notification,
        b"\x52\x45\x00\x05\xaa\xbb\x61\x01\x61\x70\xff\x81\xa2\x00\x66/3/0/9\x02\x18\x2b"
    );
}

#[test]
fn observe_1_cancels() {
    let mut device = Device::new(0, 1);
    answer(
        &mut device,
        &request(RequestType::Get, "/3/0/9", &[(CoapOption::Observe, &[])]),
        &IDENTITY,
    );
    assert_eq!(device.observed().count(), 1);
    let cancel = request(RequestType::Get, "/3/0/9", &[(CoapOption::Observe, &[1])]);
    let (_, given) = answer(&mut device, &cancel, &IDENTITY);
    assert_eq!(device.observed().count(), 0);
    assert_eq!(
        repeat(&given, &cancel, 0, &IDENTITY).encode()[6] >> 4,
        12,
        "no Observe option in the answer"
    );
}

#[test]
fn an_observe_beyond_what_fits_is_a_read() {
    let mut device = Device::new(0, 1);
    for resource in [0, 1, 2, 3, 9] {
        let path = format!("/3/0/{resource}");
        let mut observe = request(RequestType::Get, &path, &[(CoapOption::Observe, &[])]);
        observe.packet.set_token(vec![resource]);
        assert_eq!(answer(&mut device, &observe, &IDENTITY).1.code, 0x45);
    }
    assert_eq!(device.observed().count(), OBSERVATIONS);
}

#[test]
fn a_repetition_is_answered_as_the_first_time_though_the_value_has_changed() {
    let mut device = Device::new(0, 1);
    let read = request(RequestType::Get, "/3/0/9", &[]);
    let (_, given) = answer(&mut device, &read, &IDENTITY);
    device.remember(0x0777, 10, given);
    device.sequence += 1;
    let again = device.seen(0x0777, 12).unwrap();
    assert_eq!(
        repeat(&again, &read, 0, &IDENTITY).encode(),
        repeat(&given, &read, 0, &IDENTITY).encode()
    );
}
