//! Write: replace and partial update, of Object Instances, Resources and Resource Instances.

use serde_json::{Value, json};

use super::super::client::Kind;
use super::values::{Sample, samples};
use super::{NODE_FORMATS, SENML_CBOR, Session};

#[test]
fn resources_of_leshan_are_replaced_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-write", &[]) else {
        return;
    };
    let mut failures = Vec::new();
    for sample in samples() {
        let id = format!("/33000/0/{}", sample.id);
        let shown = |value: &str| sample.single(value);
        failures.extend(replace_in_every_format(&session, &id, &sample, shown));
    }
    assert_eq!(failures, [""; 0]);
    session.assert_at_rest();
}

#[test]
fn resource_instances_of_leshan_are_replaced_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-write-instance", &[]) else {
        return;
    };
    let mut failures = Vec::new();
    for sample in samples() {
        let id = format!("/33000/0/{}/0", sample.id + 10);
        let shown = |value: &str| sample.instance(0, value);
        failures.extend(replace_in_every_format(&session, &id, &sample, shown));
    }
    assert_eq!(failures, [""; 0]);
    session.assert_at_rest();
}

#[test]
fn multiple_resources_of_leshan_are_replaced_and_updated_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-write-multiple", &[]) else {
        return;
    };
    for sample in samples() {
        let id = format!("/33000/0/{}", sample.id + 10);
        let [(first, first_shown), (second, second_shown)] = &sample.others;
        // In a map a time of JSON's numbers counts seconds: as text it is milliseconds everywhere.
        for format in NODE_FORMATS {
            let value = json!({"3": first, "65534": second});
            let params = json!({"id": id, "value": value, "contentFormat": format});
            session.change("WriteReplace", &params);
            let expected = sample.multiple(&[(3, first_shown), (65534, second_shown)]);
            assert_eq!(
                session.read(&id, SENML_CBOR),
                expected,
                "replaced, format {format}"
            );

            let params = json!({"id": id, "value": {"3": second}, "contentFormat": format});
            session.change("WriteUpdate", &params);
            let expected = sample.multiple(&[(3, second_shown), (65534, second_shown)]);
            assert_eq!(
                session.read(&id, SENML_CBOR),
                expected,
                "updated, format {format}"
            );
        }
    }
    session.assert_at_rest();
}

#[test]
fn an_instance_of_leshan_is_updated_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-write-update", &[]) else {
        return;
    };
    for (round, format) in NODE_FORMATS.into_iter().enumerate() {
        let values: Value = samples()
            .iter()
            .map(|sample| {
                let (value, _) = &sample.others[round % 2];
                (sample.id.to_string(), value.clone())
            })
            .collect::<serde_json::Map<String, Value>>()
            .into();
        let params = json!({"id": "/33000/0", "value": values, "contentFormat": format});
        session.change("WriteUpdate", &params);
        for sample in samples() {
            let shown = session.read(&format!("/33000/0/{}", sample.id), SENML_CBOR);
            let (_, expected) = sample.others[round % 2];
            assert_eq!(shown, sample.single(expected), "format {format}");
        }
    }
    let untouched = session.read("/33000/0/10/7", SENML_CBOR);
    assert_eq!(
        untouched,
        "LwM2mResourceInstance [id=7, value=b, type=STRING]"
    );
    session.assert_at_rest();
}

#[test]
fn leshan_refuses_what_cannot_be_written() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-unwritable", &[]) else {
        return;
    };
    let params = json!({"id": "/33000/0/21", "value": "other"});
    let answer = session.rpc("WriteReplace", &params);
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
    let params = json!({"id": "/33000/5/0", "value": "other"});
    let answer = session.rpc("WriteReplace", &params);
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
    let params = json!({"id": "/33000/0/22", "value": "kept to itself"});
    session.change("WriteReplace", &params);
}

/// Writes different values in turn, so that none is there already; returns what went wrong.
fn replace_in_every_format(
    session: &Session,
    id: &str,
    sample: &Sample,
    shown: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut failures = Vec::new();
    let values = sample.others.iter().cycle();
    for (format, (value, expected)) in sample.formats().into_iter().zip(values) {
        let params = json!({"id": id, "value": value, "contentFormat": format});
        let written = session.rpc("WriteReplace", &params);
        let read = session.read(id, SENML_CBOR);
        if written != json!({"result": "CHANGED"}) || read != shown(expected) {
            failures.push(format!("{params}: {written}, then {read}"));
        }
    }
    failures
}
