//! TLV entries: type, id, length and value (LwM2M Core 1.0 §6.4.3).

use crate::proto::lwm2m::codec::{DecodeError, Position};

/// What an entry stands for: bits 7 and 6 of its type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Level {
    ObjectInstance,
    ResourceInstance,
    MultipleResource,
    Resource,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ObjectInstance => "an Object Instance entry",
            Self::ResourceInstance => "a Resource Instance entry",
            Self::MultipleResource => "a multiple Resource entry",
            Self::Resource => "a Resource entry",
        }
    }
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) level: Level,
    pub(super) id: u16,
    pub(super) value: &'a [u8],
    /// Offset of the entry in the payload.
    pub(super) offset: usize,
    value_offset: usize,
}

impl<'a> Entry<'a> {
    /// The entries in the value.
    pub(super) fn inner(&self) -> Entries<'a> {
        Entries::new(self.value, self.value_offset)
    }
}

/// Iterates over entries that follow one another; ends at the first one that is cut off.
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    /// Offset of `bytes` in the payload.
    offset: usize,
}

impl<'a> Entries<'a> {
    pub(super) fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    fn entry(&mut self) -> Result<Entry<'a>, DecodeError> {
        let offset = self.offset;
        let entry_type = self.number(1, "the type of a TLV entry")?;
        let level = match entry_type >> 6 {
            0 => Level::ObjectInstance,
            1 => Level::ResourceInstance,
            2 => Level::MultipleResource,
            _ => Level::Resource,
        };
        let id_bytes = if entry_type & 0x20 == 0 { 1 } else { 2 };
        // Two bytes at most.
        let id = self.number(id_bytes, "the id of a TLV entry")? as u16;
        let length = match entry_type >> 3 & 3 {
            0 => entry_type & 7,
            length_bytes => self.number(length_bytes, "the length of a TLV entry")?,
        };
        let value_offset = self.offset;
        let value = self.take(length, "the value of a TLV entry")?;
        Ok(Entry {
            level,
            id,
            value,
            offset,
            value_offset,
        })
    }

    /// Reads a big-endian number of up to three bytes.
    fn number(&mut self, length: usize, expected: &'static str) -> Result<usize, DecodeError> {
        let bytes = self.take(length, expected)?;
        Ok(bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn take(&mut self, length: usize, expected: &'static str) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            let end = self.offset + self.bytes.len();
            return Err(DecodeError::Truncated {
                at: Position::byte(end),
                expected,
            });
        };
        self.bytes = rest;
        self.offset += length;
        Ok(taken)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.bytes = &[];
        }
        Some(entry)
    }
}
