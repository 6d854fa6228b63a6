//! TLV: entries of type, id, length and value, nested by level (LwM2M Core 1.0 §6.4.3).
//!
//! Clients differ in how many levels they wrap around what was asked for; every entry is placed by
//! its own level and id, and the request fills in the levels above.

mod entry;
mod value;

use entry::{Entries, Entry, Level};

use super::output::Output;
use super::{DecodeError, Position};
use crate::proto::lwm2m::Path;

pub(super) fn decode(payload: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    let base = output.base();
    if base.is_root() && !payload.is_empty() {
        return Err(DecodeError::Malformed {
            at: Position::byte(0),
            found: "TLV".into(),
            expected: "a format with full paths for a request without path",
        });
    }
    entries(Entries::new(payload, 0), None, base, output)
}

/// Reads entries that stand inside of an entry of level `container`, whose path is `parent`, or at
/// the top.
fn entries(
    entries: Entries<'_>,
    container: Option<Level>,
    parent: Path,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    for entry in entries {
        let entry = entry?;
        check_nesting(&entry, container)?;
        let path = place(&entry, parent)?;
        match entry.level {
            Level::ObjectInstance | Level::MultipleResource => {
                self::entries(entry.inner(), Some(entry.level), path, output)?;
            }
            Level::Resource | Level::ResourceInstance => {
                let value = value::decode(&entry, path, output.resource_type(&path))?;
                output.value(entry.offset, path, None, value)?;
            }
        }
    }
    Ok(())
}

/// Object Instances hold Resources, Resources hold Resource Instances; the top may be any level.
fn check_nesting(entry: &Entry<'_>, container: Option<Level>) -> Result<(), DecodeError> {
    let expected = match (container, entry.level) {
        (None, _)
        | (Some(Level::ObjectInstance), Level::Resource | Level::MultipleResource)
        | (Some(Level::MultipleResource), Level::ResourceInstance) => return Ok(()),
        (Some(Level::ObjectInstance), _) => "a Resource entry inside of an Object Instance",
        (Some(_), _) => "a Resource Instance entry inside of a multiple Resource",
    };
    Err(DecodeError::Malformed {
        at: Position::byte(entry.offset),
        found: entry.level.name().into(),
        expected,
    })
}

/// The path of an entry: as many ids of `parent` as lie above the entry's level, then its own id.
fn place(entry: &Entry<'_>, parent: Path) -> Result<Path, DecodeError> {
    let above = match entry.level {
        Level::ObjectInstance => 1,
        Level::Resource | Level::MultipleResource => 2,
        Level::ResourceInstance => 3,
    };
    let above = match parent.segments().get(..above) {
        Some(ids) => ids.iter().try_fold(Path::ROOT, |path, &id| path.child(id)),
        // Resources without their instance, in answer to a request for an object that can have only
        // one.
        None if above == 2 => parent.child(0),
        None => {
            return Err(DecodeError::Malformed {
                at: Position::byte(entry.offset),
                found: entry.level.name().into(),
                expected: "Object Instance or Resource entries",
            });
        }
    };
    above
        .and_then(|above| above.child(entry.id))
        .ok_or_else(|| DecodeError::Malformed {
            at: Position::byte(entry.offset),
            found: format!("id {}", entry.id).into(),
            expected: "an id from 0 to 65534",
        })
}
