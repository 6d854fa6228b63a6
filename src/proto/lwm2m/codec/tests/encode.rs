//! Encoders: requests as they were sent to real clients, and what formats refuse.

use super::*;

fn record(path: &str, value: Value) -> Record {
    Record {
        path: path.parse().expect("a path"),
        time: None,
        value: Some(value),
    }
}

fn empty(path: &str) -> Record {
    Record {
        path: path.parse().expect("a path"),
        time: None,
        value: None,
    }
}

fn timed(path: &str, time: UnixMillis, value: Value) -> Record {
    Record {
        time: Some(time),
        ..record(path, value)
    }
}

fn encoded_with(options: EncodeOptions, format: u16, base: &str, records: &[Record]) -> Vec<u8> {
    let base = base.parse().expect("a path");
    let mut out = b"before".to_vec();
    encode(format, &base, records, options, &mut out).unwrap_or_else(|error| panic!("{error}"));
    out.split_off(6)
}

fn encoded(format: u16, base: &str, records: &[Record]) -> Vec<u8> {
    encoded_with(EncodeOptions::default(), format, base, records)
}

fn encoded_text(format: u16, base: &str, records: &[Record]) -> String {
    String::from_utf8(encoded(format, base, records)).expect("UTF-8")
}

fn encode_refusal(format: u16, base: &str, records: &[Record]) -> EncodeError {
    let base = base.parse().expect("a path");
    let mut out = b"before".to_vec();
    let error = encode(format, &base, records, EncodeOptions::default(), &mut out)
        .expect_err("the records should be refused");
    assert_eq!(out, b"before", "what was there before stays as it was");
    error
}

