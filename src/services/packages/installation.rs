//! How devices are to install a package.

use serde::{Deserialize, Serialize};

use super::{PackageError, PackageType};

/// How devices are to install a package, as far as its object lets them be told.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Installation {
    /// Firmware: how urgent it is, for the user who may put it off (`/5/0/11`, version 1.1 of the object).
    pub severity: Option<UpdateSeverity>,
    /// Firmware: for how many seconds the user may put it off (`/5/0/13`).
    pub max_defer_seconds: Option<u32>,
    /// Software: it is activated after it was installed (`/9/0/10`), and what it replaces is deactivated
    /// before that (`/9/0/11`).
    pub activate: bool,
}

/// Severity of an update of firmware (LwM2M Core 1.2 §E.6, Resource 11).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum UpdateSeverity {
    /// 0.
    Critical,
    /// 1.
    Mandatory,
    /// 2.
    Optional,
}

impl UpdateSeverity {
    /// All names.
    pub const NAMES: [&'static str; 3] = ["CRITICAL", "MANDATORY", "OPTIONAL"];

    /// The value of the Resource.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Installation {
    /// Refuses what the object of the package has no Resource for.
    pub(super) fn check(self, package_type: PackageType) -> Result<(), PackageError> {
        let refused = match package_type {
            PackageType::Firmware if self.activate => "activate",
            PackageType::Software if self.severity.is_some() => "severity",
            PackageType::Software if self.max_defer_seconds.is_some() => "maxDeferSeconds",
            _ => return Ok(()),
        };
        Err(PackageError::Parameter {
            parameter: refused,
            problem: format!("is not for {package_type}: its object has no resource for that"),
        })
    }
}
