//! The fixed four bytes in front of every message.

use super::super::code::Code;

/// How a message is transmitted (RFC 7252 §4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MessageType {
    /// CON: the peer acknowledges it or resets it.
    Confirmable,
    /// NON: fire and forget.
    NonConfirmable,
    /// ACK: answers a CON.
    Acknowledgement,
    /// RST: the receiver lacks the context for a CON or NON.
    Reset,
}

impl MessageType {
    /// From the two type bits of the first byte.
    pub(super) const fn from_first_byte(byte: u8) -> Self {
        match byte >> 4 & 0x03 {
            0 => Self::Confirmable,
            1 => Self::NonConfirmable,
            2 => Self::Acknowledgement,
            _ => Self::Reset,
        }
    }

    /// The first byte of a message of this type: version 1 and a token of `token_length` bytes.
    pub(super) const fn first_byte(self, token_length: u8) -> u8 {
        let bits = match self {
            Self::Confirmable => 0,
            Self::NonConfirmable => 1,
            Self::Acknowledgement => 2,
            Self::Reset => 3,
        };
        0x40 | bits << 4 | token_length & 0x0f
    }

    /// `CON`, `NON`, `ACK` or `RST`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmable => "CON",
            Self::NonConfirmable => "NON",
            Self::Acknowledgement => "ACK",
            Self::Reset => "RST",
        }
    }
}

/// Type, code and message id, which even a message that does not parse has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Message type.
    pub kind: MessageType,
    /// Method or response code, reserved classes included.
    pub code: Code,
    /// Message id.
    pub mid: u16,
}

impl Header {
    /// Reads the header and looks at nothing behind it: enough to answer a malformed CON with
    /// RST (RFC 7252 §4.2).
    ///
    /// `None` when there are fewer than four bytes or the version is not 1; a message of another
    /// version is ignored in silence (RFC 7252 §3).
    #[must_use]
    pub const fn peek(bytes: &[u8]) -> Option<Self> {
        let [first, code, mid_high, mid_low, ..] = bytes else {
            return None;
        };
        if *first >> 6 != 1 {
            return None;
        }
        Some(Self {
            kind: MessageType::from_first_byte(*first),
            code: Code::from_u8(*code),
            mid: u16::from_be_bytes([*mid_high, *mid_low]),
        })
    }
}
