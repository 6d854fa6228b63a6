//! What the device on aiocoap takes part in: it is read and observed, one Resource at a time.

use serde_json::json;

use super::super::client::Kind;
use super::{CBOR, SENML_CBOR, SENML_JSON, Session, TEXT, TLV};

#[test]
fn aiocoap_is_read_in_every_format_it_knows() {
    let Some(session) = Session::open(Kind::Aiocoap, "aiocoap-read", &[]) else {
        return;
    };
    for format in [TEXT, CBOR, SENML_JSON, SENML_CBOR] {
        let text = session.read("/3/0/0", format);
        assert_eq!(
            text,
            "LwM2mSingleResource [id=0, value=Rookery, type=STRING]"
        );
        let integer = session.read("/3/0/9", format);
        assert_eq!(
            integer,
            "LwM2mSingleResource [id=9, value=100, type=INTEGER]"
        );
        let float = session.read("/3303/0/5700", format);
        assert_eq!(
            float,
            "LwM2mSingleResource [id=5700, value=21.5, type=FLOAT]"
        );
    }
    let params = json!({"id": "/3/0/9", "contentFormat": TLV});
    let answer = session.rpc("Read", &params);
    assert_eq!(answer["result"], "NOT_ACCEPTABLE", "{answer}");
    session.assert_at_rest();
}

#[test]
fn aiocoap_is_observed_in_every_format_it_knows() {
    let Some(mut session) = Session::open(Kind::Aiocoap, "aiocoap-observe", &[]) else {
        return;
    };
    for (value, format) in (10..).zip([TEXT, CBOR, SENML_JSON, SENML_CBOR]) {
        let params = json!({"id": "/3/0/9", "contentFormat": format});
        session.value("Observe", &params, "CONTENT");
        session.device.tell(&format!("set /3/0/9 {value}"), "set");
        session
            .engine
            .await_telemetry(&session.endpoint, "batteryLevel", &json!(value));
        let cancelled = session.value("ObserveCancel", &json!({"id": "/3/0/9"}), "CONTENT");
        assert_eq!(cancelled, "1");
    }
    session.assert_at_rest();
}

#[test]
fn aiocoap_refuses_what_it_does_not_do() {
    let Some(session) = Session::open(Kind::Aiocoap, "aiocoap-refuses", &[]) else {
        return;
    };
    for (method, params, result) in [
        ("Read", json!({"id": "/3/0/1/0"}), "NOT_FOUND"),
        ("Read", json!({"id": "/3303/1/5700"}), "NOT_FOUND"),
        (
            "WriteReplace",
            json!({"id": "/3/0/14", "value": "+01"}),
            "NOT_FOUND",
        ),
        ("Delete", json!({"id": "/3303/0"}), "NOT_FOUND"),
        ("Execute", json!({"id": "/3/0/4"}), "NOT_FOUND"),
    ] {
        let answer = session.rpc(method, &params);
        assert_eq!(answer["result"], result, "{method} {params}: {answer}");
    }
    session.assert_at_rest();
}
