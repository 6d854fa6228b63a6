//! Whole payloads: requests as they were sent, answers as they were received.

use super::*;

// Requests of client-behaviour.md that Anjay answered with 2.01 or 2.04.

#[test]
fn a_create_with_instance_id_has_an_object_instance_entry() {
    let records = [
        record("/33605/5/12", Value::Integer(123)),
        record("/33605/5/15", string("hello world")),
    ];
    assert_eq!(
        encoded(11542, "/33605", &records),
        hex("080511c10c7bc80f0b68656c6c6f20776f726c64")
    );
    assert_eq!(
        encoded(11542, "/33605/5", &records),
        hex("c10c7bc80f0b68656c6c6f20776f726c64"),
        "below an Object Instance there is none"
    );
}

#[test]
fn a_partial_update_of_an_instance_has_bare_resource_entries() {
    let records = [
        record("/33605/5/12", Value::Integer(1000)),
        record("/33605/5/13", Value::Boolean(true)),
        record("/33605/5/14", Value::Float(1.5)),
        record("/33605/5/16", Value::Objlnk(3, 0)),
        record("/33605/5/19", Value::Integer(7)),
    ];
    assert_eq!(
        encoded(11542, "/33605/5", &records),
        hex("c20c03e8c10d01c40e3fc00000c41000030000c11307")
    );
    assert_eq!(
        encoded_with(
            DOUBLE,
            11542,
            "/33605/5",
            &[record("/33605/5/18", Value::Float(2.25))]
        ),
        hex("c812084002000000000000")
    );
}

#[test]
fn a_write_of_a_resource_is_one_entry() {
    assert_eq!(
        encoded(
            11542,
            "/33605/5/12",
            &[record("/33605/5/12", Value::Integer(42))]
        ),
        hex("c10c2a")
    );
}

#[test]
fn a_write_of_a_multiple_resource_has_an_entry_around_its_instances() {
    let records = [
        record("/33605/5/3/0", Value::Integer(10)),
        record("/33605/5/3/7", Value::Integer(11)),
    ];
    assert_eq!(
        encoded(11542, "/33605/5/3", &records),
        hex("860341000a41070b")
    );
}

#[test]
fn single_values_go_as_text_bytes_and_cbor() {
    assert_eq!(
        encoded(0, "/33605/5/15", &[record("/33605/5/15", string("zażółć"))]),
        hex("7a61c5bcc3b3c582c487")
    );
    let bytes: Vec<u8> = (0..16).collect();
    let record_of_bytes = [record("/33605/5/10", opaque(&bytes))];
    assert_eq!(encoded(42, "/33605/5/10", &record_of_bytes), bytes);
    assert_eq!(
        encoded(0, "/33605/5/10", &record_of_bytes),
        b"AAECAwQFBgcICQoLDA0ODw=="
    );
    assert_eq!(
        encoded(
            60,
            "/33605/5/12",
            &[record("/33605/5/12", Value::Integer(-7))]
        ),
        hex("26")
    );
}

#[test]
fn a_write_of_one_resource_in_senml_has_its_full_name() {
    assert_eq!(
        encoded_with(
            DOUBLE,
            112,
            "/33605/5/14",
            &[record("/33605/5/14", Value::Float(3.5))]
        ),
        hex("81a2006b2f33333630352f352f313402fb400c000000000000")
    );
    assert_eq!(
        encoded(
            112,
            "/33605/5/14",
            &[record("/33605/5/14", Value::Float(3.5))]
        ),
        hex("81a2006b2f33333630352f352f313402fa40600000")
    );
}

#[test]
fn a_write_of_an_instance_in_senml_has_a_base_name() {
    let records = [
        record("/33605/5/15", string("js")),
        record("/33605/5/13", Value::Boolean(false)),
    ];
    assert_eq!(
        encoded_text(110, "/33605/5", &records),
        r#"[{"bn":"/33605/5/","n":"15","vs":"js"},{"n":"13","vb":false}]"#
    );
    let security = [
        record("/0/1/0", string("coap://127.0.0.1:5783")),
        record("/0/1/1", Value::Boolean(false)),
        record("/0/1/10", Value::Integer(1)),
        record("/0/1/2", Value::Integer(3)),
    ];
    assert_eq!(
        encoded(112, "/0/1", &security),
        hex(
            "84a321652f302f312f0061300375636f61703a2f2f3132372e302e302e313a35373833a200613104f4a2006231300201a20061320203"
        )
    );
    assert_eq!(
        encoded_text(110, "/0/1", &security),
        r#"[{"bn":"/0/1/","n":"0","vs":"coap://127.0.0.1:5783"},{"n":"1","vb":false},{"n":"10","v":1},{"n":"2","v":3}]"#
    );
}

