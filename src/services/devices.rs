//! Devices as people see them: what is provisioned and what the engine holds, together.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::credentials::Mode;
use super::endpoint_locks::EndpointLocks;
use super::engine::{
    Admission, AttributesView, DeviceState, DeviceSummary, Engine, EngineError, LogEntry,
    RegistrationView, SecurityMode, TelemetryView, Trace, TraceError,
};
use super::profiles::device_power;
use super::provisioning::{
    CheckedDevice, DeviceBody, DeviceError, DeviceRecord, Provisioning, Stored,
    redacted_credentials,
};
use super::storage::StoreError;

mod cursor;
mod history;
mod list;

pub use cursor::CursorError;
pub use history::TelemetryQuery;
pub use list::{DevicePage, ListQuery, MAX_PAGE};

/// Provisioned devices read at once while starting.
const RESTORE_CHUNK: usize = 1_000;

/// One device with what was provisioned for it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// Endpoint, profile, security, state, last seen.
    #[serde(flatten)]
    pub summary: DeviceSummary,
    /// `false` for a device that was let in without being provisioned.
    pub provisioned: bool,
    /// As provisioned, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub credentials: Option<Value>,
    /// As provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub transport_configuration: Option<Map<String, Value>>,
}

/// Why an operation on devices failed.
#[derive(Debug, thiserror::Error)]
pub enum DevicesError {
    /// There is no such device.
    #[error("there is no device \"{endpoint}\"")]
    NotFound {
        /// The endpoint client name.
        endpoint: String,
    },
    /// The device is provisioned, but has not registered since the server started.
    #[error("device \"{endpoint}\" has not registered since the server started")]
    NeverRegistered {
        /// The endpoint client name.
        endpoint: String,
    },
    /// As many devices are traced as can be.
    #[error(transparent)]
    TooManyTraces(TraceError),
    /// The device is not as it must be.
    #[error(transparent)]
    Invalid(#[from] DeviceError),
    /// The cursor is not one of ours.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The engine did not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of one imported device: created, replaced, or why not.
pub type ImportOutcome = Result<(String, bool), DevicesError>;

/// The device service.
pub struct Devices {
    engine: Arc<dyn Engine>,
    provisioning: Provisioning,
    locks: EndpointLocks,
}

impl Devices {
    /// Devices of `provisioning` on `engine`.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, provisioning: Provisioning) -> Self {
        Self {
            engine,
            provisioning,
            locks: EndpointLocks::default(),
        }
    }

    /// Lets every provisioned device in; returns how many there are. To be called once, at start.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn restore(&self) -> Result<usize, StoreError> {
        let mut after = None;
        let mut admitted = 0;
        loop {
            let page = self
                .provisioning
                .scan(after.as_deref(), RESTORE_CHUNK)
                .await?;
            for (endpoint, record) in &page.records {
                admitted += usize::from(self.restore_one(endpoint, record));
            }
            after = page.resume_after;
            if after.is_none() {
                return Ok(admitted);
            }
        }
    }

    /// Lets a stored device in; `false` when its profile is gone or its credentials let nobody in.
    fn restore_one(&self, endpoint: &str, record: &DeviceRecord) -> bool {
        let mode = self.provisioning.remember(endpoint, record);
        let Some(profile) = self.provisioning.profiles().id(&record.profile) else {
            tracing::warn!(
                endpoint,
                profile = record.profile,
                "the profile of a provisioned device does not exist: it is not let in"
            );
            return false;
        };
        let own = record.transport_configuration.as_ref();
        let power = match own.map(device_power) {
            None => None,
            Some(Ok(power)) => power,
            Some(Err(fault)) => {
                tracing::warn!(endpoint, %fault, "the power settings of the profile are used");
                None
            }
        };
        self.let_in(endpoint, mode, Admission { profile, power });
        mode != Mode::Unreadable
    }

    /// How a device proves who it is the engine asks when it registers. One whose credentials cannot be
    /// read could prove nothing.
    fn let_in(&self, endpoint: &str, mode: Mode, admission: Admission) {
        match mode {
            Mode::NoSec | Mode::Psk | Mode::Rpk | Mode::X509 => {
                self.engine.admit(endpoint, admission);
            }
            Mode::Unreadable => self.engine.withdraw(endpoint),
        }
    }

