//! JSON values as values of LwM2M: thingsboard-behaviour 5.8, its flaws mended.

use serde_json::json;

use super::*;
use crate::proto::lwm2m::ResourceType;
use crate::services::rpc::scalar::convert;

#[test]
fn values_have_the_type_of_their_resource() {
    use ResourceType as Type;
    let time = Value::Time(1_625_146_789);
    for (json, resource_type, value) in [
        (json!(5), Type::String, string("5")),
        (json!(5.0), Type::String, string("5.0")),
        (json!(true), Type::String, string("true")),
        (json!(-1), Type::Integer, Value::Integer(-1)),
        (json!(5.0), Type::Integer, Value::Integer(5)),
        (
            json!("-9223372036854775808"),
            Type::Integer,
            Value::Integer(i64::MIN),
        ),
        (json!(i64::MAX), Type::Integer, Value::Integer(i64::MAX)),
        (
            json!(u64::MAX),
            Type::UnsignedInteger,
            Value::Unsigned(u64::MAX),
        ),
        (json!("7"), Type::UnsignedInteger, Value::Unsigned(7)),
        (json!(42), Type::Float, Value::Float(42.0)),
        (json!("42.2"), Type::Float, Value::Float(42.2)),
        (
            json!("-Infinity"),
            Type::Float,
            Value::Float(f64::NEG_INFINITY),
        ),
        (json!("TRUE"), Type::Boolean, Value::Boolean(true)),
        (json!(0), Type::Boolean, Value::Boolean(false)),
        (json!(1_625_146_789_000_u64), Type::Time, time.clone()),
        (json!(1_625_146_789_999.5), Type::Time, time.clone()),
        (json!("1625146789000"), Type::Time, time.clone()),
        (
            json!("0x17a624c0c88"),
            Type::Time,
            Value::Time(1_625_146_789),
        ),
        (json!("010"), Type::Time, Value::Time(0)),
        (json!(-1), Type::Time, Value::Time(-1)),
        (json!("2021-07-01T13:39:49Z"), Type::Time, time.clone()),
        (
            json!("2021-07-01T16:39:49.5+03:00"),
            Type::Time,
            time.clone(),
        ),
        (json!("2021-07-01T13:39:49"), Type::Time, time),
        (json!("3:0"), Type::Objlnk, Value::Objlnk(3, 0)),
        (json!("/3/0"), Type::Objlnk, Value::Objlnk(3, 0)),
        (
            json!("</3/0>"),
            Type::Corelnk,
            Value::Corelnk("</3/0>".into()),
        ),
    ] {
        assert_eq!(convert(&json, Some(resource_type)), Ok(value), "{json}");
    }
}

#[test]
fn values_that_do_not_fit_are_not_bent() {
    use ResourceType as Type;
    for (json, resource_type) in [
        (json!(9_223_372_036_854_775_808_u64), Type::Integer),
        (json!(1e30), Type::Integer),
        (json!(5.5), Type::Integer),
        (json!("five"), Type::Integer),
        (json!(true), Type::Integer),
        (json!(-1), Type::UnsignedInteger),
        (json!("1e999"), Type::Float),
        (json!("abc"), Type::Float),
        (json!("yes"), Type::Boolean),
        (json!(2), Type::Boolean),
        (json!("abc"), Type::Time),
        (json!("2021-13-01T00:00:00Z"), Type::Time),
        (json!(1e30), Type::Time),
        (json!("0x"), Type::Time),
        (json!("0x-1"), Type::Time),
        (json!("09"), Type::Time),
        (json!("3"), Type::Objlnk),
        (json!("/3/0/1"), Type::Objlnk),
        (json!(3), Type::Corelnk),
        (json!([1]), Type::String),
        (json!(null), Type::String),
    ] {
        assert!(convert(&json, Some(resource_type)).is_err(), "{json}");
    }
}

