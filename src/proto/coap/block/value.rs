//! The value of a Block1 or Block2 option (RFC 7959 §2.2).

use thiserror::Error;

use super::super::message::decode_uint;

/// The largest block number that fits the 20 bits it has.
const MAX_NUM: u32 = (1 << 20) - 1;
/// The largest size exponent: blocks of 1,024 bytes. 7 is reserved.
pub(super) const MAX_SZX: u8 = 6;

/// Which block of a body a message is about, whether more follow, and how large blocks are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BlockValue {
    num: u32,
    more: bool,
    szx: u8,
}

impl BlockValue {
    /// Block 0 of the largest size, with nothing following.
    pub const FIRST: Self = Self {
        num: 0,
        more: false,
        szx: MAX_SZX,
    };

    /// Block number `num` (0 to 1,048,575) of size 2^(`szx` + 4) (`szx` 0 to 6); `None` when out
    /// of range.
    #[must_use]
    pub const fn new(num: u32, more: bool, szx: u8) -> Option<Self> {
        if num > MAX_NUM || szx > MAX_SZX {
            return None;
        }
        Some(Self { num, more, szx })
    }

    /// Decodes an option's value.
    ///
    /// # Errors
    ///
    /// More than three bytes, or the reserved size exponent 7.
    pub fn decode(value: &[u8]) -> Result<Self, BlockError> {
        if value.len() > 3 {
            return Err(BlockError::TooLong {
                length: value.len(),
            });
        }
        let bits = decode_uint(value);
        let szx = (bits & 0x07) as u8;
        if szx > MAX_SZX {
            return Err(BlockError::ReservedSize);
        }
        Ok(Self {
            num: bits >> 4,
            more: bits & 0x08 != 0,
            szx,
        })
    }

    /// The block that starts at byte `offset` of a body cut into blocks of size 2^(`szx` + 4);
    /// `None` when its number is out of range or no block starts there.
    #[must_use]
    pub const fn starting_at(offset: usize, more: bool, szx: u8) -> Option<Self> {
        if szx > MAX_SZX || offset & (block_size(szx) - 1) != 0 {
            return None;
        }
        let num = offset >> (szx + 4);
        if num > MAX_NUM as usize {
            return None;
        }
        Self::new(num as u32, more, szx)
    }

    /// The same block number with a size exponent of at most `szx`, which is how a receiver asks
    /// for smaller blocks from the next one on (RFC 7959 §2.3).
    #[must_use]
    pub const fn with_szx_at_most(self, szx: u8) -> Self {
        Self {
            szx: if szx < self.szx { szx } else { self.szx },
            ..self
        }
    }

    /// The option's value, to be written as unsigned integer.
    #[must_use]
    pub const fn encode(self) -> u32 {
        self.num << 4 | (self.more as u32) << 3 | self.szx as u32
    }

    /// Block number.
    #[must_use]
    pub const fn num(self) -> u32 {
        self.num
    }

    /// In a request with Block1 or a response with Block2: whether more blocks follow.
    #[must_use]
    pub const fn more(self) -> bool {
        self.more
    }

    /// Size exponent, 0 to 6.
    #[must_use]
    pub const fn szx(self) -> u8 {
        self.szx
    }

    /// Bytes in a full block: 16 to 1,024.
    #[must_use]
    pub const fn size(self) -> usize {
        block_size(self.szx)
    }

    /// Where in the body the block starts.
    #[must_use]
    pub const fn offset(self) -> usize {
        (self.num as usize) << (self.szx + 4)
    }

    /// Whether the payload of the block may have this length: the full size where more follows,
    /// at most that in the last block (RFC 7959 §2.2).
    #[must_use]
    pub const fn allows(self, payload_length: usize) -> bool {
        if self.more {
            payload_length == self.size()
        } else {
            payload_length <= self.size()
        }
    }
}

/// Bytes in a full block of this size exponent.
pub(super) const fn block_size(szx: u8) -> usize {
    1 << (szx + 4)
}

/// Why an option value is not a block.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum BlockError {
    /// More than three bytes.
    #[error("a block option has {length} bytes: at most 3 are accepted")]
    TooLong {
        /// Bytes of the value.
        length: usize,
    },
    /// Size exponent 7; the answer is 4.00 (RFC 7959 §2.2).
    #[error("block size exponent 7 is reserved: 0 to 6 are accepted")]
    ReservedSize,
}

impl BlockError {
    /// A stable name for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "block_option_too_long",
            Self::ReservedSize => "reserved_block_size",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_more_and_size_share_up_to_three_bytes() {
        for (value, num, more, size) in [
            (&[][..], 0, false, 16),
            (&[0x0a], 0, true, 64),
            (&[0x32], 3, false, 64),
            (&[0x01, 0x06], 16, false, 1_024),
            (&[0xff, 0xff, 0xfe], 1_048_575, true, 1_024),
        ] {
            let block = BlockValue::decode(value).unwrap();
            assert_eq!((block.num(), block.more(), block.size()), (num, more, size));
            let encoded = block.encode().to_be_bytes();
            assert_eq!(&encoded[4 - value.len()..], value);
            assert_eq!(block.offset(), num as usize * size);
        }
    }

    #[test]
    fn size_exponent_7_and_a_fourth_byte_are_refused() {
        assert_eq!(BlockValue::decode(&[0x0f]), Err(BlockError::ReservedSize));
        assert_eq!(
            BlockValue::decode(&[0; 4]),
            Err(BlockError::TooLong { length: 4 })
        );
        assert_eq!(BlockValue::new(0, false, 7), None);
        assert_eq!(BlockValue::new(1 << 20, false, 0), None);
    }

    #[test]
    fn a_block_starts_only_at_a_multiple_of_its_size() {
        assert_eq!(
            BlockValue::starting_at(128, true, 1),
            BlockValue::new(4, true, 1)
        );
        assert_eq!(BlockValue::starting_at(129, true, 1), None);
        assert_eq!(BlockValue::starting_at(16 << 20, false, 0), None);
        assert_eq!(BlockValue::starting_at(0, false, 7), None);
    }
}
