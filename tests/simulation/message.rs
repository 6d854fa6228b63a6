//! CoAP messages of simulated devices, on coap-lite: no bug is shared with the engine.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

/// A message without options and payload.
pub fn message(kind: MessageType, code: MessageClass, mid: u16, token: &[u8]) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_version(1);
    packet.header.set_type(kind);
    packet.header.code = code;
    packet.header.message_id = mid;
    packet.set_token(token.to_vec());
    packet
}

/// An empty acknowledgement.
pub fn acknowledgement(mid: u16) -> Vec<u8> {
    encode(&message(
        MessageType::Acknowledgement,
        MessageClass::Empty,
        mid,
        &[],
    ))
}

pub fn encode(packet: &Packet) -> Vec<u8> {
    packet
        .to_bytes_unlimited()
        .expect("a message of a device is well-formed")
}

pub fn parse(bytes: &[u8]) -> Packet {
    Packet::from_bytes(bytes).expect("the server sends well-formed messages")
}

/// The values of a repeatable text option, each behind a slash.
pub fn path(packet: &Packet, option: CoapOption) -> String {
    let segments = packet.get_option(option).into_iter().flatten();
    segments
        .map(|segment| format!("/{}", String::from_utf8_lossy(segment)))
        .collect()
}

/// The Observe option.
pub fn observe(packet: &Packet) -> Option<u32> {
    packet.get_observe_value()?.ok()
}

/// One line for a trace.
pub fn describe(bytes: &[u8]) -> String {
    let packet = parse(bytes);
    format!(
        "{:?} {} mid {} token {} {}{}{} {:?}",
        packet.header.get_type(),
        packet.header.get_code(),
        packet.header.message_id,
        hex(packet.get_token()),
        path(&packet, CoapOption::UriPath),
        path(&packet, CoapOption::LocationPath),
        observe(&packet).map_or(String::new(), |n| format!(" observe {n}")),
        String::from_utf8_lossy(&packet.payload),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
