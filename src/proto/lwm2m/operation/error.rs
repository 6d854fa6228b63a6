//! Why an operation cannot be asked for.

use super::{AttributeError, Operation};
use crate::proto::lwm2m::codec::EncodeError;
use crate::proto::lwm2m::{LwM2mVersion, Path};

/// Why a request cannot be built. Nothing has been sent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperationError {
    /// The operation does not exist at this level.
    #[error("{operation} cannot target {level} {path}, expected the path of {accepted}")]
    InvalidTarget {
        /// Name of the operation.
        operation: &'static str,
        /// The path.
        path: Path,
        /// What the path is.
        level: &'static str,
        /// What it may be.
        accepted: &'static str,
    },
    /// The device is too old.
    #[error("{what} needs LwM2M {required}, the device has {version}")]
    RequiresVersion {
        /// What the device does not have.
        what: &'static str,
        /// The version that brought it.
        required: LwM2mVersion,
        /// The version of the device.
        version: LwM2mVersion,
    },
    /// An id of 65535.
    #[error("path {path} has the reserved id 65535, expected ids from 0 to 65534")]
    ReservedId {
        /// The path.
        path: Path,
    },
    /// A composite operation without paths.
    #[error("{operation} needs at least one path")]
    NoPaths {
        /// Name of the operation.
        operation: &'static str,
    },
    /// Two paths of a composite operation of which one contains the other.
    #[error("Invalid path list :  {path} and {other} are overlapped paths")]
    OverlappingPaths {
        /// The path above, or the first of two that are the same.
        path: Path,
        /// The path below.
        other: Path,
    },
    /// Nothing to write.
    #[error("{operation} needs at least one value for {target}")]
    NoValues {
        /// Name of the operation.
        operation: &'static str,
        /// What should be written.
        target: Path,
    },
    /// A record without value, where the content format cannot say that.
    #[error("{path} has no value, and content format {format} cannot say so in {operation}")]
    MissingValue {
        /// Name of the operation.
        operation: &'static str,
        /// The path.
        path: Path,
        /// The content format.
        format: u16,
    },
    /// A Partial Update of a Resource with one value.
    #[error(
        "a partial update of {path} needs values of its Resource Instances, a single value is replaced"
    )]
    UpdateOfSingleValue {
        /// The Resource.
        path: Path,
    },
    /// Values of several instances for the one that is to be created.
    #[error("the device chooses one instance id, but values are given for {path} and {other}")]
    SeveralInstances {
        /// One instance.
        path: Path,
        /// Another.
        other: Path,
    },
    /// A Create without instance id in a format that has no way to leave it out.
    #[error(
        "content format {format} cannot create an instance without an id, expected 11542 or a stated id"
    )]
    CreateWithoutId {
        /// The content format.
        format: u16,
    },
    /// A depth that Discover does not have.
    #[error("depth of Discover is {depth}, expected 0 to 3")]
    DepthOutOfRange {
        /// The depth.
        depth: u8,
    },
    /// A block size that does not exist.
    #[error("block size exponent is {szx}, expected 0 (16 bytes) to 6 (1024 bytes)")]
    InvalidBlockSize {
        /// The exponent.
        szx: u8,
    },
    /// A content format that cannot be used for this.
    #[error("content format {format} cannot be used for {operation}, expected {accepted}")]
    UnusableFormat {
        /// Name of the operation.
        operation: &'static str,
        /// The content format.
        format: u16,
        /// Those that could.
        accepted: &'static str,
    },
    /// The device announced its content formats, and none of them can be used.
    #[error(
        "{operation} needs one of the content formats {needed}, the device announced {announced:?}"
    )]
    NotAnnounced {
        /// Name of the operation.
        operation: &'static str,
        /// Formats that could be used.
        needed: &'static str,
        /// Formats the device has.
        announced: Box<[u16]>,
    },
    /// The alternate path of the registration is too long for a request.
    #[error("the alternate path of the device has {bytes} bytes, at most 255 can be sent")]
    AlternatePathTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Something is wrong with the attributes.
    #[error(transparent)]
    Attributes(#[from] AttributeError),
    /// The values do not fit the content format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl OperationError {
    /// Stable name of the reason, for metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::InvalidTarget { .. } => "invalid_target",
            Self::RequiresVersion { .. } => "requires_version",
            Self::ReservedId { .. } => "reserved_id",
            Self::NoPaths { .. } => "no_paths",
            Self::OverlappingPaths { .. } => "overlapping_paths",
            Self::NoValues { .. } => "no_values",
            Self::MissingValue { .. } => "missing_value",
            Self::UpdateOfSingleValue { .. } => "update_of_single_value",
            Self::SeveralInstances { .. } => "several_instances",
            Self::CreateWithoutId { .. } => "create_without_id",
            Self::DepthOutOfRange { .. } => "depth_out_of_range",
            Self::InvalidBlockSize { .. } => "invalid_block_size",
            Self::UnusableFormat { .. } => "unusable_format",
            Self::NotAnnounced { .. } => "not_announced",
            Self::AlternatePathTooLong { .. } => "alternate_path_too_long",
            Self::Attributes(_) => "attributes",
            Self::Encode(error) => error.discriminant(),
        }
    }

    pub(super) fn unusable(operation: &Operation, format: u16, accepted: &'static str) -> Self {
        Self::UnusableFormat {
            operation: operation.name(),
            format,
            accepted,
        }
    }
}
