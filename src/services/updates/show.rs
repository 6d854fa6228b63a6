//! How updates stand, for people.

use serde::Serialize;
use serde_json::Value;

use super::assign::nothing;
use super::record::{AssignedBy, Slot, kind_of};
use super::{Updates, UpdatesError};
use crate::proto::time::UnixMillis;
use crate::services::engine::{UpdateStatus, UpdateView};
use crate::services::packages::PackageType;

/// The update of a device and how far it is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceUpdate {
    /// Id of the assigned package.
    pub package_id: String,
    /// Its title; `null` when it was deleted.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who assigned it.
    pub assigned_by: AssignedBy,
    /// The campaign that did.
    pub campaign: Option<String>,
    /// When, milliseconds since 1970.
    pub assigned_at: UnixMillis,
    /// `QUEUED`, `INITIATED`, `DOWNLOADING`, `DOWNLOADED`, `VERIFIED`, `UPDATING`, `UPDATED` or
    /// `FAILED`.
    pub state: String,
    /// Why it failed, or what went wrong so far, in words.
    pub reason: Option<String>,
    /// Bytes the device has, in percent.
    pub percent: Option<u64>,
    /// Bytes the device has.
    pub bytes: Option<u64>,
    /// Bytes of the package.
    pub bytes_total: Option<u64>,
    /// Blocks per second since the transfer began.
    pub blocks_per_second: Option<f64>,
    /// When the device last said something about it.
    pub last_exchange_at: Option<UnixMillis>,
    /// What that was, in words.
    pub last_exchange: Option<String>,
    /// Everything else that is known of it.
    #[schema(value_type = Option<UpdateView>)]
    pub details: Option<Value>,
}

/// What the devices of a profile are assigned.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileUpdate {
    /// Id of the package.
    pub package_id: String,
    /// Its title.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// When it was assigned, milliseconds since 1970.
    pub assigned_at: UnixMillis,
}

impl Updates {
    /// The update of a device.
    ///
    /// # Errors
    /// There is no such device, it is assigned nothing, or the engine or the store failed.
    pub async fn show(
        &self,
        endpoint: &str,
        kind: PackageType,
    ) -> Result<DeviceUpdate, UpdatesError> {
        let inner = &self.inner;
        inner.devices.require(endpoint).await?;
        let record = inner.read(endpoint).await?;
        let slot = record.of(kind);
        let (package, assigned_by, campaign, at) = match &slot.own {
            Some(own) => {
                let by = match own.campaign {
                    Some(_) => AssignedBy::Campaign,
                    None => AssignedBy::Device,
                };
                (own.package.clone(), by, own.campaign.clone(), own.at)
            }
            None => {
                let profile = inner.devices.profile_of(endpoint).await?;
                let of = inner.of_profile(&profile, kind);
                let of = of.ok_or_else(|| nothing(kind, format!("device \"{endpoint}\"")))?;
                (of.package, AssignedBy::Profile, None, of.at)
            }
        };
        let mut shown = self.empty(&package, assigned_by, campaign, at);
        self.fill(&mut shown, slot, endpoint, kind).await?;
        Ok(shown)
    }

    /// What the devices of a profile are assigned.
    ///
    /// # Errors
    /// There is no such profile, or it is assigned nothing.
    pub fn show_profile(
        &self,
        profile: &str,
        kind: PackageType,
    ) -> Result<ProfileUpdate, UpdatesError> {
        self.inner.require_profile(profile)?;
        let of = self.inner.of_profile(profile, kind);
        let of = of.ok_or_else(|| nothing(kind, format!("profile \"{profile}\"")))?;
        let package = self.inner.packages.get(&of.package).ok();
        Ok(ProfileUpdate {
            package_id: of.package,
            title: package.as_ref().map(|package| package.title.clone()),
            version: package.as_ref().map(|package| package.version.clone()),
            assigned_at: of.at,
        })
    }

    fn empty(
        &self,
        package_id: &str,
        assigned_by: AssignedBy,
        campaign: Option<String>,
        assigned_at: UnixMillis,
    ) -> DeviceUpdate {
        let package = self.inner.packages.get(package_id).ok();
        DeviceUpdate {
            package_id: package_id.to_owned(),
            title: package.as_ref().map(|package| package.title.clone()),
            version: package.as_ref().map(|package| package.version.clone()),
            assigned_by,
            campaign,
            assigned_at,
            state: UpdateStatus::Queued.name().to_owned(),
            reason: None,
            percent: None,
            bytes: None,
            bytes_total: package.as_ref().and_then(|package| package.size()),
            blocks_per_second: None,
            last_exchange_at: None,
            last_exchange: None,
            details: None,
        }
    }

    async fn fill(
        &self,
        shown: &mut DeviceUpdate,
        slot: &Slot,
        endpoint: &str,
        kind: PackageType,
    ) -> Result<(), UpdatesError> {
        if let Some(ended) = slot
            .ended
            .as_ref()
            .filter(|e| e.package == shown.package_id)
        {
            shown.take_details(ended.details.clone());
            shown.state = ended.outcome.state().to_owned();
            shown.reason = ended.outcome.reason().map(str::to_owned);
            return Ok(());
        }
        if slot.given.as_ref() != Some(&shown.package_id) {
            return Ok(());
        }
        let updates = self.inner.engine.updates(endpoint).await?;
        let of_kind = |update: &UpdateView| {
            update.kind == kind_of(kind).name() && update.package == shown.package_id
        };
        if let Some(update) = updates.into_iter().flatten().find(of_kind) {
            shown.state = update.state.to_owned();
            shown.reason.clone_from(&update.reason);
            shown.take_details(serde_json::to_value(update).ok());
        }
        Ok(())
    }
}

impl DeviceUpdate {
    /// Takes over what the engine shows, now or at the end.
    fn take_details(&mut self, details: Option<Value>) {
        let Some(details) = details else {
            return;
        };
        self.percent = details["percent"].as_u64();
        self.bytes = details["bytesDone"].as_u64();
        self.bytes_total = details["bytesTotal"].as_u64().or(self.bytes_total);
        self.blocks_per_second = details["blocksPerSecond"].as_f64();
        self.last_exchange_at = details["lastExchangeAt"].as_i64();
        self.last_exchange = details["lastExchange"].as_str().map(str::to_owned);
        self.details = Some(details);
    }
}
