//! What is stored of updates: stored first, then done.

use std::sync::{Arc, PoisonError};

use super::record::{DeviceRecord, OfProfile, ProfileRecord};
use super::{Inner, locked};
use crate::services::packages::PackageType;
use crate::services::storage::{self, Change, StoreError, Table};

impl Inner {
    pub(super) async fn read(&self, endpoint: &str) -> Result<DeviceRecord, StoreError> {
        let store = self.store.as_ref();
        let stored = storage::read(store, Table::DeviceUpdates, endpoint).await?;
        Ok(stored.unwrap_or_default())
    }

    /// To be called while the device is locked.
    pub(super) async fn write(
        &self,
        endpoint: &str,
        record: &DeviceRecord,
    ) -> Result<(), StoreError> {
        let change = if record.is_empty() {
            Change::Delete {
                table: Table::DeviceUpdates,
                key: endpoint.to_owned(),
            }
        } else {
            Change::put(Table::DeviceUpdates, endpoint, record)?
        };
        self.store.write(vec![change]).await?;
        self.note_open(endpoint, record);
        Ok(())
    }

    /// Remembers which updates of a device are not over.
    pub(super) fn note_open(&self, endpoint: &str, record: &DeviceRecord) {
        let of = |kind| record.of(kind).open().map(str::to_owned);
        let packages = [of(PackageType::Firmware), of(PackageType::Software)];
        let mut open = locked(&self.open);
        if packages.iter().all(Option::is_none) {
            open.remove(endpoint);
            drop(open);
            self.wanted.notify_one();
        } else if let Some(known) = open.get_mut(endpoint) {
            *known = packages;
        } else {
            open.insert(endpoint.into(), packages);
            drop(open);
            self.wanted.notify_one();
        }
    }

    pub(super) fn is_open(&self, endpoint: &str) -> bool {
        locked(&self.open).contains_key(endpoint)
    }

    pub(super) fn devices_updated_to(&self, package: &str) -> Vec<Arc<str>> {
        let open = locked(&self.open);
        let to_it = open
            .iter()
            .filter(|(_, packages)| packages.iter().flatten().any(|named| named == package));
        to_it.map(|(endpoint, _)| endpoint.clone()).collect()
    }

    pub(super) fn all_open(&self) -> Vec<Arc<str>> {
        locked(&self.open).keys().cloned().collect()
    }

    pub(super) fn has_open(&self) -> bool {
        !locked(&self.open).is_empty()
    }

    pub(super) fn of_profile(&self, profile: &str, kind: PackageType) -> Option<OfProfile> {
        let of_profiles = self
            .of_profiles
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        of_profiles.get(profile)?.of(kind).cloned()
    }

    pub(super) fn profiles_with(&self, package: &str) -> Vec<String> {
        let of_profiles = self
            .of_profiles
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let with = of_profiles.iter().filter(|(_, record)| {
            [PackageType::Firmware, PackageType::Software]
                .into_iter()
                .any(|kind| record.of(kind).is_some_and(|of| of.package == package))
        });
        with.map(|(name, _)| name.clone()).collect()
    }

    /// Profiles that are assigned something.
    pub(super) fn assigned_profiles(&self) -> Vec<String> {
        let of_profiles = self
            .of_profiles
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        of_profiles.keys().cloned().collect()
    }

    pub(super) fn has_profiles(&self) -> bool {
        let of_profiles = self
            .of_profiles
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        !of_profiles.is_empty()
    }

    /// Keeps what a profile is assigned; what it was.
    pub(super) async fn put_profile(
        &self,
        profile: &str,
        kind: PackageType,
        assigned: Option<OfProfile>,
    ) -> Result<Option<OfProfile>, StoreError> {
        let _changing = self.changing_profiles.lock().await;
        let known = self.profile_record(profile);
        let mut record = known.clone();
        record.set(kind, assigned);
        let change = if record.is_empty() {
            Change::Delete {
                table: Table::ProfileUpdates,
                key: profile.to_owned(),
            }
        } else {
            Change::put(Table::ProfileUpdates, profile, &record)?
        };
        self.store.write(vec![change]).await?;
        let mut of_profiles = self
            .of_profiles
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if record.is_empty() {
            of_profiles.remove(profile);
        } else {
            of_profiles.insert(profile.to_owned(), record);
        }
        drop(of_profiles);
        self.wanted.notify_one();
        Ok(known.of(kind).cloned())
    }

    fn profile_record(&self, profile: &str) -> ProfileRecord {
        let of_profiles = self
            .of_profiles
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        of_profiles.get(profile).cloned().unwrap_or_default()
    }
}
