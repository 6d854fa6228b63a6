//! What a device must look like to be provisioned.

use serde_json::Value;

use super::DeviceBody;
use crate::services::credentials::{self, CredentialsError};
use crate::services::profiles::{Finding, KnownProfiles};

/// Longest endpoint client name in bytes.
pub const MAX_ENDPOINT_BYTES: usize = 255;

/// Longest label in bytes.
const MAX_LABEL_BYTES: usize = 255;

/// Why a device is not provisioned.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// The endpoint client name cannot be one.
    #[error(
        "the endpoint name {reason}; accepted are 1 to {MAX_ENDPOINT_BYTES} bytes of UTF-8 without control characters"
    )]
    Endpoint {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No endpoint client name anywhere.
    #[error("the endpoint is missing: give it as `endpoint` or as `credentials.client.endpoint`")]
    EndpointMissing,
    /// Two places name different endpoints.
    #[error("`{member}` is \"{found}\", but the device is \"{expected}\"")]
    EndpointMismatch {
        /// The member that disagrees.
        member: &'static str,
        /// Its value.
        found: String,
        /// The endpoint client name addressed.
        expected: String,
    },
    /// The credentials break a rule, or are those of another device.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// There is no such profile.
    #[error("there is no profile \"{profile}\"; known are: {known}")]
    UnknownProfile {
        /// The name given.
        profile: String,
        /// Some that there are.
        known: KnownProfiles,
    },
    /// The label cannot be one.
    #[error(
        "`label` has {bytes} bytes; accepted are 1 to {MAX_LABEL_BYTES} without control characters"
    )]
    Label {
        /// How long it is.
        bytes: usize,
    },
    /// The device's own transport configuration cannot be as it is.
    #[error("{0}")]
    TransportConfiguration(Finding),
}

impl DeviceError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Endpoint { .. } => "endpoint",
            Self::EndpointMissing => "endpoint_missing",
            Self::EndpointMismatch { .. } => "endpoint_mismatch",
            Self::Credentials(_) => "credentials",
            Self::UnknownProfile { .. } => "unknown_profile",
            Self::Label { .. } => "label",
            Self::TransportConfiguration(_) => "transport_configuration",
        }
    }
}

/// Whether `endpoint` can be an endpoint client name.
///
/// # Errors
/// [`DeviceError::Endpoint`].
pub fn check_endpoint(endpoint: &str) -> Result<(), DeviceError> {
    let reason = if endpoint.is_empty() {
        "is empty"
    } else if endpoint.len() > MAX_ENDPOINT_BYTES {
        "is too long"
    } else if endpoint.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Ok(());
    };
    Err(DeviceError::Endpoint { reason })
}

pub(super) fn check_label(label: Option<&str>) -> Result<(), DeviceError> {
    let Some(label) = label else { return Ok(()) };
    let bytes = label.len();
    if bytes == 0 || bytes > MAX_LABEL_BYTES || label.chars().any(char::is_control) {
        return Err(DeviceError::Label { bytes });
    }
    Ok(())
}

/// The one endpoint that the caller, `endpoint` and `credentials.client.endpoint` agree on. The
/// credentials were checked.
pub(super) fn endpoint_of(
    addressed: Option<&str>,
    body: &DeviceBody,
) -> Result<String, DeviceError> {
    let in_credentials = credentials::client(body.credentials.as_ref())?
        .and_then(|client| client.get("endpoint"))
        .and_then(Value::as_str);
    let named = [
        ("endpoint", body.endpoint.as_deref()),
        ("credentials.client.endpoint", in_credentials),
    ];
    let expected = addressed
        .or_else(|| named.iter().find_map(|(_, name)| *name))
        .ok_or(DeviceError::EndpointMissing)?;
    check_endpoint(expected)?;
    for (member, name) in named {
        if let Some(found) = name.filter(|name| *name != expected) {
            return Err(DeviceError::EndpointMismatch {
                member,
                found: found.to_owned(),
                expected: expected.to_owned(),
            });
        }
    }
    Ok(expected.to_owned())
}
