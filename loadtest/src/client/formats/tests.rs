//! Bytes that other implementations were seen to send, and that the OMA specifications print.

use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::*;
use crate::client::options::ClientOptions;
use crate::client::tree::object_models;

fn tree() -> Tree {
    let options = ClientOptions {
        seed: Some(1),
        version: Version::V1_2,
        ..ClientOptions::new("127.0.0.1:1".parse().unwrap(), "x")
    };
    crate::client::objects::initial(&options, 0, &mut fastrand::Rng::with_seed(1))
}

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

/// The Device object that Anjay answered with.
fn anjay() -> Vec<Record> {
    let record = |at: &str, value: Value| Record::new(path(&format!("/3/0/{at}")), value);
    vec![
        record("0", "anjay".into()),
        record("1", "demo-client".into()),
        record("2", "1.1".into()),
        record("3", "3.14.0".into()),
        record("6/0", 0.into()),
        record("7/0", 31_681.into()),
        record("8/0", 11.into()),
        record("9", 0.into()),
        record("10", 0.into()),
        record("11/0", 0.into()),
        record("13", Value::Time(1_795_435_792)),
        record("14", "+01:00".into()),
        record("15", "Europe/Warsaw".into()),
        record("16", "UQ".into()),
        record("17", "".into()),
        record("18", "".into()),
        record("19", "".into()),
        record("20", 0.into()),
        record("21", 0.into()),
        record("22/0", Value::ObjectLink(33_606, 0)),
    ]
}

const ANJAY_SENML_CBOR: &str = "94a321642f332f3000622f300365616e6a6179a200622f31036b64656d6f2d636c69656e74a200622f320363312e31a200622f330366332e31342e30a200642f362f300200a200642f372f3002197bc1a200642f382f30020ba200622f390200a200632f31300200a200652f31312f300200a200632f3133021a6b042d10a200632f313403662b30313a3030a200632f3135036d4575726f70652f576172736177a200632f313603625551a200632f31370360a200632f31380360a200632f31390360a200632f32300200a200632f32310200a200652f32322f3063766c6f6733333630363a30";
const ANJAY_LWM2M_CBOR: &str = "bf820300bf0065616e6a6179016b64656d6f2d636c69656e740263312e310366332e31342e3006bf0000ff07bf00197bc1ff08bf000bff09000a000bbf0000ff0d1a6b042d100e662b30313a30300f6d4575726f70652f576172736177106255511160126013601400150016bf006733333630363a30ffffff";
const ANJAY_TLV: &str = "c500616e6a6179c8010b64656d6f2d636c69656e74c302312e31c603332e31342e308306410000840742007bc1830841000bc10900c10a00830b410000c40d6b042d10c60e2b30313a3030c80f0d4575726f70652f576172736177c2105551c011c012c013c11400c115008616440083460000";
const ANJAY_SENML_JSON: &str = r#"[{"bn":"/3/0","n":"/0","vs":"anjay"},{"n":"/1","vs":"demo-client"},{"n":"/2","vs":"1.1"},{"n":"/3","vs":"3.14.0"},{"n":"/6/0","v":0},{"n":"/7/0","v":31681},{"n":"/8/0","v":11},{"n":"/9","v":0},{"n":"/10","v":0},{"n":"/11/0","v":0},{"n":"/13","v":1795435792},{"n":"/14","vs":"+01:00"},{"n":"/15","vs":"Europe/Warsaw"},{"n":"/16","vs":"UQ"},{"n":"/17","vs":""},{"n":"/18","vs":""},{"n":"/19","vs":""},{"n":"/20","v":0},{"n":"/21","v":0},{"n":"/22/0","vlo":"33606:0"}]"#;
const ANJAY_JSON: &str = r#"{"bn":"/3/0","e":[{"n":"/0","sv":"anjay"},{"n":"/1","sv":"demo-client"},{"n":"/2","sv":"1.1"},{"n":"/3","sv":"3.14.0"},{"n":"/6/0","v":0},{"n":"/7/0","v":31681},{"n":"/8/0","v":11},{"n":"/9","v":0},{"n":"/10","v":0},{"n":"/11/0","v":0},{"n":"/13","v":1795435792},{"n":"/14","sv":"+01:00"},{"n":"/15","sv":"Europe/Warsaw"},{"n":"/16","sv":"UQ"},{"n":"/17","sv":""},{"n":"/18","sv":""},{"n":"/19","sv":""},{"n":"/20","v":0},{"n":"/21","v":0},{"n":"/22/0","ov":"33606:0"}]}"#;

#[test]
fn the_device_object_is_the_bytes_of_anjay_in_every_format() {
    let cases = [
        (SENML_CBOR, bytes(ANJAY_SENML_CBOR)),
        (LWM2M_CBOR, bytes(ANJAY_LWM2M_CBOR)),
        (TLV, bytes(ANJAY_TLV)),
        (SENML_JSON, ANJAY_SENML_JSON.into()),
        (JSON, ANJAY_JSON.into()),
    ];
    for (format, payload) in cases {
        assert_eq!(
            encode(format, &path("/3/0"), &anjay()).unwrap(),
            payload,
            "{format}"
        );
        assert_eq!(
            decode(format, &path("/3/0"), &payload, &tree()).unwrap(),
            anjay(),
            "{format}"
        );
    }
}

