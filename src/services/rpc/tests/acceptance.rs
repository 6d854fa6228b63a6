//! ThingsBoard's own tests (thingsboard-behaviour 13.1), as far as texts and requests go.

use super::*;
use crate::proto::lwm2m::operation::{DiscoverAnswer, InstanceIds};
use crate::services::engine::Observed;

// RpcLwm2mIntegrationReadTest
#[test]
fn read_texts_begin_with_the_level_that_was_read() {
    let device = thingsboards_device();
    let values = [("/3/0/14", string("+12")), ("/3/0/11/0", Value::Integer(0))];
    for (line, beginning) in [
        (
            r#"Read {"id":"/3_1.2"}"#,
            "LwM2mObject [id=3, instances={0=LwM2mObjectInstance [id=0, resources=",
        ),
        (
            r#"Read {"id":"/3_1.2/0"}"#,
            "LwM2mObjectInstance [id=0, resources={",
        ),
        (
            r#"Read {"id":"/3_1.2/0/11"}"#,
            "LwM2mMultipleResource [id=11, values={",
        ),
        (
            r#"Read {"id":"/3_1.2/0/14"}"#,
            "LwM2mSingleResource [id=14, value=",
        ),
        (
            r#"Read {"key":"UtfOffset"}"#,
            "LwM2mSingleResource [id=14, value=",
        ),
    ] {
        let text = text(&device, line, &values);
        assert!(text.starts_with(beginning), "{line}: {text}");
    }
}

// testReadCompositeSingleResourceByIds, ByKeys
#[test]
fn composite_reads_show_every_path_and_null_for_what_there_is_not() {
    let device = thingsboards_device();
    let line = r#"ReadComposite {"ids":["/1_1.1/0/1","/1_1.1/0/2","/3_1.2/0"]}"#;
    let values = [("/1/0/1", Value::Integer(300)), ("/3/0/14", string("+12"))];
    assert_eq!(
        text(&device, line, &values),
        "{/1/0/1=LwM2mSingleResource [id=1, value=300, type=INTEGER], /1/0/2=null, \
         /3/0=LwM2mObjectInstance [id=0, resources={14=LwM2mSingleResource [id=14, value=+12, type=STRING]}]}"
    );
    let line = r#"ReadComposite {"keys":["batteryLevel","UtfOffset","dataRead","dataWrite"]}"#;
    let values = [("/19/1/0/0", opaque("07")), ("/19/0/0/0", opaque("05"))];
    assert_eq!(
        text(&device, line, &values),
        "{/3/0/9=null, /3/0/14=null, \
         /19/0/0=LwM2mMultipleResource [id=0, values={0=LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]}, type=OPAQUE], \
         /19/1/0=LwM2mMultipleResource [id=0, values={0=LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]}, type=OPAQUE]}"
    );
    bad_request(
        &device,
        r#"ReadComposite {"keys":["batteryLevel","dataDescription"]}"#,
        "dataDescription is not configured in the device profile!",
    );
}

