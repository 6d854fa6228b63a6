//! A persistent command as it is stored and shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::NewCommand;
use crate::proto::time::UnixMillis;
use crate::services::rpc::{RpcCall, ValueFormat};

/// Where a persistent command stands. Names are ThingsBoard's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RpcState {
    /// Waits for the device to register or to wake up, or for the commands before it.
    Queued,
    /// Sent; no answer yet.
    Sent,
    /// The device did not answer in time: will be sent again.
    Timeout,
    /// A oneway command was carried out. The end.
    Delivered,
    /// Answered with success. The end.
    Successful,
    /// Refused, by the server or the device, or not answered after all retries. The end.
    Failed,
    /// Its time was over before the device could be asked. The end.
    Expired,
}

impl RpcState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Sent,
        Self::Timeout,
        Self::Delivered,
        Self::Successful,
        Self::Failed,
        Self::Expired,
    ];

    /// Whether the command is still to be delivered.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Queued | Self::Sent | Self::Timeout)
    }

    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Sent => "SENT",
            Self::Timeout => "TIMEOUT",
            Self::Delivered => "DELIVERED",
            Self::Successful => "SUCCESSFUL",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// A persistent command.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RpcCommand {
    /// Its id.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// Endpoint client name of the device.
    pub endpoint: String,
    /// Where it stands.
    pub state: RpcState,
    /// What is asked: `method` and `params`.
    #[schema(value_type = Object)]
    pub request: RpcCall,
    /// Whether the result is of no interest.
    pub oneway: bool,
    /// How long the device has to answer each time, in milliseconds.
    pub timeout: u64,
    /// How values are shown in the response, `text` or `json`.
    #[schema(value_type = String)]
    pub format: ValueFormat,
    /// How often it is sent again when the device does not answer.
    pub retries: u32,
    /// How often the device did not answer.
    pub timeouts: u32,
    /// When it was given.
    pub created_time: UnixMillis,
    /// Until when it may be sent.
    pub expiration_time: UnixMillis,
    /// When `state` changed last.
    pub changed_time: UnixMillis,
    /// How it ended: `result`, `value`, `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub response: Option<Value>,
    /// As given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub additional_info: Option<Value>,
}

/// A command in the store.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    /// Orders the commands of a device.
    pub(super) sequence: u64,
    #[serde(flatten)]
    pub(super) command: RpcCommand,
}

impl RpcCommand {
    pub(super) fn new(
        endpoint: &str,
        command: NewCommand,
        now: UnixMillis,
        expiration: UnixMillis,
    ) -> Self {
        Self {
            id: Uuid::now_v7(),
            endpoint: endpoint.to_owned(),
            state: RpcState::Queued,
            request: command.request,
            oneway: command.oneway,
            timeout: command.timeout_millis,
            format: command.format,
            retries: command.retries,
            timeouts: 0,
            created_time: now,
            expiration_time: expiration,
            changed_time: now,
            response: None,
            additional_info: command.additional_info,
        }
    }
}
