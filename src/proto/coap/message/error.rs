//! What makes a datagram not a CoAP message.

use thiserror::Error;

use super::super::code::Code;

/// Why a datagram is not a well-formed CoAP message (RFC 7252 §3, §4.1 to §4.3).
///
/// Offsets count bytes from the start of the datagram.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FormatError {
    /// Fewer bytes than a header has.
    #[error("{length} bytes are too few: a message has a header of 4 bytes")]
    TooShort {
        /// Bytes in the datagram.
        length: usize,
    },
    /// A version this RFC does not define; such a message is ignored in silence.
    #[error("version {version} is unknown: only version 1 is accepted")]
    UnsupportedVersion {
        /// The version field, 0 to 3.
        version: u8,
    },
    /// A token length that is reserved.
    #[error("token length {length} is reserved: 0 to 8 are accepted")]
    ReservedTokenLength {
        /// The token length field, 9 to 15.
        length: u8,
    },
    /// The datagram ends inside the token.
    #[error("the datagram ends inside the token of {length} bytes")]
    TruncatedToken {
        /// The token length field.
        length: u8,
    },
    /// A code of class 1, 6 or 7.
    #[error("code {code} is of a reserved class: classes 0, 2, 3, 4 and 5 are accepted")]
    ReservedCodeClass {
        /// The code.
        code: Code,
    },
    /// An empty message (0.00) that goes on behind the message id.
    #[error("an empty message ends after its message id, this one has {extra} bytes more")]
    EmptyWithContent {
        /// Bytes behind the message id.
        extra: usize,
    },
    /// A NON message with code 0.00.
    #[error("a non-confirmable message must not be empty")]
    EmptyNonConfirmable,
    /// A RST message with a code other than 0.00.
    #[error("a reset message must be empty, this one has code {code}")]
    NonEmptyReset {
        /// The code.
        code: Code,
    },
    /// An ACK message that carries a request.
    #[error("an acknowledgement must be empty or carry a response, this one has code {code}")]
    RequestInAcknowledgement {
        /// The code.
        code: Code,
    },
    /// The option delta nibble 15 in a byte that is not the payload marker.
    #[error("option at byte {offset} has the reserved delta 15")]
    ReservedOptionDelta {
        /// Where the option starts.
        offset: usize,
    },
    /// The option length nibble 15.
    #[error("option at byte {offset} has the reserved length 15")]
    ReservedOptionLength {
        /// Where the option starts.
        offset: usize,
    },
    /// The datagram ends inside an option.
    #[error("the datagram ends inside the option at byte {offset}")]
    TruncatedOption {
        /// Where the option starts.
        offset: usize,
    },
    /// The deltas add up to more than 65,535.
    #[error("option at byte {offset} has a number above 65535")]
    OptionNumberOverflow {
        /// Where the option starts.
        offset: usize,
    },
    /// A payload marker with nothing behind it.
    #[error("the payload marker at byte {offset} has no payload behind it")]
    EmptyPayload {
        /// Where the marker is.
        offset: usize,
    },
}

impl FormatError {
    /// A stable name for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::ReservedTokenLength { .. } => "reserved_token_length",
            Self::TruncatedToken { .. } => "truncated_token",
            Self::ReservedCodeClass { .. } => "reserved_code_class",
            Self::EmptyWithContent { .. } => "empty_with_content",
            Self::EmptyNonConfirmable => "empty_non_confirmable",
            Self::NonEmptyReset { .. } => "non_empty_reset",
            Self::RequestInAcknowledgement { .. } => "request_in_acknowledgement",
            Self::ReservedOptionDelta { .. } => "reserved_option_delta",
            Self::ReservedOptionLength { .. } => "reserved_option_length",
            Self::TruncatedOption { .. } => "truncated_option",
            Self::OptionNumberOverflow { .. } => "option_number_overflow",
            Self::EmptyPayload { .. } => "empty_payload",
        }
    }
}
