//! LwM2M CBOR: nested maps from ids to values (LwM2M 1.2).
//!
//! A key is one id, or an array of ids for several levels at once.

use minicbor::data::Type;

use super::cbor_reader::CborReader;
use super::output::Output;
use super::{DecodeError, Position};
use crate::proto::lwm2m::Path;

pub(super) fn decode(payload: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    let mut reader = CborReader::new(payload);
    map(&mut reader, Path::ROOT, output)?;
    reader.end()
}

/// Reads a map below `parent`. Every key adds at least one id and a path has four, so nesting is
/// bounded.
fn map(
    reader: &mut CborReader<'_>,
    parent: Path,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    reader.map("a map from ids to values", |reader| {
        let path = key(reader, parent)?;
        let offset = reader.offset();
        if matches!(reader.kind("a value or a map")?, Type::Map | Type::MapIndef) {
            map(reader, path, output)
        } else if reader.take_null()? {
            output.without_value(offset, path, None)
        } else {
            let scalar = reader.scalar()?;
            output.scalar(offset, path, None, scalar)
        }
    })
}

fn key(reader: &mut CborReader<'_>, parent: Path) -> Result<Path, DecodeError> {
    const EXPECTED: &str = "an id from 0 to 65534, or an array of them, at most 4 levels in all";
    let offset = reader.offset();
    let mut path = parent;
    let mut add = |reader: &mut CborReader<'_>| {
        let id = reader.integer(EXPECTED)?;
        let child = u16::try_from(id).ok().and_then(|id| path.child(id));
        path = child.ok_or_else(|| DecodeError::Malformed {
            at: Position::byte(offset),
            found: format!("id {id} below {path}").into(),
            expected: EXPECTED,
        })?;
        Ok(())
    };
    match reader.kind(EXPECTED)? {
        Type::Array | Type::ArrayIndef => reader.array(EXPECTED, add)?,
        _ => add(reader)?,
    }
    if path == parent {
        return Err(DecodeError::Malformed {
            at: Position::byte(offset),
            found: "an empty array".into(),
            expected: EXPECTED,
        });
    }
    Ok(path)
}
