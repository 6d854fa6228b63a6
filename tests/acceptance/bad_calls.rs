//! What callers do wrong: a clear error for them, and the device is not even asked.

use serde_json::{Value, json};

use crate::fixture::{Session, engine};

/// A session, and the promise that the device is asked nothing.
struct Untouched {
    session: Session,
    asked: u64,
}

impl Untouched {
    fn open(endpoint: &'static str) -> Self {
        let session = Session::settled(endpoint);
        let asked = session.requests();
        Self { session, asked }
    }

    fn refuses(&self, method: &str, params: &Value, result: &str, parts: &[&str]) {
        let error = self.session.error(method, params, result);
        for part in parts {
            assert!(
                error.contains(part),
                "{method} {params} must say {part}: {error}"
            );
        }
        let asked = self.session.requests();
        assert_eq!(asked, self.asked, "{method} {params} reached the device");
        self.session.assert_at_rest();
    }
}

/// 5.3: unknown methods; names are case sensitive.
#[test]
fn an_unknown_method_is_named() {
    let untouched = Untouched::open("bad-method");
    for method in ["read", "READ", "Write", "", "FirmwareUpdate"] {
        let expected = format!("Unsupported operation type: {method}");
        untouched.refuses(
            method,
            &json!({"id": "/3/0"}),
            "METHOD_NOT_ALLOWED",
            &[&expected],
        );
    }
}

/// 5.3: neither key nor id.
#[test]
fn a_command_names_a_key_or_an_id() {
    let untouched = Untouched::open("bad-no-id");
    let expected = "Can't find 'key' or 'id' in the requestParams parameters!";
    for method in [
        "Read",
        "Observe",
        "Execute",
        "Delete",
        "Discover",
        "ReadComposite",
    ] {
        for params in [json!({}), Value::Null] {
            untouched.refuses(method, &params, "BAD_REQUEST", &[expected]);
        }
    }
}

/// 5.3: unknown keys.
#[test]
fn an_unknown_key_is_named() {
    let untouched = Untouched::open("bad-key");
    for (method, params) in [
        ("Read", json!({"key": "nothing"})),
        ("Observe", json!({"key": "nothing"})),
        ("WriteReplace", json!({"key": "nothing", "value": 1})),
    ] {
        let expected = "nothing is not configured in the device profile!";
        untouched.refuses(method, &params, "BAD_REQUEST", &[expected]);
    }
}

#[test]
fn an_id_that_is_none_is_told_apart() {
    let untouched = Untouched::open("bad-id");
    for (id, part) in [
        ("/65536/0/0", "65536"),
        ("/3/65535", "65535"),
        ("/3/-1/0", "-1"),
        ("/3/0/9/0/1", "4"),
        ("/a/0", "a"),
        ("/3_x/0", "x"),
        ("/3//9", ""),
        ("/99999999999999999999/0", "99999999999999999999"),
    ] {
        untouched.refuses("Read", &json!({"id": id}), "BAD_REQUEST", &[part]);
    }
    untouched.refuses("Read", &json!({"id": 3}), "BAD_REQUEST", &["id"]);
}

/// 4.4: objects that the device did not announce, Security, and versions it does not have.
#[test]
fn objects_and_versions_the_device_does_not_have_are_named() {
    let untouched = Untouched::open("bad-object");
    untouched.refuses(
        "Read",
        &json!({"id": "/50_1.0/0"}),
        "BAD_REQUEST",
        &["Specified object id 50 absent in the list supported objects of the client or is security object!"],
    );
    untouched.refuses(
        "Read",
        &json!({"id": "/3_1.1/0/9"}),
        "BAD_REQUEST",
        &[
            "Specified resource id /3_1.1/0/9 is not valid version! Must be version: 1.2",
            "Invalid object version. Required version: 1.2",
        ],
    );
}

#[test]
fn a_value_of_a_wrong_type_is_shown_with_what_was_expected() {
    let untouched = Untouched::open("bad-value");
    for (id, value, expected) in [
        ("/1_1.1/0/1", json!("soon"), "INTEGER"),
        ("/1_1.1/0/1", json!(1.5), "INTEGER"),
        ("/1_1.1/0/1", json!({"0": 1}), "INTEGER"),
        ("/19_1.1/0/2", json!("yesterday"), "TIME"),
        ("/19_1.1/0/5", json!("9223372036854775808"), "INTEGER"),
        ("/5_1.2/0/0", json!("no hex and no base64 !"), "OPAQUE"),
    ] {
        let params = json!({"id": id, "value": value});
        untouched.refuses("WriteReplace", &params, "BAD_REQUEST", &[expected]);
    }
}

/// 5.8: targets that a Write cannot have, and values that are missing.
#[test]
fn a_write_says_what_it_can_be_used_for() {
    let untouched = Untouched::open("bad-write");
    for (method, params, part) in [
        (
            "WriteReplace",
            json!({"id": "/3_1.2/0", "value": {"14": "+01"}}),
            "Resource /3_1.2/0. This operation can only be used for Resource or ResourceInstance!",
        ),
        (
            "WriteReplace",
            json!({"id": "/3_1.2/0/99", "value": 1}),
            "Resource /3_1.2/0/99 is not configured in the device profile!",
        ),
        (
            "WriteUpdate",
            json!({"id": "/3_1.2", "value": {"14": "+01"}}),
            "This operation can only be used for ObjectInstance or",
        ),
        (
            "WriteUpdate",
            json!({"id": "/3_1.2/0", "value": null}),
            "must not be null",
        ),
        (
            "WriteUpdate",
            json!({"id": "/3_1.2/0", "value": {}}),
            "The value of this resource must be in Map format and size > 0",
        ),
        (
            "WriteUpdate",
            json!({"id": "/19_1.1/0/0", "value": "x"}),
            "Value of Multi-Instance Resource must be in Json format!",
        ),
        (
            "WriteReplace",
            json!({"id": "/3_1.2/0/14"}),
            "must not be null",
        ),
        ("WriteComposite", json!({"nodes": {}}), "nodes"),
        ("WriteComposite", json!({"nodes": "x"}), "nodes"),
        (
            "WriteComposite",
            json!({"nodes": {"/3_1.2/0/14": {"a": 1}}}),
            "14",
        ),
    ] {
        untouched.refuses(method, &params, "BAD_REQUEST", &[part]);
    }
}

