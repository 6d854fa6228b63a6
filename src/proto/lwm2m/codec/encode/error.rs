//! What a format cannot carry.

use crate::proto::lwm2m::{Path, ResourceType};

/// Why values cannot be encoded in a content format.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// No encoder for the content format.
    #[error(
        "content format {format} is not supported, expected 0, 42, 60, 110, 112, 320, 322, 11542, 11543 or 11544"
    )]
    UnsupportedFormat {
        /// Number of the format.
        format: u16,
    },
    /// A format that holds one value got none or several, a multiple Resource for instance.
    #[error("content format {format} holds a single value, but {values} are given for {base}")]
    NotOneValue {
        /// Number of the format.
        format: u16,
        /// The path of the request.
        base: Path,
        /// How many values there are.
        values: usize,
    },
    /// A format without paths got a value for another path than the one of the request.
    #[error("content format {format} holds the value of {base} itself, but the value is of {path}")]
    ValueBelowBase {
        /// Number of the format.
        format: u16,
        /// Path of the value.
        path: Path,
        /// The path of the request.
        base: Path,
    },
    /// A value that does not belong to the request.
    #[error("path {path} is not at or under {base}")]
    OutsideBase {
        /// Path of the value.
        path: Path,
        /// The path of the request.
        base: Path,
    },
    /// A value for a path that cannot have one.
    #[error("{path} has a value, but is not a Resource")]
    ValueAboveResource {
        /// Path of the value.
        path: Path,
    },
    /// An id of 65535.
    #[error("path {path} has the reserved id 65535, expected ids from 0 to 65534")]
    ReservedId {
        /// The path.
        path: Path,
    },
    /// A record without value in a format that cannot say so.
    #[error("{path} has no value, and content format {format} cannot say so")]
    NoValue {
        /// Number of the format.
        format: u16,
        /// Path of the record.
        path: Path,
    },
    /// Another type than Opaque in application/octet-stream.
    #[error("content format 42 holds bytes, but the value of {path} is {found}")]
    NotOpaque {
        /// Path of the value.
        path: Path,
        /// Type of the value.
        found: ResourceType,
    },
    /// NaN or an infinity in a format made of text.
    #[error(
        "the value of {path} is not a finite number, and content format {format} has no spelling for it"
    )]
    NotFinite {
        /// Number of the format.
        format: u16,
        /// Path of the value.
        path: Path,
    },
    /// A time in a format without times.
    #[error(
        "the value of {path} has a time, and content format {format} has none, expected SenML or 11543"
    )]
    NoTimes {
        /// Number of the format.
        format: u16,
        /// Path of the value.
        path: Path,
    },
    /// A time that would be read as relative to now (RFC 8428 §4.5.3) or that no calendar has.
    #[error("the time of {path} cannot be encoded, expected one between the years 1978 and 9999")]
    TimeOutOfRange {
        /// Path of the value.
        path: Path,
    },
    /// TLV has no object ids.
    #[error("content format {format} needs the path of an object or below, not /")]
    NeedsObject {
        /// Number of the format.
        format: u16,
    },
    /// LwM2M CBOR names everything below the root, but not the root.
    #[error("content format 11544 has no key for /")]
    NoKeyForRoot,
    /// Not a format for the paths of a composite request.
    #[error(
        "content format {format} cannot hold a list of paths, expected 110, 112, 320, 322 or 11544"
    )]
    NoPathLists {
        /// Number of the format.
        format: u16,
    },
    /// Two records for the same path, or a record for a path below that of another.
    #[error("{path} and {other} exclude each other: a path is given once, and nothing below it")]
    Overlap {
        /// The first path.
        path: Path,
        /// The one at or below it.
        other: Path,
    },
    /// More bytes than a TLV length can say.
    #[error("{path} has {bytes} bytes, TLV holds at most 16777215")]
    TooLong {
        /// Path of the value, or of what contains too many of them.
        path: Path,
        /// Length of the content.
        bytes: usize,
    },
}

impl EncodeError {
    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::NotOneValue { .. } => "not_one_value",
            Self::ValueBelowBase { .. } => "value_below_base",
            Self::OutsideBase { .. } => "outside_base",
            Self::ValueAboveResource { .. } => "value_above_resource",
            Self::ReservedId { .. } => "reserved_id",
            Self::NoValue { .. } => "no_value",
            Self::NotOpaque { .. } => "not_opaque",
            Self::NotFinite { .. } => "not_finite",
            Self::NoTimes { .. } => "no_times",
            Self::TimeOutOfRange { .. } => "time_out_of_range",
            Self::NeedsObject { .. } => "needs_object",
            Self::NoKeyForRoot => "no_key_for_root",
            Self::NoPathLists { .. } => "no_path_lists",
            Self::Overlap { .. } => "overlap",
            Self::TooLong { .. } => "too_long",
        }
    }
}

/// A number that is NaN or infinite, where only finite ones can be written.
#[derive(Debug)]
pub(super) struct NotFinite;
