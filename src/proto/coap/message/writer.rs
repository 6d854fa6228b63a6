//! Writes messages to the end of a buffer that may hold others.

use std::ops::Range;

use super::super::code::Code;
use super::header::MessageType;
use super::options::PAYLOAD_MARKER;

/// Appends one message to a buffer; the buffer may hold others in front of it.
///
/// Options must come in ascending order of their numbers, the payload after them. A wrong order
/// is a programming error: it panics with debug assertions, and without them writes a message
/// that is well-formed but has other option numbers than asked for.
#[derive(Debug)]
#[must_use = "a message is complete only after `finish`"]
pub struct MessageWriter<'b> {
    buffer: &'b mut Vec<u8>,
    start: usize,
    last_number: u16,
}

impl<'b> MessageWriter<'b> {
    /// Starts a message with its header and token. A token has at most 8 bytes.
    #[inline]
    pub fn new(
        buffer: &'b mut Vec<u8>,
        kind: MessageType,
        code: Code,
        mid: u16,
        token: &[u8],
    ) -> Self {
        debug_assert!(token.len() <= 8, "a token has at most 8 bytes");
        let token = token.get(..8).unwrap_or(token);
        let start = buffer.len();
        let [mid_high, mid_low] = mid.to_be_bytes();
        buffer.extend_from_slice(&[
            kind.first_byte(token.len() as u8),
            code.as_u8(),
            mid_high,
            mid_low,
        ]);
        buffer.extend_from_slice(token);
        Self {
            buffer,
            start,
            last_number: 0,
        }
    }

    /// Writes a whole message without code, token and content: an empty ACK, a RST, or a ping
    /// when `kind` is Confirmable (RFC 7252 §4.3).
    #[inline]
    pub fn empty(buffer: &mut Vec<u8>, kind: MessageType, mid: u16) -> Range<usize> {
        MessageWriter::new(buffer, kind, Code::EMPTY, mid, &[]).finish()
    }

    /// Appends an option with a value of at most 65,535 bytes.
    #[inline]
    pub fn option(&mut self, number: u16, value: &[u8]) -> &mut Self {
        debug_assert!(
            number >= self.last_number,
            "option {number} comes after option {}",
            self.last_number
        );
        debug_assert!(
            value.len() <= usize::from(u16::MAX),
            "option value too long"
        );
        let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
        let delta = number.saturating_sub(self.last_number);
        self.last_number = self.last_number.max(number);

        let (delta_nibble, delta_extension) = Extension::of(delta);
        let (length_nibble, length_extension) = Extension::of(value.len() as u16);
        self.buffer.push(delta_nibble << 4 | length_nibble);
        delta_extension.write(self.buffer);
        length_extension.write(self.buffer);
        self.buffer.extend_from_slice(value);
        self
    }

    /// Appends an option with an unsigned integer in as few bytes as it needs (RFC 7252 §3.2).
    #[inline]
    pub fn uint(&mut self, number: u16, value: u32) -> &mut Self {
        let bytes = value.to_be_bytes();
        let zeros = value.leading_zeros() as usize / 8;
        self.option(number, bytes.get(zeros..).unwrap_or_default())
    }

    /// Appends the payload; an empty one leaves no trace (RFC 7252 §3).
    #[inline]
    pub fn payload(&mut self, payload: &[u8]) -> &mut Self {
        self.payload_with(|buffer| buffer.extend_from_slice(payload))
    }

    /// Lets `write` append the payload, which saves a copy where it is produced piece by piece.
    /// `write` must only append.
    #[inline]
    pub fn payload_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let marker = self.buffer.len();
        self.buffer.push(PAYLOAD_MARKER);
        write(self.buffer);
        debug_assert!(self.buffer.len() > marker, "the payload was not appended");
        if self.buffer.len() == marker + 1 {
            self.buffer.truncate(marker);
        }
        self
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Always `false`: there is a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Ends the message and tells where in the buffer it is.
    #[inline]
    pub fn finish(self) -> Range<usize> {
        self.start..self.buffer.len()
    }
}

/// What follows the nibble of an option's delta or length (RFC 7252 §3.1).
enum Extension {
    None,
    One(u8),
    Two(u16),
}

impl Extension {
    #[inline]
    fn of(value: u16) -> (u8, Self) {
        match value {
            0..=12 => (value as u8, Self::None),
            13..=268 => (13, Self::One((value - 13) as u8)),
            269.. => (14, Self::Two(value - 269)),
        }
    }

    #[inline]
    fn write(&self, buffer: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::One(byte) => buffer.push(*byte),
            Self::Two(pair) => buffer.extend_from_slice(&pair.to_be_bytes()),
        }
    }
}
