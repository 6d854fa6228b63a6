//! The result of a command as ThingsBoard gives it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::proto::coap::Code;

/// `{"result":"CONTENT","value":…,"error":…}`; members that do not apply are left out.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RpcResponse {
    /// Name of a CoAP response code: `CONTENT`, `CHANGED`, `CREATED`, `DELETED`, or that of an error;
    /// `UNKNOWN` for an error code that ThingsBoard has no name for.
    #[schema(value_type = String)]
    pub result: Cow<'static, str>,
    /// What the device answered: text, or JSON when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Json>,
    /// Why it did not succeed: the words of the device, or of this server when it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RpcResponse {
    /// Whether the result is one of success: 2.xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        SUCCESSES.iter().any(|code| code.name() == self.result)
    }

    pub(super) fn success(code: Code) -> Self {
        Self {
            result: code.name().into(),
            value: None,
            error: None,
        }
    }

    pub(super) fn content(value: Json) -> Self {
        Self {
            value: Some(value),
            ..Self::success(Code::CONTENT)
        }
    }

    pub(super) fn error(code: Code, error: impl Into<String>) -> Self {
        Self {
            result: code.name().into(),
            value: None,
            error: Some(error.into()),
        }
    }

    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::error(Code::BAD_REQUEST, error)
    }

    pub(super) fn internal(error: impl Into<String>) -> Self {
        Self::error(Code::INTERNAL_SERVER_ERROR, error)
    }
}

const SUCCESSES: [Code; 5] = [
    Code::CREATED,
    Code::DELETED,
    Code::VALID,
    Code::CHANGED,
    Code::CONTENT,
];
