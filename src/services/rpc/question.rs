//! A command that the device is asked, and what its answer means to the caller.

use serde_json::{Value as Json, json};

use crate::proto::coap::Code;
use crate::proto::lwm2m::operation::Operation;
use crate::proto::lwm2m::{Path, Record};
use crate::services::engine::{DeviceAnswer, DeviceCommand, DeviceOutcome, Observed};

use super::device::Device;
use super::id::VersionedId;
use super::node::Node;
use super::{DeviceKnowledge, RpcResponse, ValueFormat, failure, links, structured, text};

/// A command that the device is to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What the engine is to do.
    pub command: DeviceCommand,
    /// Content format the caller wants.
    pub content_format: Option<u16>,
    /// What it is about, as errors name it.
    pub(super) asked: Vec<VersionedId>,
}

/// The device did not answer in time, so there is no response.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Timeout {
    /// What was waited for, in words.
    pub detail: String,
}

impl Question {
    /// What the caller is told.
    ///
    /// # Errors
    /// [`Timeout`] when the device was not asked or did not answer in time.
    pub fn respond(
        &self,
        outcome: DeviceOutcome,
        format: ValueFormat,
        device: &DeviceKnowledge,
    ) -> Result<RpcResponse, Timeout> {
        match outcome {
            Ok(answer) => Ok(self.answered(answer, format, Device::new(device))),
            Err(error) if error.is_timeout() => Err(Timeout {
                detail: error.to_string(),
            }),
            Err(error) => Ok(failure::of_request(self, &error)),
        }
    }

    pub(super) fn operation(&self) -> Option<&Operation> {
        match &self.command {
            DeviceCommand::Operation(operation) => Some(operation),
            DeviceCommand::CancelAllObservations | DeviceCommand::ReadAllObservations => None,
        }
    }

    fn answered(
        &self,
        answer: DeviceAnswer,
        format: ValueFormat,
        device: Device<'_>,
    ) -> RpcResponse {
        match answer {
            DeviceAnswer::Values { records, .. } => self.values(&records, format, device),
            DeviceAnswer::Links { text, .. } => RpcResponse::content(match format {
                ValueFormat::Text => links::as_text(&text).into(),
                ValueFormat::Json => links::as_json(&text, device.links()),
            }),
            DeviceAnswer::Changed => RpcResponse::success(Code::CHANGED),
            DeviceAnswer::Created { instance, location } => RpcResponse {
                value: created(instance, location.as_deref(), format),
                ..RpcResponse::success(Code::CREATED)
            },
            DeviceAnswer::Deleted => RpcResponse::success(Code::DELETED),
            DeviceAnswer::Cancelled { count } => RpcResponse::content(match format {
                ValueFormat::Text => count.to_string().into(),
                ValueFormat::Json => count.into(),
            }),
            DeviceAnswer::Observations(observations) => {
                RpcResponse::content(observed(&observations, format))
            }
        }
    }

    fn values(&self, records: &[Record], format: ValueFormat, device: Device<'_>) -> RpcResponse {
        let models = device.models();
        let paths = self.operation().map_or(&[][..], Operation::composite_paths);
        if !paths.is_empty() {
            let nodes: Vec<_> = paths
                .iter()
                .map(|path| (*path, Node::build(path, records, &models, false)))
                .collect();
            return RpcResponse::content(match format {
                ValueFormat::Text => text::composite(&nodes).into(),
                ValueFormat::Json => structured::composite(&nodes),
            });
        }
        let path = self.operation().map_or(Path::ROOT, Operation::target);
        match Node::build(&path, records, &models, true) {
            Some(node) => RpcResponse::content(match format {
                ValueFormat::Text => text::single(&path, &node).into(),
                ValueFormat::Json => structured::single(&node),
            }),
            None => {
                RpcResponse::internal(format!("the answer of the device has no value of {path}"))
            }
        }
    }
}

/// Where a new instance is: `location=/19/2`, or `{"location":"/19/2","instance":2}`; nothing when
/// the device does not tell.
fn created(instance: Option<u16>, location: Option<&str>, format: ValueFormat) -> Option<Json> {
    let location = location?;
    Some(match format {
        ValueFormat::Text => format!("location={location}").into(),
        ValueFormat::Json => json!({"location": location, "instance": instance}),
    })
}

/// The observations there are: a list in JSON as text, or
/// `[{"path":"/3/0/9"},{"paths":["/5/0/7","/3/0/9"]}]`.
fn observed(observations: &[Observed], format: ValueFormat) -> Json {
    let paths = |paths: &[Path]| -> Vec<_> { paths.iter().map(Path::to_string).collect() };
    let list = observations
        .iter()
        .map(|observed| match (observed, format) {
            (Observed::Single(path), ValueFormat::Text) => {
                format!("SingleObservation:{path}").into()
            }
            (Observed::Composite(_), ValueFormat::Text) => {
                format!("CompositeObservation: {observed}").into()
            }
            (Observed::Single(path), ValueFormat::Json) => json!({"path": path.to_string()}),
            (Observed::Composite(list), ValueFormat::Json) => json!({"paths": paths(list)}),
        });
    let list = Json::Array(list.collect());
    match format {
        ValueFormat::Text => list.to_string().into(),
        ValueFormat::Json => list,
    }
}
