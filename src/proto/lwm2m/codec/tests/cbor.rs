use super::*;

const CBOR: u16 = 60;

fn number(path: &str, item: &str) -> Value {
    value(CBOR, path, &hex(item))
}

#[test]
fn one_item_is_one_value() {
    assert_eq!(number("/3/0/0", "65616e6a6179"), string("anjay"));
    assert_eq!(number("/33605/5/12", "26"), Value::Integer(-7));
    assert_eq!(number("/33605/5/13", "f5"), Value::Boolean(true));
    assert_eq!(number("/33605/5/10", "43010203"), opaque(&[1, 2, 3]));
    assert_eq!(
        number("/33605/5/16", "6733333630363a30"),
        Value::Objlnk(33606, 0)
    );
}

#[test]
fn floats_of_every_width_are_read() {
    for item in ["f93e00", "fa3fc00000", "fb3ff8000000000000"] {
        assert_eq!(number("/33605/5/14", item), Value::Float(1.5), "{item}");
    }
    assert!(matches!(number("/33605/5/14", "f97e00"), Value::Float(float) if float.is_nan()));
}

#[test]
fn integers_of_every_width_are_exact() {
    assert_eq!(
        number("/33605/5/17", "1bffffffffffffffff"),
        Value::Unsigned(u64::MAX)
    );
    assert_eq!(
        number("/33605/5/12", "3b7fffffffffffffff"),
        Value::Integer(i64::MIN)
    );
    assert_eq!(
        number("/33605/5/12", "1b0000000000000005"),
        Value::Integer(5)
    );
    assert_eq!(
        refusal(CBOR, "/33605/5/12", &hex("3b8000000000000000")).to_string(),
        "byte 0: value of /33605/5/12 is an integer outside of the type's 64 bits, expected Integer"
    );
}

#[test]
fn strings_may_come_in_pieces() {
    assert_eq!(number("/3/0/0", "7f62616e636a6179ff"), string("anjay"));
    assert_eq!(number("/33605/5/10", "5f41014102ff"), opaque(&[1, 2]));
}

#[test]
fn epoch_times_and_decimal_fractions_are_numbers() {
    assert_eq!(
        number("/3/0/13", "c11a6b042d10"),
        Value::Time(1_795_435_792)
    );
    // 273.15, the example of RFC 8949 §3.4.4
    assert_eq!(number("/33605/5/14", "c48221196ab3"), Value::Float(273.15));
    assert_eq!(number("/3/0/0", "d9d9f765616e6a6179"), string("anjay"));
}

#[test]
fn without_definition_a_value_has_the_type_of_its_item() {
    let of = |item: &str| {
        let records = decode_with(&Unknown, CBOR, "/9999/0/1", &hex(item)).expect("a good item");
        records[0].value.clone().expect("a value")
    };
    assert_eq!(of("05"), Value::Integer(5));
    assert_eq!(of("1bffffffffffffffff"), Value::Unsigned(u64::MAX));
    assert_eq!(of("f93e00"), Value::Float(1.5));
    assert_eq!(of("f4"), Value::Boolean(false));
    assert_eq!(of("6161"), string("a"));
    assert_eq!(of("4101"), opaque(&[1]));
}

#[test]
fn other_items_are_refused_with_the_place() {
    for (item, text) in [
        (
            "",
            "byte 0: the payload ends, expected a number, boolean, text or bytes",
        ),
        (
            "19",
            "byte 1: the payload ends, expected a number, boolean, text or bytes",
        ),
        (
            "c249010000000000000000",
            "byte 0: found tag 2, expected a number, boolean, text or bytes",
        ),
        (
            "c1c101",
            "byte 0: found tag 1, expected a number, boolean, text or bytes",
        ),
        (
            "8101",
            "byte 0: found array, expected a number, boolean, text or bytes",
        ),
        (
            "f6",
            "byte 0: found null, expected a number, boolean, text or bytes",
        ),
        (
            "0101",
            "byte 1: found more bytes, expected the end of the payload",
        ),
        (
            "c48121",
            "byte 1: found another decimal fraction, expected an array of exponent and mantissa, both integers",
        ),
        (
            "c4821a7fffffff01",
            "byte 1: found another decimal fraction, expected an array of exponent and mantissa, both integers",
        ),
    ] {
        assert_eq!(
            refusal(CBOR, "/33605/5/12", &hex(item)).to_string(),
            text,
            "{item}"
        );
    }
}
