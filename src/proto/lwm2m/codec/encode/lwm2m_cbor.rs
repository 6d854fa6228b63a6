//! LwM2M CBOR (LwM2M 1.2): maps from ids to maps or values, one level for each id.

use super::cbor_writer::{self, MAP, head, null};
use super::tree::{AtPath, Group, groups};
use super::{EncodeError, FloatWidth};
use crate::proto::lwm2m::{Path, Record};

pub(super) fn encode(
    records: &[Record],
    floats: FloatWidth,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if records.iter().any(|record| record.path.is_root()) {
        return Err(EncodeError::NoKeyForRoot);
    }
    let mut write = |record: &Record, out: &mut Vec<u8>| match &record.value {
        Some(value) => cbor_writer::value(value, floats, out),
        None => null(out),
    };
    if records.is_sorted_by_key(|record| record.path) {
        return map(records, 0, &mut write, out);
    }
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by_key(|record| record.path);
    map(&sorted, 0, &mut |record, out| write(record, out), out)
}

pub(super) fn encode_paths(paths: &[Path], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut sorted = paths.to_vec();
    sorted.sort_unstable();
    if sorted.first().is_some_and(Path::is_root) {
        return Err(EncodeError::NoKeyForRoot);
    }
    map(&sorted, 0, &mut |_, out| null(out), out)
}

fn map<T: AtPath>(
    items: &[T],
    depth: usize,
    write: &mut impl FnMut(&T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    head(MAP, groups(items, depth).count() as u64, out);
    for group in groups(items, depth) {
        let (id, group) = group?;
        cbor_writer::integer(id.into(), out);
        match group {
            Group::Here(item) => write(item, out),
            Group::Below(items) => map(items, depth + 1, write, out)?,
        }
    }
    Ok(())
}
