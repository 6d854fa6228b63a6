//! Problems with packages, their assignment, and campaigns.

use super::{Problem, ProblemKind};
use crate::services::campaigns::{CampaignError, MAX_CAMPAIGNS};
use crate::services::packages::{MAX_PACKAGES, PackageError};
use crate::services::updates::UpdatesError;

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

impl From<UpdatesError> for Problem {
    fn from(error: UpdatesError) -> Self {
        let detail = error.to_string();
        match error {
            UpdatesError::NothingAssigned { .. } => Self::new(ProblemKind::NothingAssigned, detail),
            UpdatesError::UnknownPackage { .. } => {
                Self::new(ProblemKind::UnknownPackage, detail).with("member", "packageId")
            }
            UpdatesError::Device(error) => error.into(),
            UpdatesError::Profile(error) => error.into(),
            UpdatesError::Package(error) => error.into(),
            UpdatesError::Engine(error) => error.into(),
            UpdatesError::Store(error) => error.into(),
        }
    }
}

impl From<CampaignError> for Problem {
    fn from(error: CampaignError) -> Self {
        let detail = error.to_string();
        match error {
            CampaignError::NotFound { .. } => Self::new(ProblemKind::CampaignNotFound, detail),
            CampaignError::Member { member, .. } => {
                Self::new(ProblemKind::InvalidCampaign, detail).with("member", member)
            }
            CampaignError::NotNow { .. } => Self::new(ProblemKind::CampaignState, detail),
            CampaignError::TooMany => {
                Self::new(ProblemKind::TooManyCampaigns, detail).with("limit", MAX_CAMPAIGNS)
            }
            CampaignError::Cursor(_) => Self::new(ProblemKind::InvalidCursor, detail),
            CampaignError::Devices(error) => error.into(),
            CampaignError::Updates(error) => error.into(),
            CampaignError::Store(error) => error.into(),
        }
    }
}
