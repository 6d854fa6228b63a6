//! The options of a message: decoding one, and iterating over all.

use std::iter::FusedIterator;

use super::error::FormatError;

/// The byte between options and payload.
pub(super) const PAYLOAD_MARKER: u8 = 0xff;

/// One option of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OptionRef<'a> {
    /// Option number.
    pub number: u16,
    /// Value, as it is on the wire.
    pub value: &'a [u8],
}

/// The options of a parsed message, in the order of the wire, which is ascending by number.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> Options<'a> {
    /// Iterates over `region`, the bytes between token and payload marker, checked before.
    pub(super) const fn new(region: &'a [u8]) -> Self {
        Self {
            rest: region,
            number: 0,
        }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = OptionRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // The region was walked by `MessageView::parse`, so an error cannot occur; ending the
        // iteration is the answer that needs no panic.
        let (head, rest) = OptionHead::split(self.rest).ok()?;
        self.number = self.number.checked_add(head.delta)?;
        let (value, rest) = rest.split_at_checked(head.length)?;
        self.rest = rest;
        Some(OptionRef {
            number: self.number,
            value,
        })
    }
}

impl FusedIterator for Options<'_> {}

/// Walks all options in `bytes`, which starts behind the token, and returns where they end:
/// at the payload marker or at the end of the bytes.
///
/// `base` is added to the offsets in errors.
#[inline]
pub(super) fn validate(bytes: &[u8], base: usize) -> Result<usize, FormatError> {
    let mut at = 0;
    let mut number = 0_u16;
    while let Some(rest) = bytes.get(at..)
        && let Some(&first) = rest.first()
    {
        if first == PAYLOAD_MARKER {
            break;
        }
        let offset = base + at;
        let (head, behind) = OptionHead::split(rest).map_err(|error| error.at(offset))?;
        number = number
            .checked_add(head.delta)
            .ok_or(FormatError::OptionNumberOverflow { offset })?;
        if behind.len() < head.length {
            return Err(FormatError::TruncatedOption { offset });
        }
        at += rest.len() - behind.len() + head.length;
    }
    Ok(at)
}

/// The delta and length in front of an option's value (RFC 7252 §3.1).
struct OptionHead {
    delta: u16,
    length: usize,
}

impl OptionHead {
    /// Takes the head off the front of `bytes`.
    #[inline]
    fn split(bytes: &[u8]) -> Result<(Self, &[u8]), HeadError> {
        let (&first, rest) = bytes.split_first().ok_or(HeadError::Truncated)?;
        let (delta, length) = (first >> 4, first & 0x0f);
        if delta < 13 && length < 13 {
            let head = Self {
                delta: u16::from(delta),
                length: usize::from(length),
            };
            return Ok((head, rest));
        }
        Self::split_extended(delta, length, rest)
    }

    /// The rarer case of at least one extended field.
    fn split_extended(delta: u8, length: u8, rest: &[u8]) -> Result<(Self, &[u8]), HeadError> {
        if delta == 15 {
            return Err(HeadError::ReservedDelta);
        }
        if length == 15 {
            return Err(HeadError::ReservedLength);
        }
        let (delta, rest) = extended(delta, rest)?;
        let (length, rest) = extended(length, rest)?;
        let head = Self {
            delta: u16::try_from(delta).map_err(|_| HeadError::NumberOverflow)?,
            length,
        };
        Ok((head, rest))
    }
}

/// The value of a nibble: itself, or one byte plus 13, or two bytes plus 269.
fn extended(nibble: u8, rest: &[u8]) -> Result<(usize, &[u8]), HeadError> {
    match (nibble, rest) {
        (0..=12, _) => Ok((usize::from(nibble), rest)),
        (13, [byte, rest @ ..]) => Ok((usize::from(*byte) + 13, rest)),
        (14, [high, low, rest @ ..]) => {
            Ok((usize::from(u16::from_be_bytes([*high, *low])) + 269, rest))
        }
        _ => Err(HeadError::Truncated),
    }
}

/// A [`FormatError`] that does not know its offset yet.
enum HeadError {
    ReservedDelta,
    ReservedLength,
    Truncated,
    NumberOverflow,
}

impl HeadError {
    #[cold]
    const fn at(self, offset: usize) -> FormatError {
        match self {
            Self::ReservedDelta => FormatError::ReservedOptionDelta { offset },
            Self::ReservedLength => FormatError::ReservedOptionLength { offset },
            Self::Truncated => FormatError::TruncatedOption { offset },
            Self::NumberOverflow => FormatError::OptionNumberOverflow { offset },
        }
    }
}
