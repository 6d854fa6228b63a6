//! The way out of every decoder: paths are checked, values get their types.

use super::scalar::Scalar;
use super::{DecodeError, Position};
use crate::proto::lwm2m::{Path, Record, ResourceType, ResourceTypes, Value};
use crate::proto::time::UnixMillis;

/// Takes what a decoder reads and hands it to the sink.
pub(super) struct Output<'a> {
    base: Path,
    types: &'a dyn ResourceTypes,
    sink: &'a mut dyn FnMut(Record),
}

impl<'a> Output<'a> {
    pub(super) fn new(
        base: Path,
        types: &'a dyn ResourceTypes,
        sink: &'a mut dyn FnMut(Record),
    ) -> Self {
        Self { base, types, sink }
    }

    /// The path the payload answers for.
    pub(super) fn base(&self) -> Path {
        self.base
    }

    /// Type of the Resource at `path`, when it is one and its definition is known.
    pub(super) fn resource_type(&self, path: &Path) -> Option<ResourceType> {
        let (object, resource) = (path.object_id()?, path.resource_id()?);
        self.types
            .resource_type(object, resource)
            .map(|(resource_type, _)| resource_type)
    }

    /// Hands out a value after giving it the type of its Resource.
    pub(super) fn scalar(
        &mut self,
        offset: usize,
        path: Path,
        time: Option<UnixMillis>,
        scalar: Scalar<'_>,
    ) -> Result<(), DecodeError> {
        let expected = self.resource_type(&path);
        let value = match (scalar.into_value(expected), expected) {
            (Ok(value), _) => value,
            (Err(found), Some(expected)) => {
                return Err(DecodeError::WrongType {
                    at: Position::byte(offset),
                    path,
                    found,
                    expected,
                });
            }
            (Err(found), None) => {
                return Err(DecodeError::Malformed {
                    at: Position::byte(offset),
                    found: found.into(),
                    expected: "a value",
                });
            }
        };
        self.value(offset, path, time, value)
    }

    /// Hands out a value.
    pub(super) fn value(
        &mut self,
        offset: usize,
        path: Path,
        time: Option<UnixMillis>,
        value: Value,
    ) -> Result<(), DecodeError> {
        let at = Position::byte(offset);
        self.check(at, path)?;
        if !path.holds_value() {
            return Err(DecodeError::ValueAboveResource { at, path });
        }
        (self.sink)(Record {
            path,
            time,
            value: Some(value),
        });
        Ok(())
    }

    /// Hands out a record that has no value.
    pub(super) fn without_value(
        &mut self,
        offset: usize,
        path: Path,
        time: Option<UnixMillis>,
    ) -> Result<(), DecodeError> {
        self.check(Position::byte(offset), path)?;
        (self.sink)(Record {
            path,
            time,
            value: None,
        });
        Ok(())
    }

    fn check(&self, at: Position, path: Path) -> Result<(), DecodeError> {
        if path.starts_with(&self.base) {
            Ok(())
        } else {
            Err(DecodeError::UnexpectedPath {
                at,
                path,
                base: self.base,
            })
        }
    }
}
