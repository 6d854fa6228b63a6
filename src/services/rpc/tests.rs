//! Calls as people write them, `Read {"id":"/3/0/9"}`, against a device that is only described.

mod acceptance;
mod failures;
mod properties;
mod results;
mod seed;
mod shared_attributes;
mod values;
mod versions;

use std::sync::Arc;

use serde_json::Value as Json;

use super::*;
use crate::engine::endpoint::plan::{Destination, Mapping, ProfilePlan};
use crate::engine::endpoint::profile_parts::ProfileParts;
use crate::proto::coap::Code;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::operation::{AnswerError, Operation};
use crate::proto::lwm2m::{LwM2mVersion, Path, Record, Value, Version};
use crate::services::engine::{
    DeviceAnswer, DeviceCommand, DeviceContext, DeviceOutcome, RequestError,
};
use crate::services::models::builtin;

/// The device of ThingsBoard's tests (thingsboard-behaviour 13).
const LINKS: &str = "</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11543\",</1>;ver=1.1,</1/0>,</2>,\
    </3>;ver=1.2,</3/0>,</5>;ver=1.2,</5/0>,</6/0>,</9>;ver=1.1,</9/0>,</19>;ver=1.1,</19/0>,\
    </19/1>,</3303/0>,</3303/12>,</33000/0>";

/// Its keys, and those of the vendor's documentation.
const KEYS: [(&str, &str, Option<Version>); 10] = [
    ("batteryLevel", "/3/0/9", Some(Version::new(1, 2))),
    ("UtfOffset", "/3/0/14", None),
    ("timezone", "/3/0/15", None),
    ("dataRead", "/19/0/0", Some(Version::new(1, 1))),
    ("dataWrite", "/19/1/0", Some(Version::new(1, 1))),
    ("dataCreationTime", "/19/0/2", Some(Version::new(1, 1))),
    ("state", "/5/0/3", None),
    ("updateResult", "/5/0/5", None),
    ("pkgversion", "/5/0/7", None),
    ("ofAnotherVersion", "/3/0/0", Some(Version::new(1, 0))),
];

fn thingsboards_device() -> DeviceKnowledge {
    device(LINKS, LwM2mVersion::V1_1)
}

fn device(links: &str, lwm2m: LwM2mVersion) -> DeviceKnowledge {
    device_of(links, lwm2m, false)
}

fn device_of(links: &str, lwm2m: LwM2mVersion, strict_object_versions: bool) -> DeviceKnowledge {
    let mappings = KEYS.map(|(key, path, version)| Mapping {
        path: path.parse().unwrap(),
        version,
        key: key.into(),
        destination: Destination {
            attribute: false,
            telemetry: true,
        },
        resource_type: None,
    });
    let context = DeviceContext {
        links: Arc::new(ObjectLinks::parse(links.as_bytes(), lwm2m).unwrap()),
        plan: Arc::new(ProfilePlan::compile(ProfileParts {
            name: "test".into(),
            mappings: mappings.into(),
            strict_object_versions,
            ..ProfileParts::default()
        })),
    };
    let models = Arc::new(builtin().iter().cloned().collect());
    DeviceKnowledge { context, models }
}

/// `Method {"member":…}`, as in ThingsBoard's terminal.
fn call(line: &str) -> RpcCall {
    let (method, params) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let params = (!params.trim().is_empty()).then(|| serde_json::from_str(params).expect(line));
    RpcCall {
        method: method.into(),
        params,
    }
}

#[track_caller]
fn question(device: &DeviceKnowledge, line: &str) -> Question {
    match prepare(&call(line), device) {
        Ok(Prepared::Ask(question)) => question,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn operation(device: &DeviceKnowledge, line: &str) -> Operation {
    match question(device, line).command {
        DeviceCommand::Operation(operation) => operation,
        other => panic!("{line}: {other:?}"),
    }
}

/// Path and value of each record that is written.
#[track_caller]
fn written(device: &DeviceKnowledge, line: &str) -> Vec<(String, Option<Value>)> {
    let records = match operation(device, line) {
        Operation::Write { records, .. }
        | Operation::WriteComposite { records }
        | Operation::Create { records, .. } => records,
        other => panic!("{line}: {other:?}"),
    };
    let records = records.into_iter();
    records
        .map(|record| (record.path.to_string(), record.value))
        .collect()
}

/// Result and error of a call that is refused.
#[track_caller]
fn refused(device: &DeviceKnowledge, line: &str) -> (String, String) {
    match prepare(&call(line), device) {
        Err(response) => {
            assert!(!response.is_success() && response.value.is_none());
            let error = response.error.expect("a refusal says why");
            (response.result.into_owned(), error)
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn bad_request(device: &DeviceKnowledge, line: &str, error: &str) {
    let refused = refused(device, line);
    assert_eq!(refused, ("BAD_REQUEST".into(), error.into()), "{line}");
}

/// The response, as JSON, to a call that ends like this.
#[track_caller]
fn response(device: &DeviceKnowledge, line: &str, outcome: DeviceOutcome) -> Json {
    respond(device, line, outcome, ValueFormat::Text)
}

#[track_caller]
fn respond(
    device: &DeviceKnowledge,
    line: &str,
    outcome: DeviceOutcome,
    format: ValueFormat,
) -> Json {
    let response = question(device, line).respond(outcome, format, device);
    serde_json::to_value(response.expect("a response")).unwrap()
}

/// The `value` of a successful answer with these values, as text.
#[track_caller]
fn text(device: &DeviceKnowledge, line: &str, values: &[(&str, Value)]) -> String {
    let response = response(device, line, values_answer(values));
    assert_eq!(response["result"], "CONTENT", "{line}: {response}");
    response["value"].as_str().expect("text").to_owned()
}

fn values_answer(values: &[(&str, Value)]) -> DeviceOutcome {
    let records = values
        .iter()
        .map(|(path, value)| record(path, Some(value.clone())));
    Ok(DeviceAnswer::Values {
        records: records.collect(),
        format: 112,
        observing: false,
    })
}

fn record(path: &str, value: Option<Value>) -> Record {
    Record {
        path: path.parse().unwrap(),
        time: None,
        value,
    }
}

fn refusal(code: Code, diagnostic: Option<&str>) -> DeviceOutcome {
    Err(RequestError::Answer(AnswerError::Refused {
        code,
        diagnostic: diagnostic.map(Into::into),
    }))
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn string(text: &str) -> Value {
    Value::String(text.into())
}

fn opaque(hexadecimal: &str) -> Value {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hexadecimal.as_bytes());
    Value::Opaque(bytes.unwrap().into())
}
