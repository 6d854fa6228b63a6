//! What the engine tells the world: one enum, batched by the shards.

use std::sync::Arc;

use serde::Serialize;

use crate::proto::time::UnixMillis;

/// One event of one device.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub ts: UnixMillis,
    /// Endpoint client name.
    pub endpoint: Arc<str>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum EventKind {
    /// A device registered.
    Registered {
        registration_id: String,
        address: String,
    },
    /// A device updated its registration.
    Updated {
        registration_id: String,
        address: String,
    },
    /// A device de-registered.
    Deregistered { registration_id: String },
    /// A registration's lifetime ran out.
    Expired { registration_id: String },
    /// Telemetry arrived.
    Telemetry {
        key: Arc<str>,
        value: serde_json::Value,
        measured: UnixMillis,
    },
    /// A client attribute arrived.
    Attribute {
        key: Arc<str>,
        value: serde_json::Value,
        measured: UnixMillis,
    },
    /// A shared attribute was written to the device, or could not be: `state` is `written` or
    /// `failed`.
    SharedAttribute {
        key: Arc<str>,
        state: &'static str,
        reason: Option<String>,
    },
    /// An update of firmware or software went on.
    Update {
        /// `firmware` or `software`.
        kind: &'static str,
        /// Id of the package.
        package: Arc<str>,
        /// Title of the package.
        title: Arc<str>,
        /// Version of the package.
        version: Arc<str>,
        /// As ThingsBoard's `fw_state` and `sw_state`.
        state: &'static str,
        /// Why it did not work, in words.
        reason: Option<String>,
        /// Nothing follows any more.
        ended: bool,
        /// Bytes the device has acknowledged or fetched from here.
        bytes_done: u64,
        /// Bytes of the package, where known.
        bytes_total: Option<u64>,
        /// The same in percent.
        percent: Option<u8>,
        /// Blocks per second since the transfer began.
        blocks_per_second: Option<f64>,
        /// When the device last answered a request about it or reported something of it.
        last_exchange_at: Option<UnixMillis>,
        /// What that was, in words.
        last_exchange: Option<String>,
    },
    /// An entry of the transport log.
    TransportLog { level: &'static str, text: Arc<str> },
    /// A value was discarded or a request failed.
    Problem {
        reason: &'static str,
        path: Option<String>,
        detail: String,
    },
}

impl EventKind {
    /// Name of the kind, as in the `type` member and in the SSE `event:` field.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::Updated { .. } => "updated",
            Self::Deregistered { .. } => "deregistered",
            Self::Expired { .. } => "expired",
            Self::Telemetry { .. } => "telemetry",
            Self::Attribute { .. } => "attribute",
            Self::SharedAttribute { .. } => "sharedAttribute",
            Self::Update { .. } => "update",
            Self::TransportLog { .. } => "transportLog",
            Self::Problem { .. } => "problem",
        }
    }
}
