use super::*;

const JSON: u16 = 11543;

const ANJAY_DEVICE: &str = r#"{"bn":"/3/0","e":[{"n":"/0","sv":"anjay"},{"n":"/1","sv":"demo-client"},{"n":"/2","sv":"1.1"},{"n":"/3","sv":"3.14.0"},{"n":"/6/0","v":0},{"n":"/7/0","v":31681},{"n":"/8/0","v":11},{"n":"/9","v":0},{"n":"/10","v":0},{"n":"/11/0","v":0},{"n":"/13","v":1795435792},{"n":"/14","sv":"+01:00"},{"n":"/15","sv":"Europe/Warsaw"},{"n":"/16","sv":"UQ"},{"n":"/17","sv":""},{"n":"/18","sv":""},{"n":"/19","sv":""},{"n":"/20","v":0},{"n":"/21","v":0},{"n":"/22/0","ov":"33606:0"}]}"#;

#[test]
fn anjay_answers_an_instance() {
    assert_eq!(
        values(JSON, "/3/0", ANJAY_DEVICE.as_bytes()),
        anjay_device(31681, 1_795_435_792)
    );
}

#[test]
fn a_resource_with_instances_is_answered_in_both_spellings() {
    assert_eq!(
        values(
            JSON,
            "/3/0/7",
            br#"{"bn":"/3/0/7","e":[{"n":"/0","v":31681}]}"#
        ),
        [("/3/0/7/0".to_owned(), Value::Integer(31681))]
    );
    assert_eq!(
        values(
            JSON,
            "/3/0/7",
            br#"{"bn":"/3/0/7/","e":[{"n":"0","v":3800},{"n":"1","v":5000}]}"#
        ),
        [
            ("/3/0/7/0".to_owned(), Value::Integer(3800)),
            ("/3/0/7/1".to_owned(), Value::Integer(5000))
        ]
    );
}

#[test]
fn without_base_name_names_follow_the_path_asked_for() {
    assert_eq!(
        value(
            JSON,
            "/33605/5/12",
            br#"{"bn":"/33605/5/12","e":[{"v":5}]}"#
        ),
        Value::Integer(5)
    );
    assert_eq!(
        value(JSON, "/33605/5/12", br#"{"e":[{"v":5}]}"#),
        Value::Integer(5)
    );
    assert_eq!(
        values(JSON, "/33605/5", br#"{"e":[{"n":"12","v":5}]}"#),
        [("/33605/5/12".to_owned(), Value::Integer(5))]
    );
}

#[test]
fn members_may_come_in_any_order() {
    let records = records(
        JSON,
        "/3",
        br#"{"e":[{"v":5,"t":-1,"n":"9"}],"bt":1795435985,"bn":"/3/0/"}"#,
    );
    assert_eq!(
        records,
        [Record {
            path: Path::resource(3, 0, 9),
            time: Some(1_795_435_984_000),
            value: Some(Value::Integer(5))
        }]
    );
}

#[test]
fn bv_is_a_boolean_and_opaque_values_are_base64() {
    let payload = br#"{"bn":"/33605/5/","e":[{"n":"13","bv":false},{"n":"10","sv":"AAEC"}]}"#;
    assert_eq!(
        values(JSON, "/33605/5", payload),
        [
            ("/33605/5/13".to_owned(), Value::Boolean(false)),
            ("/33605/5/10".to_owned(), opaque(&[0, 1, 2]))
        ]
    );
}

#[test]
fn wrong_objects_are_refused_with_the_place() {
    for (payload, text) in [
        (
            r#"[]"#,
            "byte 0: found '[', expected an object with an array \"e\"",
        ),
        (
            r#"{"bn":"/3/0"}"#,
            "byte 0: found an object without it, expected an array \"e\"",
        ),
        (
            r#"{"e":{}}"#,
            "byte 5: found '{', expected an array of elements",
        ),
        (
            r#"{"e":[{"n":"9","v":1},{"n":"9","bv":1}]}"#,
            "record 1, byte 36: found '1', expected a boolean value, true or false",
        ),
        (
            r#"{"bn":"/4/0/","e":[{"n":"9","v":1}]}"#,
            "record 0, byte 19: path /4/0/9 is not at or under /3/0",
        ),
    ] {
        assert_eq!(refusal(JSON, "/3/0", payload.as_bytes()).to_string(), text);
    }
}
