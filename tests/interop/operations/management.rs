//! Create, Delete, Execute, Discover and Write-Attributes.

use serde_json::{Value, json};

use super::super::client::Kind;
use super::{NODE_FORMATS, Session, TLV};

#[test]
fn instances_of_leshan_are_created_and_deleted_in_every_format() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-create", &[]) else {
        return;
    };
    for (instance, format) in (40_u16..).zip(NODE_FORMATS) {
        let id = format!("/33000/{instance}");
        let value = json!({"0": format!("by {format}"), "1": instance, "10": {"0": "x", "9": "y"}});
        let params = json!({"id": id, "value": value, "contentFormat": format});
        session.value("Create", &params, "CREATED");
        let shown = session.read(&id, TLV);
        for expected in [
            format!("LwM2mSingleResource [id=0, value=by {format}, type=STRING]"),
            format!("LwM2mSingleResource [id=1, value={instance}, type=INTEGER]"),
            "LwM2mResourceInstance [id=9, value=y, type=STRING]".to_owned(),
        ] {
            assert!(shown.contains(&expected), "format {format}: {shown}");
        }
        let deleted = session.rpc("Delete", &json!({"id": id}));
        assert_eq!(deleted, json!({"result": "DELETED"}));
        assert_eq!(session.device.expect("deleted")["path"], id.as_str());
        let answer = session.rpc("Read", &json!({"id": id}));
        assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
    }
    session.assert_at_rest();
}

/// Only TLV can leave the id to the device.
#[test]
fn leshan_chooses_the_id_of_an_instance_that_has_none() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-create-any", &[]) else {
        return;
    };
    for instance in 1..3 {
        let created = session.rpc("Create", &json!({"id": "/33000", "value": {"0": "new"}}));
        assert_eq!(
            created,
            json!({"result": "CREATED", "value": format!("location=/33000/{instance}")})
        );
        let shown = session.read(&format!("/33000/{instance}/0"), TLV);
        assert_eq!(shown, "LwM2mSingleResource [id=0, value=new, type=STRING]");
    }
}

#[test]
fn several_instances_of_leshan_are_created_at_once() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-create-several", &[]) else {
        return;
    };
    let nodes = json!({"12": {"0": "twelve"}, "13": {"0": "thirteen"}});
    session.value(
        "Create",
        &json!({"id": "/33000", "nodes": nodes}),
        "CREATED",
    );
    for (instance, text) in [(12, "twelve"), (13, "thirteen")] {
        let shown = session.read(&format!("/33000/{instance}/0"), TLV);
        assert_eq!(
            shown,
            format!("LwM2mSingleResource [id=0, value={text}, type=STRING]")
        );
    }
}

#[test]
fn leshan_refuses_instances_that_cannot_be_created_or_deleted() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-create-refused", &[]) else {
        return;
    };
    let params = json!({"id": "/33000/0", "value": {"0": "again"}});
    assert_eq!(
        session.rpc("Create", &params),
        json!({"result": "BAD_REQUEST", "error": "instance 0 already exists"})
    );
    let answer = session.rpc("Delete", &json!({"id": "/33000/77"}));
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
    let answer = session.rpc("Delete", &json!({"id": "/3/0"}));
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
}

#[test]
fn leshan_executes_with_the_arguments_it_is_given() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-execute", &[]) else {
        return;
    };
    for (value, arguments) in [
        (Value::Null, ""),
        (json!("5"), "5"),
        (json!("0='foo',1,2='3'"), "0='foo',1,2='3'"),
    ] {
        session.change("Execute", &json!({"id": "/33000/0/20", "value": value}));
        let executed = session.device.expect("executed");
        assert_eq!(executed["path"], "/33000/0/20");
        assert_eq!(executed["value"].as_str().unwrap_or_default(), arguments);
    }
}

#[test]
fn the_execute_of_a_registration_update_makes_leshan_update() {
    let Some(mut session) = Session::open(Kind::Leshan, "leshan-trigger", &[]) else {
        return;
    };
    session.change("Execute", &json!({"id": "/1/0/8"}));
    session.device.expect("updated");
    assert_eq!(
        session.rpc("Execute", &json!({"id": "/1/0/9"})),
        json!({"result": "BAD_REQUEST", "error": "probably no bootstrap server configured"})
    );
}

#[test]
fn leshan_is_discovered_at_every_level() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-discover", &[]) else {
        return;
    };
    let discover = |id: &str| session.value("Discover", &json!({"id": id}), "CONTENT");
    let object = discover("/33000");
    assert!(object.starts_with("</33000>"), "{object}");
    assert!(object.contains("</33000/0/10>;dim=2"), "{object}");
    let instance = discover("/33000/0");
    assert!(instance.starts_with("</33000/0>"), "{instance}");
    assert!(instance.contains("</33000/0/22>"), "{instance}");
    assert_eq!(discover("/33000/0/0"), "</33000/0/0>");
    let multiple = discover("/33000/0/10");
    for link in ["</33000/0/10>;dim=2", "</33000/0/10/0>", "</33000/0/10/7>"] {
        assert!(multiple.contains(link), "{multiple}");
    }
    let answer = session.rpc("Discover", &json!({"id": "/33000/8"}));
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
}

#[test]
fn attributes_written_to_leshan_are_discovered() {
    let Some(session) = Session::open(Kind::Leshan, "leshan-attributes", &[]) else {
        return;
    };
    for (id, attributes, links) in [
        ("/33000", json!({"pmin": 2}), vec!["</33000>;pmin=2"]),
        ("/33000/0", json!({"pmax": 60}), vec!["</33000/0>;pmax=60"]),
        (
            "/33000/0/1",
            json!({"gt": 50, "lt": 42.2, "st": 0.5}),
            vec!["gt=50", "lt=42.2", "st=0.5"],
        ),
        (
            "/33000/0/11/7",
            json!({"epmin": 1, "epmax": 3}),
            vec!["epmin=1", "epmax=3"],
        ),
    ] {
        session.change(
            "WriteAttributes",
            &json!({"id": id, "attributes": attributes}),
        );
        // A Resource Instance cannot be discovered by itself.
        let asked = id.trim_end_matches("/7");
        let found = session.value("Discover", &json!({"id": asked}), "CONTENT");
        for link in links {
            assert!(found.contains(link), "{link}: {found}");
        }
    }
    let params = json!({"id": "/33000/0/1", "attributes": {"pmin": 9, "pmax": 3}});
    let answer = session.rpc("WriteAttributes", &params);
    assert_eq!(answer["result"], "BAD_REQUEST", "{answer}");
}
