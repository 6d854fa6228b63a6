//! Read of objects, Object Instances, Resources and Resource Instances.

use serde_json::json;

use super::super::client::Kind;
use super::values::{LISTS_AT_FIRST, samples};
use super::{CBOR, NODE_FORMATS, OLD_JSON, OLD_TLV, OPAQUE, Session, TEXT};

#[test]
fn leshan_is_read_at_every_level_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-read", &[]) else {
        return;
    };
    read_every_level(&session, &NODE_FORMATS);
    session.assert_at_rest();
}

#[test]
fn leshan_1_0_is_read_at_every_level_in_every_format() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-read-1.0", &["--lwm2m", "1.0"]) else {
        return;
    };
    for sample in samples() {
        for format in sample.formats() {
            let shown = session.read(&format!("/33000/0/{}", sample.id), format);
            assert_eq!(shown, sample.single(sample.at_first), "format {format}");
        }
    }
}

#[test]
fn leshan_is_read_in_the_numbers_that_formats_had_first() {
    let options = ["--lwm2m", "1.0", "--old-formats"];
    let Some(session) = Session::open(Kind::Leshan, "leshan-read-old", &options) else {
        return;
    };
    for format in [OLD_TLV, OLD_JSON] {
        for (sample, list) in samples().iter().zip(LISTS_AT_FIRST) {
            let id = format!("/33000/0/{}", sample.id);
            assert_eq!(session.read(&id, format), sample.single(sample.at_first));
            let id = format!("/33000/0/{}", sample.id + 10);
            assert_eq!(session.read(&id, format), sample.multiple(list));
        }
    }
}

/// Without `contentFormat` the engine chooses among what the device announced.
#[test]
fn leshan_is_read_whichever_formats_it_knows() {
    for formats in [
        "60,110",
        "60,112",
        "110",
        "112",
        "11542",
        "11543,11542",
        "0,42,60,110,112",
    ] {
        let endpoint = format!("leshan-read-{}", formats.replace(',', "-"));
        let options = ["--formats", formats];
        let Some(session) = Session::open(Kind::Leshan, &endpoint, &options) else {
            return;
        };
        for id in ["/33000", "/33000/0", "/33000/0/10", "/33000/0/0"] {
            let shown = session.value("Read", &json!({"id": id}), "CONTENT");
            assert!(shown.contains("id="), "{formats} {id}: {shown}");
        }
    }
}

#[test]
fn leshan_refuses_what_cannot_be_read() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-unreadable", &[]) else {
        return;
    };
    for (id, result) in [
        ("/33000/0/22", "METHOD_NOT_ALLOWED"),
        ("/33000/0/20", "METHOD_NOT_ALLOWED"),
        ("/33000/9", "NOT_FOUND"),
        ("/33000/0/9", "NOT_FOUND"),
        ("/33000/0/10/3", "NOT_FOUND"),
        ("/33000/0/0/0", "BAD_REQUEST"),
    ] {
        let answer = session.rpc("Read", &json!({"id": id}));
        assert_eq!(answer["result"], result, "{id}: {answer}");
    }
    for format in [TEXT, CBOR, OPAQUE] {
        let params = json!({"id": "/33000/0/10", "contentFormat": format});
        let answer = session.rpc("Read", &params);
        assert_ne!(answer["result"], "CONTENT", "{answer}");
    }
    session.assert_at_rest();
}

fn read_every_level(session: &Session, node_formats: &[u16]) {
    let mut shown_inside = Vec::new();
    for (sample, list) in samples().iter().zip(LISTS_AT_FIRST) {
        for format in sample.formats() {
            let shown = session.read(&format!("/33000/0/{}", sample.id), format);
            assert_eq!(shown, sample.single(sample.at_first), "format {format}");
            for (instance, value) in list {
                let id = format!("/33000/0/{}/{instance}", sample.id + 10);
                let shown = session.read(&id, format);
                assert_eq!(shown, sample.instance(*instance, value), "format {format}");
            }
        }
        for &format in node_formats {
            let shown = session.read(&format!("/33000/0/{}", sample.id + 10), format);
            assert_eq!(shown, sample.multiple(list), "format {format}");
        }
        let (id, name) = (sample.id, sample.name);
        let value = sample.nested(sample.at_first);
        shown_inside.push(format!(
            "{id}=LwM2mSingleResource [id={id}, value={value}, type={name}]"
        ));
        shown_inside.extend(
            list.iter()
                .map(|(instance, value)| sample.instance(*instance, value)),
        );
    }
    for &format in node_formats {
        let instance = session.read("/33000/0", format);
        assert!(
            instance.starts_with("LwM2mObjectInstance [id=0, resources={"),
            "{instance}"
        );
        let object = session.read("/33000", format);
        let expected = "LwM2mObject [id=33000, instances={0=LwM2mObjectInstance [id=0, resources={";
        assert!(object.starts_with(expected), "{object}");
        for expected in &shown_inside {
            assert!(
                instance.contains(expected),
                "{format} {expected}: {instance}"
            );
            assert!(object.contains(expected), "{format} {expected}: {object}");
        }
    }
}
