//! Problems with packages.

use super::{Problem, ProblemKind};
use crate::services::packages::{MAX_PACKAGES, PackageError};

impl From<PackageError> for Problem {
    fn from(error: PackageError) -> Self {
        let detail = error.to_string();
        match error {
            PackageError::NotFound { .. } => Self::new(ProblemKind::PackageNotFound, detail),
            PackageError::Parameter { parameter, .. } => {
                Self::new(ProblemKind::InvalidParameter, detail).with("parameter", parameter)
            }
            PackageError::Exists { id } => {
                Self::new(ProblemKind::PackageExists, detail).with("id", id)
            }
            PackageError::TooMany => {
                Self::new(ProblemKind::TooManyPackages, detail).with("limit", MAX_PACKAGES)
            }
            PackageError::InUse { .. } => Self::new(ProblemKind::PackageInUse, detail),
            PackageError::WrongType { .. } => {
                Self::new(ProblemKind::UnknownPackage, detail).with("member", "packageId")
            }
            PackageError::TooLarge { limit } => {
                Self::new(ProblemKind::BodyTooLarge, detail).with("limit", limit)
            }
            PackageError::Empty => Self::new(ProblemKind::InvalidPackage, detail),
            PackageError::Checksum {
                algorithm,
                computed,
                stated,
            } => Self::new(ProblemKind::ChecksumMismatch, detail)
                .with("checksumAlgorithm", algorithm.name())
                .with("computed", computed)
                .with("stated", stated),
            PackageError::TooManyUploads => Self::new(ProblemKind::TooManyUploads, detail),
            PackageError::NoBytes { .. } => Self::new(ProblemKind::InvalidPackage, detail),
            PackageError::NoSpace => Self::new(ProblemKind::NoSpace, detail),
            PackageError::Io(_) => Self::new(ProblemKind::StoreFailed, detail),
            PackageError::Cursor(_) => Self::new(ProblemKind::InvalidCursor, detail),
            PackageError::Store(error) => error.into(),
        }
    }
}
