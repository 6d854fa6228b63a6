//! Commands as callers give them: checked, translated, answered.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::lwm2m::operation::Operation;
use crate::services::engine::{DeviceAnswer, DeviceCommand, DeviceContext, DeviceOutcome};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RpcCall {
    pub method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone)]
pub struct DeviceKnowledge {
    pub context: DeviceContext,
    pub models: Arc<ObjectModels>,
}

pub enum Prepared {
    Answered(RpcResponse),
    Ask(Question),
}

pub struct Question {
    pub command: DeviceCommand,
    pub content_format: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Timeout {
    pub detail: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RpcResponse {
    pub result: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RpcResponse {
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(&*self.result, "CONTENT" | "CHANGED" | "CREATED" | "DELETED")
    }
}

pub fn prepare(call: &RpcCall, _device: &DeviceKnowledge) -> Result<Prepared, RpcResponse> {
    let path = call
        .params
        .as_ref()
        .and_then(|params| params["id"].as_str());
    let path = path.and_then(|path| path.parse().ok());
    match (call.method.as_str(), path) {
        ("Read", Some(path)) => Ok(Prepared::Ask(Question {
            command: DeviceCommand::Operation(Operation::Read { path }),
            content_format: None,
        })),
        _ => Err(RpcResponse {
            result: "METHOD_NOT_ALLOWED".into(),
            value: None,
            error: Some(format!("Unsupported operation type: {}", call.method)),
        }),
    }
}

impl Question {
    pub fn respond(
        &self,
        outcome: DeviceOutcome,
        _format: ValueFormat,
        _device: &DeviceKnowledge,
    ) -> Result<RpcResponse, Timeout> {
        match outcome {
            Ok(DeviceAnswer::Values { .. }) => Ok(RpcResponse {
                result: "CONTENT".into(),
                value: Some("value".into()),
                error: None,
            }),
            Ok(_) => Ok(RpcResponse {
                result: "CHANGED".into(),
                value: None,
                error: None,
            }),
            Err(error) if error.is_timeout() => Err(Timeout {
                detail: error.to_string(),
            }),
            Err(error) => Ok(RpcResponse {
                result: "NOT_FOUND".into(),
                value: None,
                error: Some(error.to_string()),
            }),
        }
    }
}