    /// One device.
    ///
    /// # Errors
    /// [`DevicesError::NotFound`], or the engine or the store failed.
    pub async fn get(&self, endpoint: &str) -> Result<DeviceView, DevicesError> {
        let record = self.provisioning.get(endpoint).await?;
        let summary = self.engine.summary(endpoint).await?;
        let summary = match (summary, &record) {
            (Some(summary), _) => summary,
            (None, Some(record)) => never_registered(endpoint, record),
            (None, None) => return Err(not_found(endpoint)),
        };
        Ok(view(summary, record))
    }

    /// Provisions a device; `true` with it when it was not provisioned before.
    ///
    /// # Errors
    /// The device is refused, or the engine or the store failed.
    pub async fn put(
        &self,
        endpoint: &str,
        body: DeviceBody,
    ) -> Result<(DeviceView, bool), DevicesError> {
        let _steady = self.provisioning.profiles().steady().await;
        let device = self.provisioning.check(Some(endpoint), body)?;
        let mut created = false;
        for outcome in self.provision(std::slice::from_ref(&device)).await? {
            created = !outcome?.replaced;
        }
        Ok((self.get(endpoint).await?, created))
    }

    /// Provisions many devices, those that are as they must be; one outcome for each in order.
    /// `Ok((endpoint, true))` for one that was not provisioned before.
    ///
    /// # Errors
    /// When the store fails: then none is provisioned.
    pub async fn import(&self, bodies: Vec<DeviceBody>) -> Result<Vec<ImportOutcome>, StoreError> {
        let _steady = self.provisioning.profiles().steady().await;
        let checked: Vec<_> = bodies
            .into_iter()
            .map(|body| self.provisioning.check(None, body))
            .collect();
        let devices: Vec<_> = checked.iter().flatten().cloned().collect();
        let mut outcomes = self.provision(&devices).await?.into_iter();
        Ok(checked
            .into_iter()
            .map(|checked| {
                let device = checked?;
                let stored = outcomes.next().transpose()?;
                Ok((
                    device.endpoint,
                    stored.is_some_and(|stored| !stored.replaced),
                ))
            })
            .collect())
    }

    /// Removes a device: it may not register any more, and what the engine holds of it is
    /// forgotten.
    ///
    /// # Errors
    /// [`DevicesError::NotFound`], or the engine or the store failed.
    pub async fn delete(&self, endpoint: &str) -> Result<(), DevicesError> {
        let _guard = self.locks.lock([endpoint].into_iter()).await;
        let provisioned = self.provisioning.delete(endpoint).await?;
        self.engine.withdraw(endpoint);
        let held = self.engine.remove(endpoint).await?;
        if provisioned || held {
            Ok(())
        } else {
            Err(not_found(endpoint))
        }
    }

    /// The registration of a device.
    ///
    /// # Errors
    /// The device does not exist or never registered, or the engine or the store failed.
    pub async fn registration(
        &self,
        endpoint: &str,
    ) -> Result<Box<RegistrationView>, DevicesError> {
        if let Some(registration) = self.engine.registration(endpoint).await? {
            return Ok(registration);
        }
        self.require(endpoint).await?;
        Err(DevicesError::NeverRegistered {
            endpoint: endpoint.to_owned(),
        })
    }

    /// Telemetry of a device; empty when it never registered.
    ///
    /// # Errors
    /// The device does not exist, or the engine or the store failed.
    pub async fn telemetry(
        &self,
        endpoint: &str,
        query: &TelemetryQuery,
    ) -> Result<TelemetryView, DevicesError> {
        if let Some(telemetry) = self.engine.telemetry(endpoint).await? {
            return Ok(query.select(telemetry));
        }
        self.require(endpoint).await?;
        Ok(TelemetryView::default())
    }

    /// Client attributes of a device; empty when it never registered.
    ///
    /// # Errors
    /// The device does not exist, or the engine or the store failed.
    pub async fn attributes(&self, endpoint: &str) -> Result<AttributesView, DevicesError> {
        if let Some(attributes) = self.engine.attributes(endpoint).await? {
            return Ok(attributes);
        }
        self.require(endpoint).await?;
        Ok(AttributesView::default())
    }

