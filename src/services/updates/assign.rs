//! Assigning, taking back, and handing to the engine what a device is to be updated to.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::record::{DeviceRecord, Ended, OfProfile, Outcome, Own, kind_of};
use super::target::target;
use super::{AT_ONCE, Inner, News, Updates, UpdatesError};
use crate::services::devices::ListQuery;
use crate::services::engine::{DeviceFilter, DeviceState, DeviceSummary, UpdateTarget, UpdateView};
use crate::services::packages::PackageType;
use crate::services::profiles::ProfilesError;
use crate::services::storage::StoreError;

const BOTH: [PackageType; 2] = [PackageType::Firmware, PackageType::Software];

/// What became of an assignment by a campaign.
#[derive(Debug)]
pub(in crate::services) enum Begun {
    /// The device is being updated, or will be when it registers.
    Yes,
    /// The device is being updated for somebody else.
    Taken {
        /// For which campaign; `None` for an assignment by hand.
        by: Option<String>,
    },
}

impl Updates {
    /// Assigns a package to a device. The same package again begins anew.
    ///
    /// # Errors
    /// There is no such device or package, or the store failed.
    pub async fn assign(
        &self,
        endpoint: &str,
        kind: PackageType,
        package: &str,
    ) -> Result<(), UpdatesError> {
        self.inner.package(package, Some(kind))?;
        self.inner.devices.require(endpoint).await?;
        self.inner.assign(endpoint, kind, package, None).await?;
        Ok(())
    }

    /// Assigns a package to a device for a campaign, unless it is being updated for somebody else.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub(in crate::services) async fn assign_for(
        &self,
        campaign: &str,
        endpoint: &str,
        kind: PackageType,
        package: &str,
    ) -> Result<Begun, UpdatesError> {
        self.inner.package(package, Some(kind))?;
        self.inner.devices.require(endpoint).await?;
        self.inner
            .assign(endpoint, kind, package, Some(campaign))
            .await
    }

    /// Takes back what a device itself is assigned; its profile's counts again then.
    ///
    /// # Errors
    /// There is no such device, it is assigned nothing, or the store failed.
    pub async fn take_back(&self, endpoint: &str, kind: PackageType) -> Result<(), UpdatesError> {
        self.inner.devices.require(endpoint).await?;
        if self.inner.take_back(endpoint, kind, None).await? {
            return Ok(());
        }
        Err(nothing(kind, format!("device \"{endpoint}\"")))
    }

    /// How an update that a campaign began stands: `None` when the device is assigned something else
    /// by now, `Some(None)` while it is not over.
    pub(in crate::services) async fn outcome_for(
        &self,
        campaign: &str,
        endpoint: &str,
        kind: PackageType,
    ) -> Result<Option<Option<Outcome>>, StoreError> {
        let record = self.inner.read(endpoint).await?;
        let slot = record.of(kind);
        let own = slot.own.as_ref();
        let own = own.filter(|own| own.campaign.as_deref() == Some(campaign));
        Ok(own.map(|own| {
            let ended = slot.ended.as_ref();
            let ended = ended.filter(|ended| ended.package == own.package);
            ended.map(|ended| ended.outcome.clone())
        }))
    }

    /// Takes back what a campaign began on a device.
    pub(in crate::services) async fn take_back_for(
        &self,
        campaign: &str,
        endpoint: &str,
        kind: PackageType,
    ) -> Result<(), UpdatesError> {
        self.inner.take_back(endpoint, kind, Some(campaign)).await?;
        Ok(())
    }

    /// Assigns a package to the devices of a profile that are assigned none themselves.
    ///
    /// # Errors
    /// There is no such profile or package, or the store failed.
    pub async fn assign_profile(
        &self,
        profile: &str,
        kind: PackageType,
        package: &str,
    ) -> Result<(), UpdatesError> {
        let inner = &self.inner;
        inner.package(package, Some(kind))?;
        let _steady = inner.profiles.steady().await;
        inner.require_profile(profile)?;
        let assigned = OfProfile {
            package: package.to_owned(),
            at: inner.clock.now(),
        };
        inner.put_profile(profile, kind, Some(assigned)).await?;
        inner.look_at_profile_later(profile);
        Ok(())
    }

    /// Takes back what the devices of a profile are assigned.
    ///
    /// # Errors
    /// There is no such profile, it is assigned nothing, or the store failed.
    pub async fn take_back_profile(
        &self,
        profile: &str,
        kind: PackageType,
    ) -> Result<(), UpdatesError> {
        let inner = &self.inner;
        inner.require_profile(profile)?;
        let before = inner.put_profile(profile, kind, None).await?;
        if before.is_none() {
            return Err(nothing(kind, format!("profile \"{profile}\"")));
        }
        inner.look_at_profile_later(profile);
        Ok(())
    }

    /// Looks at a device that may have another profile now; the next Register does otherwise.
    ///
    /// # Errors
    /// The engine or the store failed.
    pub async fn provisioned(&self, endpoint: &str) -> Result<(), UpdatesError> {
        if self.inner.has_profiles() || self.inner.is_open(endpoint) {
            self.inner.look_at(endpoint).await?;
        }
        Ok(())
    }

    /// Forgets what a profile that is removed was assigned.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn forget_profile(&self, profile: &str) -> Result<(), UpdatesError> {
        for kind in BOTH {
            if self.inner.of_profile(profile, kind).is_some() {
                self.inner.put_profile(profile, kind, None).await?;
            }
        }
        Ok(())
    }

    /// Forgets the updates of a device that is removed.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn forget(&self, endpoint: &str) -> Result<(), UpdatesError> {
        let inner = &self.inner;
        let _changing = inner.changing.lock([endpoint].into_iter()).await;
        let record = inner.read(endpoint).await?;
        if record.is_empty() {
            return Ok(());
        }
        inner.write(endpoint, &DeviceRecord::default()).await?;
        for kind in BOTH {
            if record.of(kind).given.is_some() {
                inner.withdraw(endpoint, kind);
            }
            inner.tell_campaign(
                endpoint,
                record.of(kind).own.as_ref(),
                "the device was removed",
            );
        }
        Ok(())
    }
}

