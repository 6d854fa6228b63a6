//! Campaigns as they come, as they are stored, and as they are shown.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::{Counts, Kept, Phase, Plan, Standing};
use super::rules::Rules;
use super::select::Filter;
use super::{CampaignError, Outcome};
use crate::proto::time::UnixMillis;
use crate::services::packages::{Package, PackageType};

/// Longest name of a campaign in characters.
const MAX_NAME_CHARS: usize = 100;

/// A campaign as it comes: a package, and devices by name, profile or filter.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewCampaign {
    /// What it is for, in words.
    pub name: Option<String>,
    /// Id of the package.
    pub package_id: String,
    /// Endpoint client names.
    pub devices: Option<Vec<String>>,
    /// All devices of this profile that there are now.
    pub profile: Option<String>,
    /// All devices that there are now and that the device list shows under this filter.
    pub filter: Option<Filter>,
    /// How it proceeds.
    #[serde(default)]
    pub rules: Rules,
}

impl NewCampaign {
    pub(super) fn check(&self, now: UnixMillis) -> Result<(), CampaignError> {
        let refuse = |member, problem: &str| {
            let problem = problem.to_owned();
            Err(CampaignError::Member { member, problem })
        };
        let name = self.name.as_deref().unwrap_or_default();
        if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return refuse(
                "name",
                "must have at most 100 characters and no control characters",
            );
        }
        let given = [
            self.devices.is_some(),
            self.profile.is_some(),
            self.filter.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return refuse(
                "devices",
                "is one of three; accepted is one of devices, profile, filter",
            );
        }
        self.rules.check(now)
    }
}

/// A campaign as stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) package_id: String,
    pub(super) package_type: PackageType,
    pub(super) title: String,
    pub(super) version: String,
    pub(super) rules: Rules,
    pub(super) created_at: UnixMillis,
    pub(super) kept: Kept,
    /// When it was stored last.
    pub(super) counts: Counts,
}

impl Record {
    pub(super) fn new(new: NewCampaign, package: &Package, plan: &Plan, now: UnixMillis) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            name: new.name,
            package_id: package.id.clone(),
            package_type: package.package_type,
            title: package.title.clone(),
            version: package.version.clone(),
            rules: new.rules,
            created_at: now,
            kept: plan.kept(),
            counts: plan.counts(),
        }
    }

    pub(super) const fn is_active(&self) -> bool {
        !matches!(self.kept.phase, Phase::Completed | Phase::Cancelled)
    }

    pub(super) fn view(&self, counts: Counts) -> CampaignView {
        CampaignView {
            id: self.id.clone(),
            name: self.name.clone(),
            package_id: self.package_id.clone(),
            package_type: self.package_type,
            title: self.title.clone(),
            version: self.version.clone(),
            phase: self.kept.phase,
            created_at: self.created_at,
            devices: counts,
            rules: self.rules.clone(),
        }
    }
}

/// A campaign.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignView {
    /// Names it.
    pub id: String,
    /// What it is for.
    pub name: Option<String>,
    /// Id of the package.
    pub package_id: String,
    /// What it updates.
    #[serde(rename = "type")]
    pub package_type: PackageType,
    /// Title of the package.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What it is doing.
    #[serde(rename = "state")]
    pub phase: Phase,
    /// When it was made, milliseconds since 1970.
    pub created_at: UnixMillis,
    /// How its devices stand.
    pub devices: Counts,
    /// How it proceeds.
    pub rules: Rules,
}

/// A page of campaigns.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CampaignPage {
    /// The campaigns.
    pub items: Vec<CampaignView>,
    /// Cursor of the next page, `null` at the end.
    pub next: Option<String>,
}

/// A device of a campaign as stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceRecord {
    pub(super) endpoint: Arc<str>,
    pub(super) standing: Standing,
    #[serde(default)]
    pub(super) attempts: u8,
    /// When its last turn began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) began: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl DeviceRecord {
    pub(super) fn waiting(endpoint: &Arc<str>) -> Self {
        Self {
            endpoint: endpoint.clone(),
            standing: Standing::Waiting,
            attempts: 0,
            began: None,
            ended: None,
            reason: None,
        }
    }

    /// In the place of one that was set aside.
    pub(super) fn unreadable() -> Self {
        Self {
            standing: Standing::Failed,
            reason: Some("its record could not be read".to_owned()),
            ..Self::waiting(&"".into())
        }
    }

    pub(super) fn end(&mut self, standing: Standing, outcome: &Outcome, now: UnixMillis) {
        self.standing = standing;
        self.ended = Some(now);
        self.reason = outcome.reason().map(str::to_owned);
    }

    pub(super) fn view(self, state: Standing) -> CampaignDevice {
        CampaignDevice {
            endpoint: self.endpoint,
            state,
            attempts: self.attempts,
            began: self.began,
            ended: self.ended,
            reason: self.reason,
        }
    }
}

/// A device of a campaign.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignDevice {
    /// Endpoint client name.
    #[schema(value_type = String)]
    pub endpoint: Arc<str>,
    /// How it stands. How far a running one is: `/devices/{endpoint}/firmware`.
    pub state: Standing,
    /// Turns it has had.
    pub attempts: u8,
    /// When the last began, milliseconds since 1970.
    pub began: Option<UnixMillis>,
    /// When it ended.
    pub ended: Option<UnixMillis>,
    /// Why it failed, the last time.
    pub reason: Option<String>,
}

/// Which devices of a campaign to list.
#[derive(Clone, Debug, Default)]
pub struct DeviceQuery {
    /// Only devices that stand so.
    pub standing: Option<Standing>,
    /// Most devices on the page, 1 to [`MAX_PAGE`](super::MAX_PAGE).
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A page of the devices of a campaign.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CampaignDevicePage {
    /// The devices. May be fewer than asked for, even none, although `next` is set.
    pub items: Vec<CampaignDevice>,
    /// Cursor of the next page, `null` at the end.
    pub next: Option<String>,
}

/// What the keys of the devices of a campaign begin with.
pub(super) fn devices_prefix(id: &str) -> String {
    format!("{id}/")
}

/// A key after all of them: `0` follows `/`.
pub(super) fn after_devices(id: &str) -> String {
    format!("{id}0")
}

pub(super) fn device_key(id: &str, number: u32) -> String {
    format!("{id}/{number:08}")
}

/// The number in the key of a device of this campaign.
pub(super) fn number_of(id: &str, key: &str) -> Option<u32> {
    key.strip_prefix(id)?.strip_prefix('/')?.parse().ok()
}
