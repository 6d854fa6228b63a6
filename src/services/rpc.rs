//! Commands to devices, as ThingsBoard's callers write them.

mod ask;
mod attributes;
mod bytes;
mod call;
mod clock;
mod content_format;
mod count;
mod device;
mod failure;
mod id;
mod java;
mod links;
mod method;
mod node;
mod params;
mod persistent;
mod question;
mod records;
mod refusal;
mod response;
mod scalar;
mod service;
mod shared_attribute;
mod structured;
mod text;
mod write;

pub(in crate::services) use ask::{Flight, Progress};
pub(in crate::services) use clock::Clock;
pub(in crate::services) use shared_attribute::AttributeWrite;

pub use call::{
    Answered, DeviceKnowledge, Prepared, Question, RpcCall, RpcResponse, Timeout, ValueFormat,
    prepare,
};
pub use method::method_names;
pub use persistent::{
    DEFAULT_EXPIRATION_MILLIS, DEFAULT_RETRIES, FINISHED_KEPT_MILLIS, MAX_FINISHED_PER_DEVICE,
    MAX_PAGE, MAX_PENDING_PER_DEVICE, MAX_RETRIES, MAX_STORED, NewCommand, RpcCommand, RpcPage,
    RpcQuery, RpcState,
};
pub use service::{
    CallOptions, DEFAULT_TIMEOUT_MILLIS, MAX_TIMEOUT_MILLIS, MIN_TIMEOUT_MILLIS, Rpc, RpcError,
};

#[cfg(test)]
mod tests;
