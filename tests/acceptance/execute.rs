//! RpcLwm2mIntegrationExecuteTest.

use std::time::Duration;

use serde_json::json;

use crate::fixture::Session;

/// 13.1 RpcLwm2mIntegrationExecuteTest: 5/0/2.
#[test]
fn execute_a_firmware_update() {
    executes("execute-firmware", "/5_1.2/0/2");
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 9/0/4.
#[test]
fn execute_a_software_installation() {
    executes("execute-software", "/9_1.1/0/4");
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 3/0/4; the device starts again.
#[test]
fn execute_a_reboot() {
    let session = Session::open("execute-reboot");
    session.change("Execute", &json!({"id": "/3_1.2/0/4"}));
    let again = session
        .device
        .wait_until(Duration::from_secs(10), |device| {
            device.counters().registered == 2
        });
    assert!(again, "it registers again");
    session.assert_at_rest();
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 1/0/8.
#[test]
fn execute_a_registration_update() {
    let session = Session::open("execute-update");
    session.change("Execute", &json!({"id": "/1_1.1/0/8"}));
    let updated = session
        .device
        .wait_until(Duration::from_secs(10), |device| {
            device.counters().updated >= 1
        });
    assert!(updated, "it sends an Update");
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 3/0/4 with value 5.
#[test]
fn execute_with_a_number() {
    let session = Session::open("execute-number");
    session.change("Execute", &json!({"id": "/3_1.2/0/4", "value": 5}));
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 3/0/5 with arguments.
#[test]
fn execute_with_arguments() {
    let session = Session::open("execute-arguments");
    for value in [
        "2='60'",
        "2,0='https://thingsboard.io/docs/reference/lwm2m-api/'",
        "0,1,2,3,4,5,6,7,8,9",
    ] {
        session.change("Execute", &json!({"id": "/3_1.2/0/5", "value": value}));
    }
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 3/0/5 with `'60'`.
#[test]
fn execute_with_an_argument_that_begins_with_no_digit() {
    Session::open("execute-no-digit").refused(
        "Execute",
        &json!({"id": "/3_1.2/0/5", "value": "'60'"}),
        "BAD_REQUEST",
        "Unable to parse Arguments ['60'] : Invalid digit ['] (an integer between 0 and 9 is expected)",
    );
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 3/0/5 with `0,1,…,9,60`.
#[test]
fn execute_with_an_argument_of_two_digits() {
    Session::open("execute-two-digits").refused(
        "Execute",
        &json!({"id": "/3_1.2/0/5", "value": "0,1,2,3,4,5,6,7,8,9,60"}),
        "BAD_REQUEST",
        "Unable to parse Arguments [0,1,2,3,4,5,6,7,8,9,60] : [,] separator expected at index 21 after [0,1,2,3,4,5,6,7,8,9,6]",
    );
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 1/0/9 of a client without bootstrap account.
#[test]
fn execute_a_bootstrap_request_without_bootstrap_server() {
    Session::open("execute-bootstrap").refused(
        "Execute",
        &json!({"id": "/1_1.1/0/9"}),
        "BAD_REQUEST",
        "probably no bootstrap server configured",
    );
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: 5/0/3 is a value.
#[test]
fn execute_a_resource_that_is_not_executable() {
    Session::open("execute-value").refused(
        "Execute",
        &json!({"id": "/5_1.2/0/3"}),
        "BAD_REQUEST",
        "Resource with /5_1.2/0/3 is not executable.",
    );
}

/// 13.1 RpcLwm2mIntegrationExecuteTest: /50/0/3 and /0/0/3.
#[test]
fn execute_a_resource_of_an_object_that_is_not_there() {
    let session = Session::open("execute-absent");
    for (id, object) in [("/50_1.1/0/3", 50), ("/0_1.1/0/3", 0)] {
        let error = format!(
            "Specified object id {object} absent in the list supported objects of the client or is security object!"
        );
        session.refused("Execute", &json!({"id": id}), "BAD_REQUEST", &error);
    }
}

/// 5.9: an argument that is no simple value.
#[test]
fn execute_with_an_object_of_json() {
    Session::open("execute-json").refused(
        "Execute",
        &json!({"id": "/3_1.2/0/5", "value": {"0": 1}}),
        "BAD_REQUEST",
        "Unsupported parameter type: LinkedHashMap. Only simple types (String, Integer, Boolean, etc.) are allowed for Execute arguments.",
    );
}

/// 4.4: /1/0/8 and /1/0/9 are exempt from the check of versions.
#[test]
fn triggers_are_executed_whatever_version_is_stated() {
    executes("execute-any-version", "/1_1.0/0/8");
}

fn executes(endpoint: &'static str, id: &str) {
    Session::open(endpoint).change("Execute", &json!({"id": id}));
}
