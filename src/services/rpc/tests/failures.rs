//! Calls that are no calls, and commands that fail (thingsboard-behaviour 5.3).

use serde_json::json;

use super::*;
use crate::proto::lwm2m::operation::{Edge, NotificationAttributes, Setting};
use crate::services::engine::Waiting;

#[test]
fn an_unknown_method_is_not_allowed() {
    let device = thingsboards_device();
    for method in ["read", "Write", "observeCancel", ""] {
        let (result, error) = refused(&device, method);
        assert_eq!(result, "METHOD_NOT_ALLOWED");
        assert_eq!(error, format!("Unsupported operation type: {method}"));
    }
}

#[test]
fn parameters_may_be_text_that_holds_an_object() {
    let device = thingsboards_device();
    let line = r#"Read "{\"id\":\"/3_1.2/0/9\"}""#;
    assert_eq!(operation(&device, line).target(), path("/3/0/9"));
    for line in [r#"ObserveReadAll """#, "ObserveReadAll null"] {
        assert_eq!(
            question(&device, line).command,
            DeviceCommand::ReadAllObservations
        );
    }
}

#[test]
fn parameters_that_are_wrong_are_refused_with_the_place() {
    let no_target = "Can't find 'key' or 'id' in the requestParams parameters!";
    let device = thingsboards_device();
    for (line, error) in [
        ("Read", no_target),
        ("Read {}", no_target),
        (r#"Read {"id":"","key":null}"#, no_target),
        ("ReadComposite {}", no_target),
        (r#"ReadComposite {"ids":[]}"#, no_target),
        (
            "Read [1]",
            "params are a list, expected an object or text that holds one",
        ),
        (
            r#"Read "7""#,
            "params are a number, expected an object or text that holds one",
        ),
        (
            r#"Read "{id""#,
            "params are text that is not JSON: key must be a string at line 1 column 2",
        ),
        (
            r#"Read {"id":"/3/0/9","path":1}"#,
            "unknown member \"path\" of params, Read takes key, id, contentFormat",
        ),
        (
            r#"ObserveCancelAll {"id":"/3"}"#,
            "unknown member \"id\" of params, ObserveCancelAll takes no parameters",
        ),
        (r#"Read {"id":3}"#, "id of params is 3, expected text"),
        (
            r#"ReadComposite {"ids":"/3"}"#,
            "ids of params is /3, expected a list of texts",
        ),
        (
            r#"ReadComposite {"ids":["/3",4]}"#,
            "ids[1] of params is 4, expected text",
        ),
        (
            r#"Read {"id":"/3/70000"}"#,
            "id \"/3/70000\" is not valid: part 2 is \"70000\", expected a decimal id from 0 to 65534",
        ),
        (
            r#"Discover {"id":"/3","depth":-1}"#,
            "depth of params is -1, expected a number from 0 to 3",
        ),
        (
            r#"WriteAttributes {"id":"/3/0/9","attributes":{"pmin":"soon"}}"#,
            "attribute pmin is \"soon\", expected seconds from 0 to 4294967295",
        ),
        (
            r#"WriteAttributes {"id":"/3/0/9","attributes":{"pmin":[1]}}"#,
            "attributes.pmin of params is [1], expected a number, text or null",
        ),
        (
            r#"Observe {"id":"/3/0/9","attributes":{"pmin":1}}"#,
            "an observation with attributes needs LwM2M 1.2, the device has 1.1",
        ),
        (
            r#"Discover {"id":"/3","depth":1}"#,
            "a Discover with depth needs LwM2M 1.2, the device has 1.1",
        ),
        (
            r#"Read {"key":"unheardOf"}"#,
            "unheardOf is not configured in the device profile!",
        ),
    ] {
        bad_request(&device, line, error);
    }
    let (_, error) = refused(&device, r#"Read {"id":"/3/0/9","contentFormat":"XML"}"#);
    assert!(error.starts_with("content format \"XML\" is not known, expected TEXT, "));
}

#[test]
fn key_wins_over_id() {
    let line = r#"Read {"id":"/3/0/0","key":"batteryLevel"}"#;
    let device = thingsboards_device();
    assert_eq!(operation(&device, line).target(), path("/3/0/9"));
}

#[test]
fn the_content_format_of_the_caller_is_used_where_there_are_values() {
    let device = thingsboards_device();
    for (line, format) in [
        (r#"Read {"id":"/3","contentFormat":"TLV"}"#, Some(11542)),
        (r#"Read {"id":"/3","contentFormat":112}"#, Some(112)),
        (
            r#"WriteReplace {"id":"/3/0/14","value":"x","contentFormat":"TEXT"}"#,
            Some(0),
        ),
        (r#"Delete {"id":"/19/1","contentFormat":"TLV"}"#, None),
        (r#"ObserveCancel {"id":"/3","contentFormat":"TLV"}"#, None),
        (r#"Read {"id":"/3"}"#, None),
    ] {
        assert_eq!(question(&device, line).content_format, format, "{line}");
    }
    bad_request(
        &device,
        r#"Read {"id":"/3","contentFormat":"TEXT"}"#,
        "content format 0 cannot be used for Read, expected 110, 112, 11542, 11543 or 11544 for several values",
    );
}

#[test]
fn devices_of_1_2_have_more_attributes() {
    let device = device(LINKS, LwM2mVersion::V1_2);
    let line = r#"WriteAttributes {"id":"/33000/0/1","attributes":{"edge":1,"con":true,"hqmax":5,"pmin":null}}"#;
    let Operation::WriteAttributes { attributes, .. } = operation(&device, line) else {
        panic!("no Write-Attributes");
    };
    assert_eq!(
        attributes,
        NotificationAttributes {
            edge: Some(Setting::Value(Edge::Rising)),
            con: Some(Setting::Value(true)),
            hqmax: Some(Setting::Value(5)),
            pmin: Some(Setting::Unset),
            ..NotificationAttributes::default()
        }
    );
    for line in [
        r#"Observe {"id":"/3/0/9","attributes":{"pmin":1,"gt":42.5}}"#,
        r#"ObserveComposite {"ids":["/3/0/9"],"attributes":{"pmax":60}}"#,
        r#"Discover {"id":"/3","depth":2}"#,
        r#"Delete {"id":"/19/0/0/1"}"#,
    ] {
        operation(&device, line);
    }
}

#[test]
fn a_device_without_formats_for_them_has_no_composite_operations() {
    let no_composite = "This device does not support Composite Operation";
    let old = device("</3/0>,</5/0>", LwM2mVersion::V1_0);
    let tlv_only = device("</>;ct=11542,</3/0>,</5/0>", LwM2mVersion::V1_1);
    for device in [old, tlv_only] {
        for line in [
            r#"ReadComposite {"ids":["/3/0/9"]}"#,
            r#"ObserveComposite {"ids":["/3/0/9"]}"#,
        ] {
            let (result, error) = refused(&device, line);
            assert_eq!(result, "INTERNAL_SERVER_ERROR");
            assert_eq!(error, format!("RuntimeException: {no_composite}"));
        }
        let (result, error) = refused(&device, r#"WriteComposite {"nodes":{"/3/0/14":"+5"}}"#);
        assert_eq!((&*result, &*error), ("INTERNAL_SERVER_ERROR", no_composite));
    }
}

#[test]
fn what_is_no_answer_is_an_internal_error_in_words() {
    let device = thingsboards_device();
    let line = r#"Read {"id":"/3/0/9"}"#;
    for (error, text) in [
        (RequestError::NotRegistered, "Registration is empty"),
        (RequestError::Reset, "the device answered with a Reset"),
        (
            RequestError::RegistrationEnded,
            "the registration ended while the command was waiting",
        ),
        (
            RequestError::Failed,
            "handling the device failed; it was rebuilt",
        ),
        (RequestError::Cancelled, "the command was cancelled"),
        (
            RequestError::Answer(AnswerError::UnexpectedPath {
                path: path("/3/0/8"),
            }),
            "the device answered with /3/0/8, which was not asked for",
        ),
    ] {
        assert_eq!(
            response(&device, line, Err(error)),
            json!({"result": "INTERNAL_SERVER_ERROR", "error": text})
        );
    }
}

#[test]
fn a_code_that_thingsboard_has_no_name_for_is_told_in_words() {
    let device = thingsboards_device();
    let line = r#"Read {"id":"/3/0/9"}"#;
    assert_eq!(
        response(&device, line, refusal(Code::BAD_OPTION, Some("what?"))),
        json!({"result": "UNKNOWN", "error": "the device answered 4.02 BAD_OPTION: what?"})
    );
    let line = r#"WriteComposite {"nodes":{"UtfOffset":"+5"}}"#;
    assert_eq!(
        response(&device, line, refusal(Code::FORBIDDEN, None)),
        json!({"result": "FORBIDDEN"})
    );
}

#[test]
fn a_device_that_does_not_answer_in_time_has_no_response() {
    let device = thingsboards_device();
    let question = question(&device, r#"Read {"id":"/3/0/9"}"#);
    for (error, detail) in [
        (
            RequestError::NotSent {
                waiting: Waiting::Asleep,
            },
            "not sent in time: the device is asleep",
        ),
        (
            RequestError::Unanswered {
                acknowledged: false,
            },
            "the device did not answer in time",
        ),
    ] {
        let timeout = question.respond(Err(error), ValueFormat::Text, &device);
        assert_eq!(timeout.unwrap_err().detail, detail);
    }
}
