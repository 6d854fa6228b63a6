//! Every way in which a datagram can fail to be a message.

use super::super::*;
use super::hex;
use crate::proto::coap::Code;

#[track_caller]
fn refused(digits: &str, expected: FormatError) {
    assert_eq!(
        MessageView::parse(&hex(digits)).map(|view| view.header()),
        Err(expected)
    );
}

#[test]
fn less_than_a_header_is_too_short() {
    for length in 0..4 {
        let bytes = &[0x40, 0x01, 0x00, 0x01][..length];
        assert_eq!(
            MessageView::parse(bytes).unwrap_err(),
            FormatError::TooShort { length }
        );
        assert_eq!(Header::peek(bytes), None);
    }
}

#[test]
fn a_version_other_than_1_is_refused_and_not_worth_a_reset() {
    for (first, version) in [(0x00, 0), (0x80, 2), (0xc0, 3)] {
        let bytes = [first, 0x01, 0x00, 0x01];
        assert_eq!(
            MessageView::parse(&bytes).unwrap_err(),
            FormatError::UnsupportedVersion { version }
        );
        assert_eq!(Header::peek(&bytes), None);
    }
}

#[test]
fn token_lengths_9_to_15_are_reserved() {
    for length in 9..=15 {
        let bytes = [&[0x40 | length, 0x01, 0x00, 0x01][..], &[0; 20]].concat();
        assert_eq!(
            MessageView::parse(&bytes).unwrap_err(),
            FormatError::ReservedTokenLength { length }
        );
    }
}

#[test]
fn a_token_must_be_complete() {
    refused("42 01 0001 aa", FormatError::TruncatedToken { length: 2 });
    refused("48 01 0001", FormatError::TruncatedToken { length: 8 });
}

#[test]
fn an_empty_message_ends_after_its_message_id() {
    refused("40 00 0001 ff", FormatError::EmptyWithContent { extra: 1 });
    refused("41 00 0001 aa", FormatError::EmptyWithContent { extra: 1 });
    refused(
        "60 00 0001 ff 00",
        FormatError::EmptyWithContent { extra: 2 },
    );
}

#[test]
fn classes_1_6_and_7_are_reserved() {
    for code in [0x20, 0x3f, 0xc0, 0xdf, 0xe1, 0xff] {
        assert_eq!(
            MessageView::parse(&[0x40, code, 0x00, 0x01]).unwrap_err(),
            FormatError::ReservedCodeClass {
                code: Code::from_u8(code)
            }
        );
    }
}

#[test]
fn unassigned_codes_of_good_classes_are_messages() {
    for code in [0x08, 0x1f, 0x46, 0x60, 0x7f, 0x99, 0xbf] {
        let bytes = [0x50, code, 0x00, 0x01];
        assert_eq!(MessageView::parse(&bytes).unwrap().code().as_u8(), code);
    }
}

#[test]
fn type_and_code_must_fit_together() {
    refused("50 00 0001", FormatError::EmptyNonConfirmable);
    refused(
        "70 45 0001",
        FormatError::NonEmptyReset {
            code: Code::CONTENT,
        },
    );
    refused("70 01 0001", FormatError::NonEmptyReset { code: Code::GET });
    refused(
        "60 02 0001",
        FormatError::RequestInAcknowledgement { code: Code::POST },
    );
}

#[test]
fn nibble_15_is_reserved_in_options() {
    refused(
        "40 01 0001 f1 00",
        FormatError::ReservedOptionDelta { offset: 4 },
    );
    refused(
        "40 01 0001 1f 00",
        FormatError::ReservedOptionLength { offset: 4 },
    );
    refused(
        "40 01 0001 b1 61 0f",
        FormatError::ReservedOptionLength { offset: 6 },
    );
}

#[test]
fn an_option_must_be_complete() {
    for digits in [
        "40 01 0001 b1",         // value missing
        "40 01 0001 b3 6161",    // value short
        "40 01 0001 d0",         // extended delta missing
        "40 01 0001 e0 00",      // extended delta short
        "40 01 0001 0d",         // extended length missing
        "40 01 0001 0e 00",      // extended length short
        "40 01 0001 dd 00",      // extended length missing behind extended delta
        "40 01 0001 0e ffff 00", // 65,804 bytes announced
    ] {
        refused(digits, FormatError::TruncatedOption { offset: 4 });
    }
}

#[test]
fn option_numbers_end_at_65535() {
    // 65,535 exactly is fine; one more is not, whether in one delta or in two.
    let most = hex("40 01 0001 e0 fef2");
    let numbers: Vec<u16> = MessageView::parse(&most)
        .unwrap()
        .options()
        .map(|option| option.number)
        .collect();
    assert_eq!(numbers, [65_535]);
    refused(
        "40 01 0001 e0 fef3",
        FormatError::OptionNumberOverflow { offset: 4 },
    );
    refused(
        "40 01 0001 e0 ffff",
        FormatError::OptionNumberOverflow { offset: 4 },
    );
    refused(
        "40 01 0001 e0 fef2 10",
        FormatError::OptionNumberOverflow { offset: 7 },
    );
}

#[test]
fn a_payload_marker_needs_a_payload() {
    refused("40 01 0001 ff", FormatError::EmptyPayload { offset: 4 });
    refused(
        "40 01 0001 b1 61 ff",
        FormatError::EmptyPayload { offset: 6 },
    );
}

#[test]
fn marker_bytes_inside_values_and_payload_are_data() {
    let bytes = hex("41 02 0001 ff b1 ff ff ff ff");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.token(), [0xff]);
    assert_eq!(view.option(11), Some(&[0xff][..]));
    assert_eq!(view.payload(), [0xff, 0xff]);
}

#[test]
fn the_header_of_a_malformed_message_can_be_read() {
    let bytes = hex("49 01 abcd ff");
    assert!(MessageView::parse(&bytes).is_err());
    assert_eq!(
        Header::peek(&bytes),
        Some(Header {
            kind: MessageType::Confirmable,
            code: Code::GET,
            mid: 0xabcd
        })
    );
}

#[test]
fn errors_say_what_was_wrong_where_and_what_is_accepted() {
    let error = MessageView::parse(&hex("4c 01 0001")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "token length 12 is reserved: 0 to 8 are accepted"
    );
    assert_eq!(error.discriminant(), "reserved_token_length");
    let error = MessageView::parse(&hex("40 01 0001 b1 61 0f")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "option at byte 6 has the reserved length 15"
    );
}
