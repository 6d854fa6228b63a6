//! Observe, notifications and the end of an observation.

use serde_json::json;

use super::super::client::Kind;
use super::{CBOR, NODE_FORMATS, Session, TEXT};
use crate::support::wait::eventually;

#[test]
fn leshan_is_observed_in_every_format_until_that_is_cancelled() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-observe", &[]) else {
        return;
    };
    for (value, format) in (500_i64..).zip([TEXT, CBOR].into_iter().chain(NODE_FORMATS)) {
        let params = json!({"id": "/33000/0/1", "contentFormat": format});
        let shown = session.value("Observe", &params, "CONTENT");
        assert!(
            shown.starts_with("LwM2mSingleResource [id=1, value="),
            "{shown}"
        );
        session
            .device
            .tell(&format!("set /33000/0/1 {value}"), "set");
        session
            .engine
            .await_telemetry(&session.endpoint, "integer", &json!(value));

        let cancelled = session.rpc("ObserveCancel", &json!({"id": "/33000/0/1"}));
        assert_eq!(cancelled, json!({"result": "CONTENT", "value": "1"}));
        assert_eq!(read_all(&session), "[]");
    }
    session.assert_at_rest();
}

#[test]
fn leshan_is_observed_at_every_level() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-observe-levels", &[]) else {
        return;
    };
    for (value, id) in (600_i64..).zip(["/33000", "/33000/0", "/33000/0/1"]) {
        for format in NODE_FORMATS {
            let params = json!({"id": id, "contentFormat": format});
            session.value("Observe", &params, "CONTENT");
            let value = value * 10_000 + i64::from(format % 1_000);
            session
                .device
                .tell(&format!("set /33000/0/1 {value}"), "set");
            session
                .engine
                .await_telemetry(&session.endpoint, "integer", &json!(value));
            session.value("ObserveCancel", &json!({"id": id}), "CONTENT");
        }
    }
    let params = json!({"id": "/33000/0/10/7"});
    let shown = session.value("Observe", &params, "CONTENT");
    assert_eq!(shown, "LwM2mResourceInstance [id=7, value=b, type=STRING]");
    assert_eq!(read_all(&session), r#"["SingleObservation:/33000/0/10/7"]"#);
    let cancelled = session.value("ObserveCancelAll", &json!({}), "CONTENT");
    assert_eq!(cancelled, "1");
}

/// The device is told: what changes afterwards is not notified.
#[test]
fn leshan_forgets_a_cancelled_observation() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-cancel", &[]) else {
        return;
    };
    session.value("Observe", &json!({"id": "/33000/0/1"}), "CONTENT");
    session.value("Observe", &json!({"id": "/33000/0/3"}), "CONTENT");
    session.value("ObserveCancel", &json!({"id": "/33000/0/1"}), "CONTENT");
    session.assert_at_rest();
    session.device.tell("set /33000/0/1 111", "set");
    session.device.tell("set /33000/0/3 222.5", "set");
    session
        .engine
        .await_telemetry(&session.endpoint, "float", &json!(222.5));
    let integer = session.engine.telemetry(&session.endpoint)["integer"][0]["value"].clone();
    assert_eq!(integer, -42, "only the answer to the Observe");
}

/// The deletion of an observed instance ends the observation (Leshan answers 4.04).
#[test]
fn an_observation_ends_with_the_instance_it_observes() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-observe-deleted", &[]) else {
        return;
    };
    let params = json!({"id": "/33000/9", "value": {"1": 1}});
    session.value("Create", &params, "CREATED");
    session.value("Observe", &json!({"id": "/33000/9"}), "CONTENT");
    session.value("Delete", &json!({"id": "/33000/9"}), "DELETED");
    eventually("no observation is left", || {
        let observed = read_all(&session);
        (observed == "[]").then_some(()).ok_or(observed)
    });
}

fn read_all(session: &Session) -> String {
    session.value("ObserveReadAll", &json!({}), "CONTENT")
}