#[test]
fn a_write_of_one_resource_in_oma_json_has_no_name_behind_the_base_name() {
    assert_eq!(
        encoded_text(
            11543,
            "/33605/5/12",
            &[record("/33605/5/12", Value::Integer(5))]
        ),
        r#"{"bn":"/33605/5/12","e":[{"v":5}]}"#
    );
    assert_eq!(
        encoded_text(
            1543,
            "/33605",
            &[
                record("/33605/5/10", opaque(b"\xfb\xff")),
                record("/33605/5/16", Value::Objlnk(3, 0)),
                record("/33605/5/13", Value::Boolean(true)),
            ]
        ),
        r#"{"bn":"/33605/","e":[{"n":"5/10","sv":"+/8="},{"n":"5/16","ov":"3:0"},{"n":"5/13","bv":true}]}"#
    );
    assert_eq!(
        encoded_text(11543, "/", &[record("/3/0/0", string("a"))]),
        r#"{"bn":"/","e":[{"n":"3/0/0","sv":"a"}]}"#
    );
}

#[test]
fn a_write_of_one_resource_in_lwm2m_cbor_is_a_map_for_each_id() {
    assert_eq!(
        encoded(
            11544,
            "/33605/5/12",
            &[record("/33605/5/12", Value::Integer(77))]
        ),
        hex("a1198345a105a10c184d")
    );
}

#[test]
fn a_write_composite_has_full_names_in_the_order_given() {
    let records = [
        record("/3/0/14", string("+05:00")),
        record("/1/1/1", Value::Integer(90)),
    ];
    assert_eq!(
        encoded(112, "/", &records),
        hex("82a200672f332f302f313403662b30353a3030a200662f312f312f3102185a")
    );
}

#[test]
fn the_paths_of_a_read_composite_are_records_with_names_only() {
    let paths = |texts: &[&str]| -> Vec<Path> {
        texts
            .iter()
            .map(|text| text.parse().expect("a path"))
            .collect()
    };
    let list = |format, texts: &[&str]| {
        let mut out = Vec::new();
        encode_paths(format, &paths(texts), &mut out).map(|()| out)
    };
    let cbor = hex("83a100662f332f302f30a100672f332f302f3134a100662f312f312f31");
    let texts = ["/3/0/0", "/3/0/14", "/1/1/1"];
    assert_eq!(list(112, &texts), Ok(cbor.clone()));
    assert_eq!(list(322, &texts), Ok(cbor));
    let json = br#"[{"n":"/3/0/0"},{"n":"/3/0/7"},{"n":"/1"}]"#;
    let texts = ["/3/0/0", "/3/0/7", "/1"];
    assert_eq!(list(110, &texts), Ok(json.to_vec()));
    assert_eq!(list(320, &texts), Ok(json.to_vec()));
    assert_eq!(list(110, &["/"]), Ok(br#"[{"n":"/"}]"#.to_vec()));
    assert_eq!(
        list(11544, &texts),
        Ok(hex("a2 01 f6 03 a1 00 a2 00 f6 07 f6"))
    );

    assert_eq!(
        list(11542, &texts),
        Err(EncodeError::NoPathLists { format: 11542 })
    );
    assert_eq!(list(11544, &["/"]), Err(EncodeError::NoKeyForRoot));
    assert_eq!(
        list(11544, &["/5/0/2", "/5/0"]),
        Err(EncodeError::Overlap {
            path: Path::instance(5, 0),
            other: Path::resource(5, 0, 2)
        })
    );
}

// What a Read of these clients returns, built from its values.

#[test]
fn the_answer_of_a_device_comes_out_as_wakaama_writes_it() {
    let to_records = |values: Vec<(String, Value)>| -> Vec<Record> {
        values
            .into_iter()
            .map(|(path, value)| record(&path, value))
            .collect()
    };
    let records = to_records(wakaama_device(3_162_927_063));
    assert_eq!(
        encoded(112, "/3/0", &records),
        hex(super::super::senml::WAKAAMA_DEVICE_CBOR)
    );
    let records = to_records(wakaama_device(3_162_927_041));
    assert_eq!(
        encoded_text(110, "/3/0", &records),
        super::super::senml::WAKAAMA_DEVICE_JSON
    );
    assert_eq!(
        encoded(11542, "/3/0", &records),
        hex(super::super::tlv::WAKAAMA_DEVICE)
    );
    let records = to_records(anjay_device(31681, 1_795_435_792));
    assert_eq!(
        encoded(11542, "/3/0", &records),
        hex(super::super::tlv::ANJAY_DEVICE)
    );
}

// The examples of LwM2M Core 1.0 §6.4.3.

#[test]
fn the_access_control_object_of_the_specification_comes_out_byte_by_byte() {
    let records = [
        ("/2/0/0", 1),
        ("/2/0/1", 0),
        ("/2/0/2/127", 7),
        ("/2/0/3", 127),
        ("/2/2/0", 3),
        ("/2/2/1", 0),
        ("/2/2/2/127", 7),
        ("/2/2/2/310", 1),
        ("/2/2/3", 127),
    ]
    .map(|(path, integer)| record(path, Value::Integer(integer)));
    let expected =
        hex("08000ec10001c101008302417f07c1037f080212c10003c101008702417f0761013601c1037f");
    assert_eq!(encoded(11542, "/2", &records), expected);
    let mut shuffled = records;
    shuffled.reverse();
    assert_eq!(
        encoded(11542, "/2", &shuffled),
        expected,
        "TLV goes by ascending path, whatever the order of the values"
    );
    assert_eq!(encoded(1542, "/2", &shuffled), expected);
}
