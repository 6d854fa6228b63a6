//! What the engine shows of an endpoint: plain values, ready to be serialised.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::proto::dtls::Mode;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::time::UnixMillis;

use super::endpoint::plan::ProfilePlan;
use super::peer::Session;

/// Whether a device can be reached now.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Registered and reachable.
    Registered,
    /// Registered in queue mode and silent for longer than it stays awake.
    Asleep,
    /// Was registered: the lifetime ran out or the device de-registered.
    Expired,
    /// Provisioned, but never registered since the engine started.
    Never,
}

/// How the device's registration is protected.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema)]
pub enum SecurityMode {
    /// Plain CoAP.
    #[serde(rename = "NO_SEC")]
    NoSec,
    /// DTLS with a pre-shared key.
    #[serde(rename = "PSK")]
    Psk,
    /// DTLS with a raw public key.
    #[serde(rename = "RPK")]
    Rpk,
    /// DTLS with a certificate.
    #[serde(rename = "X509")]
    X509,
}

impl SecurityMode {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 4] = [Self::NoSec, Self::Psk, Self::Rpk, Self::X509];

    /// Stable name, as in the API and in the `security` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSec => "NO_SEC",
            Self::Psk => "PSK",
            Self::Rpk => "RPK",
            Self::X509 => "X509",
        }
    }

    /// That of a session.
    #[must_use]
    pub const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Psk => Self::Psk,
            Mode::RawPublicKey => Self::Rpk,
            Mode::Certificate => Self::X509,
        }
    }
}

/// One line of a device list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceSummary {
    /// Endpoint client name.
    pub endpoint: String,
    /// Name of the device profile.
    pub profile: String,
    /// Security mode of the registration.
    pub security: SecurityMode,
    /// Reachability.
    pub state: DeviceState,
    /// When the last message of the device arrived; `null` when none has.
    pub last_seen: Option<UnixMillis>,
}

/// One object a device announced.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ObjectView {
    /// Object version the device has.
    pub version: String,
    /// `true` when the device stated the version, `false` when it follows from its LwM2M version.
    #[serde(rename = "versionStated")]
    pub version_stated: bool,
    /// Object Instance ids.
    pub instances: Vec<u16>,
}

/// A command that waits.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandView {
    /// What is asked, as in the metrics.
    pub operation: &'static str,
    /// The paths concerned.
    pub paths: Vec<String>,
    /// What it waits for, in words.
    pub waiting_for: &'static str,
    /// When it is given up.
    pub deadline: UnixMillis,
}

/// One observation of a device.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservationView {
    /// Observed path; of a composite the paths in brackets, in the order asked for.
    pub path: String,
    /// `established` or `pending`.
    pub state: &'static str,
    /// Notifications received for it.
    pub notifications: u32,
}

/// Something an operator should know about one device.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemView {
    /// Stable name of the reason, the same as in the metric.
    pub reason: String,
    /// The path concerned, when there is one.
    pub path: Option<String>,
    /// How often it happened.
    pub count: u32,
    /// When it happened last.
    pub last: UnixMillis,
    /// What happened the last time, in words.
    pub detail: String,
}

/// An update of firmware or software, and how far it is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateView {
    /// `firmware` or `software`.
    pub kind: &'static str,
    /// Id of the package.
    pub package: String,
    /// Title of the package.
    pub title: String,
    /// Version of the package.
    pub version: String,
    /// `QUEUED`, `INITIATED`, `DOWNLOADING`, `DOWNLOADED`, `VERIFIED`, `UPDATING`, `UPDATED` or
    /// `FAILED`.
    pub state: &'static str,
    /// When that changed last.
    pub state_since: UnixMillis,
    /// `true` when nothing follows any more.
    pub ended: bool,
    /// What is being done or waited for, in words.
    pub waiting_for: String,
    /// Why it did not work, this time or the last, in words.
    pub reason: Option<String>,
    /// `push`, `url` or `push_object_19`; `null` until it is decided.
    pub strategy: Option<&'static str>,
    /// Bytes the device has acknowledged or fetched from here.
    pub bytes_done: u64,
    /// Bytes of the package, where known.
    pub bytes_total: Option<u64>,
    /// The same in percent.
    pub percent: Option<u8>,
    /// Blocks per second since the transfer began.
    pub blocks_per_second: Option<f64>,
    /// Attempts begun, the present one included.
    pub attempts: u32,
    /// When it is given up unless the device shows progress; `null` while nothing runs out.
    pub deadline: Option<UnixMillis>,
    /// When the device last answered a request about it or reported something of it.
    pub last_exchange_at: Option<UnixMillis>,
    /// What that was, in words.
    pub last_exchange: Option<String>,
    /// State as the device reported it last, in words.
    pub device_state: Option<String>,
    /// Result as the device reported it last, in words.
    pub device_result: Option<String>,
    /// Title the device reported last.
    pub current_title: Option<String>,
    /// Version the device reported last.
    pub current_version: Option<String>,
}

