//! Commands: whatever the call is.

use std::sync::{Arc, LazyLock};

use rookery::engine::endpoint::plan::ProfilePlan;
use rookery::proto::coap::Code;
use rookery::proto::lwm2m::link::ObjectLinks;
use rookery::proto::lwm2m::operation::{Operation, RequestContext};
use rookery::proto::lwm2m::{LwM2mVersion, Record, Value};
use rookery::services::engine::{DeviceAnswer, DeviceCommand, DeviceContext, DeviceOutcome};
use rookery::services::models::builtin;
use rookery::services::rpc::{
    DeviceKnowledge, Prepared, Question, RpcCall, RpcResponse, ValueFormat, prepare,
};

/// The call is refused in words that are not longer than they need to be, or the device can be asked
/// for it; then values at its paths make a response in both formats.
pub fn check(data: &[u8]) {
    let Ok(call) = serde_json::from_slice::<RpcCall>(data) else {
        return;
    };
    match prepare(&call, &DEVICE) {
        Err(refused) => {
            assert!(!refused.is_success());
            let error = refused.error.expect("a refusal says why");
            assert!(!error.is_empty() && error.len() < 2_000, "{error}");
        }
        Ok(Prepared::Answered(answered)) => {
            assert!(answered.respond(ValueFormat::Text).is_success());
        }
        Ok(Prepared::Ask(question)) => {
            if let DeviceCommand::Operation(operation) = &question.command {
                check_operation(operation, &question);
            }
            let changed = respond(&question, &Ok(DeviceAnswer::Changed));
            assert!(changed.is_success());
        }
    }
}

fn check_operation(operation: &Operation, question: &Question) {
    let context = RequestContext {
        content_format: question.content_format,
        ..RequestContext::registered(&DEVICE.context.links)
    };
    operation
        .request(&context)
        .expect("what is asked can be asked");
    if operation.success() != Code::CONTENT {
        return;
    }
    let mut paths = operation.composite_paths().to_vec();
    if paths.is_empty() {
        paths.push(operation.target());
    }
    let records = paths.into_iter().filter_map(|mut path| {
        while path.len() < 3 {
            path = path.child(7)?;
        }
        Some(Record {
            path,
            time: None,
            value: Some(Value::Opaque([1, 2].into())),
        })
    });
    let answer = Ok(DeviceAnswer::Values {
        records: records.collect(),
        format: 112,
        observing: false,
    });
    let response = respond(question, &answer);
    assert!(response.is_success() && response.value.is_some());
}

/// The response as text, after that as JSON has been made.
fn respond(question: &Question, outcome: &DeviceOutcome) -> RpcResponse {
    let respond = |format| question.respond(outcome.clone(), format, &DEVICE);
    respond(ValueFormat::Json).expect("no timeout");
    respond(ValueFormat::Text).expect("no timeout")
}

static DEVICE: LazyLock<DeviceKnowledge> = LazyLock::new(|| {
    let links = b"</>;rt=\"oma.lwm2m\";ct=\"60 110 112 322 11542\",</1/0>,</3>;ver=1.2,</3/0>,\
        </5/0>,</19>;ver=1.1,</19/0>,</33000/0>";
    let links = ObjectLinks::parse(links, LwM2mVersion::V1_2).expect("links");
    let context = DeviceContext {
        links: Arc::new(links),
        plan: Arc::new(ProfilePlan::built_in_default()),
    };
    let models = Arc::new(builtin().iter().cloned().collect());
    DeviceKnowledge { context, models }
});