impl Inner {
    async fn assign(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        package: &str,
        campaign: Option<&str>,
    ) -> Result<Begun, UpdatesError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let mut record = self.read(endpoint).await?;
        let slot = record.of_mut(kind);
        let before = slot.own.take();
        let before = before.filter(|own| !slot.is_over(&own.package));
        if let (Some(mine), Some(other)) = (campaign, before.as_ref())
            && other.campaign.as_deref() != Some(mine)
        {
            let by = other.campaign.clone();
            return Ok(Begun::Taken { by });
        }
        slot.own = Some(Own {
            package: package.to_owned(),
            campaign: campaign.map(str::to_owned),
            at: self.clock.now(),
        });
        slot.ended = None;
        self.write(endpoint, &record).await?;
        let replaced = before.filter(|own| own.campaign.as_deref() != campaign);
        self.tell_campaign(
            endpoint,
            replaced.as_ref(),
            "the device was assigned a package by hand",
        );
        self.settle(endpoint, kind, record).await?;
        Ok(Begun::Yes)
    }

    /// `false` when there is nothing to take back.
    async fn take_back(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        campaign: Option<&str>,
    ) -> Result<bool, UpdatesError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let mut record = self.read(endpoint).await?;
        let slot = record.of_mut(kind);
        let meant = slot.own.as_ref().is_some_and(|own| {
            campaign.is_none_or(|campaign| own.campaign.as_deref() == Some(campaign))
        });
        let Some(own) = slot.own.take_if(|_| meant) else {
            return Ok(false);
        };
        let over = slot.is_over(&own.package);
        slot.ended = None;
        self.write(endpoint, &record).await?;
        if !over && campaign.is_none() {
            self.tell_campaign(
                endpoint,
                Some(&own),
                "the assignment was taken back by hand",
            );
        }
        self.settle(endpoint, kind, record).await?;
        Ok(true)
    }

    /// Looks whether a device that registered has to be handed something.
    pub(super) async fn look_at(self: &Arc<Self>, endpoint: &str) -> Result<(), UpdatesError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        for kind in BOTH {
            let record = self.read(endpoint).await?;
            self.settle(endpoint, kind, record).await?;
        }
        Ok(())
    }

    /// Has the engine do what is assigned, no more and no less. To be called while the device is
    /// locked.
    async fn settle(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        mut record: DeviceRecord,
    ) -> Result<(), UpdatesError> {
        let profile = self.devices.profile_of(endpoint).await?;
        let slot = record.of(kind);
        let own = slot.own.as_ref().map(|own| own.package.clone());
        let of_profile = || Some(self.of_profile(&profile, kind)?.package);
        let wanted = own.or_else(of_profile);
        let over = wanted.as_ref().is_some_and(|package| slot.is_over(package));
        let wanted = wanted.filter(|_| !over);
        if slot.given == wanted {
            return Ok(());
        }
        if slot.given.is_some() {
            record.of_mut(kind).given = None;
            self.write(endpoint, &record).await?;
            self.withdraw(endpoint, kind);
        }
        let Some(package) = wanted else {
            return Ok(());
        };
        // The image of a device that is not there need not be in memory.
        if !self
            .engine
            .summary(endpoint)
            .await?
            .as_ref()
            .is_some_and(is_here)
        {
            return Ok(());
        }
        match self.target(&profile, &package).await {
            Ok(target) => {
                record.of_mut(kind).given = Some(package);
                // A failure of before is no longer what there is to say.
                record.of_mut(kind).ended = None;
                self.write(endpoint, &record).await?;
                if let Err(error) = self.engine.assign_update(endpoint, target) {
                    // It is assigned all the same; the next sweep tells the device's shard again.
                    tracing::debug!(endpoint, %error, "an update begins later");
                }
                Ok(())
            }
            Err(error) => {
                let outcome = Outcome::failed(error.to_string());
                self.end_locked(endpoint, kind, &package, outcome, record)
                    .await
            }
        }
    }

    async fn target(
        &self,
        profile: &str,
        package: &str,
    ) -> Result<Arc<UpdateTarget>, UpdatesError> {
        let package = self.package(package, None)?;
        let image = match package.sha256() {
            Some(_) => Some(self.packages.image(&package.id).await?),
            None => None,
        };
        let settings = self.profiles.update_settings(profile);
        let target = target(&package, &settings, image);
        let missing = || UpdatesError::UnknownPackage {
            id: package.id.clone(),
        };
        target.map(Arc::new).ok_or_else(missing)
    }

    /// Hands the engine, after a restart, what was under way.
    pub(super) async fn give_again(&self, endpoint: &str, kind: PackageType, package: &str) {
        let profile = self.devices.profile_of(endpoint).await;
        let target = match profile {
            Ok(profile) => self.target(&profile, package).await,
            Err(error) => Err(error.into()),
        };
        match target {
            Ok(target) => {
                if let Err(error) = self.engine.assign_update(endpoint, target) {
                    tracing::debug!(endpoint, %error, "taken up at the next Register");
                }
            }
            Err(error) => {
                let kind = kind_of(kind).name();
                tracing::warn!(endpoint, kind, %error, "an update that was under way cannot go on");
            }
        }
    }

    /// Hands the engine again what it was too busy to take up.
    pub(super) async fn give_what_is_missing(&self, endpoint: &str, shown: &[UpdateView]) {
        let Ok(record) = self.read(endpoint).await else {
            return;
        };
        for kind in BOTH {
            if let Some(package) = &record.of(kind).given
                && !shown.iter().any(|update| update.package == *package)
            {
                self.give_again(endpoint, kind, package).await;
            }
        }
    }

    /// Ends an update, and tells whoever waits for it.
    pub(super) async fn end(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        package: &str,
        outcome: Outcome,
    ) -> Result<(), UpdatesError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        self.end_open(endpoint, kind, package, outcome).await
    }

    /// Notes how an update ended. The engine may tell that twice, and the second time when the package
    /// has been assigned anew: what it shows as running has not ended.
    pub(super) async fn end_told(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        package: &str,
        outcome: Outcome,
    ) -> Result<(), UpdatesError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let shown = self.shown(endpoint, kind).await;
        if shown.is_some_and(|update| update.package == package && !update.ended) {
            return Ok(());
        }
        self.end_open(endpoint, kind, package, outcome).await
    }

    async fn end_open(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        package: &str,
        outcome: Outcome,
    ) -> Result<(), UpdatesError> {
        let record = self.read(endpoint).await?;
        if record.of(kind).open() != Some(package) {
            return Ok(());
        }
        self.end_locked(endpoint, kind, package, outcome, record)
            .await
    }

    async fn end_locked(
        self: &Arc<Self>,
        endpoint: &str,
        kind: PackageType,
        package: &str,
        outcome: Outcome,
        mut record: DeviceRecord,
    ) -> Result<(), UpdatesError> {
        let details = self.shown(endpoint, kind).await;
        let slot = record.of_mut(kind);
        let given = slot.given.take();
        slot.ended = Some(Ended {
            package: package.to_owned(),
            outcome: outcome.clone(),
            at: self.clock.now(),
            details: details.and_then(|update| serde_json::to_value(update).ok()),
        });
        self.write(endpoint, &record).await?;
        // The image is let go of; what the device reported stays in the record.
        if given.is_some() {
            self.withdraw(endpoint, kind);
        }
        let own = record.of(kind).own.as_ref();
        if let Some(campaign) = own.and_then(|own| own.campaign.clone()) {
            self.tell(News::Ended {
                campaign,
                endpoint: endpoint.into(),
                outcome,
            });
        }
        Ok(())
    }

    /// What the engine shows of a device's update.
    async fn shown(&self, endpoint: &str, kind: PackageType) -> Option<UpdateView> {
        let shown = self.engine.updates(endpoint).await.ok()??;
        let mut shown = shown.into_iter();
        shown.find(|update| update.kind == kind_of(kind).name())
    }

    fn tell_campaign(&self, endpoint: &str, own: Option<&Own>, reason: &str) {
        if let Some(campaign) = own.and_then(|own| own.campaign.clone()) {
            self.tell(News::Ended {
                campaign,
                endpoint: endpoint.into(),
                outcome: Outcome::failed(reason),
            });
        }
    }

    fn withdraw(&self, endpoint: &str, kind: PackageType) {
        if let Err(error) = self.engine.withdraw_update(endpoint, kind_of(kind)) {
            tracing::debug!(endpoint, %error, "withdrawn at the next Register");
        }
    }

    fn look_at_profile_later(self: &Arc<Self>, profile: &str) {
        let (inner, profile) = (self.clone(), profile.to_owned());
        tokio::spawn(async move { inner.look_at_profile(&profile).await });
    }

    /// Looks at every registered device of a profile.
    pub(super) async fn look_at_profile(self: &Arc<Self>, profile: &str) {
        let mut query = ListQuery {
            filter: DeviceFilter {
                profile: Some(profile.to_owned()),
                ..DeviceFilter::default()
            },
            limit: 1_000,
            cursor: None,
        };
        loop {
            let page = match self.devices.list(query.clone()).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(profile, %error, "devices of the profile are looked at when they register");
                    return;
                }
            };
            let here = page.items.into_iter().filter(is_here);
            let looks = here.map(|device| async move {
                if let Err(error) = self.look_at(&device.endpoint).await {
                    tracing::debug!(device.endpoint, %error, "looked at when it registers");
                }
            });
            stream::iter(looks).buffer_unordered(AT_ONCE).count().await;
            query.cursor = page.next;
            if query.cursor.is_none() {
                return;
            }
        }
    }

    pub(super) fn require_profile(&self, profile: &str) -> Result<(), UpdatesError> {
        if self.profiles.contains(profile) {
            return Ok(());
        }
        let name = profile.to_owned();
        Err(ProfilesError::NotFound { name }.into())
    }
}

pub(super) fn nothing(kind: PackageType, whom: String) -> UpdatesError {
    let kind = kind_of(kind).name();
    UpdatesError::NothingAssigned { kind, whom }
}

/// Whether a device is registered.
fn is_here(device: &DeviceSummary) -> bool {
    matches!(device.state, DeviceState::Registered | DeviceState::Asleep)
}
