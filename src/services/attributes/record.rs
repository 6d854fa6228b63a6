//! A shared attribute as it is stored and shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::proto::time::UnixMillis;

/// The shared attributes of a device by name.
pub type SharedAttributes = BTreeMap<String, SharedAttribute>;

/// One shared attribute.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SharedAttribute {
    /// When it was set, milliseconds since 1970. No two values of an attribute have the same.
    pub ts: UnixMillis,
    /// The value: number, string, boolean or JSON.
    #[schema(value_type = Object)]
    pub value: Value,
    /// What became of its Write; absent while the profile of the device maps no Resource to the
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Write>,
}

/// The Write of an attribute to the device.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Write {
    /// How far it is.
    pub state: WriteState,
    /// Why it failed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when, milliseconds since 1970.
    pub ts: UnixMillis,
    /// Registration under which it was written or failed: a later one begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// The Resource that was written; another one in the profile begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How far a Write is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WriteState {
    /// The device is to get it.
    Pending,
    /// The device has it.
    Written,
    /// It was refused, by the server or the device, or not answered; tried again when the device
    /// registers anew.
    Failed,
}

impl SharedAttribute {
    pub(super) fn is_pending(&self) -> bool {
        let write = self.write.as_ref();
        write.is_some_and(|write| write.state == WriteState::Pending)
    }

    /// Whether nothing is left to do under this registration, where the profile maps the name to
    /// `path`.
    pub(super) fn is_settled(&self, registration: &str, path: Option<&str>) -> bool {
        let write = self.write.as_ref();
        write.is_some_and(|write| {
            write.state != WriteState::Pending
                && write.registration.as_deref() == Some(registration)
                && (write.path.is_none() || write.path.as_deref() == path)
        })
    }
}

impl WriteState {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Written => "written",
            Self::Failed => "failed",
        }
    }
}