const DOUBLE: EncodeOptions = EncodeOptions {
    floats: FloatWidth::Double,
};

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
        hex(super::senml::WAKAAMA_DEVICE_CBOR)
    );
    let records = to_records(wakaama_device(3_162_927_041));
    assert_eq!(
        encoded_text(110, "/3/0", &records),
        super::senml::WAKAAMA_DEVICE_JSON
    );
    assert_eq!(
        encoded(11542, "/3/0", &records),
        hex(super::tlv::WAKAAMA_DEVICE)
    );
    let records = to_records(anjay_device(31681, 1_795_435_792));
    assert_eq!(
        encoded(11542, "/3/0", &records),
        hex(super::tlv::ANJAY_DEVICE)
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

#[test]
fn lengths_and_ids_take_the_bytes_they_need() {
    let entry = |id: u16, length: usize| {
        let path = format!("/33605/5/{id}");
        let payload = encoded(11542, &path, &[record(&path, opaque(&vec![7; length]))]);
        payload[..payload.len() - length].to_vec()
    };
    assert_eq!(entry(10, 0), hex("c00a"));
    assert_eq!(entry(10, 7), hex("c70a"));
    assert_eq!(entry(10, 8), hex("c80a08"));
    assert_eq!(entry(10, 255), hex("c80aff"));
    assert_eq!(entry(10, 256), hex("d00a0100"));
    assert_eq!(entry(10, 65_536), hex("d80a010000"));
    assert_eq!(entry(256, 1), hex("e10100"));
    assert_eq!(entry(65_534, 256), hex("f0fffe0100"));
    assert_eq!(
        encode_refusal(
            11542,
            "/33605/5/10",
            &[record("/33605/5/10", opaque(&vec![0; 1 << 24]))]
        ),
        EncodeError::TooLong {
            path: Path::resource(33605, 5, 10),
            bytes: 1 << 24
        }
    );
    assert_eq!(
        encode_refusal(
            11542,
            "/33605/5",
            &[record("/33605/5/11/0", opaque(&vec![0; (1 << 24) - 1]))]
        )
        .to_string(),
        "/33605/5/11 has 16777220 bytes, TLV holds at most 16777215"
    );
}

#[test]
fn integers_take_the_bytes_they_need() {
    for (integer, tlv, cbor) in [
        (0, "c10c00", "00"),
        (127, "c10c7f", "187f"),
        (128, "c20c0080", "1880"),
        (-128, "c10c80", "387f"),
        (-129, "c20cff7f", "3880"),
        (32_768, "c40c00008000", "198000"),
        (1 << 31, "c80c080000000080000000", "1a80000000"),
        (i64::MAX, "c80c087fffffffffffffff", "1b7fffffffffffffff"),
        (i64::MIN, "c80c088000000000000000", "3b7fffffffffffffff"),
    ] {
        let records = [record("/33605/5/12", Value::Integer(integer))];
        assert_eq!(encoded(11542, "/33605/5/12", &records), hex(tlv));
        assert_eq!(encoded(60, "/33605/5/12", &records), hex(cbor));
    }
    for (integer, tlv, cbor) in [
        (200, "c111c8", "18c8"),
        (u64::MAX, "c81108ffffffffffffffff", "1bffffffffffffffff"),
    ] {
        let records = [record("/33605/5/17", Value::Unsigned(integer))];
        assert_eq!(encoded(11542, "/33605/5/17", &records), hex(tlv));
        assert_eq!(encoded(60, "/33605/5/17", &records), hex(cbor));
        assert_eq!(
            encoded_text(0, "/33605/5/17", &records),
            integer.to_string()
        );
    }
}

#[test]
fn floats_are_plain_digits_in_text_until_they_are_many() {
    for (number, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (5.0, "5"),
        (-150.25, "-150.25"),
        (0.000_001, "0.000001"),
        (1e16, "10000000000000000"),
        (1e17, "1e17"),
        (-1.5e-9, "-1.5e-9"),
        (f64::MAX, "1.7976931348623157e308"),
    ] {
        let records = [record("/33605/5/14", Value::Float(number))];
        assert_eq!(encoded_text(0, "/33605/5/14", &records), text);
    }
}

#[test]
fn a_float_looks_like_one_in_json() {
    let records = [
        record("/33605/5/14", Value::Float(5.0)),
        record("/33605/5/18", Value::Float(1e300)),
    ];
    assert_eq!(
        encoded_text(110, "/33605/5", &records),
        r#"[{"bn":"/33605/5/","n":"14","v":5.0},{"n":"18","v":1e300}]"#
    );
}

#[test]
fn nan_and_infinities_go_out_in_binary_formats_only() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let records = [record("/33605/5/14", Value::Float(number))];
        for format in [60, 112, 11542, 11544] {
            for options in [EncodeOptions::default(), DOUBLE] {
                let payload = encoded_with(options, format, "/33605/5/14", &records);
                let Value::Float(back) = value(format, "/33605/5/14", &payload) else {
                    panic!("a Float");
                };
                assert!(back == number || back.is_nan() && number.is_nan());
            }
        }
        for format in [0, 110, 11543] {
            assert_eq!(
                encode_refusal(format, "/33605/5/14", &records),
                EncodeError::NotFinite {
                    format,
                    path: Path::resource(33605, 5, 14)
                }
            );
        }
    }
}

#[test]
fn strings_are_escaped_in_json() {
    let text = "\"a\\b\n\r\t\u{1}\u{1f}é/";
    let records = [record("/33605/5/15", string(text))];
    let payload = encoded_text(110, "/33605/5/15", &records);
    assert_eq!(
        payload,
        r#"[{"n":"/33605/5/15","vs":"\"a\\b\n\r\t\u0001\u001fé/"}]"#
    );
    assert_eq!(value(110, "/33605/5/15", payload.as_bytes()), string(text));
}