    /// The newest entries of the transport log of a device, newest first.
    ///
    /// # Errors
    /// The device does not exist, or the engine or the store failed.
    pub async fn log(&self, endpoint: &str, limit: usize) -> Result<Vec<LogEntry>, DevicesError> {
        if let Some(log) = self.engine.log(endpoint, limit).await? {
            return Ok(log);
        }
        self.require(endpoint).await?;
        Ok(Vec::new())
    }

    /// Every message to and from a device, from now on.
    ///
    /// # Errors
    /// The device does not exist or never registered, as many are traced as can be, or the engine or
    /// the store failed.
    pub async fn trace(&self, endpoint: &str) -> Result<Trace, DevicesError> {
        match self.engine.trace(endpoint).await {
            Ok(Some(trace)) => Ok(trace),
            Ok(None) => {
                self.require(endpoint).await?;
                Err(DevicesError::NeverRegistered {
                    endpoint: endpoint.to_owned(),
                })
            }
            Err(TraceError::Engine(error)) => Err(error.into()),
            Err(error @ TraceError::TooMany) => Err(DevicesError::TooManyTraces(error)),
        }
    }

    /// Whether the device exists.
    ///
    /// # Errors
    /// [`DevicesError::NotFound`], or the store failed.
    pub async fn require(&self, endpoint: &str) -> Result<(), DevicesError> {
        if self.engine.holds(endpoint) || self.provisioning.get(endpoint).await?.is_some() {
            Ok(())
        } else {
            Err(not_found(endpoint))
        }
    }

    /// Name of the profile a device is provisioned with, or that of devices that are not.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn profile_of(&self, endpoint: &str) -> Result<String, StoreError> {
        let record = self.provisioning.get(endpoint).await?;
        let of_unnamed = || self.provisioning.profiles().of_unnamed().to_owned();
        Ok(record.map_or_else(of_unnamed, |record| record.profile))
    }

    /// Stores devices and lets them in, while no profile can go. One that got credentials has to
    /// register anew with them.
    async fn provision(
        &self,
        devices: &[CheckedDevice],
    ) -> Result<Vec<Result<Stored, DeviceError>>, StoreError> {
        if devices.is_empty() {
            return Ok(Vec::new());
        }
        let endpoints = devices.iter().map(|device| device.endpoint.as_str());
        let _guards = self.locks.lock(endpoints).await;
        let outcomes = self.provisioning.put(devices).await?;
        for (device, outcome) in devices.iter().zip(&outcomes) {
            let Ok(stored) = outcome else { continue };
            // It is there: no profile goes while devices are provisioned.
            if let Some(profile) = self.provisioning.profiles().id(&device.record.profile) {
                let power = device.power;
                let admission = Admission { profile, power };
                self.let_in(&device.endpoint, device.credentials.mode(), admission);
            }
            // Other credentials than before revoke what the former ones proved. Here nobody had any.
            let first = !stored.replaced && device.credentials.mode() != Mode::NoSec;
            if first && self.engine.holds(&device.endpoint) {
                let endpoint = device.endpoint.as_str().into();
                self.engine.revoke(&endpoint).await;
            }
        }
        Ok(outcomes)
    }
}

fn never_registered(endpoint: &str, record: &DeviceRecord) -> DeviceSummary {
    DeviceSummary {
        endpoint: endpoint.to_owned(),
        profile: record.profile.clone(),
        security: security(record),
        state: DeviceState::Never,
        last_seen: None,
    }
}

/// The security mode that a device has to register with.
fn security(record: &DeviceRecord) -> SecurityMode {
    let client = record.credentials.as_ref().map(|all| &all["client"]);
    let mode = client.and_then(|client| client["securityConfigClientMode"].as_str());
    let mut modes = SecurityMode::ALL.into_iter();
    let known = modes.find(|known| Some(known.name()) == mode);
    known.unwrap_or(SecurityMode::NoSec)
}

fn view(summary: DeviceSummary, record: Option<DeviceRecord>) -> DeviceView {
    let provisioned = record.is_some();
    let (credentials, transport_configuration) = record
        .map(|record| (record.credentials, record.transport_configuration))
        .unwrap_or_default();
    DeviceView {
        summary,
        provisioned,
        credentials: credentials.as_ref().map(redacted_credentials),
        transport_configuration,
    }
}

fn not_found(endpoint: &str) -> DevicesError {
    DevicesError::NotFound {
        endpoint: endpoint.to_owned(),
    }
}
