//! Reading options: integers, lengths, repetition, what is critical.

use super::super::super::option;
use super::super::*;
use super::hex;
use crate::proto::coap::block::BlockError;
use crate::proto::coap::{Code, NoResponse};

fn with_options(options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut buffer = Vec::new();
    let mut writer = MessageWriter::new(&mut buffer, MessageType::Confirmable, Code::GET, 1, &[]);
    for (number, value) in options {
        writer.option(*number, value);
    }
    writer.finish();
    buffer
}

#[test]
fn integers_are_written_in_as_few_bytes_as_they_need() {
    for (value, digits) in [
        (0, "c0"),
        (1, "c1 01"),
        (255, "c1 ff"),
        (256, "c2 0100"),
        (65_536, "c3 010000"),
        (u32::MAX, "c4 ffffffff"),
    ] {
        let mut buffer = Vec::new();
        let mut writer =
            MessageWriter::new(&mut buffer, MessageType::Confirmable, Code::GET, 1, &[]);
        writer.uint(12, value);
        writer.finish();
        assert_eq!(buffer[4..], hex(digits));
    }
}

#[test]
fn leading_zeros_in_integers_are_accepted() {
    let bytes = with_options(&[(option::ACCEPT, &[0, 60])]);
    assert_eq!(MessageView::parse(&bytes).unwrap().accept(), Some(60));
}

#[test]
fn an_integer_that_is_too_long_counts_as_not_recognised() {
    let bytes = with_options(&[
        (option::OBSERVE, &[0, 0, 0, 1]),
        (option::CONTENT_FORMAT, &[0, 0, 40]),
        (option::ACCEPT, &[0, 0, 60]),
    ]);
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.observe(), None);
    assert_eq!(view.content_format(), None);
    assert_eq!(view.accept(), None);
    assert_eq!(
        view.unrecognised_critical(&[option::ACCEPT]),
        Some(option::ACCEPT)
    );
}

#[test]
fn an_option_of_a_number_without_name_is_read_up_to_four_bytes() {
    let bytes = with_options(&[(2_048, &[1, 0, 0, 0]), (2_050, &[1, 0, 0, 0, 0])]);
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.uint(2_048), Some(1 << 24));
    assert_eq!(view.uint(2_050), None);
    assert_eq!(view.option(2_050), Some(&[1, 0, 0, 0, 0][..]));
}

#[test]
fn the_first_of_several_occurrences_counts() {
    let bytes = with_options(&[(option::ACCEPT, &[60]), (option::ACCEPT, &[112])]);
    assert_eq!(MessageView::parse(&bytes).unwrap().accept(), Some(60));
}

#[test]
fn unknown_critical_options_are_reported_unknown_elective_ones_are_not() {
    let bytes = with_options(&[
        (option::ETAG, &[1]),
        (option::URI_PATH, b"rd"),
        (option::PROXY_URI, b"coap://x"),
        (2_048, &[]),
    ]);
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.unrecognised_critical(&[]), Some(option::URI_PATH));
    assert_eq!(
        view.unrecognised_critical(&[option::URI_PATH]),
        Some(option::PROXY_URI)
    );
    assert_eq!(
        view.unrecognised_critical(&[option::URI_PATH, option::PROXY_URI]),
        None
    );
}

#[test]
fn a_repeated_critical_option_that_is_not_repeatable_is_reported() {
    let known = [option::URI_PATH, option::ACCEPT, option::BLOCK1];
    let twice = with_options(&[(option::URI_PATH, b"a"), (option::URI_PATH, b"b")]);
    let view = MessageView::parse(&twice).unwrap();
    assert_eq!(view.unrecognised_critical(&known), None);
    let twice = with_options(&[(option::BLOCK1, &[0x08]), (option::BLOCK1, &[0x18])]);
    let view = MessageView::parse(&twice).unwrap();
    assert_eq!(view.unrecognised_critical(&known), Some(option::BLOCK1));
    let elective = with_options(&[(option::OBSERVE, &[]), (option::OBSERVE, &[1])]);
    let view = MessageView::parse(&elective).unwrap();
    assert_eq!(view.unrecognised_critical(&known), None);
}

#[test]
fn block_options_tell_what_is_wrong_with_them() {
    let bytes = with_options(&[(option::BLOCK2, &[0x07]), (option::BLOCK1, &[0; 4])]);
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.block2(), Some(Err(BlockError::ReservedSize)));
    assert_eq!(view.block1(), Some(Err(BlockError::TooLong { length: 4 })));
}

#[test]
fn no_response_is_read_and_absent_means_all_are_wanted() {
    let bytes = with_options(&[(option::NO_RESPONSE, &[2])]);
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.no_response(), NoResponse::from_u8(2));
    let bytes = with_options(&[]);
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.no_response(), NoResponse::NONE);
}

#[test]
fn all_extended_forms_are_written_and_read() {
    for number in [12, 13, 268, 269, 270, 65_535] {
        for length in [0, 12, 13, 268, 269, 1_034, 65_535] {
            let value = vec![0xff; length];
            let bytes = with_options(&[(number, &value)]);
            let view = MessageView::parse(&bytes).unwrap();
            assert_eq!(view.options().count(), 1);
            assert_eq!(view.option(number), Some(&value[..]));
        }
    }
}

#[test]
fn an_empty_payload_leaves_no_marker() {
    let mut buffer = Vec::new();
    let mut writer = MessageWriter::new(&mut buffer, MessageType::Confirmable, Code::GET, 1, &[]);
    writer.payload(&[]);
    assert_eq!(writer.len(), 4);
    writer.finish();
    assert_eq!(buffer.len(), 4);
}
