//! Values in the order of their paths, for the formats that nest.

use super::EncodeError;
use crate::proto::lwm2m::{Path, Record};

/// Something at a path.
pub(super) trait AtPath {
    fn path(&self) -> Path;
}

impl AtPath for Record {
    fn path(&self) -> Path {
        self.path
    }
}

impl AtPath for Path {
    fn path(&self) -> Path {
        *self
    }
}

impl<T: AtPath> AtPath for &T {
    fn path(&self) -> Path {
        (*self).path()
    }
}

/// What lies at or below one id of a level.
pub(super) enum Group<'a, T> {
    /// One item, at the level itself.
    Here(&'a T),
    /// Items below the level.
    Below(&'a [T]),
}

/// The groups of the level of which `items` have the id at `depth`; they are in order of their
/// paths.
pub(super) fn groups<T: AtPath>(
    items: &[T],
    depth: usize,
) -> impl Iterator<Item = Result<(u16, Group<'_, T>), EncodeError>> {
    let id = move |item: &T| {
        item.path()
            .segments()
            .get(depth)
            .copied()
            .unwrap_or_default()
    };
    items
        .chunk_by(move |a, b| id(a) == id(b))
        .map(move |group| {
            let (first, rest) = (&group[0], &group[1..]);
            match (first.path().len() <= depth + 1, rest.first()) {
                (true, Some(second)) => Err(EncodeError::Overlap {
                    path: first.path(),
                    other: second.path(),
                }),
                (true, None) => Ok((id(first), Group::Here(first))),
                (false, _) => Ok((id(first), Group::Below(group))),
            }
        })
}
