//! Why something is not done with a profile.

use super::findings::Faults;
use super::{MAX_BYTES, MAX_NAME_BYTES, MAX_PROFILES};
use crate::services::devices::CursorError;
use crate::services::engine::{EngineError, ProfileError};
use crate::services::storage::StoreError;

/// Why an operation on profiles failed.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// There is no such profile.
    #[error("there is no profile \"{name}\"")]
    NotFound {
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error(
        "the profile name {reason}; accepted are 1 to {MAX_NAME_BYTES} bytes of UTF-8 without control characters"
    )]
    Name {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is no JSON, or has a member twice.
    #[error("the transport configuration is not accepted: {0}")]
    Json(serde_json::Error),
    /// The transport configuration is refused.
    #[error("{0}")]
    Invalid(Faults),
    /// The transport configuration is too long.
    #[error("the transport configuration has {bytes} bytes; accepted are at most {MAX_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// There would be more than [`MAX_PROFILES`].
    #[error("there can be at most {MAX_PROFILES} profiles")]
    TooMany,
    /// Provisioned devices have the profile.
    #[error("profile \"{name}\" cannot be removed: {devices} provisioned device(s) have it")]
    InUse {
        /// The name.
        name: String,
        /// How many devices.
        devices: usize,
    },
    /// The configuration names the profile.
    #[error(
        "profile \"{name}\" cannot be removed: devices that name no profile get it (provisioning.profile)"
    )]
    Configured {
        /// The name.
        name: String,
    },
    /// The engine did not tell how far a change is.
    #[error(transparent)]
    Progress(#[from] EngineError),
    /// The profile is the built-in one.
    #[error("profile \"{name}\" is built in and cannot be removed; it can be replaced")]
    BuiltIn {
        /// The name.
        name: String,
    },
    /// The cursor is not one of ours.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The engine has no number left for it.
    #[error(transparent)]
    Engine(#[from] ProfileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether `name` can be the name of a profile.
///
/// # Errors
/// [`ProfilesError::Name`]
pub fn check_name(name: &str) -> Result<(), ProfilesError> {
    let reason = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "is too long"
    } else if name.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Ok(());
    };
    Err(ProfilesError::Name { reason })
}