#[test]
fn base_names_that_end_in_a_slash_are_read() {
    // Wakaama: Power Source Voltage in JSON, and the beginning of the Device object in SenML CBOR.
    let voltage = br#"{"bn":"/3/0/7/","e":[{"n":"0","v":3800},{"n":"1","v":5000}]}"#;
    let records = decode(JSON, &path("/3/0/7"), voltage, &tree()).unwrap();
    assert_eq!(records[1], Record::new(path("/3/0/7/1"), 5_000.into()));
    let send =
        bytes("82a321652f332f302f00613003744f70656e204d6f62696c6520416c6c69616e6365a2006139021864");
    let records = decode(SENML_CBOR, &Path::ROOT, &send, &tree()).unwrap();
    assert_eq!(records[1], Record::new(path("/3/0/9"), 100.into()));
}

#[test]
fn base_times_are_kept() {
    let send = bytes(
        "83a421642f332f3000622f3022fb41dac10b7de0d2910365616e6a6179a200632f3133021a6b042df7a200642f372f3002197c05",
    );
    let records = decode(SENML_CBOR, &Path::ROOT, &send, &tree()).unwrap();
    assert_eq!(records[2].path, path("/3/0/7/0"));
    assert!(
        records
            .iter()
            .all(|record| record.time == Some(1_795_436_023.512_852))
    );
    assert_eq!(encode(SENML_CBOR, &path("/3/0"), &records).unwrap(), send);
}

#[test]
fn composite_requests_of_anjay_are_read() {
    let cbor = bytes("83a100662f332f302f30a100672f332f302f3134a100662f312f312f31");
    let wanted = [path("/3/0/0"), path("/3/0/14"), path("/1/1/1")];
    assert_eq!(decode_paths(SENML_CBOR, &cbor).unwrap(), wanted);
    let json = br#"[{"n":"/3/0/0"},{"n":"/3/0/7"},{"n":"/1"}]"#;
    assert_eq!(decode_paths(SENML_JSON, json).unwrap()[2], path("/1"));
}

#[test]
fn a_definite_lwm2m_cbor_map_is_read() {
    let records = decode(
        LWM2M_CBOR,
        &path("/3/0/14"),
        &bytes("a103a100a10e632b3031"),
        &tree(),
    )
    .unwrap();
    assert_eq!(records, [Record::new(path("/3/0/14"), "+01".into())]);
}

/// Every type in every format, there and back.
#[test]
fn every_type_survives_every_format() {
    let xml = every_type();
    let model = object_models(&xml).unwrap().remove(0);
    let mut tree = Tree::default();
    tree.add_object(Arc::new(model), "1.0");
    let values = [
        (0, Value::Text("zażółć \"quoted\"".into())),
        (1, Value::Integer(i64::MIN)),
        (2, Value::Unsigned(u64::MAX)),
        (3, Value::Float(-0.1)),
        (4, Value::Boolean(true)),
        (5, Value::Opaque(vec![0, 255, 254, 62, 63])),
        (6, Value::Time(-1)),
        (7, Value::ObjectLink(65_535, 1)),
        (8, Value::CoreLink("</3>;x=1".into())),
        (3, Value::Float(42.0)),
        (1, Value::Integer(-129)),
        (2, Value::Unsigned(300)),
        (5, Value::Opaque(vec![7; 70_000])),
    ];
    for (id, value) in values {
        let at = Path::new(&[32_769, 0, id]);
        let records = [Record::new(at, value)];
        for format in [TEXT, CBOR, SENML_JSON, SENML_CBOR, TLV, JSON, LWM2M_CBOR] {
            for base in [at, at.ancestor(2), at.ancestor(1)] {
                if is_single_valued(format) && base != at {
                    continue;
                }
                let payload = encode(format, &base, &records).unwrap();
                let back = decode(format, &base, &payload, &tree);
                assert_eq!(back.as_deref(), Ok(&records[..]), "{format} at {base}");
            }
        }
    }
}

#[test]
fn no_prefix_of_a_payload_is_a_panic() {
    let tree = tree();
    for (format, payload) in [
        (SENML_CBOR, bytes(ANJAY_SENML_CBOR)),
        (LWM2M_CBOR, bytes(ANJAY_LWM2M_CBOR)),
        (TLV, bytes(ANJAY_TLV)),
        (SENML_JSON, ANJAY_SENML_JSON.into()),
        (JSON, ANJAY_JSON.into()),
    ] {
        for length in 1..payload.len() {
            let part = decode(format, &path("/3/0"), &payload[..length], &tree);
            // TLV has no end of its own: a prefix that ends between elements is whole.
            assert!(part.is_err() || format == TLV, "{format} {length}");
        }
    }
}

#[test]
fn a_model_that_cannot_be_is_refused_with_its_reason() {
    for (xml, reason) in [
        ("<LWM2M></LWM2M>".to_owned(), "no <Object>"),
        (every_type().replace("<Type>Time", "<Type>Colour"), "Colour"),
        (
            every_type().replace("<ObjectID>32769", "<ObjectID>65535"),
            "65535",
        ),
        ("<LWM2M><Object></Item>".to_owned(), "XML"),
    ] {
        let error = object_models(&xml).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

fn every_type() -> String {
    let types = [
        "String",
        "Integer",
        "Unsigned Integer",
        "Float",
        "Boolean",
        "Opaque",
        "Time",
        "Objlnk",
        "Corelnk",
    ];
    let items = types.iter().enumerate().map(|(id, name)| {
        format!(
            "<Item ID=\"{id}\"><Name>{name}</Name><Operations>RW</Operations>\
             <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Type>{name}</Type></Item>"
        )
    });
    let items: String = items.collect();
    format!(
        "<?xml version=\"1.0\"?><LWM2M><Object><Name>All</Name><ObjectID>32769</ObjectID>\
         <MultipleInstances>Multiple</MultipleInstances><Resources>{items}</Resources></Object></LWM2M>"
    )
}