/// 5.8 [F], decided otherwise: a resource that the object does not have is named, not ignored.
#[test]
fn resources_an_object_does_not_have_are_named() {
    let untouched = Untouched::open("bad-resource");
    let params = json!({"id": "/3_1.2/0", "value": {"14": "+01", "99": 1}});
    untouched.refuses("WriteUpdate", &params, "BAD_REQUEST", &["99"]);
    let params = json!({"id": "/19_1.1/5", "value": {"0": {"0": "00"}, "99": 1}});
    untouched.refuses("Create", &params, "BAD_REQUEST", &["99"]);
}

#[test]
fn overlapping_composite_paths_are_named() {
    let untouched = Untouched::open("bad-overlap");
    for method in ["ReadComposite", "ObserveComposite"] {
        let params = json!({"ids": ["/5_1.2/0", "/5_1.2/0/2"]});
        let expected = "Invalid path list :  /5/0 and /5/0/2 are overlapped paths";
        untouched.refuses(method, &params, "BAD_REQUEST", &[expected]);
    }
    let params = json!({"nodes": {"/3_1.2/0/14": "+01", "UtfOffset": "+02"}});
    untouched.refuses("WriteComposite", &params, "BAD_REQUEST", &["/3/0/14"]);
}

#[test]
fn attributes_out_of_range_are_named() {
    let untouched = Untouched::open("bad-attributes");
    for (attributes, part) in [
        (json!({"pmin": -1}), "pmin"),
        (json!({"pmax": 1.5}), "pmax"),
        (json!({"st": -0.5}), "st"),
        (json!({"gt": "high"}), "gt"),
        (json!({"speed": 1}), "speed"),
        (json!({"pmin": 9, "pmax": 3}), "pmin"),
        (json!({"edge": 1}), "edge"),
    ] {
        let params = json!({"id": "/3_1.2/0/9", "attributes": attributes});
        untouched.refuses("WriteAttributes", &params, "BAD_REQUEST", &[part]);
    }
}

#[test]
fn a_content_format_that_is_none_is_named() {
    let untouched = Untouched::open("bad-format");
    for format in [json!("XML"), json!(-1), json!(70_000), json!([])] {
        let params = json!({"id": "/3_1.2/0/9", "contentFormat": format});
        untouched.refuses("Read", &params, "BAD_REQUEST", &["content format"]);
    }
}

/// 5.3: a device that is known and not registered.
#[test]
fn a_device_that_is_not_registered_is_told() {
    let engine = engine();
    engine.put_device("bad-absent", &json!({"profile": "rpc"}));
    let answer = engine.rpc("bad-absent", "Read", &json!({"id": "/3/0/9"}));
    assert_eq!(
        answer,
        json!({"result": "INTERNAL_SERVER_ERROR", "error": "Registration is empty"})
    );
    let unknown = engine.rpc_answer("bad-nobody", "", "Read", &json!({"id": "/3/0/9"}));
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    assert!(
        unknown.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("bad-nobody"))
    );
}

#[test]
fn a_request_that_is_no_command_is_a_problem() {
    let untouched = Untouched::open("bad-body");
    let engine = untouched.session.engine;
    let path = "/api/v1/devices/bad-body/rpc";
    for body in [
        json!([]),
        json!("Read"),
        json!({"params": {}}),
        json!({"method": 3}),
    ] {
        let answer = engine.send_json("POST", path, &body);
        assert!(
            (400..500).contains(&answer.status),
            "{body}: {}",
            answer.body
        );
        assert!(
            !answer.json()["detail"].is_null(),
            "{body}: {}",
            answer.body
        );
    }
    for query in [
        "?mode=maybe",
        "?timeout=soon",
        "?timeout=-1",
        "?format=xml",
        "?modus=twoway",
    ] {
        let answer = engine.rpc_answer("bad-body", query, "Read", &json!({"id": "/3/0/9"}));
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
    }
    untouched.session.assert_at_rest();
}

/// 5.1: `params` may be a text that holds the object.
#[test]
fn parameters_may_be_a_text_and_must_then_be_json() {
    let session = Session::open("bad-text-params");
    let read = session.content("Read", &json!("{\"id\":\"/3_1.2/0/14\"}"));
    assert!(read.starts_with("LwM2mSingleResource [id=14"), "{read}");
    let answer = session
        .engine
        .rpc_answer("bad-text-params", "", "Read", &json!("{\"id\":"));
    let said_no = answer.status == 400 || answer.json()["result"] == "BAD_REQUEST";
    assert!(said_no, "{}", answer.body);
}

/// A value beyond what the API takes.
#[test]
fn an_oversized_value_is_refused() {
    let untouched = Untouched::open("bad-oversized");
    let value = "00".repeat(9 << 20);
    let params = json!({"id": "/5_1.2/0/0", "value": value});
    let path = "/api/v1/devices/bad-oversized/rpc";
    let body = json!({"method": "WriteReplace", "params": params});
    let answer = untouched.session.engine.send_json("POST", path, &body);
    assert!(
        [400, 413].contains(&answer.status),
        "{} {}",
        answer.status,
        answer.body
    );
    untouched.session.assert_at_rest();
}
