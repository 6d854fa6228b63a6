//! Profiles as people see them in lists.

use std::fmt;

use serde::Serialize;

use super::configuration::Configuration;
use super::findings::Finding;
use crate::engine::endpoint::profile_parts::PowerKind;
use crate::engine::view::RolloutView;

/// One line of the list of profiles.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileSummary {
    /// Name of the profile.
    pub name: String,
    /// `true` for the built-in `default` as long as nobody has put another in its place.
    pub built_in: bool,
    /// `SINGLE`, `COMPOSITE_ALL` or `COMPOSITE_BY_OBJECT`.
    pub observe_strategy: &'static str,
    /// Paths that are observed.
    pub observed: usize,
    /// Resources that are kept as client attributes.
    pub attributes: usize,
    /// Resources that are kept as telemetry.
    pub telemetry: usize,
    /// `DRX`, `PSM` or `E_DRX`.
    pub power_mode: &'static str,
    /// Provisioned devices of the profile.
    pub devices: usize,
    /// How far the registered ones are with the profile as it is now.
    pub rollout: RolloutView,
}

/// A page of the list of profiles.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProfilePage {
    /// The profiles, by name.
    pub items: Vec<ProfileSummary>,
    /// Cursor of the next page; `null` at the end.
    pub next: Option<String>,
}

/// What became of a profile that was put.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PutProfile {
    /// Name of the profile.
    pub name: String,
    /// Whether there was none of that name.
    pub result: PutResult,
    /// What has no effect, or not the one it seems to have.
    pub warnings: Vec<Finding>,
}

/// Whether there was a profile of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PutResult {
    /// There was none.
    Created,
    /// There was one.
    Replaced,
}

/// Some names of profiles, for whoever named one that is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownProfiles {
    /// The first ones in order.
    pub first: Vec<String>,
    /// How many there are beyond those.
    pub more: usize,
}

impl fmt::Display for KnownProfiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What a list tells of a configuration.
pub(super) fn summary(name: &str, built_in: bool, configuration: &Configuration) -> ProfileSummary {
    let asked = &configuration.observe_attr;
    ProfileSummary {
        name: name.to_owned(),
        built_in,
        observe_strategy: asked.strategy.name(),
        observed: asked.observe.len(),
        attributes: asked.attribute.len(),
        telemetry: asked.telemetry.len(),
        power_mode: match configuration.power.kind {
            None | Some(PowerKind::Drx) => "DRX",
            Some(PowerKind::Psm) => "PSM",
            Some(PowerKind::Edrx) => "E_DRX",
        },
        devices: 0,
        rollout: RolloutView::default(),
    }
}