/// Everything known about a registration.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationView {
    /// Registration id: the last segment of the location `/rd/{id}`. `null` when not registered.
    pub id: Option<String>,
    /// Endpoint client name.
    pub endpoint: String,
    /// Name of the device profile.
    pub profile: String,
    /// Reachability.
    pub state: DeviceState,
    /// Why the device counts as awake, asleep or gone, in words.
    pub state_reason: String,
    /// Address the device was last seen at.
    pub address: Option<String>,
    /// The DTLS session of the registration.
    #[serde(skip)]
    pub session: Option<Session>,
    /// Security mode of the registration.
    pub security: SecurityMode,
    /// LwM2M version of the registration.
    pub lwm2m_version: String,
    /// Binding as the device stated it, or the default `U`.
    pub binding: String,
    /// Queue mode.
    pub queue_mode: bool,
    /// SMS number the device stated.
    pub sms: Option<String>,
    /// Lifetime in seconds; `null` when infinite (LwM2M 1.2, `lt=0`).
    pub lifetime: Option<u32>,
    /// When the registration was made.
    pub registered_at: Option<UnixMillis>,
    /// When the last message of the device arrived.
    pub last_seen: Option<UnixMillis>,
    /// When the registration ends unless the device updates it; `null` when never.
    pub expires: Option<UnixMillis>,
    /// When the next message of the device is due at the latest; `null` when unknown.
    pub next_expected: Option<UnixMillis>,
    /// Objects by object id.
    pub objects: BTreeMap<u16, ObjectView>,
    /// Alternate path of the objects, when it is not `/`.
    pub alternate_path: Option<String>,
    /// Most paths of one Observe-Composite, since the device did not take one of more; 1 for none at
    /// all, `null` while it has refused none.
    pub observe_composite_limit: Option<u16>,
    /// The same of Read-Composite.
    pub read_composite_limit: Option<u16>,
    /// Content formats the device announced, by number.
    pub content_formats: Vec<u16>,
    /// Attributes of the registration that LwM2M does not define.
    pub additional: BTreeMap<String, String>,
    /// Requests waiting for the device, those the engine makes of its own accord included.
    pub queue_length: usize,
    /// Commands of others that wait for the device, in order.
    pub commands: Vec<CommandView>,
    /// Observations.
    pub observations: Vec<ObservationView>,
    /// `true` while a conversation with the device is going on.
    pub active: bool,
    /// Values that were discarded and requests that failed.
    pub problems: Vec<ProblemView>,
    /// Updates of firmware and software that the device is assigned.
    pub updates: Vec<UpdateView>,
}

/// How far the registered devices of a profile are with its present version. A device that has just
/// registered counts like one that a change of the profile has just reached.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RolloutView {
    /// Whether a device that listens is not through yet: `left` or `asked` is not 0.
    pub running: bool,
    /// Registered devices of the profile.
    pub devices: u64,
    /// Devices that have been asked all it takes.
    pub done: u64,
    /// Devices that are being asked.
    pub asked: u64,
    /// Devices whose turn has not come.
    pub left: u64,
    /// Devices that sleep and are asked when they wake up.
    pub waiting: u64,
    /// Devices that left a request unanswered three times, which are asked again at their next
    /// Update, and devices whose handling failed.
    pub failed: u64,
}

impl RolloutView {
    /// Adds what another shard or version has.
    pub fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.asked += other.asked;
        self.left += other.left;
        self.waiting += other.waiting;
        self.failed += other.failed;
        self.devices = self.done + self.asked + self.left + self.waiting + self.failed;
        self.running = self.left + self.asked > 0;
    }
}

/// What building a command for a device needs to know about it.
#[derive(Clone, Debug)]
pub struct DeviceContext {
    /// Announced objects, and the LwM2M version.
    pub links: Arc<ObjectLinks>,
    /// Profile of the device.
    pub plan: Arc<ProfilePlan>,
}

/// One value at one time.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TimedValue {
    /// When it was measured, or received where the device states no time.
    pub ts: UnixMillis,
    /// The value: number, string, boolean or JSON.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
}

/// One entry of a transport log.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LogEntry {
    /// When, milliseconds since 1970. No two entries of a device have the same.
    pub ts: UnixMillis,
    /// `info`, `warn` or `error`.
    pub level: &'static str,
    /// What happened, in ThingsBoard's words where it has some.
    #[schema(value_type = String)]
    pub text: Arc<str>,
}

/// Telemetry by key, newest first.
pub type TelemetryView = BTreeMap<String, Vec<TimedValue>>;

/// Client attributes by key.
pub type AttributesView = BTreeMap<String, TimedValue>;
