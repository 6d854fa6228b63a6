//! Devices that are allowed in: checked, stored, read back. Needs no running engine.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credentials::{CredentialsIndex, DeviceCredentials, Mode, Reservation};
use super::engine::PowerSettings;
use super::profiles::{Profiles, device_power};
use super::storage::{self, Change, Scanned, Store, StoreError, Table};

mod redaction;
mod rules;

pub use redaction::redacted_credentials;
pub use rules::{DeviceError, MAX_ENDPOINT_BYTES, check_endpoint};

/// A device as it is provisioned: ThingsBoard's LwM2M device JSON under `credentials` and
/// `transportConfiguration`, kept as it came.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceBody {
    /// Name of the device profile; the configured one when absent.
    pub profile: Option<String>,
    /// `{"client":{"securityConfigClientMode":"NO_SEC","endpoint":"…"},"bootstrap":{…}}`; no
    /// security when absent.
    #[schema(value_type = Option<Object>)]
    pub credentials: Option<Value>,
    /// ThingsBoard's LwM2M device transport configuration.
    #[schema(value_type = Option<Object>)]
    pub transport_configuration: Option<Map<String, Value>>,
    /// Endpoint client name. Needed in an import where `credentials.client.endpoint` is absent.
    pub endpoint: Option<String>,
    /// Shown by the server, ignored when sent back.
    #[serde(default, rename = "security")]
    #[schema(read_only)]
    _security: Option<String>,
    /// Shown by the server, ignored when sent back.
    #[serde(default, rename = "state")]
    #[schema(read_only)]
    _state: Option<String>,
    /// Shown by the server, ignored when sent back.
    #[serde(default, rename = "lastSeen")]
    #[schema(read_only)]
    _last_seen: Option<i64>,
    /// Shown by the server, ignored when sent back.
    #[serde(default, rename = "provisioned")]
    #[schema(read_only)]
    _provisioned: Option<bool>,
}

/// A provisioned device as stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRecord {
    /// Name of the device profile.
    pub profile: String,
    /// As it came, secrets included.
    pub credentials: Option<Value>,
    /// As it came.
    pub transport_configuration: Option<Map<String, Value>>,
}

/// A device that passed the checks.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedDevice {
    /// Endpoint client name.
    pub endpoint: String,
    /// What is stored.
    pub record: DeviceRecord,
    /// What it says itself of when it listens; the rest is its profile's.
    pub power: Option<PowerSettings>,
    /// How it proves its identity.
    pub credentials: DeviceCredentials,
}

/// A device that was stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored {
    /// It was there before.
    pub replaced: bool,
}

/// The stored devices.
#[derive(Clone)]
pub struct Provisioning {
    store: Arc<dyn Store>,
    profiles: Arc<Profiles>,
    profile: String,
    credentials: Arc<CredentialsIndex>,
}

/// Stored devices read at once.
const CHUNK: usize = 1_000;

impl Provisioning {
    /// Devices in `store`, of `profiles`; one that names no profile gets `profile`. Their credentials
    /// are known once each was [remembered](Self::remember).
    #[must_use]
    pub fn new(store: Arc<dyn Store>, profiles: Arc<Profiles>, profile: impl Into<String>) -> Self {
        Self {
            store,
            profiles,
            profile: profile.into(),
            credentials: Arc::default(),
        }
    }

    /// Who has which credentials.
    #[must_use]
    pub const fn credentials(&self) -> &Arc<CredentialsIndex> {
        &self.credentials
    }

    /// Remembers the credentials of all stored devices.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember_all(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.scan(after.as_deref(), CHUNK).await?;
            for (endpoint, record) in &page.records {
                self.remember(endpoint, record);
            }
            after = page.resume_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Remembers the credentials of a stored device. Those that cannot be read, or are those of
    /// another device, let nobody in.
    pub fn remember(&self, endpoint: &str, record: &DeviceRecord) -> Mode {
        let credentials = DeviceCredentials::of_stored(record.credentials.as_ref());
        let reserved = credentials.and_then(|credentials| {
            let reservation = self.credentials.reserve(endpoint, &credentials)?;
            Ok((reservation, credentials.mode()))
        });
        let (reservation, mode) = match reserved {
            Ok(reserved) => reserved,
            Err(fault) => {
                tracing::warn!(endpoint, %fault, "the device is not let in");
                let nobody = DeviceCredentials::Unreadable;
                match self.credentials.reserve(endpoint, &nobody) {
                    Ok(reservation) => (reservation, Mode::Unreadable),
                    Err(_) => return Mode::Unreadable,
                }
            }
        };
        reservation.commit();
        mode
    }

    /// The profiles a device can have.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Checks a device. `endpoint` is the one the caller addressed; `None` when only the body
    /// names it.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn check(
        &self,
        endpoint: Option<&str>,
        body: DeviceBody,
    ) -> Result<CheckedDevice, DeviceError> {
        let credentials = DeviceCredentials::read(body.credentials.as_ref())?;
        let endpoint = rules::endpoint_of(endpoint, &body)?;
        let profile = body.profile.unwrap_or_else(|| self.profile.clone());
        if !self.profiles.contains(&profile) {
            let known = self.profiles.known();
            return Err(DeviceError::UnknownProfile { profile, known });
        }
        let power = match &body.transport_configuration {
            Some(configuration) => {
                device_power(configuration).map_err(DeviceError::TransportConfiguration)?
            }
            None => None,
        };
        Ok(CheckedDevice {
            endpoint,
            record: DeviceRecord {
                profile,
                credentials: body.credentials,
                transport_configuration: body.transport_configuration,
            },
            power,
            credentials,
        })
    }

    /// Stores those of `devices` whose credentials no other device has, all of them or none; one
    /// outcome for each in order. Two changes of one device must not be under way at once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(
        &self,
        devices: &[CheckedDevice],
    ) -> Result<Vec<Result<Stored, DeviceError>>, StoreError> {
        let reserve = |device: &CheckedDevice| {
            self.credentials
                .reserve(&device.endpoint, &device.credentials)
                .map_err(DeviceError::from)
        };
        let reserved: Vec<_> = devices.iter().map(reserve).collect();
        let changes = devices
            .iter()
            .zip(&reserved)
            .filter(|(_, reserved)| reserved.is_ok())
            .map(|(device, _)| {
                Change::put(Table::Devices, device.endpoint.as_str(), &device.record)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut replaced = if changes.is_empty() {
            Vec::new()
        } else {
            self.store.write(changes).await?
        }
        .into_iter();
        let mut commit = |reservation: Reservation| {
            reservation.commit();
            let replaced = replaced.next().unwrap_or(false);
            Stored { replaced }
        };
        Ok(reserved
            .into_iter()
            .map(|reserved| reserved.map(&mut commit))
            .collect())
    }

    /// One provisioned device.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, endpoint: &str) -> Result<Option<DeviceRecord>, StoreError> {
        storage::read(self.store.as_ref(), Table::Devices, endpoint).await
    }

    /// Removes a device; `false` when it was not provisioned.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, endpoint: &str) -> Result<bool, StoreError> {
        let change = Change::Delete {
            table: Table::Devices,
            key: endpoint.to_owned(),
        };
        let existed = self.store.write(vec![change]).await?;
        self.credentials.remove(endpoint);
        Ok(existed.contains(&true))
    }

    /// Provisioned devices in order of their endpoint names, beginning after `after`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn scan(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Scanned<DeviceRecord>, StoreError> {
        storage::scan(self.store.as_ref(), Table::Devices, after, limit).await
    }
}

#[cfg(test)]
mod tests;
