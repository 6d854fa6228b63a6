use proptest::prelude::*;

use super::*;

fn reader(json: &str) -> JsonReader<'_> {
    JsonReader::new(json.as_bytes()).expect("valid UTF-8")
}

fn string(json: &str) -> Result<String, DecodeError> {
    let mut reader = reader(json);
    let string = reader.string("a string")?.into_owned();
    reader.end()?;
    Ok(string)
}

fn number(json: &str) -> Result<Number, DecodeError> {
    let mut reader = reader(json);
    let number = reader.number("a number")?;
    reader.end()?;
    Ok(number)
}

fn skip(json: &str) -> Result<(), DecodeError> {
    let mut reader = reader(json);
    reader.skip()?;
    reader.end()
}

#[test]
fn escapes_are_those_of_rfc_8259() {
    assert_eq!(
        string(r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#).as_deref(),
        Ok("a\"\\/\u{8}\u{c}\n\r\té😀z")
    );
    for json in [
        r#""\x""#,
        r#""\u12""#,
        r#""\u+123""#,
        r#""\ud83d""#,
        r#""\ud83d\u0041""#,
        r#""\ude00""#,
        r#""\uéa""#,
    ] {
        assert!(
            matches!(string(json), Err(DecodeError::Malformed { .. })),
            "{json}"
        );
    }
    assert!(matches!(
        string(r#""\"#),
        Err(DecodeError::Malformed { .. } | DecodeError::Truncated { .. })
    ));
}

#[test]
fn a_string_without_escapes_is_borrowed() {
    assert!(matches!(
        reader("\"zażółć\"").string("a string"),
        Ok(Cow::Borrowed("zażółć"))
    ));
}

#[test]
fn integers_are_exact_and_floats_the_nearest() {
    assert_eq!(
        number("18446744073709551615"),
        Ok(Number::Integer(i128::from(u64::MAX)))
    );
    assert_eq!(
        number("-9223372036854775808"),
        Ok(Number::Integer(i128::from(i64::MIN)))
    );
    assert_eq!(
        number("9007199254740993"),
        Ok(Number::Integer(9_007_199_254_740_993))
    );
    assert_eq!(
        number("1795435985.889588"),
        Ok(Number::Float(1_795_435_985.889_588))
    );
    assert_eq!(number("1e3"), Ok(Number::Float(1000.0)));
    assert_eq!(number("5.0"), Ok(Number::Float(5.0)));
}

#[test]
fn other_notations_of_numbers_are_refused() {
    for json in [
        "+1", "01", ".5", "1.", "1e", "-", "0x10", "NaN", "Infinity", "1e999", "1 2",
    ] {
        assert!(number(json).is_err(), "{json}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(skip(&nested(MAX_DEPTH)), Ok(()));
    assert!(skip(&nested(MAX_DEPTH + 1)).is_err());
    assert!(skip(&"[".repeat(1 << 20)).is_err());
}

#[test]
fn an_error_names_the_place_and_what_is_accepted() {
    assert_eq!(
        skip("{\"a\":1 2}").map_err(|error| error.to_string()),
        Err("byte 7: found '2', expected ',' or the end of the list".to_owned())
    );
    assert_eq!(
        skip("[1,").map_err(|error| error.to_string()),
        Err("byte 3: the payload ends, expected a JSON value".to_owned())
    );
}

#[test]
fn a_byte_order_mark_and_a_final_nul_are_put_up_with() {
    assert_eq!(skip("\u{feff} [ 1 , true , null ] \r\n\0"), Ok(()));
}

#[test]
fn nothing_may_follow_the_value() {
    for json in ["1 2", "[] []", "{}\0x"] {
        assert!(skip(json).is_err(), "{json:?}");
    }
}

/// Any JSON value of moderate depth, as serde_json writes it.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        prop_assert_eq!(skip(&text.expect("JSON")), Ok(()));
    }

    #[test]
    fn strings_read_as_serde_json_wrote_them(text: String) {
        let json = serde_json::to_string(&text).expect("JSON");
        prop_assert_eq!(string(&json), Ok(text));
    }

    #[test]
    fn numbers_read_as_serde_json_wrote_them(signed: i64, unsigned: u64, float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
        prop_assert_eq!(number(&serde_json::to_string(&signed).expect("JSON")), Ok(Number::Integer(signed.into())));
        prop_assert_eq!(number(&serde_json::to_string(&unsigned).expect("JSON")), Ok(Number::Integer(unsigned.into())));
        prop_assert_eq!(number(&serde_json::to_string(&float).expect("JSON")).map(Number::as_f64), Ok(float));
    }

    #[test]
    fn what_serde_json_refuses_is_refused_but_for_known_leniency(text in "[\\[\\]{},: \"a0-9.eE+-]{0,24}") {
        if skip(&text).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }
    }
}
