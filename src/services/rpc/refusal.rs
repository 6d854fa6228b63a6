//! Why a call is not sent to the device.

use crate::proto::coap::Code;
use crate::proto::lwm2m::model::Operations;
use crate::proto::lwm2m::operation::{ArgumentsError, AttributeError};
use crate::proto::lwm2m::{Path, Version};

use super::RpcResponse;
use super::id::VersionedId;

/// What is wrong with a call. Where ThingsBoard has a text for the case, it is that text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Unsupported operation type: {method}")]
    UnknownMethod { method: String },
    #[error("params are {found}, expected an object or text that holds one")]
    ParamsNotAnObject { found: &'static str },
    #[error("params are text that is not JSON: {problem}")]
    ParamsNotJson { problem: String },
    #[error("unknown member \"{member}\" of params, {method} takes {accepted}")]
    UnknownMember {
        member: String,
        method: &'static str,
        accepted: String,
    },
    #[error("{member} of params is {found}, expected {expected}")]
    MemberType {
        member: String,
        found: String,
        expected: &'static str,
    },
    #[error("content format \"{found}\" is not known, expected {accepted}, or its number")]
    UnknownFormat { found: String, accepted: String },
    #[error("Can't find 'key' or 'id' in the requestParams parameters!")]
    NoTarget,
    #[error("{key} is not configured in the device profile!")]
    UnknownKey { key: String },
    #[error("id \"{id}\" is not valid: {problem}")]
    InvalidId { id: String, problem: String },
    #[error("Specified object id is null!")]
    NoObject,
    #[error(
        "Specified object id {object} absent in the list supported objects of the client or is security object!"
    )]
    ObjectAbsent { object: u16 },
    /// The text of ThingsBoard and, behind it, that of its documentation (design 4).
    #[error(
        "Specified resource id {id} is not valid version! Must be version: {required}. Invalid object version. Required version: {required}"
    )]
    WrongVersion { id: VersionedId, required: Version },
    #[error("Resource {id} is not configured in the device profile!")]
    UnknownResource { id: VersionedId },
    #[error("Resource {id}. This operation can only be used for Resource or ResourceInstance!")]
    ReplaceTarget { id: VersionedId },
    #[error(
        "Resource {id}. This operation can only be used for ObjectInstance or Resource (multiple)"
    )]
    UpdateTarget { id: VersionedId },
    #[error(
        "Resource {id}. This operation can only be used for ObjectInstance or Multi-Instance Resource !{detail}"
    )]
    Update { id: VersionedId, detail: String },
    #[error("The value of this resource must not be null.")]
    NullValue,
    #[error("Resource id={path}. The value of this resource must not be null.")]
    NullValueOf { path: Path },
    #[error("The value of this resource must be in Map format and size > 0")]
    NotAMap,
    #[error(
        "Resource id={path}, class = {class}, value = {value} is bad. Value of Multi-Instance Resource must be in Json format!"
    )]
    NotInstances {
        path: Path,
        class: &'static str,
        value: String,
    },
    #[error(
        "Resource id={path}, value = {value}, class = {class}. Format value is bad. Value for this Single Resource must be {expected}!{hint}"
    )]
    BadValue {
        path: Path,
        value: String,
        class: &'static str,
        expected: &'static str,
        hint: Hint,
    },
    #[error("Invalid value type for resource {path}, expected {expected}, got {found}{hint}")]
    BadInstanceValue {
        path: Path,
        expected: &'static str,
        found: &'static str,
        hint: Hint,
    },
    #[error("the value of {path} has {length} bytes, at most {most} can be written")]
    ValueTooLong {
        path: Path,
        length: usize,
        most: usize,
    },
    #[error("\"{key}\" below {path} is not an id, expected a decimal number from 0 to 65534")]
    InvalidKey { path: Path, key: String },
    #[error("{path} is {found}, expected an object with values by resource id")]
    NotAnInstance { path: Path, found: String },
    #[error(
        "nodes: {nodes} is not validate value. The WriteComposite operation is only used for SingleResources or/and ResourceInstance."
    )]
    InvalidNodes { nodes: String },
    #[error("Path {id}. Object must be Multiple !")]
    SingleInstanceObject { id: VersionedId },
    #[error("Path {id}. This operation can only be used for Object or ObjectInstance!")]
    CreateTarget { id: VersionedId },
    #[error(
        "Path {id}. Either value or nodes can be given, nodes only for an Object without instance id!"
    )]
    ValueAndNodes { id: VersionedId },
    #[error(
        "ResourceModel with {id} is absent in the system. Need to add Model with id= {object}  ver={version}  to profile."
    )]
    NoResourceModel {
        id: VersionedId,
        object: u16,
        version: Version,
    },
    #[error(
        "Resource {id} cannot be written: its definition allows {}",
        allowed(.operations)
    )]
    NotWritable {
        id: VersionedId,
        operations: Operations,
    },
    #[error("Resource with {id} is not executable.")]
    NotExecutable { id: VersionedId },
    #[error(
        "Unsupported parameter type: {class}. Only simple types (String, Integer, Boolean, etc.) are allowed for Execute arguments."
    )]
    ArgumentType { class: &'static str },
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    #[error(transparent)]
    Attribute(#[from] AttributeError),
}

fn allowed(operations: &Operations) -> &'static str {
    match operations {
        Operations::Read => "R, to read",
        Operations::Execute => "E, to execute",
        Operations::None => "nothing",
        Operations::Write | Operations::ReadWrite => operations.as_str(),
    }
}

impl From<Refusal> for RpcResponse {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::UnknownMethod { .. } => Code::METHOD_NOT_ALLOWED,
            _ => Code::BAD_REQUEST,
        };
        Self::error(code, refusal.to_string())
    }
}

/// What would be accepted, where the type alone does not tell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Hint(pub(super) Option<&'static str>);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(accepted) => write!(f, " (accepted: {accepted})"),
            None => Ok(()),
        }
    }
}

/// Longest quotation of the caller's text, in bytes.
const MAX_QUOTED: usize = 200;

/// The caller's text as an error quotes it: on one line and not too long.
pub(super) fn quoted(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_QUOTED);
    let cut = &text[..end];
    let mut quoted: String = cut
        .chars()
        .map(|character| {
            if character.is_control() {
                '?'
            } else {
                character
            }
        })
        .collect();
    if end < text.len() {
        quoted.push_str("..");
    }
    quoted
}
