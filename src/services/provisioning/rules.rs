//! What a device must look like to be provisioned.

use serde_json::{Map, Value};

use super::DeviceBody;
use crate::services::profiles::{Finding, KnownProfiles};

/// Longest endpoint client name in bytes.
pub const MAX_ENDPOINT_BYTES: usize = 255;

/// The security modes of ThingsBoard's LwM2M credentials.
const MODES: [&str; 4] = ["NO_SEC", "PSK", "RPK", "X509"];

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
    /// A member is missing or of another type than it must be.
    #[error("`{member}` {problem}")]
    Member {
        /// Path of the member.
        member: &'static str,
        /// What is wrong and what is accepted.
        problem: String,
    },
    /// A security mode this version does not serve.
    #[error(
        "`credentials.client.securityConfigClientMode` is {mode}, which needs DTLS: this version serves NO_SEC only"
    )]
    UnsupportedSecurity {
        /// The mode.
        mode: String,
    },
    /// There is no such profile.
    #[error("there is no profile \"{profile}\"; known are: {known}")]
    UnknownProfile {
        /// The name given.
        profile: String,
        /// Some that there are.
        known: KnownProfiles,
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
            Self::Member { .. } => "member",
            Self::UnsupportedSecurity { .. } => "unsupported_security",
            Self::UnknownProfile { .. } => "unknown_profile",
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

/// The one endpoint that the caller, `endpoint` and `credentials.client.endpoint` agree on.
pub(super) fn endpoint_of(
    addressed: Option<&str>,
    body: &DeviceBody,
) -> Result<String, DeviceError> {
    let in_credentials = match client(body)?.and_then(|client| client.get("endpoint")) {
        None | Some(Value::Null) => None,
        Some(Value::String(endpoint)) => Some(endpoint.as_str()),
        Some(other) => return Err(wrong_type("credentials.client.endpoint", "a string", other)),
    };
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

/// Only `NO_SEC` devices can be served without DTLS.
pub(super) fn check_security(body: &DeviceBody) -> Result<(), DeviceError> {
    const MEMBER: &str = "credentials.client.securityConfigClientMode";
    let accepted = || format!("one of {}", MODES.join(", "));
    let Some(client) = client(body)? else {
        return Ok(());
    };
    match client.get("securityConfigClientMode") {
        Some(Value::String(mode)) if mode == "NO_SEC" => Ok(()),
        Some(Value::String(mode)) if MODES.contains(&mode.as_str()) => {
            Err(DeviceError::UnsupportedSecurity { mode: mode.clone() })
        }
        Some(Value::String(mode)) => Err(DeviceError::Member {
            member: MEMBER,
            problem: format!("is \"{mode}\"; accepted is {}", accepted()),
        }),
        None | Some(Value::Null) => Err(DeviceError::Member {
            member: MEMBER,
            problem: format!("is missing; accepted is {}", accepted()),
        }),
        Some(other) => Err(wrong_type(MEMBER, &accepted(), other)),
    }
}

/// The `client` part; `None` when there are no credentials at all.
fn client(body: &DeviceBody) -> Result<Option<&Map<String, Value>>, DeviceError> {
    let credentials = match &body.credentials {
        None => return Ok(None),
        Some(Value::Object(credentials)) => credentials,
        Some(other) => return Err(wrong_type("credentials", "an object", other)),
    };
    if let Some(other) = credentials.get("bootstrap")
        && !matches!(other, Value::Object(_) | Value::Null)
    {
        return Err(wrong_type("credentials.bootstrap", "an object", other));
    }
    match credentials.get("client") {
        Some(Value::Object(client)) => Ok(Some(client)),
        Some(other) => Err(wrong_type("credentials.client", "an object", other)),
        None => Err(DeviceError::Member {
            member: "credentials.client",
            problem: "is missing; accepted is an object with `securityConfigClientMode`".to_owned(),
        }),
    }
}

fn wrong_type(member: &'static str, accepted: &str, found: &Value) -> DeviceError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    DeviceError::Member {
        member,
        problem: format!("is {found}; accepted is {accepted}"),
    }
}
