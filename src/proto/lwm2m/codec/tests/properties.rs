//! What holds for any payload.

use proptest::prelude::*;

use super::*;

const FORMATS: [u16; 10] = [0, 42, 60, 110, 112, 1542, 1543, 11542, 11543, 11544];
const BASES: [&str; 6] = ["/", "/3", "/3/0", "/3/0/9", "/3/0/7/1", "/33605/5"];

/// Good payloads, to be cut and changed.
const SEEDS: [&[u8]; 5] = [
    br#"[{"bn":"/3/0/","bt":1795435985.5,"n":"9","v":1e2},{"n":"0","vs":"a\u00e9"},{"n":"10","vd":"AA"}]"#,
    br#"{"bn":"/3/0/","e":[{"n":"9","v":5},{"n":"22/0","ov":"3:0"}]}"#,
    b"\x82\xa3\x21\x65/3/0/\x00\x619\x02\x18\x64\xa2\x00\x610\x03\x61a",
    b"\xc1\x09\x64\x86\x06\x41\x00\x01\x41\x01\x05\xc8\x00\x03abc",
    b"\xbf\x82\x03\x00\xbf\x00\x65anjay\x06\xbf\x00\x00\xff\xff\xff",
];

/// Bytes held by the records: the fixed part and what their values own.
fn footprint(records: &[Record]) -> usize {
    let owned = |record: &Record| match &record.value {
        Some(Value::String(text) | Value::Corelnk(text)) => text.len(),
        Some(Value::Opaque(bytes)) => bytes.len(),
        _ => 0,
    };
    records
        .iter()
        .map(|record| size_of::<Record>() + owned(record))
        .sum()
}

fn check_any_payload(payload: &[u8]) -> Result<(), TestCaseError> {
    for format in FORMATS {
        for base in BASES {
            let path: Path = base.parse().expect("a path");
            for types in [&Definitions as &dyn ResourceTypes, &Unknown] {
                let mut records = Vec::new();
                let result = decode(format, &path, payload, types, NOW, &mut |record| {
                    records.push(record)
                });
                prop_assert!(records.iter().all(|record| record.path.starts_with(&path)));
                prop_assert!(
                    footprint(&records)
                        <= size_of::<Record>() * (payload.len() / 2 + 1) + payload.len()
                );
                if let Err(error) = result {
                    prop_assert!(!error.to_string().contains(char::is_control), "{}", error);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_decoded_or_refused_within_bounded_memory(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any_payload(&payload)?;
    }

    #[test]
    fn damaged_payloads_are_decoded_or_refused_within_bounded_memory(
        seed in prop::sample::select(&SEEDS[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        let mut payload = seed.to_vec();
        for (index, byte) in changes {
            let index = index.index(payload.len());
            payload[index] = byte;
        }
        payload.truncate(end.index(payload.len() + 1));
        check_any_payload(&payload)?;
    }

    #[test]
    fn integers_survive_every_format(integer: i64) {
        let path = "/33605/5/12";
        let text = integer.to_string();
        let json = format!(r#"[{{"n":"{path}","v":{integer}}}]"#);
        let oma_json = format!(r#"{{"bn":"{path}","e":[{{"v":{integer}}}]}}"#);
        let cbor = minicbor::to_vec(integer).expect("CBOR");
        let tlv = [&[0xc8, 12, 8][..], &integer.to_be_bytes()].concat();
        let senml_cbor = [&[0x81, 0xa2, 0x00, 0x6b][..], path.as_bytes(), &[0x02], &cbor].concat();
        let lwm2m_cbor = [&[0xa1, 0x83, 0x19, 0x83, 0x45, 0x05, 0x0c][..], &cbor].concat();
        for (format, payload) in [
            (0, text.as_bytes()),
            (60, &cbor[..]),
            (110, json.as_bytes()),
            (112, &senml_cbor[..]),
            (11542, &tlv[..]),
            (11543, oma_json.as_bytes()),
            (11544, &lwm2m_cbor[..]),
        ] {
            prop_assert_eq!(value(format, path, payload), Value::Integer(integer), "format {}", format);
        }
    }

    #[test]
    fn floats_survive_every_format(float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
        let path = "/33605/5/14";
        let number = serde_json::to_string(&float).expect("JSON");
        let json = format!(r#"[{{"n":"{path}","v":{number}}}]"#);
        let cbor = minicbor::to_vec(float).expect("CBOR");
        let tlv = [&[0xc8, 14, 8][..], &float.to_be_bytes()].concat();
        for (format, payload) in [(0, number.as_bytes()), (60, &cbor[..]), (110, json.as_bytes()), (11542, &tlv[..])] {
            prop_assert_eq!(value(format, path, payload), Value::Float(float), "format {}", format);
        }
    }

    #[test]
    fn texts_survive_every_format(text: String) {
        let path = "/33605/5/15";
        let json = format!(r#"[{{"n":"{path}","vs":{}}}]"#, serde_json::to_string(&text).expect("JSON"));
        let cbor = minicbor::to_vec(&text).expect("CBOR");
        for (format, payload) in [(0, text.as_bytes()), (60, &cbor[..]), (110, json.as_bytes())] {
            prop_assert_eq!(value(format, path, payload), string(&text), "format {}", format);
        }
    }
}

#[test]
fn deep_nesting_costs_nothing() {
    for (format, open) in [
        (110, &b"["[..]),
        (110, b"[{\"x\":"),
        (112, b"\x81"),
        (112, b"\xa1\x01"),
        (11543, b"{\"e\":"),
        (11544, b"\xa1\x01"),
        (11544, b"\xbf\x80"),
    ] {
        let payload = open.repeat(60_000 / open.len());
        assert!(
            decode_with(&Unknown, format, "/", &payload).is_err(),
            "{format}"
        );
    }
    let nested_unknown_field = [&b"\x81\xa1\x18\x63"[..], &b"\x9f".repeat(60_000)].concat();
    assert!(decode_with(&Unknown, 112, "/", &nested_unknown_field).is_err());
}

#[test]
fn a_long_base_name_is_not_copied_for_every_record() {
    let base_name = "/3".repeat(15_000);
    let payload = format!(
        "[{{\"bn\":\"{base_name}\"}}{}]",
        ",{\"n\":\"\"}".repeat(3_000)
    );
    let error = refusal(110, "/", payload.as_bytes());
    assert_eq!(error.discriminant(), "invalid_path");
}