#[test]
fn one_time_for_all_goes_to_the_front() {
    let measured = [
        timed("/3/0/9", 1_795_435_985_890, Value::Integer(95)),
        timed("/3/0/13", 1_795_435_985_890, Value::Time(1)),
    ];
    assert_eq!(
        encoded_text(110, "/3/0", &measured),
        r#"[{"bn":"/3/0/","bt":1795435985.89,"n":"9","v":95},{"n":"13","v":1}]"#
    );
    let expected = [
        &hex("82a421652f332f302f22fb41dac10b7478f5c300613902185f")[..],
        &hex("a2006231330201"),
    ]
    .concat();
    assert_eq!(encoded(112, "/3/0", &measured), expected);
    assert_eq!(
        encoded_text(11543, "/3/0", &measured),
        r#"{"bn":"/3/0/","bt":1795435985.89,"e":[{"n":"9","v":95},{"n":"13","v":1}]}"#
    );
    for format in [110, 112, 11543] {
        let payload = encoded(format, "/3/0", &measured);
        assert_eq!(records(format, "/3/0", &payload), measured);
    }
}

#[test]
fn different_times_go_with_their_values() {
    let measured = [
        timed("/3/0/9", 1_795_435_985_000, Value::Integer(95)),
        record("/3/0/9", Value::Integer(94)),
        timed("/3/0/9", 1_795_435_985_007, Value::Integer(93)),
    ];
    assert_eq!(
        encoded_text(110, "/3/0/9", &measured),
        r#"[{"n":"/3/0/9","t":1795435985,"v":95},{"n":"/3/0/9","v":94},{"n":"/3/0/9","t":1795435985.007,"v":93}]"#
    );
    for format in [110, 112, 11543] {
        let payload = encoded(format, "/3/0/9", &measured);
        assert_eq!(records(format, "/3/0/9", &payload), measured);
    }
}

#[test]
fn a_time_that_would_be_read_otherwise_is_refused() {
    for time in [-1, 0, 268_435_455_999, 253_402_300_800_000] {
        assert_eq!(
            encode_refusal(110, "/3/0/9", &[timed("/3/0/9", time, Value::Integer(1))]),
            EncodeError::TimeOutOfRange {
                path: Path::resource(3, 0, 9)
            }
        );
    }
    for format in [0, 42, 60, 11542, 11544] {
        assert_eq!(
            encode_refusal(
                format,
                "/3/0/9",
                &[timed("/3/0/9", 1_795_435_985_000, Value::Integer(1))]
            ),
            EncodeError::NoTimes {
                format,
                path: Path::resource(3, 0, 9)
            }
        );
    }
}

#[test]
fn a_record_without_value_says_what_the_format_can_say() {
    let removed = [empty("/33605/5/3/7")];
    assert_eq!(
        encoded_text(320, "/", &removed),
        r#"[{"n":"/33605/5/3/7","v":null}]"#
    );
    assert_eq!(
        encoded(322, "/", &removed),
        hex("81a2006c2f33333630352f352f332f3702f6")
    );
    for format in [110, 320, 112, 322, 11544] {
        let payload = encoded(format, "/", &removed);
        assert_eq!(records(format, "/", &payload), removed, "{format}");
    }
    assert_eq!(
        encoded(11542, "/33605/5", &[empty("/33605/5/3")]),
        hex("8003")
    );
    assert_eq!(encoded(11542, "/33605", &[empty("/33605/5")]), hex("0005"));
    assert_eq!(encoded(11542, "/33605/5", &[empty("/33605/5")]), b"");
    assert_eq!(
        encode_refusal(11542, "/33605/5", &removed).to_string(),
        "/33605/5/3/7 has no value, and content format 11542 cannot say so"
    );
    for format in [0, 42, 60, 11543] {
        assert_eq!(
            encode_refusal(format, "/33605/5/3/7", &removed).discriminant(),
            "no_value"
        );
    }
}

