//! What records are made of.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::operation::NotificationAttributes;

use super::SnapshotError;

pub(in super::super) type Out<'a> = Encoder<&'a mut Vec<u8>>;

/// Writing into memory does not fail.
pub(in super::super) type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

pub(in super::super) type Read<T> = Result<T, SnapshotError>;

/// Elements of a list for which room is made before they are there.
const EXPECTED: usize = 64;

pub(in super::super) fn write_path(path: &Path, out: &mut Out<'_>) -> Written {
    out.array(path.len() as u64)?;
    for id in path.segments() {
        out.u16(*id)?;
    }
    Ok(())
}

pub(in super::super) fn write_attributes(
    attributes: &NotificationAttributes,
    out: &mut Out<'_>,
) -> Written {
    let queries = attributes.queries();
    out.array(queries.len() as u64)?;
    for query in &queries {
        out.str(query)?;
    }
    Ok(())
}

pub(in super::super) fn path(from: &mut Decoder<'_>) -> Read<Path> {
    let mut path = Path::ROOT;
    for _ in 0..array(from)? {
        let id = from.u16()?;
        path = path.child(id).ok_or(SnapshotError::Member("path"))?;
    }
    Ok(path)
}

pub(in super::super) fn attributes(from: &mut Decoder<'_>) -> Read<NotificationAttributes> {
    let queries = list(from, |from| Ok(from.str()?))?;
    NotificationAttributes::parse(queries).map_err(|_| SnapshotError::Member("attributes"))
}

pub(in super::super) fn array(from: &mut Decoder<'_>) -> Read<u64> {
    from.array()?
        .ok_or(SnapshotError::Member("length of an array"))
}

pub(in super::super) fn exactly(
    from: &mut Decoder<'_>,
    members: u64,
    what: &'static str,
) -> Read<()> {
    if array(from)? == members {
        Ok(())
    } else {
        Err(SnapshotError::Member(what))
    }
}

pub(in super::super) fn optional<'a, T>(
    from: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Read<T>,
) -> Read<Option<T>> {
    if from.datatype()? == Type::Null {
        from.null()?;
        return Ok(None);
    }
    read(from).map(Some)
}

pub(in super::super) fn list<'a, T>(
    from: &mut Decoder<'a>,
    read: impl Fn(&mut Decoder<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let count = array(from)?;
    // A damaged length must not cost memory: each element takes a byte of the record at least.
    let mut all = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(EXPECTED));
    for _ in 0..count {
        all.push(read(from)?);
    }
    Ok(all)
}