#[test]
fn a_value_of_unknown_type_has_the_type_of_the_json() {
    let device = thingsboards_device();
    for (json, value) in [
        (json!("00ad"), string("00ad")),
        (json!(-1), Value::Integer(-1)),
        (json!(u64::MAX), Value::Unsigned(u64::MAX)),
        (json!(0.5), Value::Float(0.5)),
        (json!(false), Value::Boolean(false)),
    ] {
        let line = format!(r#"WriteReplace {{"id":"/33000/0/1","value":{json}}}"#);
        assert_eq!(
            written(&device, &line),
            [("/33000/0/1".into(), Some(value))]
        );
    }
    let line = r#"WriteReplace {"id":"/33000/0/1","value":{"0":1,"7":2}}"#;
    assert_eq!(written(&device, line).len(), 2);
}

#[test]
fn a_partial_update_needs_no_mandatory_resources() {
    let device = thingsboards_device();
    // /19/0/0 is mandatory.
    let line = r#"WriteUpdate {"id":"/19_1.1/0","value":{"1":5}}"#;
    assert_eq!(
        written(&device, line),
        [("/19/0/1".into(), Some(Value::Integer(5)))]
    );
}

#[test]
fn a_multiple_resource_can_be_left_without_instances() {
    let line = r#"WriteReplace {"id":"/19_1.1/0/0","value":{}}"#;
    assert_eq!(
        written(&thingsboards_device(), line),
        [("/19/0/0".into(), None)]
    );
}

#[test]
fn writes_of_the_wrong_form_are_refused_with_the_place() {
    const UPDATE: &str =
        "This operation can only be used for ObjectInstance or Multi-Instance Resource !";
    let device = thingsboards_device();
    let integer = "(accepted: a whole number from -9223372036854775808 to 9223372036854775807)";
    for (line, error) in [
        (
            r#"WriteReplace {"id":"/3_1.2/0","value":{"14":"+5"}}"#,
            "Resource /3_1.2/0. This operation can only be used for Resource or ResourceInstance!".into(),
        ),
        (
            r#"WriteReplace {"id":"/3_1.2/0/77","value":1}"#,
            "Resource /3_1.2/0/77 is not configured in the device profile!".into(),
        ),
        (
            r#"WriteReplace {"id":"/3_1.2/0/13","value":"abc"}"#,
            "Resource id=/3/0/13, value = abc, class = String. Format value is bad. Value for this Single Resource must be TIME!".into(),
        ),
        (
            r#"WriteReplace {"id":"/3_1.2/0/14","value":{"0":"+5"}}"#,
            "Resource id=/3/0/14, value = {0=+5}, class = LinkedHashMap. Format value is bad. Value for this Single Resource must be STRING!".into(),
        ),
        (
            r#"WriteReplace {"id":"/19_1.1/0/1","value":9223372036854775808}"#,
            format!("Resource id=/19/0/1, value = 9223372036854775808, class = BigInteger. Format value is bad. Value for this Single Resource must be INTEGER! {integer}"),
        ),
        (
            r#"WriteReplace {"id":"/19_1.1/0/0","value":{"0":"?"}}"#,
            "Invalid value type for resource /19/0/0/0, expected OPAQUE, got STRING (accepted: hexadecimal digits or Base64)".into(),
        ),
        (
            r#"WriteReplace {"id":"/19_1.1/0/0","value":{"zero":"00"}}"#,
            "\"zero\" below /19/0/0 is not an id, expected a decimal number from 0 to 65534".into(),
        ),
        (
            r#"WriteReplace {"id":"/19_1.1/0/0","value":[1]}"#,
            "Resource id=/19/0/0, class = ArrayList, value = [1] is bad. Value of Multi-Instance Resource must be in Json format!".into(),
        ),
        (r#"WriteReplace {"id":"/3_1.2/0/14"}"#, "The value of this resource must not be null.".into()),
        (r#"WriteUpdate {"id":"/3_1.2/0","value":null}"#, "The value of this resource must not be null.".into()),
        (
            r#"WriteUpdate {"id":"/3_1.2/0","value":{"14":null}}"#,
            "Resource id=/3/0/14. The value of this resource must not be null.".into(),
        ),
        (r#"WriteUpdate {"id":"/3_1.2/0","value":{}}"#, "The value of this resource must be in Map format and size > 0".into()),
        (r#"WriteUpdate {"id":"/3_1.2/0","value":"+5"}"#, "The value of this resource must be in Map format and size > 0".into()),
        (
            r#"WriteUpdate {"id":"/3_1.2","value":{"0":{}}}"#,
            "Resource /3_1.2. This operation can only be used for ObjectInstance or Resource (multiple)".into(),
        ),
        (
            r#"WriteUpdate {"id":"/3_1.2/0/14","value":"+5"}"#,
            format!("Resource /3_1.2/0/14. {UPDATE}"),
        ),
        (
            r#"WriteUpdate {"id":"/3_1.2/0","value":{"77":1}}"#,
            format!("Resource /3_1.2/0. {UPDATE} Resource /3_1.2/0/77 is not configured in the device profile!"),
        ),
        (
            r#"WriteUpdate {"id":"/19_1.1/0","value":{"0":"x"}}"#,
            format!("Resource /19_1.1/0. {UPDATE} Resource id=/19/0/0, class = String, value = x is bad. Value of Multi-Instance Resource must be in Json format!"),
        ),
        (
            r#"Create {"id":"/19_1.1/5/0","value":{}}"#,
            "Path /19_1.1/5/0. This operation can only be used for Object or ObjectInstance!".into(),
        ),
        (
            r#"Create {"id":"/19_1.1/5","value":{},"nodes":{}}"#,
            "Path /19_1.1/5. Either value or nodes can be given, nodes only for an Object without instance id!".into(),
        ),
        (
            r#"WriteComposite {"nodes":{"/3_1.2":{"0":{"14":"+5"}}}}"#,
            "nodes: {/3_1.2={0={14=+5}}} is not validate value. The WriteComposite operation is only used for SingleResources or/and ResourceInstance.".into(),
        ),
        (
            "WriteComposite {}",
            "nodes: null is not validate value. The WriteComposite operation is only used for SingleResources or/and ResourceInstance.".into(),
        ),
        (
            r#"WriteComposite {"nodes":{"offset":"+5"}}"#,
            "offset is not configured in the device profile!".into(),
        ),
        (
            r#"WriteComposite {"nodes":{"UtfOffset":"+5","/3/0":{"14":"+6"}}}"#,
            "Invalid path list :  /3/0/14 and /3/0/14 are overlapped paths".into(),
        ),
    ] {
        bad_request(&device, line, &error);
    }
}

#[test]
fn a_value_that_is_too_long_is_refused() {
    let long = "ab".repeat(0x100_0000);
    let params = json!({"id": "/33000/0/1", "value": long});
    let call = RpcCall {
        method: "WriteReplace".into(),
        params: Some(params),
    };
    let refused = prepare(&call, &thingsboards_device()).unwrap_err();
    assert_eq!(
        refused.error.unwrap(),
        "the value of /33000/0/1 has 33554432 bytes, at most 16777215 can be written"
    );
}

#[test]
fn a_resource_instance_can_be_removed_where_a_format_can_say_so() {
    let links = LINKS.replace("60 110", "60 110 322 11544");
    let device = device(&links, LwM2mVersion::V1_2);
    let line = r#"WriteComposite {"nodes":{"/19/0/0/3":null,"/3/0/14":"+5"},"contentFormat":"SENML_ETCH_CBOR"}"#;
    assert_eq!(
        written(&device, line),
        [
            ("/3/0/14".into(), Some(string("+5"))),
            ("/19/0/0/3".into(), None),
        ]
    );
    assert_eq!(question(&device, line).content_format, Some(322));
}
