//! Commands to devices, as ThingsBoard's callers write them.

mod attributes;
mod bytes;
mod call;
mod content_format;
mod device;
mod failure;
mod id;
mod java;
mod links;
mod method;
mod node;
mod params;
mod question;
mod records;
mod refusal;
mod response;
mod scalar;
mod structured;
mod text;
mod write;

pub use call::{
    Answered, DeviceKnowledge, Prepared, Question, RpcCall, RpcResponse, Timeout, ValueFormat,
    prepare,
};

#[cfg(test)]
mod tests;
