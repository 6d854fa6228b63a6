use std::time::Duration;

use super::scripted::{Bench, read, settle, unanswered, value};
use crate::services::devices::DevicesError;
use crate::services::engine::{RequestError, Waiting};
use crate::services::rpc::{
    CallOptions, DEFAULT_TIMEOUT_MILLIS, RpcCall, RpcError, RpcResponse, ValueFormat,
};

const OPTIONS: CallOptions = CallOptions {
    timeout_millis: DEFAULT_TIMEOUT_MILLIS,
    format: ValueFormat::Text,
};

fn error(response: RpcResponse) -> (String, String) {
    (response.result.to_string(), response.error.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_twoway_command_returns_the_devices_answer() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let call = read();
    let (answer, ()) = tokio::join!(rpc.twoway("a", &call, OPTIONS), async {
        let asked = bench.asked().await;
        assert_eq!(
            (asked.endpoint.as_str(), asked.request.timeout_millis),
            ("a", 10_000)
        );
        asked.answer();
    });
    assert_eq!(answer.unwrap().result, "CONTENT");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_not_registered_answers_with_thingsboards_text() {
    let bench = Bench::new().await;
    let rpc = bench.rpc().await;
    let answer = rpc.twoway("a", &read(), OPTIONS).await.unwrap();
    let expected = (
        "INTERNAL_SERVER_ERROR".to_owned(),
        "Registration is empty".to_owned(),
    );
    assert_eq!(error(answer), expected);
    let answer = rpc.oneway("a", &read(), OPTIONS).await.unwrap();
    assert_eq!(error(answer.unwrap()), expected);
    let unknown = rpc.twoway("unknown", &read(), OPTIONS).await;
    assert!(matches!(
        unknown,
        Err(RpcError::Device(DevicesError::NotFound { .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_says_what_was_waited_for() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let asleep = RequestError::NotSent {
        waiting: Waiting::Asleep,
    };
    for (outcome, says) in [(unanswered(), "answer"), (Err(asleep), "asleep")] {
        let call = read();
        let (answer, ()) = tokio::join!(rpc.twoway("a", &call, OPTIONS), async {
            bench.asked().await.end(outcome);
        });
        match answer {
            Err(RpcError::Timeout { detail }) => assert!(detail.contains(says), "{detail}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_no_answer_of_the_device() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let call = read();
    let (answer, ()) = tokio::join!(rpc.twoway("a", &call, OPTIONS), async {
        bench.asked().await.end(Err(RequestError::QueueFull));
    });
    assert!(matches!(answer, Err(RpcError::QueueFull(_))));
}

#[tokio::test(start_paused = true)]
async fn a_oneway_command_is_answered_when_the_queue_has_it() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let answer = rpc.oneway("a", &read(), OPTIONS).await.unwrap();
    assert_eq!(answer, None);
    let asked = bench.asked().await;
    asked.answer();
    settle().await;
    assert_eq!(*bench.engine.cancelled.lock().unwrap(), [] as [u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_oneway_command_that_is_refused_says_so() {
    let bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let call = RpcCall {
        method: "Shout".to_owned(),
        params: None,
    };
    let answer = rpc.oneway("a", &call, OPTIONS).await.unwrap().unwrap();
    assert_eq!(error(answer).1, "Unsupported operation type: Shout");
}

#[tokio::test(start_paused = true)]
async fn a_command_nobody_waits_for_is_taken_back() {
    let mut bench = Bench::new().await;
    let rpc = bench.rpc().await;
    bench.engine.register("a");
    let call = read();
    let impatient = tokio::time::timeout(Duration::from_secs(1), rpc.twoway("a", &call, OPTIONS));
    assert!(impatient.await.is_err());
    let asked = bench.asked().await;
    assert_eq!(*bench.engine.cancelled.lock().unwrap(), [asked.ticket]);
    asked.end(value());
}
