//! Every example of the vendor's documentation, in its words: the device is asked for what the
//! example is about, and the response is the one printed there. Three results differ, as decided:
//! Delete is `DELETED`, and ObserveReadAll and DiscoverAll have the form of ThingsBoard's code.

use super::*;
use crate::proto::lwm2m::operation::{
    ExecuteArguments, NotificationAttributes, Setting, WriteMode,
};
use crate::services::engine::Observed;

fn integer(number: i64) -> Value {
    Value::Integer(number)
}

/// A device with object 3 in version 1.0, 1 in 1.2, 5 in 1.2 and 19 in 1.1, which the examples name.
fn documented_device() -> DeviceKnowledge {
    let links = "</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542\",</1>;ver=1.2,</1/0>,</3>;ver=1.0,\
        </3/0>,</5>;ver=1.2,</5/0>,</19>;ver=1.1,</19/0>,</19/1>";
    device(links, LwM2mVersion::V1_1)
}

#[test]
fn reads_are_answered_as_documented() {
    let device = documented_device();
    for (line, level) in [
        (r#"Read {"id":"/3/0/9"}"#, 100),
        (r#"Read {"id":"/3_1.0/0/9"}"#, 20),
    ] {
        let expected = format!("LwM2mSingleResource [id=9, value={level}, type=INTEGER]");
        assert_eq!(text(&device, line, &[("/3/0/9", integer(level))]), expected);
    }
    let device = thingsboards_device();
    assert_eq!(
        text(
            &device,
            r#"Read {"key":"batteryLevel"}"#,
            &[("/3/0/9", integer(27))]
        ),
        "LwM2mSingleResource [id=9, value=27, type=INTEGER]"
    );
}

const DEVICE: &str = "0=LwM2mSingleResource [id=0, value=Thingsboard Test Device, type=STRING], \
    6=LwM2mSingleResource [id=6, value=1, type=INTEGER], \
    11=LwM2mMultipleResource [id=11, values={0=LwM2mResourceInstance [id=0, value=1, type=INTEGER]}, type=INTEGER], \
    13=LwM2mSingleResource [id=13, value=Thu Jul 01 13:39:49 UTC 2021, type=TIME], \
    14=LwM2mSingleResource [id=14, value=+03, type=STRING]";

fn device_values() -> Vec<(&'static str, Value)> {
    // Not in the order of ids.
    vec![
        ("/3/0/14", string("+03")),
        ("/3/0/0", string("Thingsboard Test Device")),
        ("/3/0/6", integer(1)),
        ("/3/0/13", Value::Time(1_625_146_789)),
        ("/3/0/11/0", integer(1)),
    ]
}

#[test]
fn an_object_instance_is_read_and_observed_as_documented() {
    let device = documented_device();
    for line in [r#"Read {"id":"/3/0"}"#, r#"Observe {"id":"/3/0"}"#] {
        assert_eq!(
            text(&device, line, &device_values()),
            format!("LwM2mObjectInstance [id=0, resources={{{DEVICE}}}]")
        );
    }
    assert_eq!(
        text(
            &device,
            r#"Observe {"id":"/3/0/9"}"#,
            &[("/3/0/9", integer(28))]
        ),
        "LwM2mSingleResource [id=9, value=28, type=INTEGER]"
    );
}

#[test]
fn discovers_are_answered_as_documented() {
    let device = thingsboards_device();
    for (line, asked, answer) in [
        (
            r#"Discover {"id":"/3"}"#,
            "/3",
            "</3>,</3/0/0>,</3/0/1>,</3/0/2>",
        ),
        (r#"Discover {"id":"/3/0"}"#, "/3/0", "</3/0>,</3/0/0>"),
        (r#"Discover {"id":"/3/0/1"}"#, "/3/0/1", "</3/0/1>"),
        (r#"Discover {"key":"batteryLevel"}"#, "/3/0/9", "</3/0/9>"),
    ] {
        assert_eq!(operation(&device, line).target(), path(asked));
        let outcome = Ok(DeviceAnswer::Links {
            text: answer.into(),
            answer: Box::default(),
        });
        assert_eq!(response(&device, line, outcome)["value"], answer, "{line}");
    }
}

#[test]
fn writes_are_asked_as_documented() {
    let device = documented_device();
    let data = |paths: [&str; 2], data: [&str; 2]| -> Vec<_> {
        let values = data.map(|data| Some(opaque(data)));
        paths.map(String::from).into_iter().zip(values).collect()
    };
    let of_0 = ["/19/0/0/0", "/19/0/0/25"];
    for (line, mode, expected) in [
        (
            r#"WriteUpdate {"id":"/3/0","value":{"14":"+5","15":"Kiyv/Europe"}}"#,
            WriteMode::Update,
            vec![
                ("/3/0/14".into(), Some(string("+5"))),
                ("/3/0/15".into(), Some(string("Kiyv/Europe"))),
            ],
        ),
        (
            r#"WriteUpdate {"id": "/19/0","value": {"0":{"0":"00ad456756", "25":"25ad456756"}}}"#,
            WriteMode::Update,
            data(of_0, ["00ad456756", "25ad456756"]),
        ),
        (
            r#"WriteUpdate {"id": "/19/0/0","value": {"0":"00ad456756", "25":"25ad456756"}}"#,
            WriteMode::Update,
            data(of_0, ["00ad456756", "25ad456756"]),
        ),
        (
            r#"WriteReplace {"id":"/19/0/0","value":"0081"}"#,
            WriteMode::Replace,
            vec![("/19/0/0/0".into(), Some(opaque("0081")))],
        ),
        (
            r#"WriteReplace {"key":"timezone","value":"+10"}"#,
            WriteMode::Replace,
            vec![("/3/0/15".into(), Some(string("+10")))],
        ),
        (
            r#"WriteReplace {"id": "/19_1.1/0/0","value": {"0":"00ad456797", "25":"25ad456700"}}"#,
            WriteMode::Replace,
            data(of_0, ["00ad456797", "25ad456700"]),
        ),
    ] {
        let Operation::Write { mode: asked, .. } = operation(&device, line) else {
            panic!("{line} is no Write");
        };
        assert_eq!(asked, mode, "{line}");
        assert_eq!(written(&device, line), expected, "{line}");
        let response = response(&device, line, Ok(DeviceAnswer::Changed));
        assert_eq!(response.to_string(), r#"{"result":"CHANGED"}"#);
    }
}

#[test]
fn a_write_composite_is_asked_as_documented() {
    let line = r#"WriteComposite {"nodes":{"/19_1.1/0":{"0":{"0":"00ad45675600", "25":"25ad45675600cdef"}}, "UtfOffset":"+04", "/3_1.0/0/15":"Kiyv/Europe"}}"#;
    let device = documented_device();
    assert_eq!(
        written(&device, line),
        [
            ("/3/0/14".into(), Some(string("+04"))),
            ("/3/0/15".into(), Some(string("Kiyv/Europe"))),
            ("/19/0/0/0".into(), Some(opaque("00ad45675600"))),
            ("/19/0/0/25".into(), Some(opaque("25ad45675600cdef"))),
        ]
    );
    let response = response(&device, line, Ok(DeviceAnswer::Changed));
    assert_eq!(response.to_string(), r#"{"result":"CHANGED"}"#);
}

#[test]
fn attributes_are_written_as_documented() {
    let line = r#"WriteAttributes {"id":"/19/0/0","attributes":{"pmax":120, "pmin":10}}"#;
    let device = documented_device();
    let expected = Operation::WriteAttributes {
        path: path("/19/0/0"),
        attributes: NotificationAttributes {
            pmin: Some(Setting::Value(10)),
            pmax: Some(Setting::Value(120)),
            ..NotificationAttributes::default()
        },
    };
    assert_eq!(operation(&device, line), expected);
}

#[test]
fn composite_reads_are_answered_as_documented() {
    let device = documented_device();
    let line = r#"ReadComposite {"ids":["/3/0/9", "/1_1.2"]}"#;
    let values = [
        ("/1/0/0", integer(123)),
        ("/1/0/7", string("U")),
        ("/1/0/6", Value::Boolean(false)),
        ("/3/0/9", integer(75)),
    ];
    assert_eq!(
        text(&device, line, &values),
        "{/3/0/9=LwM2mSingleResource [id=9, value=75, type=INTEGER], \
         /1=LwM2mObject [id=1, instances={0=LwM2mObjectInstance [id=0, resources={\
         0=LwM2mSingleResource [id=0, value=123, type=INTEGER], \
         6=LwM2mSingleResource [id=6, value=false, type=BOOLEAN], \
         7=LwM2mSingleResource [id=7, value=U, type=STRING]}]}]}"
    );

    let line = r#"ReadComposite {"ids":["/3/0", "/1_1.2/0"]}"#;
    let mut values = device_values();
    values.push(("/1/0/0", integer(123)));
    assert_eq!(
        text(&device, line, &values),
        format!(
            "{{/3/0=LwM2mObjectInstance [id=0, resources={{{DEVICE}}}], \
             /1/0=LwM2mObjectInstance [id=0, resources={{0=LwM2mSingleResource [id=0, value=123, type=INTEGER]}}]}}"
        )
    );

    let device = thingsboards_device();
    let line = r#"ReadComposite {"keys":["state", "updateResult", "pkgversion", "batteryLevel"]}"#;
    let values = [
        ("/5/0/7", string("")),
        ("/5/0/5", integer(0)),
        ("/5/0/3", integer(0)),
        ("/3/0/9", integer(81)),
    ];
    assert_eq!(
        text(&device, line, &values),
        "{/5/0/3=LwM2mSingleResource [id=3, value=0, type=INTEGER], \
         /5/0/5=LwM2mSingleResource [id=5, value=0, type=INTEGER], \
         /5/0/7=LwM2mSingleResource [id=7, value=, type=STRING], \
         /3/0/9=LwM2mSingleResource [id=9, value=81, type=INTEGER]}"
    );
}

#[test]
fn a_resource_is_executed_and_an_instance_deleted_as_documented() {
    let device = documented_device();
    for (line, asked) in [
        (r#"Execute {"id":"5/0/2"}"#, "/5/0/2"),
        (r#"Execute {"id":"/3/0/4"}"#, "/3/0/4"),
    ] {
        let expected = Operation::Execute {
            path: path(asked),
            arguments: ExecuteArguments::NONE,
        };
        assert_eq!(operation(&device, line), expected);
    }
    let line = r#"Delete {"id":"/19/1"}"#;
    let expected = Operation::Delete {
        path: path("/19/1"),
    };
    assert_eq!(operation(&device, line), expected);
    let response = response(&device, line, Ok(DeviceAnswer::Deleted));
    assert_eq!(response.to_string(), r#"{"result":"DELETED"}"#);
}

#[test]
fn composite_observations_are_answered_as_documented() {
    let device = documented_device();
    let line = r#"ObserveComposite {"ids":["/5/0/7", "/5/0/5", "/5/0/3", "/3/0/9", "/19/1/0/0"]}"#;
    let values = [
        ("/19/1/0/0", opaque("07")),
        ("/3/0/9", integer(50)),
        ("/5/0/7", string("1.0.0")),
        ("/5/0/5", integer(0)),
        ("/5/0/3", integer(0)),
    ];
    assert_eq!(
        text(&device, line, &values),
        "{/5/0/7=LwM2mSingleResource [id=7, value=1.0.0, type=STRING], \
         /5/0/5=LwM2mSingleResource [id=5, value=0, type=INTEGER], \
         /5/0/3=LwM2mSingleResource [id=3, value=0, type=INTEGER], \
         /3/0/9=LwM2mSingleResource [id=9, value=50, type=INTEGER], \
         /19/1/0/0=LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]}"
    );
    let line = r#"ObserveComposite {"ids":["/5_1.2/0/7", "/5_1.2/0/5", "/5_1.2/0/3", "/3", "/19_1.1/1/0/0"]}"#;
    let values = [("/3/0/6/0", integer(0)), ("/3/0/6/7", integer(7))];
    assert_eq!(
        text(&device, line, &values),
        "{/5/0/7=null, /5/0/5=null, /5/0/3=null, \
         /3=LwM2mObject [id=3, instances={0=LwM2mObjectInstance [id=0, resources={\
         6=LwM2mMultipleResource [id=6, values={0=LwM2mResourceInstance [id=0, value=0, type=INTEGER], \
         7=LwM2mResourceInstance [id=7, value=7, type=INTEGER]}, type=INTEGER]}]}], \
         /19/1/0/0=null}"
    );
}

#[test]
fn observations_are_cancelled_and_listed_as_documented() {
    let device = documented_device();
    for (line, count) in [
        (r#"ObserveCancel {"id":"/5/0/7"}"#, 1),
        (r#"ObserveCancel {"key":"updateResult"}"#, 1),
        (
            r#"ObserveCompositeCancel {"ids":["/5/0/7", "/5/0/5", "/5/0/3", "/3/0/9", "/19/1/0/0"]}"#,
            1,
        ),
        ("ObserveCancelAll", 8),
        ("ObserveCancelAll {}", 0),
    ] {
        let response = response(&device, line, Ok(DeviceAnswer::Cancelled { count }));
        let expected = format!(r#"{{"result":"CONTENT","value":"{count}"}}"#);
        assert_eq!(response, serde_json::from_str::<Json>(&expected).unwrap());
    }
    let observed = vec![
        Observed::Single(path("/3/0/9")),
        Observed::Composite([path("/5/0/7"), path("/3/0/9")].into()),
    ];
    for line in ["ObserveReadAll", "ObserveReadAll {}"] {
        let response = response(
            &device,
            line,
            Ok(DeviceAnswer::Observations(observed.clone())),
        );
        assert_eq!(
            response["value"],
            r#"["SingleObservation:/3/0/9","CompositeObservation: [/5/0/7, /3/0/9]"]"#
        );
    }
    let none = Ok(DeviceAnswer::Observations(Vec::new()));
    assert_eq!(response(&device, "ObserveReadAll", none)["value"], "[]");
}

#[test]
fn discover_all_is_answered_from_the_registration() {
    let links =
        "</>;rt=\"oma.lwm2m\";ct=110, </31024/10>,</1>;ver=1.1,</4/0>,</31024>;ver=1.0,</1/0>";
    let device = device(links, LwM2mVersion::V1_1);
    for line in ["DiscoverAll", "DiscoverAll {}"] {
        let Ok(Prepared::Answered(answered)) = prepare(&call(line), &device) else {
            panic!("the device was to be asked");
        };
        let response = answered.clone().respond(ValueFormat::Text);
        assert_eq!(response.result, "CONTENT");
        assert_eq!(
            response.value.unwrap(),
            r#"["</>;rt=\"oma.lwm2m\";ct=110","</1>;ver=1.1","</1/0>","</4/0>","</31024>;ver=1.0","</31024/10>"]"#
        );
        let response = answered.respond(ValueFormat::Json);
        assert_eq!(
            response.value.unwrap(),
            serde_json::json!([
                {"path": "/", "attributes": {"rt": "oma.lwm2m", "ct": "110"}},
                {"path": "/1", "attributes": {"ver": "1.1"}},
                {"path": "/1/0", "attributes": {}},
                {"path": "/4/0", "attributes": {}},
                {"path": "/31024", "attributes": {"ver": "1.0"}},
                {"path": "/31024/10", "attributes": {}},
            ])
        );
    }
}
