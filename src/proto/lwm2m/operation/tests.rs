//! Operations: requests byte by byte as real clients were sent them (client-behaviour.md), what is
//! refused before it is sent, and what answers mean.
//!
//! Ids in comments are those of Leshan's integration tests and, with "ETS", of the OMA enabler test
//! specification.

mod answers;
mod attributes;
mod discover;
mod formats;
mod refusals;
mod requests;

use data_encoding::HEXLOWER;

use super::*;
use crate::proto::coap::{MessageType, MessageWriter};
use crate::proto::lwm2m::{LwM2mVersion, ResourceType, ResourceTypes, Value};

/// A device that announces no content formats, as Anjay does.
const V1_0: RequestContext<'_> = RequestContext::new(LwM2mVersion::V1_0);
const V1_1: RequestContext<'_> = RequestContext::new(LwM2mVersion::V1_1);
const V1_2: RequestContext<'_> = RequestContext::new(LwM2mVersion::V1_2);

fn using(context: RequestContext<'_>, content_format: u16) -> RequestContext<'_> {
    RequestContext {
        content_format: Some(content_format),
        ..context
    }
}

fn announcing<'a>(context: RequestContext<'a>, content_formats: &'a [u16]) -> RequestContext<'a> {
    RequestContext {
        content_formats,
        ..context
    }
}

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn paths(texts: &[&str]) -> Vec<Path> {
    texts.iter().map(|text| path(text)).collect()
}

fn record(at: &str, value: Value) -> Record {
    Record {
        path: path(at),
        time: None,
        value: Some(value),
    }
}

fn gap(at: &str) -> Record {
    Record {
        path: path(at),
        time: None,
        value: None,
    }
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn attributes(queries: &[&str]) -> NotificationAttributes {
    NotificationAttributes::parse(queries.iter().copied()).expect("attributes")
}

fn read(at: &str) -> Operation {
    Operation::Read { path: path(at) }
}

fn replace(at: &str, records: Vec<Record>) -> Operation {
    Operation::Write {
        path: path(at),
        mode: WriteMode::Replace,
        records,
    }
}

fn update(at: &str, records: Vec<Record>) -> Operation {
    Operation::Write {
        path: path(at),
        mode: WriteMode::Update,
        records,
    }
}

fn observe(at: &str, queries: &[&str]) -> Operation {
    Operation::Observe {
        path: path(at),
        attributes: attributes(queries),
    }
}

fn execute(at: &str, arguments: &str) -> Operation {
    Operation::Execute {
        path: path(at),
        arguments: arguments.parse().expect("arguments"),
    }
}

fn parts(operation: &Operation, context: RequestContext<'_>) -> RequestParts {
    operation
        .request(&context)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(operation: &Operation, context: RequestContext<'_>) -> OperationError {
    operation
        .request(&context)
        .expect_err("the operation should be refused")
}

/// The whole message, in hexadecimal.
fn message(operation: &Operation, context: RequestContext<'_>, mid: u16, token: &str) -> String {
    let parts = parts(operation, context);
    let token = HEXLOWER
        .decode(token.as_bytes())
        .expect("hexadecimal digits");
    let mut buffer = Vec::new();
    let confirmable = MessageType::Confirmable;
    let mut writer = MessageWriter::new(&mut buffer, confirmable, parts.code, mid, &token);
    parts.write(&mut writer);
    writer.finish();
    HEXLOWER.encode(&buffer)
}
