//! What the caller is told when a command did not succeed.

use crate::proto::coap::Code;
use crate::proto::lwm2m::operation::{AnswerError, Operation, OperationError};
use crate::proto::lwm2m::{LwM2mVersion, Path};
use crate::services::engine::{Observed, RequestError};

use super::RpcResponse;
use super::id::VersionedId;
use super::question::Question;

/// The response to a command that ended with an error.
pub(super) fn of_request(question: &Question, error: &RequestError) -> RpcResponse {
    let operation = question.operation();
    match (error, operation) {
        (RequestError::NotRegistered, _) => RpcResponse::internal("Registration is empty"),
        (RequestError::Invalid(error), Some(operation)) => of_operation(operation, error),
        (
            RequestError::Conflict {
                requested,
                existing,
            },
            _,
        ) => RpcResponse::bad_request(conflict(*requested, existing)),
        (RequestError::NotObserved, _) => RpcResponse::bad_request(not_observed(question)),
        (RequestError::Answer(AnswerError::Refused { code, diagnostic }), _) => {
            let code = reported(*code, operation);
            match (is_named(code), diagnostic) {
                (true, diagnostic) => RpcResponse {
                    result: code.name().into(),
                    value: None,
                    error: diagnostic.as_deref().map(Into::into),
                },
                (false, _) => RpcResponse {
                    result: UNKNOWN.into(),
                    value: None,
                    error: Some(error.to_string()),
                },
            }
        }
        (error, _) => RpcResponse::internal(error.to_string()),
    }
}

/// The response to a command that cannot be asked of the device.
pub(super) fn of_operation(operation: &Operation, error: &OperationError) -> RpcResponse {
    match (operation, error) {
        (
            Operation::WriteComposite { .. }
            | Operation::ReadComposite { .. }
            | Operation::ObserveComposite { .. }
            | Operation::CancelObservationComposite { .. },
            OperationError::NotAnnounced { .. }
            | OperationError::RequiresVersion {
                required: LwM2mVersion::V1_1,
                ..
            },
        ) => RpcResponse::internal(match operation {
            Operation::WriteComposite { .. } => NO_COMPOSITE.into(),
            _ => format!("RuntimeException: {NO_COMPOSITE}"),
        }),
        (Operation::Discover { path, .. }, OperationError::InvalidTarget { .. })
            if path.len() == 4 =>
        {
            RpcResponse::internal(format!(
                "InvalidRequestException: Discover request cannot target resource instance path: {path}"
            ))
        }
        (Operation::Delete { path }, OperationError::InvalidTarget { .. }) => {
            RpcResponse::bad_request(format!(
                "Invalid path {path} : Only object instances can be delete"
            ))
        }
        (_, error) => RpcResponse::bad_request(error.to_string()),
    }
}

const NO_COMPOSITE: &str = "This device does not support Composite Operation";

fn conflict(requested: Path, existing: &Observed) -> String {
    match existing {
        Observed::Single(path) if *path == requested => {
            format!("Resource [{requested}] is already registered as SingleObservation.")
        }
        Observed::Single(path) => format!(
            "Resource [{requested}] conflict with is already registered as SingleObservation [{path}]."
        ),
        Observed::Composite(_) => {
            format!("Resource [{requested}] is already registered in CompositeObservation.")
        }
    }
}

fn not_observed(question: &Question) -> String {
    let ids: Vec<_> = question.asked.iter().map(VersionedId::to_string).collect();
    let ids = ids.join(", ");
    match question.operation() {
        Some(Operation::CancelObservationComposite { .. }) => {
            format!("Could not find active Observe Composite component with paths: [{ids}]")
        }
        _ => format!("Could not find active Observe component with path: {ids}"),
    }
}

/// The code that is reported for one of the device.
///
/// ThingsBoard reports every refusal of a Write-Composite as `BAD_REQUEST`. Here the caller sees the
/// device's own code but for 4.04, which its tests name so: it is the list of values that was bad.
fn reported(code: Code, operation: Option<&Operation>) -> Code {
    match operation {
        Some(Operation::WriteComposite { .. }) if code == Code::NOT_FOUND => Code::BAD_REQUEST,
        _ => code,
    }
}

const UNKNOWN: &str = "UNKNOWN";

/// Whether ThingsBoard has a name for an error code.
fn is_named(code: Code) -> bool {
    [
        Code::BAD_REQUEST,
        Code::UNAUTHORIZED,
        Code::FORBIDDEN,
        Code::NOT_FOUND,
        Code::METHOD_NOT_ALLOWED,
        Code::NOT_ACCEPTABLE,
        Code::REQUEST_ENTITY_INCOMPLETE,
        Code::PRECONDITION_FAILED,
        Code::REQUEST_ENTITY_TOO_LARGE,
        Code::UNSUPPORTED_CONTENT_FORMAT,
        Code::INTERNAL_SERVER_ERROR,
    ]
    .contains(&code)
}
