//! Notification attributes of a call.

use serde_json::Value as Json;

use crate::proto::lwm2m::operation::{AttributeError, NotificationAttributes};

use super::java;
use super::params::Params;
use super::refusal::{Refusal, quoted};

/// The attributes of a Write-Attributes; `null` removes one.
///
/// # Errors
/// None are given, or one that is no notification attribute or has an impossible value.
pub(super) fn to_write(params: &Params) -> Result<NotificationAttributes, Refusal> {
    let attributes = of_observation(params)?;
    if attributes.is_empty() {
        return Err(AttributeError::NotSpecified.into());
    }
    Ok(attributes)
}

/// The attributes of an observation (LwM2M 1.2), which need not be given.
///
/// # Errors
/// One that is no notification attribute or has an impossible value.
pub(super) fn of_observation(params: &Params) -> Result<NotificationAttributes, Refusal> {
    let mut attributes = NotificationAttributes::default();
    for (name, value) in params.object("attributes")?.into_iter().flatten() {
        let text = match value {
            Json::Null => None,
            Json::Bool(flag) => Some(u8::from(*flag).to_string()),
            // Unlike `1.0` and `1E3`, which `to_string` of a JSON number prints.
            Json::Number(number) if number.is_f64() => number.as_f64().map(|n| n.to_string()),
            Json::Number(number) => Some(number.to_string()),
            Json::String(text) => Some(text.clone()),
            other => {
                return Err(Refusal::MemberType {
                    member: format!("attributes.{}", quoted(name)),
                    found: quoted(&java::json(other)),
                    expected: "a number, text or null",
                });
            }
        };
        attributes.set(name, text.as_deref())?;
    }
    Ok(attributes)
}
