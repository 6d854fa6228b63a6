//! RpcLwm2mIntegrationCreateTest and RpcLwm2mIntegrationDeleteTest.

use serde_json::{Value, json};

use crate::fixture::Session;

/// 13.1 RpcLwm2mIntegrationCreateTest: /19/12.
#[test]
fn create_an_instance() {
    let session = Session::open("create");
    let created = create(&session, "/19_1.1/12");
    assert_eq!(created["result"], "CREATED", "{created}");
    assert_eq!(
        session.read("/19_1.1/12/0/0"),
        "LwM2mResourceInstance [id=0, value=2Bytes, type=OPAQUE]"
    );
}

/// 13.1 RpcLwm2mIntegrationCreateTest: /19/0 exists.
#[test]
fn create_an_instance_that_exists() {
    assert_eq!(
        create(&Session::open("create-existing"), "/19_1.1/0"),
        json!({"result": "BAD_REQUEST", "error": "instance 0 already exists"})
    );
}

/// 13.1 RpcLwm2mIntegrationCreateTest: /3/1 of an object with one instance.
#[test]
fn create_a_second_instance_of_a_single_object() {
    assert_eq!(
        create(&Session::open("create-single"), "/3_1.2/1"),
        json!({"result": "BAD_REQUEST", "error": "Path /3_1.2/1. Object must be Multiple !"})
    );
}

/// 13.1 RpcLwm2mIntegrationCreateTest: /0/1 and /50/1.
#[test]
fn create_an_instance_of_security_or_of_an_object_that_is_not_there() {
    let session = Session::open("create-absent");
    for (id, object) in [("/0_1.1/1", 0), ("/50_1.0/1", 50)] {
        let error = format!(
            "Specified object id {object} absent in the list supported objects of the client or is security object!"
        );
        assert_eq!(
            create(&session, id),
            json!({"result": "BAD_REQUEST", "error": error})
        );
    }
}

/// 5.8: several instances at once.
#[test]
fn create_several_instances() {
    let session = Session::open("create-several");
    let nodes = json!({"12": {"0": {"0": "00"}}, "13": {"0": {"0": "0000"}}});
    let created = session.rpc("Create", &json!({"id": "/19_1.1", "nodes": nodes}));
    assert_eq!(created["result"], "CREATED", "{created}");
    assert_eq!(
        session.read("/19_1.1/13/0/0"),
        "LwM2mResourceInstance [id=0, value=2Bytes, type=OPAQUE]"
    );
}

/// 5.8: without an id the client chooses, and its choice is told.
#[test]
fn create_an_instance_whose_id_the_client_chooses() {
    let session = Session::open("create-chosen");
    assert_eq!(
        create(&session, "/19_1.1"),
        json!({"result": "CREATED", "value": "location=/19/2"})
    );
}

/// 13.1 RpcLwm2mIntegrationDeleteTest: /3303/12.
#[test]
fn delete_an_instance() {
    let session = Session::open("delete");
    assert_eq!(
        session.on("Delete", "/3303_1.1/12"),
        json!({"result": "DELETED"})
    );
    let answer = session.on("Read", "/3303_1.1/12");
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationDeleteTest: /19/12 is not there.
#[test]
fn delete_an_instance_that_is_not_there() {
    let answer = Session::open("delete-absent").on("Delete", "/19_1.1/12");
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationDeleteTest: /19, an object.
#[test]
fn delete_an_object() {
    Session::open("delete-object").refused(
        "Delete",
        &json!({"id": "/19_1.1"}),
        "BAD_REQUEST",
        "Invalid path /19 : Only object instances can be delete",
    );
}

/// 13.1 RpcLwm2mIntegrationDeleteTest: "resource", which is /3/07 and thus an instance.
#[test]
fn delete_an_instance_that_cannot_be_deleted() {
    let answer = Session::open("delete-single").on("Delete", "/3_1.2/07");
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
}

/// 5.8: a resource cannot be deleted.
#[test]
fn delete_a_resource() {
    Session::open("delete-resource").refused(
        "Delete",
        &json!({"id": "/3_1.2/0/7"}),
        "BAD_REQUEST",
        "Invalid path /3/0/7 : Only object instances can be delete",
    );
}

fn create(session: &Session, id: &str) -> Value {
    let value = json!({"0": {"0": "00AC"}, "1": 1});
    session.rpc("Create", &json!({"id": id, "value": value}))
}
