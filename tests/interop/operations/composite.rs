//! Read-Composite, Write-Composite and Observe-Composite.

use serde_json::json;

use super::super::client::Kind;
use super::{COMPOSITE_FORMATS, Session, TLV};

#[test]
fn leshan_is_read_composite_in_both_formats() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-read-composite", &[]) else {
        return;
    };
    for format in COMPOSITE_FORMATS {
        let ids = json!([
            "/33000/0/0",
            "/33000/0/10",
            "/33000/0/11/7",
            "/6/0",
            "/19",
            "/1/0/8"
        ]);
        let params = json!({"ids": ids, "contentFormat": format});
        let shown = session.value("ReadComposite", &params, "CONTENT");
        for expected in [
            "/33000/0/0=LwM2mSingleResource [id=0, value=text, type=STRING]",
            "/33000/0/10=LwM2mMultipleResource [id=10, values={",
            "/33000/0/11/7=LwM2mResourceInstance [id=7, value=9223372036854775807, type=INTEGER]",
            "/6/0=LwM2mObjectInstance [id=0, resources={",
            "/19=LwM2mObject [id=19, instances={",
            "/1/0/8=null",
        ] {
            assert!(shown.contains(expected), "{format} {expected}: {shown}");
        }
    }
}

#[test]
fn leshan_is_written_composite_in_both_formats() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-write-composite", &[]) else {
        return;
    };
    for (round, format) in COMPOSITE_FORMATS.into_iter().enumerate() {
        let nodes = json!({
            "/33000/0/0": format!("round {round}"),
            "/33000/0/10/7": format!("instance {round}"),
            "/3/0/14": format!("+0{round}"),
        });
        let params = json!({"nodes": nodes, "contentFormat": format});
        session.change("WriteComposite", &params);
        for (id, expected) in [
            ("/33000/0/0", format!("value=round {round},")),
            ("/33000/0/10/7", format!("value=instance {round},")),
            ("/3/0/14", format!("value=+0{round},")),
        ] {
            let shown = session.read(id, TLV);
            assert!(shown.contains(&expected), "{format}: {shown}");
        }
    }
    let nodes = json!({"/33000/8/0": "nowhere", "/33000/0/0": "not written"});
    let answer = session.rpc("WriteComposite", &json!({"nodes": nodes}));
    assert_ne!(answer["result"], "CHANGED", "{answer}");
    let shown = session.read("/33000/0/0", TLV);
    assert!(shown.contains("value=round 1,"), "all or nothing: {shown}");
}

#[test]
fn leshan_is_observed_composite_in_both_formats_until_that_is_cancelled() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-observe-composite", &[]) else {
        return;
    };
    for (value, format) in (700_i64..).zip(COMPOSITE_FORMATS) {
        let ids = json!(["/33000/0/1", "/33000/0/3"]);
        let params = json!({"ids": ids, "contentFormat": format});
        let shown = session.value("ObserveComposite", &params, "CONTENT");
        assert!(
            shown.contains("/33000/0/3=LwM2mSingleResource [id=3, value="),
            "{shown}"
        );
        session
            .device
            .tell(&format!("set /33000/0/1 {value}"), "set");
        session
            .engine
            .await_telemetry(&session.endpoint, "integer", &json!(value));

        let observed = session.value("ObserveReadAll", &json!({}), "CONTENT");
        assert_eq!(
            observed,
            r#"["CompositeObservation: [/33000/0/1, /33000/0/3]"]"#
        );
        let cancelled = session.value("ObserveCompositeCancel", &json!({"ids": ids}), "CONTENT");
        assert_eq!(cancelled, "1");
    }
    session.assert_at_rest();
}

#[test]
fn a_client_without_senml_is_not_asked_for_composites() {
    let options = ["--formats", "11542,11543"];
    let Some(session) = Session::open(Kind::Leshan, "leshan-no-composite", &options) else {
        return;
    };
    let ids = json!({"ids": ["/33000/0/0", "/3/0/9"]});
    for (method, params) in [
        ("ReadComposite", ids.clone()),
        ("ObserveComposite", ids),
        ("WriteComposite", json!({"nodes": {"/33000/0/0": "x"}})),
    ] {
        let answer = session.rpc(method, &params);
        assert_eq!(
            answer["result"], "INTERNAL_SERVER_ERROR",
            "{method}: {answer}"
        );
        let error = answer["error"].as_str().expect("an error");
        assert!(
            error.contains("This device does not support Composite Operation"),
            "{method}: {error}"
        );
    }
}