#[test]
fn null_removes_a_value_in_senml_etch_only() {
    let payload = br#"[{"n":"/3/0/11/0","v":null},{"n":"/3/0/11/1","v":5}]"#;
    let patch = records(320, "/", payload);
    assert_eq!(
        patch,
        [empty("/3/0/11/0"), record("/3/0/11/1", Value::Integer(5))]
    );
    assert_eq!(
        refusal(110, "/", payload).to_string(),
        "record 0, byte 22: found 'n', expected a value, a number"
    );
    assert!(decode_with(&Unknown, 112, "/", &hex("81a200642f332f3002f6")).is_err());
    assert_eq!(
        refusal(320, "/", br#"[{"n":"/3/0/9","v":null,"vs":"a"}]"#).discriminant(),
        "malformed"
    );
    assert!(decode_with(&Unknown, 322, "/", &hex("81a200662f332f302f3902f6")).is_ok());
}

#[test]
fn nothing_at_all_is_an_empty_payload_of_the_format() {
    for (format, payload) in [
        (110, &b"[]"[..]),
        (112, b"\x80"),
        (11542, b""),
        (11543, br#"{"bn":"/3/0/","e":[]}"#),
        (11544, b"\xa0"),
    ] {
        assert_eq!(encoded(format, "/3/0", &[]), payload);
        assert_eq!(records(format, "/3/0", payload), []);
    }
}

#[test]
fn a_single_value_format_says_why_it_does_not_fit() {
    let instances = [
        record("/3/0/7/0", Value::Integer(3800)),
        record("/3/0/7/1", Value::Integer(5000)),
    ];
    assert_eq!(
        encode_refusal(0, "/3/0/7", &instances).to_string(),
        "content format 0 holds a single value, but 2 are given for /3/0/7"
    );
    assert_eq!(
        encode_refusal(60, "/3/0/7", &instances[..1]).to_string(),
        "content format 60 holds the value of /3/0/7 itself, but the value is of /3/0/7/0"
    );
    assert_eq!(
        encode_refusal(42, "/3/0/9", &[record("/3/0/9", Value::Integer(1))]).to_string(),
        "content format 42 holds bytes, but the value of /3/0/9 is Integer"
    );
    assert_eq!(
        encode_refusal(0, "/3/0/9", &[]).discriminant(),
        "not_one_value"
    );
}

#[test]
fn values_that_cannot_be_there_are_refused_in_every_format() {
    for format in [0, 42, 60, 110, 112, 320, 322, 11542, 11543, 11544] {
        for (base, path, expected) in [
            ("/3/0", "/3/1/9", "path /3/1/9 is not at or under /3/0"),
            ("/3/0", "/3/0", "/3/0 has a value, but is not a Resource"),
        ] {
            let error = encode_refusal(format, base, &[record(path, Value::Integer(1))]);
            assert_eq!(error.to_string(), expected);
        }
        let reserved = Record {
            path: Path::resource(3, 0, u16::MAX),
            time: None,
            value: Some(Value::Integer(1)),
        };
        assert_eq!(
            encode_refusal(format, "/3/0", &[reserved]).to_string(),
            "path /3/0/65535 has the reserved id 65535, expected ids from 0 to 65534"
        );
    }
    assert_eq!(
        encode_refusal(40, "/3/0", &[]).discriminant(),
        "unsupported_format"
    );
}

#[test]
fn formats_that_nest_refuse_a_path_given_twice_or_below_another() {
    let twice = [
        record("/3/0/9", Value::Integer(1)),
        record("/3/0/9", Value::Integer(2)),
    ];
    let below = [
        record("/3/0/7/0", Value::Integer(1)),
        record("/3/0/7", Value::Integer(2)),
    ];
    let above = [empty("/3"), empty("/3/0/9")];
    for format in [11542, 11544] {
        for records in [&twice[..], &below, &above] {
            assert_eq!(
                encode_refusal(format, "/3", records).discriminant(),
                "overlap",
                "{format} {records:?}"
            );
        }
    }
    assert_eq!(
        encode_refusal(11542, "/3/0", &below).to_string(),
        "/3/0/7 and /3/0/7/0 exclude each other: a path is given once, and nothing below it"
    );
    assert_eq!(
        encode_refusal(11542, "/", &twice).discriminant(),
        "needs_object"
    );
    assert_eq!(
        encode_refusal(11544, "/", &[empty("/"), empty("/3")]).discriminant(),
        "no_key_for_root"
    );
}
