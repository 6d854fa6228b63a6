//! How values, lengths and the absence of a value are written.

use super::*;

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
