//! What devices do wrong: the caller is told what, nothing is left behind, and the device goes on being asked.

use std::time::Duration;

use loadtest::client::{Client, Fault};
use serde_json::{Value, json};

use crate::fixture::{KEYS_OF_RPC, Session, profile};
use crate::support::http::Answer;

/// Long enough for an answer over loopback, short enough to wait for one that does not come.
const SHORT: &str = "?timeout=1000";

#[test]
fn a_device_that_never_answers_is_a_gateway_timeout() {
    let session = faulty("fault-never", Fault::NeverAnswer);
    let answer = ask(&session, SHORT);
    assert_eq!(answer.status, 504, "{}", answer.body);
    let detail = answer.json()["detail"].clone();
    assert!(
        detail
            .as_str()
            .is_some_and(|detail| detail.contains("not answer")),
        "{detail}"
    );
    assert_works_again(&session);
}

#[test]
fn a_device_that_only_acknowledges_is_a_gateway_timeout_that_says_so() {
    let session = faulty("fault-acknowledge", Fault::AcknowledgeOnly);
    let answer = ask(&session, SHORT);
    assert_eq!(answer.status, 504, "{}", answer.body);
    let detail = answer.json()["detail"].clone();
    assert!(
        detail
            .as_str()
            .is_some_and(|detail| detail.contains("acknowledged")),
        "{detail}"
    );
    assert_works_again(&session);
}

#[test]
fn an_answer_that_is_no_coap_is_none() {
    let session = faulty("fault-no-coap", Fault::NotCoap);
    let rejected = session.engine.metric("lwm2m_coap_rejected_total", &[]);
    let answer = ask(&session, SHORT);
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert!(session.engine.metric("lwm2m_coap_rejected_total", &[]) > rejected);
    assert_works_again(&session);
}

#[test]
fn an_answer_with_another_token_is_none() {
    let session = faulty("fault-token", Fault::WrongToken);
    let answer = ask(&session, SHORT);
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert_works_again(&session);
}

#[test]
fn an_answer_in_a_format_nobody_knows_is_told() {
    let session = faulty("fault-format", Fault::WrongFormat);
    let error = internal_error(&ask(&session, ""));
    assert!(error.contains("65000"), "{error}");
    assert_works_again(&session);
}

#[test]
fn an_answer_of_nonsense_is_told() {
    for (endpoint, format) in [
        ("fault-garbage-tlv", "TLV"),
        ("fault-garbage-senml-json", "SENML_JSON"),
        ("fault-garbage-senml-cbor", "SENML_CBOR"),
        ("fault-garbage-json", "JSON"),
    ] {
        let session = faulty(endpoint, Fault::Garbage);
        let params = json!({"id": "/3_1.2/0", "contentFormat": format});
        let answer = session.engine.rpc_answer(endpoint, "", "Read", &params);
        internal_error(&answer);
        assert_works_again(&session);
    }
}

/// Half of the payload of each format.
#[test]
fn an_answer_that_is_cut_short_is_told() {
    for (endpoint, format) in [
        ("fault-cut-tlv", "TLV"),
        ("fault-cut-senml-json", "SENML_JSON"),
        ("fault-cut-senml-cbor", "SENML_CBOR"),
        ("fault-cut-json", "JSON"),
    ] {
        let session = faulty(endpoint, Fault::TruncatedPayload);
        let params = json!({"id": "/3_1.2/0", "contentFormat": format});
        let answer = session.engine.rpc_answer(endpoint, "", "Read", &params);
        internal_error(&answer);
        assert_works_again(&session);
    }
}

#[test]
fn a_device_behind_a_lossy_path_is_asked_again() {
    // No datagrams but those of the commands: each is lost once at most.
    let session = Session::with("fault-lossy", profile::RPC, |options| {
        options.update_period = Some(Duration::from_secs(3_600));
    });
    session.await_requests(KEYS_OF_RPC);
    session.device.set_fault(Some(Fault::DropEvery(2)));
    for _ in 0..3 {
        let read = session.read("/3_1.2/0/14");
        assert!(read.starts_with("LwM2mSingleResource [id=14"), "{read}");
    }
    session.assert_at_rest();
}

/// Commands wait in a bounded queue: one too many is refused at once, and none outlives its deadline.
#[test]
fn commands_to_a_device_that_does_not_answer_are_bounded() {
    let session = faulty("fault-queue", Fault::NeverAnswer);
    let params = json!({"id": "/3_1.2/0/14"});
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..40)
            .map(|_| {
                scope.spawn(|| {
                    let query = "?timeout=1500";
                    let answer = session
                        .engine
                        .rpc_answer("fault-queue", query, "Read", &params);
                    answer.status
                })
            })
            .collect();
        asked
            .into_iter()
            .map(|asked| asked.join().expect("an answer"))
            .collect()
    });
    let count = |status| statuses.iter().filter(|&&other| other == status).count();
    assert_eq!(count(504) + count(503), 40, "{statuses:?}");
    assert!(count(503) > 0, "{statuses:?}");
    assert!(count(504) >= 32, "{statuses:?}");
    assert_works_again(&session);
}

/// What waits for a device ends when it registers anew.
#[test]
fn a_command_ends_with_the_registration_it_waits_for() {
    let session = faulty("fault-restart", Fault::AcknowledgeOnly);
    let asked_before = session.requests();
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&session, "?timeout=15000"));
        session.await_requests(asked_before + 1);
        behave(&session.device);
        session.device.restart();
        asked.join().expect("an answer")
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    let error = answer.json()["error"].clone();
    assert!(
        error
            .as_str()
            .is_some_and(|error| error.contains("registration")),
        "{error}"
    );
    assert_works_again(&session);
}

#[test]
fn a_device_that_refuses_is_quoted() {
    let session = Session::open("fault-refuses");
    session.refused(
        "Read",
        &json!({"id": "/19_1.1/0/3"}),
        "BAD_REQUEST",
        "value MUST NOT be null",
    );
    session.assert_at_rest();
}

/// A registered device that misbehaves from now on.
fn faulty(endpoint: &'static str, fault: Fault) -> Session {
    let session = Session::settled(endpoint);
    session.device.set_fault(Some(fault));
    session
}

fn ask(session: &Session, query: &str) -> Answer {
    let params = json!({"id": "/3_1.2/0/14"});
    session
        .engine
        .rpc_answer(session.endpoint, query, "Read", &params)
}

/// The error of a result that says the device's answer is none.
fn internal_error(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let result = answer.json();
    assert_eq!(result["result"], "INTERNAL_SERVER_ERROR", "{result}");
    assert_eq!(result["value"], Value::Null, "{result}");
    let error = result["error"].as_str().unwrap_or_default().to_owned();
    assert_ne!(error, "", "{result}");
    error
}

/// The device, when it behaves again, is read as if nothing had been.
fn assert_works_again(session: &Session) {
    behave(&session.device);
    session.assert_at_rest();
    let read = session.read("/3_1.2/0/14");
    assert!(read.starts_with("LwM2mSingleResource [id=14"), "{read}");
    session.assert_at_rest();
    let depth = session.engine.registration(session.endpoint)["queueLength"].clone();
    assert_eq!(depth, 0);
}

fn behave(device: &Client) {
    device.set_fault(None);
}
