//! TLV: entries of type, id, length and value (LwM2M Core 1.0 §6.4.3).

use std::borrow::Borrow;

use super::cbor_writer::single;
use super::tree::{AtPath, Group, groups};
use super::{EncodeError, FloatWidth};
use crate::proto::lwm2m::{Path, Record, Value};

pub(super) fn encode(
    format: u16,
    base: &Path,
    records: &[Record],
    floats: FloatWidth,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    // Where the outermost entries have their id: that of a single Resource names itself.
    let depth = match base.len() {
        0 => return Err(EncodeError::NeedsObject { format }),
        1 => 1,
        2 | 3 => 2,
        _ => 3,
    };
    if matches!(records, [record] if record.path.len() == depth) {
        // An Object Instance without Resources is what the request names already.
        return Ok(());
    }
    let mut writer = Writer {
        format,
        floats,
        out,
    };
    if records.is_sorted_by_key(|record| record.path) {
        return writer.entries(records, depth);
    }
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by_key(|record| record.path);
    writer.entries(&sorted, depth)
}

struct Writer<'a> {
    format: u16,
    floats: FloatWidth,
    out: &'a mut Vec<u8>,
}

/// What an entry stands for: bits 7 and 6 of its type.
const OBJECT_INSTANCE: u8 = 0;
const RESOURCE_INSTANCE: u8 = 1 << 6;
const MULTIPLE_RESOURCE: u8 = 2 << 6;
const RESOURCE: u8 = 3 << 6;

/// Most bytes of an entry's value: its length has 24 bits.
const MAX_LENGTH: usize = (1 << 24) - 1;

impl Writer<'_> {
    /// Writes the entries of the level of which `records` have the id at `depth`.
    fn entries<T: AtPath + Borrow<Record>>(
        &mut self,
        records: &[T],
        depth: usize,
    ) -> Result<(), EncodeError> {
        for group in groups(records, depth) {
            let (id, group) = group?;
            match group {
                Group::Here(record) => self.entry(record.borrow(), depth, id)?,
                Group::Below(records) => {
                    let level = match depth {
                        1 => OBJECT_INSTANCE,
                        _ => MULTIPLE_RESOURCE,
                    };
                    let start = self.out.len();
                    self.entries(records, depth + 1)?;
                    self.wrap(level, id, start, || ancestor(&records[0].path(), depth + 1))?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, record: &Record, depth: usize, id: u16) -> Result<(), EncodeError> {
        let path = record.path;
        let start = self.out.len();
        let level = match (&record.value, depth) {
            (Some(value), 2) => {
                self.value(value);
                RESOURCE
            }
            (Some(value), _) => {
                self.value(value);
                RESOURCE_INSTANCE
            }
            (None, 1) => OBJECT_INSTANCE,
            (None, 2) => MULTIPLE_RESOURCE,
            (None, _) => {
                let format = self.format;
                return Err(EncodeError::NoValue { format, path });
            }
        };
        self.wrap(level, id, start, || path)
    }

    /// Puts the head in front of the value that begins at `start`.
    fn wrap(
        &mut self,
        level: u8,
        id: u16,
        start: usize,
        path: impl FnOnce() -> Path,
    ) -> Result<(), EncodeError> {
        let bytes = self.out.len() - start;
        if bytes > MAX_LENGTH {
            return Err(EncodeError::TooLong {
                path: path(),
                bytes,
            });
        }
        let id = id.to_be_bytes();
        let id = if id[0] == 0 { &id[1..] } else { &id[..] };
        let length = (bytes as u32).to_be_bytes();
        let (length_type, length) = match bytes {
            0..=7 => (bytes as u8, &length[4..]),
            8..=0xff => (1 << 3, &length[3..]),
            0x100..=0xffff => (2 << 3, &length[2..]),
            _ => (3 << 3, &length[1..]),
        };
        let wide_id = u8::from(id.len() == 2) << 5;

        let mut head = [0; 6];
        head[0] = level | wide_id | length_type;
        let length_at = 1 + id.len();
        let end = length_at + length.len();
        head[1..length_at].copy_from_slice(id);
        head[length_at..end].copy_from_slice(length);
        self.out.splice(start..start, head[..end].iter().copied());
        Ok(())
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) | Value::Corelnk(text) => {
                self.out.extend_from_slice(text.as_bytes());
            }
            Value::Opaque(bytes) => self.out.extend_from_slice(bytes),
            Value::Integer(integer) | Value::Time(integer) => self.signed(*integer),
            Value::Unsigned(integer) => self.unsigned(*integer),
            Value::Float(number) => match single(*number) {
                Some(single) if self.floats == FloatWidth::Shortest => {
                    self.out.extend_from_slice(&single.to_be_bytes());
                }
                _ => self.out.extend_from_slice(&number.to_be_bytes()),
            },
            Value::Boolean(boolean) => self.out.push((*boolean).into()),
            Value::Objlnk(object, instance) => {
                self.out.extend_from_slice(&object.to_be_bytes());
                self.out.extend_from_slice(&instance.to_be_bytes());
            }
        }
    }

    /// An integer in the first of 1, 2, 4 and 8 bytes that holds it.
    fn signed(&mut self, integer: i64) {
        let bytes = integer.to_be_bytes();
        let width = if i8::try_from(integer).is_ok() {
            1
        } else if i16::try_from(integer).is_ok() {
            2
        } else if i32::try_from(integer).is_ok() {
            4
        } else {
            8
        };
        self.out.extend_from_slice(&bytes[8 - width..]);
    }

    fn unsigned(&mut self, integer: u64) {
        let bytes = integer.to_be_bytes();
        let width = match integer {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8,
        };
        self.out.extend_from_slice(&bytes[8 - width..]);
    }
}

/// The first `len` ids of `path`.
fn ancestor(path: &Path, len: usize) -> Path {
    let ids = path.segments().iter().take(len);
    ids.fold(Path::ROOT, |path, id| path.child(*id).unwrap_or(path))
}
