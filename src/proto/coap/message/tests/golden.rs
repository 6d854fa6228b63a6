//! Messages of RFC 7252 Appendix A and of real clients, byte by byte.

use super::super::super::block::BlockValue;
use super::super::super::{content_format, option};
use super::super::*;
use super::hex;
use crate::proto::coap::Code;

fn text<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    values
        .map(|value| std::str::from_utf8(value).unwrap())
        .collect()
}

fn written(
    kind: MessageType,
    code: Code,
    mid: u16,
    token: &[u8],
    fill: impl FnOnce(&mut MessageWriter<'_>),
) -> Vec<u8> {
    let mut buffer = b"in front".to_vec();
    let mut writer = MessageWriter::new(&mut buffer, kind, code, mid, token);
    fill(&mut writer);
    let range = writer.finish();
    assert_eq!(range, 8..buffer.len());
    buffer.split_off(8)
}

#[test]
fn rfc_7252_figure_16_get_with_piggybacked_response() {
    let request = hex("40 01 7d34 bb 74656d7065726174757265");
    let view = MessageView::parse(&request).unwrap();
    assert_eq!(
        view.header(),
        Header {
            kind: MessageType::Confirmable,
            code: Code::GET,
            mid: 0x7d34
        }
    );
    assert_eq!(view.token(), b"");
    assert_eq!(text(view.uri_path()), ["temperature"]);
    assert_eq!(view.payload(), b"");
    let again = written(
        MessageType::Confirmable,
        Code::GET,
        0x7d34,
        b"",
        |message| {
            message.option(option::URI_PATH, b"temperature");
        },
    );
    assert_eq!(again, request);

    let response = hex("60 45 7d34 ff 32322e332043");
    let view = MessageView::parse(&response).unwrap();
    assert_eq!(view.kind(), MessageType::Acknowledgement);
    assert_eq!(view.code(), Code::CONTENT);
    assert_eq!(view.payload(), b"22.3 C");
    let again = written(
        MessageType::Acknowledgement,
        Code::CONTENT,
        0x7d34,
        b"",
        |message| {
            message.payload(b"22.3 C");
        },
    );
    assert_eq!(again, response);
}

#[test]
fn rfc_7252_figure_17_token_is_echoed() {
    let request = hex("41 01 7d35 20 bb 74656d7065726174757265");
    let view = MessageView::parse(&request).unwrap();
    assert_eq!((view.mid(), view.token()), (0x7d35, &[0x20][..]));
    let response = written(
        MessageType::Acknowledgement,
        Code::CONTENT,
        view.mid(),
        view.token(),
        |message| {
            message.payload(b"22.3 C");
        },
    );
    assert_eq!(response, hex("61 45 7d35 20 ff 32322e332043"));
}

#[test]
fn empty_messages_have_four_bytes() {
    let mut buffer = Vec::new();
    let ack = MessageWriter::empty(&mut buffer, MessageType::Acknowledgement, 0x7d38);
    let reset = MessageWriter::empty(&mut buffer, MessageType::Reset, 0x7d39);
    let ping = MessageWriter::empty(&mut buffer, MessageType::Confirmable, 0x7d3a);
    assert_eq!(buffer[ack], hex("60 00 7d38"));
    assert_eq!(buffer[reset], hex("70 00 7d39"));
    assert_eq!(buffer[ping], hex("40 00 7d3a"));
    for message in buffer.chunks_exact(4) {
        assert!(MessageView::parse(message).unwrap().code().is_empty());
    }
}

#[test]
fn register_of_anjay() {
    let bytes = hex(
        "4802dad82abee61549f893ffb272641128396c776d326d3d312e300c65703d616e6a61792d\
         312e30056c743d3630ff3c2f312f313e",
    );
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.token(), hex("2abee61549f893ff"));
    assert_eq!(text(view.uri_path()), ["rd"]);
    assert_eq!(
        text(view.uri_query()),
        ["lwm2m=1.0", "ep=anjay-1.0", "lt=60"]
    );
    assert_eq!(view.content_format(), Some(content_format::LINK_FORMAT));
    assert_eq!(view.payload(), b"</1/1>");
    assert_eq!(view.observe(), None);
    assert_eq!(view.block1(), None);
}

#[test]
fn answer_to_register_with_location() {
    let bytes = hex("6841dad82abee61549f893ff8272640130");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.code(), Code::CREATED);
    assert_eq!(text(view.all(option::LOCATION_PATH)), ["rd", "0"]);
    let again = written(
        MessageType::Acknowledgement,
        Code::CREATED,
        0xdad8,
        &hex("2abee61549f893ff"),
        |message| {
            message
                .option(option::LOCATION_PATH, b"rd")
                .option(option::LOCATION_PATH, b"0");
        },
    );
    assert_eq!(again, bytes);
}

