//! Values as text (thingsboard-behaviour 5.5) and as JSON.

use serde_json::json;

use super::*;

#[test]
fn values_of_every_type_are_printed() {
    let device = thingsboards_device();
    let line = r#"Read {"id":"/33000/0/1"}"#;
    for (value, printed, as_json) in [
        (string("a, b"), "value=a, b, type=STRING", json!("a, b")),
        (Value::Integer(-1), "value=-1, type=INTEGER", json!(-1)),
        (
            Value::Unsigned(u64::MAX),
            "value=18446744073709551615, type=UNSIGNED_INTEGER",
            json!(u64::MAX),
        ),
        (Value::Float(25.0), "value=25.0, type=FLOAT", json!(25.0)),
        (
            Value::Float(f64::NAN),
            "value=NaN, type=FLOAT",
            json!("NaN"),
        ),
        (
            Value::Boolean(true),
            "value=true, type=BOOLEAN",
            json!(true),
        ),
        (
            Value::Time(1_625_146_789),
            "value=Thu Jul 01 13:39:49 UTC 2021, type=TIME",
            json!(1_625_146_789_000_u64),
        ),
        (Value::Objlnk(3, 0), "value=/3/0, type=OBJLNK", json!("3:0")),
        (
            Value::Corelnk("</3/0>".into()),
            "value=</3/0>, type=CORELINK",
            json!("</3/0>"),
        ),
    ] {
        let values = [("/33000/0/1", value)];
        let expected = format!("LwM2mSingleResource [id=1, {printed}]");
        assert_eq!(text(&device, line, &values), expected);
        let response = respond(&device, line, values_answer(&values), ValueFormat::Json);
        assert_eq!(response["value"], as_json);
    }
}

#[test]
fn bytes_that_were_asked_for_by_themselves_are_printed_in_hexadecimal() {
    let device = thingsboards_device();
    let several = [("/19/0/0/1", opaque("0B0C")), ("/19/0/0/0", opaque("0A"))];
    for (line, values, expected) in [
        (
            r#"Read {"id":"/33000/0/0"}"#,
            vec![("/33000/0/0", opaque("00AC"))],
            "LwM2mSingleResource id=0 value=00ac type=OPAQUE",
        ),
        (
            r#"Read {"id":"/19/0/0"}"#,
            several.to_vec(),
            "LwM2mMultipleResource id=0 values={ id=0 value=0a,  id=1 value=0b0c} type=OPAQUE",
        ),
        (
            r#"ReadComposite {"ids":["/19/0/0"]}"#,
            several.to_vec(),
            "LwM2mMultipleResource key=/19/0/0 values={ id=0 value=0a,  id=1 value=0b0c} type=OPAQUE",
        ),
        (
            r#"Read {"id":"/19/0/0/1"}"#,
            several.to_vec(),
            "LwM2mResourceInstance [id=1, value=2Bytes, type=OPAQUE]",
        ),
    ] {
        assert_eq!(text(&device, line, &values), expected, "{line}");
    }
    let long = "ab".repeat(1_000);
    let line = r#"Read {"id":"/33000/0/0"}"#;
    let printed = text(&device, line, &[("/33000/0/0", opaque(&long))]);
    let expected = format!(
        "LwM2mSingleResource id=0 value={} type=OPAQUE",
        &long[..1024]
    );
    assert_eq!(printed, expected);
}

