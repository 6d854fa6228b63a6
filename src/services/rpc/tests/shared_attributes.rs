//! Shared attributes as Writes (thingsboard-behaviour 7).

use serde_json::json;

use super::*;
use crate::proto::lwm2m::operation::WriteMode;
use crate::services::rpc::AttributeWrite;

#[track_caller]
fn write(device: &DeviceKnowledge, key: &str, value: Json) -> AttributeWrite {
    match AttributeWrite::of(key, &value, device) {
        Ok(Some(write)) => write,
        other => panic!("{key}: {other:?}"),
    }
}

type Sent = (String, WriteMode, Vec<(String, Value)>);

/// Path, mode and records of the Write; `None` when nothing is to be written.
#[track_caller]
fn sent(device: &DeviceKnowledge, key: &str, value: Json, has: Json) -> Option<Sent> {
    let write = write(device, key, value);
    let known = write.known(&has, device);
    match write.command(&known, device).unwrap()? {
        DeviceCommand::Operation(Operation::Write {
            path,
            mode,
            records,
        }) => {
            let records = records.into_iter();
            let records =
                records.map(|record| (record.path.to_string(), record.value.expect("a value")));
            Some((path.to_string(), mode, records.collect()))
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(device: &DeviceKnowledge, key: &str, value: Json) -> String {
    AttributeWrite::of(key, &value, device).expect_err(key)
}

#[test]
fn a_mapped_attribute_replaces_its_resource() {
    let device = thingsboards_device();
    let text = Value::String("+02".into());
    assert_eq!(
        sent(&device, "UtfOffset", json!("+02"), json!("+01")),
        Some((
            "/3/0/14".into(),
            WriteMode::Replace,
            vec![("/3/0/14".into(), text)]
        ))
    );
}

#[test]
fn a_value_the_device_has_is_not_written() {
    let device = thingsboards_device();
    for (key, value, has) in [
        ("UtfOffset", json!("+02"), json!("+02")),
        (
            "dataWrite",
            json!({"0": "00AD"}),
            json!({"0": "00ad", "1": "ff"}),
        ),
        // Milliseconds on both sides, of which the device holds the seconds.
        (
            "dataCreationTime",
            json!(1_625_146_789_123_i64),
            json!(1_625_146_789_000_i64),
        ),
        (
            "dataCreationTime",
            json!("2021-07-01T13:39:49Z"),
            json!(1_625_146_789_000_i64),
        ),
    ] {
        assert_eq!(sent(&device, key, value, has), None, "{key}");
    }
}

#[test]
fn only_instances_that_differ_are_written_and_the_others_stay() {
    let device = thingsboards_device();
    let wanted = json!({"0": "00ad", "25": "25ad"});
    let (path, mode, records) = sent(
        &device,
        "dataWrite",
        wanted,
        json!({"0": "00ad", "3": "ff"}),
    )
    .unwrap();
    assert_eq!((path.as_str(), mode), ("/19/1/0", WriteMode::Update));
    let opaque = Value::Opaque([0x25, 0xad].into());
    assert_eq!(records, [("/19/1/0/25".to_owned(), opaque)]);
}

#[test]
fn lwm2m_1_0_updates_the_object_instance() {
    let device = device("</19/1>", LwM2mVersion::V1_0);
    let write = AttributeWrite::of("dataWrite", &json!({"0": "01"}), &device);
    // The key is of version 1.1 of the object.
    assert!(write.unwrap().is_none());
    let device = super::device("</19>;ver=1.1,</19/1>", LwM2mVersion::V1_0);
    let (path, mode, records) = sent(&device, "dataWrite", json!({"0": "01"}), json!({})).unwrap();
    assert_eq!(mode, WriteMode::Update);
    assert!(path == "/19/1" || path == "/19/1/0", "{path}");
    assert_eq!(records[0].0, "/19/1/0/0");
}

#[test]
fn a_name_the_profile_does_not_map_means_nothing_to_the_device() {
    let device = thingsboards_device();
    for key in ["voltage", "ofAnotherVersion"] {
        assert!(
            AttributeWrite::of(key, &json!(1), &device)
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn what_cannot_be_written_is_refused_saying_why() {
    let device = thingsboards_device();
    assert_eq!(
        refused(&device, "batteryLevel", json!(5)),
        "Resource /3_1.2/0/9 cannot be written: its definition allows R, to read"
    );
    assert_eq!(
        refused(&device, "dataWrite", json!("00ad")),
        "Resource id=/19/1/0, class = String, value = 00ad is bad. Value of Multi-Instance \
         Resource must be in Json format!"
    );
    assert_eq!(
        refused(&device, "dataWrite", json!({})),
        "The value of this resource must be in Map format and size > 0"
    );
    let text = refused(&device, "dataCreationTime", json!("soon"));
    assert!(text.contains("must be TIME!"), "{text}");
    let without = super::device("</1/0>", LwM2mVersion::V1_1);
    let text = refused(&without, "UtfOffset", json!("+02"));
    assert!(text.contains("absent"), "{text}");
}