#[test]
fn queue_mode_flag_is_a_query_without_value() {
    let bytes = hex(
        "480273a115bb0fa20c25654ab272641128396c776d326d3d312e310c65703d616e6a61792d\
         713131056c743d36300151ff3c",
    );
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(
        text(view.uri_query()),
        ["lwm2m=1.1", "ep=anjay-q11", "lt=60", "Q"]
    );
}

#[test]
fn update_of_anjay_and_its_answer() {
    let bytes = hex("4802343fe0dd84a83707a16fb2726406333630366632");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(text(view.uri_path()), ["rd", "3606f2"]);
    assert_eq!(view.uri_query().count(), 0);
    let answer = written(
        MessageType::Acknowledgement,
        Code::CHANGED,
        view.mid(),
        view.token(),
        |_| {},
    );
    assert_eq!(answer, hex("6844343fe0dd84a83707a16f"));
}

#[test]
fn block1_of_a_register_and_the_continue() {
    let bytes = hex(
        "4802f09843387112637d092eb272641128396c776d326d3d312e310d0165703d616e6a6179\
         2d736d616c6c056c743d3630c10aff3c2f312f313e",
    );
    let view = MessageView::parse(&bytes).unwrap();
    let block = view.block1().unwrap().unwrap();
    assert_eq!((block.num(), block.more(), block.size()), (0, true, 64));
    let answer = written(
        MessageType::Acknowledgement,
        Code::CONTINUE,
        view.mid(),
        view.token(),
        |message| {
            message.uint(option::BLOCK1, block.encode());
        },
    );
    assert_eq!(answer, hex("685ff09843387112637d092ed10e0a"));
}

#[test]
fn firmware_block_with_size1() {
    let bytes = hex("48036ea392c2cd4bd572381ab13501300130112ad1020ed2140beaff41");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.content_format(), Some(content_format::OPAQUE));
    assert_eq!(
        view.block1(),
        Some(Ok(BlockValue::new(0, true, 6).unwrap()))
    );
    assert_eq!(view.size1(), Some(3_050));
    let again = written(
        MessageType::Confirmable,
        Code::PUT,
        0x6ea3,
        &hex("92c2cd4bd572381a"),
        |message| {
            message
                .option(option::URI_PATH, b"5")
                .option(option::URI_PATH, b"0")
                .option(option::URI_PATH, b"0")
                .uint(option::CONTENT_FORMAT, 42)
                .uint(option::BLOCK1, 0x0e)
                .uint(option::SIZE1, 3_050)
                .payload(b"A");
        },
    );
    assert_eq!(again, bytes);
}

#[test]
fn firmware_pull_with_etag_block2_and_size2() {
    let bytes = hex("6845b49a639a6da5cdfbac6f4411223344812ab11e520beaff78");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.etag(), Some(&[0x11, 0x22, 0x33, 0x44][..]));
    assert_eq!(
        view.block2(),
        Some(Ok(BlockValue::new(1, true, 6).unwrap()))
    );
    assert_eq!(view.size2(), Some(3_050));
}

#[test]
fn notification_of_anjay() {
    let bytes = hex("54451b4301020304610160ff31373935343335393833");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.kind(), MessageType::NonConfirmable);
    assert_eq!(view.observe(), Some(1));
    assert_eq!(view.content_format(), Some(content_format::TEXT));
    assert_eq!(view.payload(), b"1795435983");
}

#[test]
fn observe_request_with_accept() {
    let request = written(
        MessageType::Confirmable,
        Code::GET,
        0xe4c9,
        &[1, 2, 3, 5],
        |message| {
            message
                .uint(option::OBSERVE, 0)
                .option(option::URI_PATH, b"3")
                .option(option::URI_PATH, b"0")
                .option(option::URI_PATH, b"14")
                .uint(option::ACCEPT, content_format::SENML_CBOR.into());
        },
    );
    assert_eq!(request, hex("4401e4c90102030560513301300231346170"));
}

#[test]
fn send_of_wakaama_has_no_token() {
    let bytes = hex("4002bcc9b264701170ff82a321652f332f302f00613003744f70656e");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.token(), b"");
    assert_eq!(text(view.uri_path()), ["dp"]);
    assert_eq!(view.content_format(), Some(content_format::SENML_CBOR));
}

#[test]
fn libcoap_puts_uri_port_before_uri_path() {
    let bytes = hex(
        "4102eadf017216974272641128396c776d326d3d312e310b65703d6c6962636f617031056c\
         743d3630ff3c2f332f303e2c3c2f312f303e",
    );
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.uint(option::URI_PORT), Some(5_783));
    assert_eq!(text(view.uri_path()), ["rd"]);
    let known = [option::URI_PORT, option::URI_PATH, option::URI_QUERY];
    assert_eq!(view.unrecognised_critical(&known), None);
}