#[test]
fn maps_are_in_the_order_of_ids() {
    let device = thingsboards_device();
    let values = [
        ("/3303/12/5700", Value::Float(25.05)),
        ("/3303/0/5701", string("cel")),
        ("/3303/0/5700", Value::Float(1e7)),
    ];
    assert_eq!(
        text(&device, r#"Read {"id":"/3303"}"#, &values),
        "LwM2mObject [id=3303, instances={\
         0=LwM2mObjectInstance [id=0, resources={\
         5700=LwM2mSingleResource [id=5700, value=1.0E7, type=FLOAT], \
         5701=LwM2mSingleResource [id=5701, value=cel, type=STRING]}], \
         12=LwM2mObjectInstance [id=12, resources={\
         5700=LwM2mSingleResource [id=5700, value=25.05, type=FLOAT]}]}]"
    );
}

#[test]
fn an_answer_without_values_is_empty_and_not_an_error_unless_a_value_was_asked_for() {
    let device = thingsboards_device();
    for (line, expected) in [
        (r#"Read {"id":"/2"}"#, "LwM2mObject [id=2, instances={}]"),
        (
            r#"Read {"id":"/2/0"}"#,
            "LwM2mObjectInstance [id=0, resources={}]",
        ),
        (
            r#"Read {"id":"/19/0/0"}"#,
            "LwM2mMultipleResource id=0 values={} type=OPAQUE",
        ),
        (
            r#"Read {"id":"/3/0/11"}"#,
            "LwM2mMultipleResource [id=11, values={}, type=INTEGER]",
        ),
    ] {
        assert_eq!(text(&device, line, &[]), expected, "{line}");
    }
    let response = response(&device, r#"Read {"id":"/3/0/9"}"#, values_answer(&[]));
    assert_eq!(
        response,
        json!({"result": "INTERNAL_SERVER_ERROR", "error": "the answer of the device has no value of /3/0/9"})
    );
}

#[test]
fn the_latest_of_several_values_counts() {
    let device = thingsboards_device();
    let timed = |time, number| Record {
        time,
        ..record("/3/0/9", Some(Value::Integer(number)))
    };
    for (records, latest) in [
        (vec![timed(Some(2_000), 2), timed(Some(1_000), 1)], 2),
        (vec![timed(None, 3), timed(Some(1_000), 1)], 3),
        (vec![timed(None, 3), timed(None, 4)], 4),
    ] {
        let outcome = Ok(DeviceAnswer::Values {
            records,
            format: 110,
            observing: false,
        });
        let line = r#"Read {"id":"/3/0/9"}"#;
        let response = respond(&device, line, outcome, ValueFormat::Json);
        assert_eq!(response["value"], latest);
    }
}

#[test]
fn json_has_the_form_of_what_was_asked_for() {
    let device = thingsboards_device();
    let values = [
        ("/3/0/9", Value::Integer(100)),
        ("/3/0/7/0", Value::Integer(3800)),
        ("/3/0/7/1", Value::Integer(5000)),
        ("/19/0/0/0", opaque("0AFF")),
    ];
    for (line, expected) in [
        (r#"Read {"id":"/3/0/9"}"#, json!(100)),
        (r#"Read {"id":"/3/0/7"}"#, json!({"0": 3800, "1": 5000})),
        (r#"Read {"id":"/3/0/7/1"}"#, json!(5000)),
        (
            r#"Observe {"id":"/3/0"}"#,
            json!({"7": {"0": 3800, "1": 5000}, "9": 100}),
        ),
        (
            r#"Read {"id":"/3"}"#,
            json!({"0": {"7": {"0": 3800, "1": 5000}, "9": 100}}),
        ),
        (
            r#"ReadComposite {"ids":["/3/0/9","/1/0/2","/19/0/0"]}"#,
            json!({"/3/0/9": 100, "/1/0/2": null, "/19/0/0": {"0": "0aff"}}),
        ),
    ] {
        let response = respond(&device, line, values_answer(&values), ValueFormat::Json);
        assert_eq!(
            response,
            json!({"result": "CONTENT", "value": expected}),
            "{line}"
        );
    }
    for (line, outcome, expected) in [
        (
            "ObserveCancelAll",
            DeviceAnswer::Cancelled { count: 8 },
            json!(8),
        ),
        (
            "ObserveReadAll",
            DeviceAnswer::Observations(vec![
                crate::services::engine::Observed::Single(path("/3/0/9")),
                crate::services::engine::Observed::Composite(
                    [path("/5/0/7"), path("/3/0/0")].into(),
                ),
            ]),
            json!([{"path": "/3/0/9"}, {"paths": ["/5/0/7", "/3/0/0"]}]),
        ),
    ] {
        let response = respond(&device, line, Ok(outcome), ValueFormat::Json);
        assert_eq!(response["value"], expected);
    }
}

#[test]
fn links_are_given_without_what_stands_between_them() {
    let links = "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>";
    let device = device(links, LwM2mVersion::V1_0);
    let outcome = || {
        Ok(DeviceAnswer::Links {
            text: "</lwm2m/3/0>;pmin=1.5;edge;x=\"a,b\" ,, </lwm2m/3/0/1>\n".into(),
            answer: Box::default(),
        })
    };
    let line = r#"Discover {"id":"/3/0"}"#;
    assert_eq!(
        response(&device, line, outcome())["value"],
        "</lwm2m/3/0>;pmin=1.5;edge;x=\"a,b\",</lwm2m/3/0/1>"
    );
    assert_eq!(
        respond(&device, line, outcome(), ValueFormat::Json)["value"],
        json!([
            {"path": "/3/0", "attributes": {"pmin": 1.5, "edge": null, "x": "a,b"}},
            {"path": "/3/0/1", "attributes": {}},
        ])
    );
}

#[test]
fn everything_can_be_asked_for_at_once() {
    let device = thingsboards_device();
    let line = r#"ReadComposite {"ids":["/"]}"#;
    let values = [
        ("/3/0/9", Value::Integer(100)),
        ("/1/0/0", Value::Integer(123)),
    ];
    assert_eq!(
        text(&device, line, &values),
        "{/=LwM2mRoot [objects={\
         1=LwM2mObject [id=1, instances={0=LwM2mObjectInstance [id=0, resources={0=LwM2mSingleResource [id=0, value=123, type=INTEGER]}]}], \
         3=LwM2mObject [id=3, instances={0=LwM2mObjectInstance [id=0, resources={9=LwM2mSingleResource [id=9, value=100, type=INTEGER]}]}]}]}"
    );
    let response = respond(&device, line, values_answer(&values), ValueFormat::Json);
    assert_eq!(
        response["value"],
        json!({"/": {"1": {"0": {"0": 123}}, "3": {"0": {"9": 100}}}})
    );
}