// RpcLwm2mIntegrationDiscoverTest
#[test]
fn a_discover_cannot_target_a_resource_instance() {
    assert_eq!(
        refused(&thingsboards_device(), r#"Discover {"id":"/3_1.2/0/6/1"}"#),
        (
            "INTERNAL_SERVER_ERROR".into(),
            "InvalidRequestException: Discover request cannot target resource instance path: /3/0/6/1"
                .into()
        )
    );
}

// testDiscoverObjectInstanceAbsentInObject, testDeleteObjectInstance, WriteReplace of a readable one
#[test]
fn an_error_of_the_device_is_reported_with_its_code() {
    let device = thingsboards_device();
    for (line, code, error, expected) in [
        (
            r#"Discover {"id":"/2/0"}"#,
            Code::NOT_FOUND,
            None,
            r#"{"result":"NOT_FOUND"}"#,
        ),
        (
            r#"Delete {"id":"/19_1.1/12"}"#,
            Code::NOT_FOUND,
            None,
            r#"{"result":"NOT_FOUND"}"#,
        ),
        (
            r#"Delete {"id":"/3_1.2/07"}"#,
            Code::METHOD_NOT_ALLOWED,
            None,
            r#"{"result":"METHOD_NOT_ALLOWED"}"#,
        ),
        (
            r#"WriteReplace {"id":"/3_1.2/0/9","value":90}"#,
            Code::METHOD_NOT_ALLOWED,
            None,
            r#"{"result":"METHOD_NOT_ALLOWED"}"#,
        ),
        (
            r#"Create {"id":"/19_1.1/0","value":{"0":{"0":"00AC"},"1":1}}"#,
            Code::BAD_REQUEST,
            Some("instance 0 already exists"),
            r#"{"error":"instance 0 already exists","result":"BAD_REQUEST"}"#,
        ),
        (
            r#"Execute {"id":"/1_1.1/0/9"}"#,
            Code::BAD_REQUEST,
            Some("probably no bootstrap server configured"),
            r#"{"error":"probably no bootstrap server configured","result":"BAD_REQUEST"}"#,
        ),
        (
            r#"Observe {"id":"/19_1.1/0/3"}"#,
            Code::BAD_REQUEST,
            Some("value MUST NOT be null"),
            r#"{"error":"value MUST NOT be null","result":"BAD_REQUEST"}"#,
        ),
        (
            r#"WriteComposite {"nodes":{"/19_1.1/2/0/2":"00ad","UtfOffset":"+04"}}"#,
            Code::NOT_FOUND,
            Some("object instance /19/2 not found"),
            r#"{"error":"object instance /19/2 not found","result":"BAD_REQUEST"}"#,
        ),
    ] {
        let response = response(&device, line, refusal(code, error));
        assert_eq!(
            response,
            serde_json::from_str::<Json>(expected).unwrap(),
            "{line}"
        );
    }
}

// RpcLwm2mIntegrationDiscoverWriteAttributesTest
#[test]
fn attributes_are_written_and_found_in_a_discover() {
    let device = thingsboards_device();
    for line in [
        r#"WriteAttributes {"id":"/3_1.2/0/6","attributes":{"pmax":100,"pmin":10}}"#,
        r#"WriteAttributes {"id":"/3_1.2/0","attributes":{"pmax":65,"pmin":5}}"#,
        r#"WriteAttributes {"id":"/3_1.2/0/7","attributes":{"gt":50,"lt":42.2,"st":0.5}}"#,
    ] {
        operation(&device, line);
    }
    bad_request(
        &device,
        r#"WriteAttributes {"id":"/3_1.2","attributes":{"ver":1.3}}"#,
        "Attribute ver is of class PROPERTIES but only NOTIFICATION attribute can be used in WRITE ATTRIBUTE request.",
    );
    bad_request(
        &device,
        r#"WriteAttributes {"id":"/3_1.2"}"#,
        "Attributes to write are not specified!",
    );
    let links = "</3>;ver=1.2,</3/0>;pmax=65;pmin=5,</3/0/6>;pmax=100;pmin=10;dim=3,</3/0/6/0>";
    let outcome = || {
        Ok(DeviceAnswer::Links {
            text: links.into(),
            answer: Box::new(DiscoverAnswer::default()),
        })
    };
    let line = r#"Discover {"id":"/3_1.2"}"#;
    assert_eq!(response(&device, line, outcome())["value"], links);
    assert_eq!(
        respond(&device, line, outcome(), ValueFormat::Json)["value"],
        serde_json::json!([
            {"path": "/3", "attributes": {"ver": "1.2"}},
            {"path": "/3/0", "attributes": {"pmax": 65, "pmin": 5}},
            {"path": "/3/0/6", "attributes": {"pmax": 100, "pmin": 10, "dim": 3}},
            {"path": "/3/0/6/0", "attributes": {}},
        ])
    );
}

// RpcLwm2mIntegrationWriteTest, …CreateTest
#[test]
fn values_are_written_as_thingsboard_writes_them() {
    let device = thingsboards_device();
    let lengths = |line: &str| -> Vec<(String, usize)> {
        let written = written(&device, line).into_iter();
        let bytes = written.filter_map(|(path, value)| match value {
            Some(Value::Opaque(bytes)) => Some((path, bytes.len())),
            _ => None,
        });
        bytes.collect()
    };
    let one = |path: &str, length| vec![(path.to_owned(), length)];
    for (value, length) in [
        (r#""QUJDREVGRw""#, 7),
        (r#""ABCDEFG""#, 5),
        (r#""01ABCDEF""#, 4),
        ("1234566", 4),
        ("4406483977", 8),
        ("-9223372036854775808", 8),
        ("8.02", 4),
        ("3.4028235E38", 4),
        ("1.4E-45", 4),
        ("1.7976931348623157E308", 8),
        ("4.9E-324", 8),
    ] {
        let line = format!(r#"WriteReplace {{"id":"/19_1.1/0/0/0","value":{value}}}"#);
        assert_eq!(lengths(&line), one("/19/0/0/0", length), "{value}");
    }
    assert_eq!(
        lengths(
            r#"WriteReplace {"id":"/19_1.1/0/0","value":{"0":"1525ad45675600cdef","15":2147483647}}"#
        ),
        [("/19/0/0/0".into(), 9), ("/19/0/0/15".into(), 4)]
    );
    let odd = r#"WriteReplace {"id":"/19_1.1/0/0","value":{"0":"01234567890"}}"#;
    assert_eq!(lengths(odd), one("/19/0/0/0", 8));
    let line = r#"WriteUpdate {"id":"/19_1.1/0","value":{"0":{"0":"00ad45675600","25":"25ad45675600cdef"}}}"#;
    assert_eq!(
        lengths(line),
        [("/19/0/0/0".into(), 6), ("/19/0/0/25".into(), 8)]
    );
    let line = r#"Create {"id":"/19_1.1/65533/","value":{"0":{"0":"eyJ0aXRsZSI6ImZ3In0="}}}"#;
    assert_eq!(lengths(line), one("/19/65533/0/0", 14));
}

#[test]
fn instances_are_created_with_and_without_ids() {
    let device = thingsboards_device();
    let ids = |line: &str| match operation(&device, line) {
        Operation::Create { ids, .. } => ids,
        other => panic!("{other:?}"),
    };
    let line = r#"Create {"id":"/19_1.1/12","value":{"0":{"0":"00AC"},"1":1}}"#;
    assert_eq!(ids(line), InstanceIds::Stated);
    assert_eq!(
        written(&device, line),
        [
            ("/19/12/0/0".into(), Some(opaque("00ac"))),
            ("/19/12/1".into(), Some(Value::Integer(1))),
        ]
    );
    let created = DeviceAnswer::Created {
        instance: None,
        location: None,
    };
    assert_eq!(
        response(&device, line, Ok(created)).to_string(),
        r#"{"result":"CREATED"}"#
    );

    let line = r#"Create {"id":"/19_1.1","value":{"0":{"0":"00AC"},"1":1}}"#;
    assert_eq!(ids(line), InstanceIds::ChosenByDevice);
    let created = || {
        Ok(DeviceAnswer::Created {
            instance: Some(2),
            location: Some("/19/2".into()),
        })
    };
    assert_eq!(
        response(&device, line, created())["value"],
        "location=/19/2"
    );
    assert_eq!(
        respond(&device, line, created(), ValueFormat::Json)["value"],
        serde_json::json!({"location": "/19/2", "instance": 2})
    );

    let line = r#"Create {"id":"/19_1.1","nodes":{"12":{"1":1},"13":{}}}"#;
    assert_eq!(ids(line), InstanceIds::Stated);
    assert_eq!(
        written(&device, line),
        [
            ("/19/12/1".into(), Some(Value::Integer(1))),
            ("/19/13".into(), None),
        ]
    );
}

#[test]
fn what_cannot_be_created_deleted_or_executed_is_refused() {
    let device = thingsboards_device();
    let absent = |object| {
        format!(
            "Specified object id {object} absent in the list supported objects of the client or is security object!"
        )
    };
    for (line, error) in [
        (
            r#"Create {"id":"/3_1.2/1","value":{"0":"x"}}"#,
            "Path /3_1.2/1. Object must be Multiple !".into(),
        ),
        (r#"Create {"id":"/0_1.1/1","value":{}}"#, absent(0)),
        (r#"Create {"id":"/50_1.1/1","value":{}}"#, absent(50)),
        (
            r#"Delete {"id":"/19_1.1"}"#,
            "Invalid path /19 : Only object instances can be delete".into(),
        ),
        (
            r#"Delete {"id":"/19_1.1/0/0"}"#,
            "Invalid path /19/0/0 : Only object instances can be delete".into(),
        ),
        (
            r#"Execute {"id":"/5_1.2/0/3"}"#,
            "Resource with /5_1.2/0/3 is not executable.".into(),
        ),
        (
            r#"Execute {"id":"/5_1.2/0/77"}"#,
            "ResourceModel with /5_1.2/0/77 is absent in the system. Need to add Model with id= 5  ver=1.2  to profile.".into(),
        ),
        (r#"Execute {"id":"/50_1.1/0/3"}"#, absent(50)),
        (r#"Execute {"id":"/0_1.1/0/3"}"#, absent(0)),
        (
            r#"Execute {"id":"/3_1.2/0/5","value":"'60'"}"#,
            "Unable to parse Arguments ['60'] : Invalid digit ['] (an integer between 0 and 9 is expected)".into(),
        ),
        (
            r#"Execute {"id":"/3_1.2/0/5","value":"0,1,2,3,4,5,6,7,8,9,60"}"#,
            "Unable to parse Arguments [0,1,2,3,4,5,6,7,8,9,60] : [,] separator expected at index 21 after [0,1,2,3,4,5,6,7,8,9,6]".into(),
        ),
        (
            r#"Execute {"id":"/3_1.2/0/5","value":{"0":1}}"#,
            "Unsupported parameter type: LinkedHashMap. Only simple types (String, Integer, Boolean, etc.) are allowed for Execute arguments.".into(),
        ),
    ] {
        bad_request(&device, line, &error);
    }
}

// RpcLwm2mIntegrationExecuteTest
#[test]
fn arguments_of_execute_may_be_text_or_a_number() {
    let device = thingsboards_device();
    for (value, arguments) in [
        ("5", "5"),
        (r#""2='60'""#, "2='60'"),
        (
            r#""2,0='https://thingsboard.io/docs/reference/lwm2m-api/'""#,
            "2,0='https://thingsboard.io/docs/reference/lwm2m-api/'",
        ),
        (r#""0,1,2,3,4,5,6,7,8,9""#, "0,1,2,3,4,5,6,7,8,9"),
    ] {
        let line = format!(r#"Execute {{"id":"/3_1.2/0/5","value":{value}}}"#);
        let Operation::Execute {
            arguments: asked, ..
        } = operation(&device, &line)
        else {
            panic!("{line} is no Execute");
        };
        assert_eq!(asked.to_string(), arguments);
    }
    for line in [
        r#"Execute {"id":"/1_1.1/0/8"}"#,
        r#"Execute {"id":"/9_1.1/0/4"}"#,
        r#"Execute {"id":"/33000/0/1"}"#,
    ] {
        operation(&device, line);
    }
}

// RpcLwm2mIntegrationObserveTest, RpcLwm2MIntegrationObserveCompositeTest; section 6.4
#[test]
fn conflicts_between_observations_have_thingsboards_texts() {
    let device = thingsboards_device();
    let single = |text: &str| Observed::Single(path(text));
    let composite = || Observed::Composite([path("/5/0/7"), path("/3/0/9")].into());
    for (line, requested, existing, error) in [
        (
            r#"Observe {"id":"/19_1.1"}"#,
            "/19",
            single("/19/0/0"),
            "Resource [/19] conflict with is already registered as SingleObservation [/19/0/0].",
        ),
        (
            r#"Observe {"id":"/5_1.2/0/7"}"#,
            "/5/0/7",
            composite(),
            "Resource [/5/0/7] is already registered in CompositeObservation.",
        ),
        (
            r#"ObserveComposite {"keys":["batteryLevel","pkgversion"]}"#,
            "/3/0/9",
            single("/3/0/9"),
            "Resource [/3/0/9] is already registered as SingleObservation.",
        ),
        (
            r#"ObserveComposite {"keys":["pkgversion"]}"#,
            "/5/0/7",
            composite(),
            "Resource [/5/0/7] is already registered in CompositeObservation.",
        ),
    ] {
        let conflict = RequestError::Conflict {
            requested: path(requested),
            existing,
        };
        let response = response(&device, line, Err(conflict));
        assert_eq!(response["result"], "BAD_REQUEST");
        assert_eq!(response["error"], error);
    }
    bad_request(
        &device,
        r#"ObserveComposite {"ids":["/5_1.2/0","/5_1.2/0/2"]}"#,
        "Invalid path list :  /5/0 and /5/0/2 are overlapped paths",
    );
}

#[test]
fn cancelling_what_is_not_observed_is_refused_with_the_ids() {
    let device = thingsboards_device();
    for (line, error) in [
        (
            r#"ObserveCancel {"id":"/3_1.2/0/9"}"#,
            "Could not find active Observe component with path: /3_1.2/0/9",
        ),
        (
            r#"ObserveCancel {"key":"batteryLevel"}"#,
            "Could not find active Observe component with path: /3_1.2/0/9",
        ),
        (
            r#"ObserveCompositeCancel {"ids":["/19_1.1/1/0/0","/3_1.2/0/9"]}"#,
            "Could not find active Observe Composite component with paths: [/19_1.1/1/0/0, /3_1.2/0/9]",
        ),
    ] {
        let response = response(&device, line, Err(RequestError::NotObserved));
        assert_eq!(response["result"], "BAD_REQUEST");
        assert_eq!(response["error"], error);
    }
}
