//! What can be wrong with a payload, and where.

use std::fmt;

use crate::proto::lwm2m::{Path, PathError, ResourceType};

/// Where in a payload something is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// Byte offset, counted from 0.
    pub offset: usize,
    /// Record of a SenML pack or element of a JSON object, counted from 0.
    pub record: Option<usize>,
}

impl Position {
    pub(super) const fn byte(offset: usize) -> Self {
        Self {
            offset,
            record: None,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = self.record {
            write!(f, "record {record}, ")?;
        }
        write!(f, "byte {}", self.offset)
    }
}

/// Why a payload cannot be decoded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// No decoder for the content format.
    #[error(
        "content format {format} is not supported, expected 0, 42, 60, 110, 112, 320, 322, 11542, 11543 or 11544"
    )]
    UnsupportedFormat {
        /// Number of the format.
        format: u16,
    },
    /// A format that holds one value, for a path that has several.
    #[error("content format {format} holds a single value, but {base} is not a Resource")]
    NotAResource {
        /// Number of the format.
        format: u16,
        /// The path the payload answers for.
        base: Path,
    },
    /// The payload ends too early.
    #[error("{at}: the payload ends, expected {expected}")]
    Truncated {
        /// Where it ends.
        at: Position,
        /// What should be there.
        expected: &'static str,
    },
    /// Something is not as the format has it.
    #[error("{at}: found {found}, expected {expected}")]
    Malformed {
        /// Where.
        at: Position,
        /// What is there.
        found: Box<str>,
        /// What should be there.
        expected: &'static str,
    },
    /// The value does not have the type of its Resource.
    #[error("{at}: value of {path} is {found}, expected {expected}")]
    WrongType {
        /// Where.
        at: Position,
        /// Path of the value.
        path: Path,
        /// What the payload holds.
        found: &'static str,
        /// Type of the Resource.
        expected: ResourceType,
    },
    /// A name is not a path.
    #[error("{at}: name \"{name}\" is not a path: {reason}")]
    InvalidPath {
        /// Where.
        at: Position,
        /// The beginning of the name, base name included.
        name: Box<str>,
        /// What is wrong with it.
        reason: PathError,
    },
    /// A value for something that was not asked for.
    #[error("{at}: path {path} is not at or under {base}")]
    UnexpectedPath {
        /// Where.
        at: Position,
        /// Path in the payload.
        path: Path,
        /// The path the payload answers for.
        base: Path,
    },
    /// A value for a path that cannot have one.
    #[error("{at}: {path} has a value, but is not a Resource")]
    ValueAboveResource {
        /// Where.
        at: Position,
        /// Path in the payload.
        path: Path,
    },
    /// A time that no calendar has.
    #[error("{at}: time is out of range, expected seconds within the years 0 to 9999")]
    TimeOutOfRange {
        /// Where.
        at: Position,
    },
}

impl DecodeError {
    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::NotAResource { .. } => "not_a_resource",
            Self::Truncated { .. } => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::WrongType { .. } => "wrong_type",
            Self::InvalidPath { .. } => "invalid_path",
            Self::UnexpectedPath { .. } => "unexpected_path",
            Self::ValueAboveResource { .. } => "value_above_resource",
            Self::TimeOutOfRange { .. } => "time_out_of_range",
        }
    }

    /// The same error, placed in a record.
    pub(super) fn in_record(mut self, record: usize) -> Self {
        match &mut self {
            Self::UnsupportedFormat { .. } | Self::NotAResource { .. } => {}
            Self::Truncated { at, .. }
            | Self::Malformed { at, .. }
            | Self::WrongType { at, .. }
            | Self::InvalidPath { at, .. }
            | Self::UnexpectedPath { at, .. }
            | Self::ValueAboveResource { at, .. }
            | Self::TimeOutOfRange { at } => at.record = Some(record),
        }
        self
    }
}
