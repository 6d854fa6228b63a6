//! Connection identifiers (RFC 9146).

use std::fmt;

/// Longest identifier that is kept without an allocation.
const INLINE: usize = 14;

/// A connection identifier of 0 to 255 bytes; short ones, which is what servers use, take 16 bytes in all.
#[derive(Clone, Eq, PartialEq)]
pub enum Cid {
    Short { length: u8, bytes: [u8; INLINE] },
    Long(Box<[u8; 255]>, u8),
}

impl Cid {
    /// No identifier: records to its owner have the form of RFC 6347.
    pub const EMPTY: Self = Self::Short {
        length: 0,
        bytes: [0; INLINE],
    };

    /// An identifier. `None` when it is longer than 255 bytes.
    pub fn new(from: &[u8]) -> Option<Self> {
        let length = u8::try_from(from.len()).ok()?;
        if from.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..from.len()].copy_from_slice(from);
            return Some(Self::Short { length, bytes });
        }
        let mut bytes = Box::new([0; 255]);
        bytes[..from.len()].copy_from_slice(from);
        Some(Self::Long(bytes, length))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(bytes, length) => &bytes[..usize::from(*length)],
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The value of the `connection_id` extension: the identifier behind its length (RFC 9146 §3).
    pub fn extension(&self) -> Vec<u8> {
        let bytes = self.bytes();
        let mut value = Vec::with_capacity(1 + bytes.len());
        value.push(bytes.len() as u8);
        value.extend_from_slice(bytes);
        value
    }

    /// Reads the value of the extension.
    pub fn from_extension(value: &[u8]) -> Option<Self> {
        let (&length, bytes) = value.split_first()?;
        (usize::from(length) == bytes.len()).then(|| Self::new(bytes))?
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
