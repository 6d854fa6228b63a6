//! Messages in and out.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

/// A message being built.
pub struct Message(Packet);

/// A received message that is well-formed beyond what coap-lite checks.
pub struct Parsed {
    /// The message as coap-lite holds it.
    pub packet: Packet,
}

impl Message {
    /// A message without options.
    #[must_use]
    pub fn new(kind: MessageType, code: MessageClass, mid: u16, token: &[u8]) -> Self {
        let mut packet = Packet::new();
        packet.header.set_version(1);
        packet.header.set_type(kind);
        packet.header.code = code;
        packet.header.message_id = mid;
        packet.set_token(token.to_vec());
        Self(packet)
    }

    /// Adds an option.
    #[must_use]
    pub fn option(mut self, option: CoapOption, value: impl Into<Vec<u8>>) -> Self {
        self.0.add_option(option, value.into());
        self
    }

    /// Adds a Content-Format option, in its shortest form.
    #[must_use]
    pub fn content_format(self, format: u16) -> Self {
        self.option(CoapOption::ContentFormat, shortest(u32::from(format)))
    }

    /// Sets the payload.
    #[must_use]
    pub fn payload(mut self, payload: Vec<u8>) -> Self {
        self.0.payload = payload;
        self
    }

    /// The message as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // What a device sends is built here from parts of known size; only a limit could make it fail.
        self.0.to_bytes_unlimited().unwrap_or_default()
    }
}

/// Appends an encoded message to `arena`.
pub fn append(message: &Message, arena: &mut Vec<u8>) {
    arena.extend_from_slice(&message.encode());
}

/// The value of an Observe option: 24 bits (RFC 7641 §2), without leading zeros.
#[must_use]
pub fn observe_bytes(sequence: u32) -> Vec<u8> {
    shortest(sequence & 0x00FF_FFFF)
}

/// The message type in a datagram's first byte.
#[must_use]
pub fn kind_of(packet: &Packet) -> MessageType {
    packet.header.get_type()
}

impl Parsed {
    /// Parses a datagram. `None` for what RFC 7252 §3 and §4.1 call a format error, some of which coap-lite lets pass.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let packet = Packet::from_bytes(bytes).ok()?;
        let version_is_one = packet.header.get_version() == 1;
        let empty_is_four_bytes = packet.header.code != MessageClass::Empty || bytes.len() == 4;
        let marker_has_payload = !packet.payload.is_empty() || !ends_in_marker(bytes, &packet);
        (version_is_one && empty_is_four_bytes && marker_has_payload).then_some(Self { packet })
    }

    /// An unsigned option, if it is there and not longer than four bytes.
    #[must_use]
    pub fn uint(&self, option: CoapOption) -> Option<u32> {
        let value = self.packet.get_first_option(option)?;
        (value.len() <= 4).then(|| {
            value
                .iter()
                .fold(0, |all, &byte| all << 8 | u32::from(byte))
        })
    }
}

/// Whether the datagram ends in a payload marker. Options cannot: with no payload, the last byte of one belongs to its
/// value, so the lengths tell.
fn ends_in_marker(bytes: &[u8], packet: &Packet) -> bool {
    if bytes.last() != Some(&0xFF) {
        return false;
    }
    packet
        .to_bytes_unlimited()
        .is_ok_and(|encoded| encoded.len() < bytes.len())
}

fn shortest(value: u32) -> Vec<u8> {
    let zeros = value.leading_zeros() as usize / 8;
    value.to_be_bytes()[zeros..].to_vec()
}

#[cfg(test)]
mod tests {
    use coap_lite::{RequestType, ResponseType};

    use super::*;

    #[test]
    fn an_update_is_the_bytes_of_the_rfc() {
        let update = Message::new(
            MessageType::Confirmable,
            MessageClass::Request(RequestType::Post),
            0x1234,
            &[0xAB, 0xCD],
        )
        .option(CoapOption::UriPath, "rd")
        .option(CoapOption::UriPath, "5a");
        assert_eq!(update.encode(), b"\x42\x02\x12\x34\xab\xcd\xb2rd\x025a");
    }

    #[test]
    fn integers_take_their_shortest_form() {
        let answer = |observe, format| {
            Message::new(
                MessageType::NonConfirmable,
                MessageClass::Response(ResponseType::Content),
                1,
                &[],
            )
            .option(CoapOption::Observe, observe_bytes(observe))
            .content_format(format)
            .encode()
        };
        assert_eq!(answer(0, 0), b"\x50\x45\x00\x01\x60\x60");
        assert_eq!(answer(5, 60), b"\x50\x45\x00\x01\x61\x05\x61\x3c");
        assert_eq!(
            answer(0x0100_0001, 11_542),
            b"\x50\x45\x00\x01\x61\x01\x62\x2d\x16"
        );
    }

    #[test]
    fn format_errors_are_refused() {
        for bytes in [
            &b"\x82\x01\x00\x01\xaa\xbb"[..], // version 2
            b"\x40\x01\x00\x01\xb1a\xff",     // marker without payload
            b"\x41\x00\x00\x01\xaa",          // empty message with a token
            b"\x49\x01\x00\x01\x01\x02\x03\x04\x05\x06\x07\x08\x09",
            b"\x40\x01\x00",
            b"",
        ] {
            assert!(Parsed::from_bytes(bytes).is_none(), "{bytes:02x?}");
        }
    }

    #[test]
    fn an_option_that_ends_in_ff_is_no_format_error() {
        assert!(Parsed::from_bytes(b"\x40\x01\x00\x01\x62\x01\xff").is_some());
    }
}
