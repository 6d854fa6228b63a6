//! The device on libcoap listens to nobody between its own requests: what is asked of it ends by its deadline.

use serde_json::json;

use super::super::client::Kind;
use super::Session;

#[test]
fn a_command_that_libcoap_does_not_hear_times_out() {
    let Some(session) = Session::open(Kind::Libcoap, "libcoap-deaf", &[]) else {
        return;
    };
    let params = json!({"id": "/3/0/9"});
    let answer = session
        .engine
        .rpc_answer(&session.endpoint, "?timeout=1000", "Read", &params);
    assert_eq!(answer.status, 504, "{}", answer.body);
    let detail = answer.json()["detail"]
        .as_str()
        .expect("a detail")
        .to_owned();
    assert!(
        detail.contains("in time"),
        "it says what was waited for: {detail}"
    );
}
