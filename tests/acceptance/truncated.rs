//! Payloads of each content format cut at every byte: what a device sends so is refused, and the device stays.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

use crate::fixture::engine;
use crate::support::peer::Peer;

const SENML_JSON: &[u8] = br#"[{"bn":"/3/0/","n":"9","v":42},{"n":"0","vs":"text"}]"#;
const SENML_CBOR: &[u8] = &[
    0x82, 0xa3, 0x21, 0x65, b'/', b'3', b'/', b'0', b'/', 0x00, 0x61, b'9', 0x02, 0x18, 42, 0xa2,
    0x00, 0x61, b'0', 0x03, 0x64, b't', b'e', b'x', b't',
];
const LWM2M_CBOR: &[u8] = &[
    0xbf, 0x82, 0x03, 0x00, 0xbf, 0x09, 0x18, 42, 0x00, 0x64, b't', b'e', b'x', b't', 0xff, 0xff,
];

/// A Send of every beginning of a payload: 4.00 and nothing else, and the whole one is taken.
#[test]
fn a_send_cut_anywhere_is_a_bad_request() {
    for (format, payload) in [(110, SENML_JSON), (112, SENML_CBOR)] {
        let mut peer = registered(&format!("cut-send-{format}"));
        for length in 1..payload.len() {
            let code = send(&mut peer, format, &payload[..length]);
            assert_eq!(code, ResponseType::BadRequest, "{format}: {length} bytes");
        }
        assert_eq!(
            send(&mut peer, format, payload),
            ResponseType::Changed,
            "{format}"
        );
    }
}

/// A Send in the formats that carry it since LwM2M 1.2.
#[test]
fn a_send_of_lwm2m_cbor_cut_anywhere_is_a_bad_request() {
    let mut peer = registered("cut-send-lwm2m-cbor");
    for length in 1..LWM2M_CBOR.len() {
        let code = send(&mut peer, 11_544, &LWM2M_CBOR[..length]);
        assert_eq!(code, ResponseType::BadRequest, "{length} bytes");
    }
    assert_eq!(send(&mut peer, 11_544, LWM2M_CBOR), ResponseType::Changed);
}

/// A scripted device of LwM2M 1.2.
pub fn registered(endpoint: &str) -> Peer {
    let mut peer = Peer::of(engine());
    let mut register = request(RequestType::Post, "rd", 1);
    for parameter in [
        "lwm2m=1.2".to_owned(),
        format!("ep={endpoint}"),
        "lt=60".to_owned(),
    ] {
        register.add_option(CoapOption::UriQuery, parameter.into_bytes());
    }
    register.payload = b"</1/0>,</3/0>".to_vec();
    peer.register(&register.to_bytes().expect("a CoAP message"));
    peer
}

/// Sends and returns the code of the answer.
pub fn send(peer: &mut Peer, format: u16, payload: &[u8]) -> ResponseType {
    let mut send = request(RequestType::Post, "dp", peer.next_mid());
    let number = format.to_be_bytes();
    let number = number
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    send.add_option(CoapOption::ContentFormat, number);
    send.payload = payload.to_vec();
    let answer = peer.exchange(&send.to_bytes().expect("a CoAP message"));
    match Packet::from_bytes(&answer)
        .expect("a CoAP message")
        .header
        .code
    {
        MessageClass::Response(code) => code,
        other => panic!("{other:?} is no response"),
    }
}

fn request(method: RequestType, path: &str, mid: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Confirmable);
    packet.header.code = MessageClass::Request(method);
    packet.header.message_id = mid;
    packet.add_option(CoapOption::UriPath, path.into());
    packet
}
