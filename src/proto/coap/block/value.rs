//! The value of a Block1 or Block2 option (RFC 7959 §2.2).

use thiserror::Error;

use super::super::message::decode_uint;

/// The largest block number that fits the 20 bits it has.
const MAX_NUM: u32 = (1 << 20) - 1;
/// The largest size exponent: blocks of 1,024 bytes. 7 is reserved.
const MAX_SZX: u8 = 6;

/// Which block of a body a message is about, whether more follow, and how large blocks are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BlockValue {
    num: u32,
    more: bool,
    szx: u8,
}

impl BlockValue {
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
        1 << (self.szx + 4)
    }

    /// Where in the body the block starts.
    #[must_use]
    pub const fn offset(self) -> usize {
        (self.num as usize) << (self.szx + 4)
    }
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
