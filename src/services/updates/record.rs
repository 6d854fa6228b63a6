//! Assignments as stored.

use serde::{Deserialize, Serialize};

use crate::proto::time::UnixMillis;
use crate::services::engine::{UpdateKind, UpdateStatus};
use crate::services::packages::PackageType;

/// What a device has to do with updates.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct DeviceRecord {
    #[serde(default, skip_serializing_if = "Slot::is_empty")]
    firmware: Slot,
    #[serde(default, skip_serializing_if = "Slot::is_empty")]
    software: Slot,
}

/// The same for one type of package.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Slot {
    /// Assigned to the device itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<Own>,
    /// The package that the engine was handed, until that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) given: Option<String>,
    /// How the last update ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Ended>,
}

/// An assignment to one device.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Own {
    pub(super) package: String,
    pub(super) campaign: Option<String>,
    pub(super) at: UnixMillis,
}

/// An update that is over.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ended {
    /// Id of the package.
    pub package: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When, milliseconds since 1970.
    pub at: UnixMillis,
    /// What the engine showed of it at the end.
    pub details: Option<serde_json::Value>,
}

/// How an update ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The device has what it should have.
    Updated,
    /// It has not.
    Failed(String),
}

impl Outcome {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    /// ThingsBoard's name of the state.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Updated => UpdateStatus::Updated.name(),
            Self::Failed(_) => UpdateStatus::Failed.name(),
        }
    }

    /// Why it failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Updated => None,
            Self::Failed(reason) => Some(reason),
        }
    }
}

/// What the devices of a profile are assigned.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct ProfileRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    firmware: Option<OfProfile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    software: Option<OfProfile>,
}

/// An assignment to a profile.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct OfProfile {
    pub(super) package: String,
    pub(super) at: UnixMillis,
}

/// Who assigned a package.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AssignedBy {
    /// Somebody, to this device.
    Device,
    /// The profile of the device.
    Profile,
    /// A campaign.
    Campaign,
}

impl DeviceRecord {
    pub(super) const fn of(&self, kind: PackageType) -> &Slot {
        match kind {
            PackageType::Firmware => &self.firmware,
            PackageType::Software => &self.software,
        }
    }

    pub(super) const fn of_mut(&mut self, kind: PackageType) -> &mut Slot {
        match kind {
            PackageType::Firmware => &mut self.firmware,
            PackageType::Software => &mut self.software,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.firmware.is_empty() && self.software.is_empty()
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the update to a package is over.
    pub(super) fn is_over(&self, package: &str) -> bool {
        self.ended
            .as_ref()
            .is_some_and(|ended| ended.package == package)
    }

    /// The package of an update that is not over.
    pub(super) fn open(&self) -> Option<&str> {
        let own = self.own.as_ref().map(|own| own.package.as_str());
        let open = own.filter(|package| !self.is_over(package));
        open.or(self.given.as_deref())
    }
}

impl ProfileRecord {
    pub(super) const fn of(&self, kind: PackageType) -> Option<&OfProfile> {
        match kind {
            PackageType::Firmware => self.firmware.as_ref(),
            PackageType::Software => self.software.as_ref(),
        }
    }

    pub(super) fn set(&mut self, kind: PackageType, assigned: Option<OfProfile>) {
        match kind {
            PackageType::Firmware => self.firmware = assigned,
            PackageType::Software => self.software = assigned,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.firmware.is_none() && self.software.is_none()
    }
}

/// The engine's word for a type of package.
pub(super) const fn kind_of(package_type: PackageType) -> UpdateKind {
    match package_type {
        PackageType::Firmware => UpdateKind::Firmware,
        PackageType::Software => UpdateKind::Software,
    }
}
