//! A message seen in the bytes it arrived in.

use super::super::block::{BlockError, BlockValue};
use super::super::code::Code;
use super::super::no_response::NoResponse;
use super::super::option;
use super::error::FormatError;
use super::header::{Header, MessageType};
use super::options::{self, OptionRef, Options};

/// Bytes in front of the token.
const HEADER_LENGTH: usize = 4;
/// The longest token (RFC 7252 §3).
const MAX_TOKEN_LENGTH: u8 = 8;

/// A well-formed message, borrowed from the datagram: nothing is copied, everything was checked.
///
/// Options are found by walking them; messages carry a handful, so that is faster than an index.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    bytes: &'a [u8],
    token_end: u32,
    options_end: u32,
}

impl<'a> MessageView<'a> {
    /// Checks the whole datagram against the message format (RFC 7252 §3) and the combinations of
    /// type and code that RFC 7252 §4.1 to §4.3 allow.
    ///
    /// Meaning is not checked: unknown methods, unknown critical options and values that are too
    /// long for their option pass.
    ///
    /// # Errors
    ///
    /// The first violation found, from the front of the datagram to its end.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let [first, code, _, _, behind @ ..] = bytes else {
            return Err(FormatError::TooShort {
                length: bytes.len(),
            });
        };
        let version = first >> 6;
        if version != 1 {
            return Err(FormatError::UnsupportedVersion { version });
        }
        let kind = MessageType::from_first_byte(*first);
        let code = Code::from_u8(*code);
        check_code(kind, code, behind.len())?;

        let token_length = first & 0x0f;
        if token_length > MAX_TOKEN_LENGTH {
            return Err(FormatError::ReservedTokenLength {
                length: token_length,
            });
        }
        let token_end = HEADER_LENGTH + usize::from(token_length);
        let Some(region) = bytes.get(token_end..) else {
            return Err(FormatError::TruncatedToken {
                length: token_length,
            });
        };
        let options_end = token_end + options::validate(region, token_end)?;
        if options_end + 1 == bytes.len() {
            return Err(FormatError::EmptyPayload {
                offset: options_end,
            });
        }
        // No transport delivers 4 GiB in one message.
        Ok(Self {
            bytes,
            token_end: token_end as u32,
            options_end: options_end as u32,
        })
    }

    /// Message type.
    #[must_use]
    pub fn kind(&self) -> MessageType {
        MessageType::from_first_byte(self.byte(0))
    }

    /// Method or response code.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::from_u8(self.byte(1))
    }

    /// Message id.
    #[must_use]
    pub fn mid(&self) -> u16 {
        u16::from_be_bytes([self.byte(2), self.byte(3)])
    }

    /// Type, code and message id.
    #[must_use]
    pub fn header(&self) -> Header {
        Header {
            kind: self.kind(),
            code: self.code(),
            mid: self.mid(),
        }
    }

    /// Token, 0 to 8 bytes.
    #[must_use]
    pub fn token(&self) -> &'a [u8] {
        self.part(HEADER_LENGTH, self.token_end as usize)
    }

    /// Payload; empty when there is none.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.part(self.options_end as usize + 1, self.bytes.len())
    }

    /// The whole message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// All options, ascending by number.
    #[must_use]
    pub fn options(&self) -> Options<'a> {
        Options::new(self.part(self.token_end as usize, self.options_end as usize))
    }

    /// The value of the first option with this number, whatever its length.
    #[must_use]
    pub fn option(&self, number: u16) -> Option<&'a [u8]> {
        self.options()
            .take_while(|option| option.number <= number)
            .find(|option| option.number == number)
            .map(|option| option.value)
    }

    /// The values of all options with this number, in order.
    pub fn all(&self, number: u16) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.options()
            .skip_while(move |option| option.number < number)
            .take_while(move |option| option.number == number)
            .map(|option| option.value)
    }

    /// The first option with this number as an unsigned integer (RFC 7252 §3.2); leading zeros
    /// are accepted.
    ///
    /// `None` when the option is absent or longer than its definition allows: then it counts as
    /// not recognised (RFC 7252 §5.4.3), which ignores an elective option and lets
    /// [`unrecognised_critical`](Self::unrecognised_critical) report a critical one.
    #[must_use]
    pub fn uint(&self, number: u16) -> Option<u32> {
        let value = self.option(number)?;
        if value.len() > 4 || !option::has_valid_length(number, value.len()) {
            return None;
        }
        Some(decode_uint(value))
    }

    /// Path segments of the request, not percent-decoded, for they never were encoded.
    pub fn uri_path(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.all(option::URI_PATH)
    }

    /// Query arguments of the request, not percent-decoded, for they never were encoded.
    pub fn uri_query(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.all(option::URI_QUERY)
    }

    /// Format of the payload; see [`content_format`](super::super::content_format).
    #[must_use]
    pub fn content_format(&self) -> Option<u16> {
        self.uint_16(option::CONTENT_FORMAT)
    }

    /// Format the client wants.
    #[must_use]
    pub fn accept(&self) -> Option<u16> {
        self.uint_16(option::ACCEPT)
    }

    /// Observe: 0 or 1 in a request, a 24-bit sequence number in a notification (RFC 7641 §2).
    #[must_use]
    pub fn observe(&self) -> Option<u32> {
        self.uint(option::OBSERVE)
    }

    /// Block1: the block of the request body this message is about (RFC 7959 §2.1).
    #[must_use]
    pub fn block1(&self) -> Option<Result<BlockValue, BlockError>> {
        self.option(option::BLOCK1).map(BlockValue::decode)
    }

    /// Block2: the block of the response body this message is about (RFC 7959 §2.1).
    #[must_use]
    pub fn block2(&self) -> Option<Result<BlockValue, BlockError>> {
        self.option(option::BLOCK2).map(BlockValue::decode)
    }

    /// Size1: bytes of the whole request body, or the most a server takes (RFC 7959 §4).
    #[must_use]
    pub fn size1(&self) -> Option<u32> {
        self.uint(option::SIZE1)
    }

    /// Size2: bytes of the whole response body (RFC 7959 §4).
    #[must_use]
    pub fn size2(&self) -> Option<u32> {
        self.uint(option::SIZE2)
    }

    /// Validator of the response body; `None` also when it is not 1 to 8 bytes long.
    #[must_use]
    pub fn etag(&self) -> Option<&'a [u8]> {
        self.option(option::ETAG)
            .filter(|value| option::has_valid_length(option::ETAG, value.len()))
    }

    /// Which responses the client does not want; all are wanted when the option is absent.
    #[must_use]
    pub fn no_response(&self) -> NoResponse {
        self.uint(option::NO_RESPONSE)
            .and_then(|bits| u8::try_from(bits).ok())
            .map_or(NoResponse::NONE, NoResponse::from_u8)
    }

    /// The first critical option that the receiver cannot honour, if any. It must then answer a
    /// request with 4.02 and reject a response (RFC 7252 §5.4.1).
    ///
    /// That is an option whose number is not in `known`, one whose value has a length outside
    /// its definition (§5.4.3), and the second occurrence of one that is not repeatable (§5.4.5).
    #[must_use]
    pub fn unrecognised_critical(&self, known: &[u16]) -> Option<u16> {
        let mut previous = 0;
        self.options().find_map(|OptionRef { number, value }| {
            let repeated = std::mem::replace(&mut previous, number) == number;
            let bad = option::is_critical(number)
                && (!known.contains(&number)
                    || !option::has_valid_length(number, value.len())
                    || (repeated && !option::is_repeatable(number)));
            bad.then_some(number)
        })
    }

    fn uint_16(&self, number: u16) -> Option<u16> {
        self.uint(number)
            .and_then(|value| u16::try_from(value).ok())
    }

    /// A header byte; `parse` made sure of four.
    fn byte(&self, index: usize) -> u8 {
        self.bytes.get(index).copied().unwrap_or_default()
    }

    /// A part of the message; empty when out of range, which only the payload of a message
    /// without one is.
    fn part(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// The rules that bind type, code and presence of content (RFC 7252 §4.1 to §4.3).
#[inline]
fn check_code(kind: MessageType, code: Code, behind_header: usize) -> Result<(), FormatError> {
    if code.is_reserved() {
        return Err(FormatError::ReservedCodeClass { code });
    }
    if code.is_empty() && behind_header > 0 {
        return Err(FormatError::EmptyWithContent {
            extra: behind_header,
        });
    }
    match kind {
        MessageType::NonConfirmable if code.is_empty() => Err(FormatError::EmptyNonConfirmable),
        MessageType::Reset if !code.is_empty() => Err(FormatError::NonEmptyReset { code }),
        MessageType::Acknowledgement if code.is_request() => {
            Err(FormatError::RequestInAcknowledgement { code })
        }
        _ => Ok(()),
    }
}

/// An unsigned integer of at most four bytes, big-endian.
pub(in super::super) fn decode_uint(value: &[u8]) -> u32 {
    value
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}
