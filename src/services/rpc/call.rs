//! A command as it is called, and what the engine shall ask the device for it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::lwm2m::operation::{Operation, RequestContext};
use crate::services::engine::{DeviceCommand, DeviceContext};

use super::attributes;
use super::device::Device;
use super::id::VersionedId;
use super::method::Method;
use super::params::Params;
use super::refusal::{Refusal, quoted};
use super::{failure, links, write};

pub use super::question::{Question, Timeout};
pub use super::response::RpcResponse;

/// One command as the caller gives it: `{"method":"Read","params":{"id":"/3/0/9"}}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RpcCall {
    /// Name of the operation. Case matters.
    pub method: String,
    /// What it is about: an object, text that holds one, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub params: Option<Json>,
}

/// How values are given in a response.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueFormat {
    /// The text of ThingsBoard: `LwM2mSingleResource [id=9, value=100, type=INTEGER]`.
    #[default]
    Text,
    /// JSON: `100`.
    Json,
}

/// What is known about the device a command is for.
#[derive(Clone, Debug)]
pub struct DeviceKnowledge {
    /// What it announced, and its profile.
    pub context: DeviceContext,
    /// The object definitions in force.
    pub models: Arc<ObjectModels>,
}

/// A call that is in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// The device need not be asked.
    Answered(Answered),
    /// The device is to be asked.
    Ask(Question),
}

/// The answer to a call for which the device need not be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    pub(super) text: RpcResponse,
    pub(super) json: RpcResponse,
}

impl Answered {
    /// What the caller is told.
    #[must_use]
    pub fn respond(self, format: ValueFormat) -> RpcResponse {
        match format {
            ValueFormat::Text => self.text,
            ValueFormat::Json => self.json,
        }
    }
}

/// Checks a call and translates it for the engine.
///
/// # Errors
/// The response to a call that is refused before anything is sent.
pub fn prepare(call: &RpcCall, device: &DeviceKnowledge) -> Result<Prepared, RpcResponse> {
    let device = Device::new(device);
    let method = Method::from_name(&call.method).ok_or_else(|| Refusal::UnknownMethod {
        method: quoted(&call.method),
    })?;
    let params = Params::read(call, method)?;
    let mut content_format = params.content_format()?;
    if method == Method::DiscoverAll {
        return Ok(Prepared::Answered(links::of_registration(device.links())));
    }
    if !carries_values(method) {
        content_format = None;
    }
    let (command, asked) = translate(method, device, &params)?;
    if let DeviceCommand::Operation(operation) = &command {
        check(operation, device, content_format)?;
    }
    Ok(Prepared::Ask(Question {
        command,
        content_format,
        asked,
    }))
}

/// The command, and the ids by which errors name what it is about.
fn translate(
    method: Method,
    device: Device<'_>,
    params: &Params,
) -> Result<(DeviceCommand, Vec<VersionedId>), Refusal> {
    let paths = |ids: &[VersionedId]| ids.iter().map(|id| id.path).collect();
    let mut asked = Vec::new();
    let mut target = |id: VersionedId| {
        asked.push(id);
        id.path
    };
    let operation = match method {
        Method::Read => Operation::Read {
            path: target(device.target(params)?),
        },
        Method::Discover => Operation::Discover {
            path: target(device.target(params)?),
            depth: params.depth()?,
        },
        Method::Observe => Operation::Observe {
            path: target(device.target(params)?),
            attributes: attributes::of_observation(params)?,
        },
        Method::ObserveCancel => Operation::CancelObservation {
            path: target(device.observed(params)?),
        },
        Method::WriteAttributes => Operation::WriteAttributes {
            path: target(device.target(params)?),
            attributes: attributes::to_write(params)?,
        },
        Method::Delete => Operation::Delete {
            path: target(device.target(params)?),
        },
        Method::ReadComposite => Operation::ReadComposite {
            paths: paths(&device.targets(params)?),
        },
        Method::ObserveComposite => Operation::ObserveComposite {
            paths: paths(&device.targets(params)?),
            attributes: attributes::of_observation(params)?,
        },
        Method::ObserveCompositeCancel => {
            asked = device.targets(params)?;
            let paths = paths(&asked);
            Operation::CancelObservationComposite { paths }
        }
        Method::WriteReplace => write::replace(device, params)?,
        Method::WriteUpdate => write::update(device, params)?,
        Method::WriteComposite => write::composite(device, params)?,
        Method::Execute => write::execute(device, params)?,
        Method::Create => write::create(device, params)?,
        Method::ObserveCancelAll => return Ok((DeviceCommand::CancelAllObservations, asked)),
        Method::ObserveReadAll | Method::DiscoverAll => {
            return Ok((DeviceCommand::ReadAllObservations, asked));
        }
    };
    Ok((DeviceCommand::Operation(operation), asked))
}

/// Refuses what cannot be asked of this device, before it waits for a device that sleeps.
fn check(
    operation: &Operation,
    device: Device<'_>,
    content_format: Option<u16>,
) -> Result<(), RpcResponse> {
    let models = device.models();
    let context = RequestContext {
        content_format,
        types: Some(&models),
        ..RequestContext::registered(device.links())
    };
    match operation.request(&context) {
        Ok(_) => Ok(()),
        Err(error) => Err(failure::of_operation(operation, &error)),
    }
}

/// Whether a content format makes a difference. A cancellation has that of its observation.
fn carries_values(method: Method) -> bool {
    matches!(
        method,
        Method::Read
            | Method::ReadComposite
            | Method::Observe
            | Method::ObserveComposite
            | Method::WriteReplace
            | Method::WriteUpdate
            | Method::WriteComposite
            | Method::Create
    )
}
