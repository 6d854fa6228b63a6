//! Text and Opaque.

use super::*;

const TEXT: u16 = 0;
const OPAQUE: u16 = 42;

#[test]
fn text_is_read_in_the_type_of_the_resource() {
    assert_eq!(value(TEXT, "/3/0/0", b"anjay"), string("anjay"));
    assert_eq!(
        value(TEXT, "/3/0/13", b"1795435982"),
        Value::Time(1_795_435_982)
    );
    assert_eq!(
        value(TEXT, "/33605/5/15", &hex("7a61c5bcc3b3c582c487")),
        string("zażółć")
    );
    assert_eq!(
        value(TEXT, "/33605/5/12", b"-9223372036854775808"),
        Value::Integer(i64::MIN)
    );
    assert_eq!(
        value(TEXT, "/33605/5/17", b"18446744073709551615"),
        Value::Unsigned(u64::MAX)
    );
    assert_eq!(value(TEXT, "/33605/5/14", b"-1.5e2"), Value::Float(-150.0));
    assert_eq!(value(TEXT, "/33605/5/14", b"21"), Value::Float(21.0));
    assert_eq!(
        value(TEXT, "/33605/5/16", b"33606:0"),
        Value::Objlnk(33606, 0)
    );
    assert_eq!(
        value(TEXT, "/33605/5/19", b"</3/0/9>"),
        Value::Corelnk("</3/0/9>".into())
    );
    assert_eq!(value(TEXT, "/3/0/7/1", b"31681"), Value::Integer(31681));
}

#[test]
fn booleans_are_digits_and_words_are_put_up_with() {
    for (text, expected) in [("0", false), ("1", true), ("true", true), ("false", false)] {
        assert_eq!(
            value(TEXT, "/33605/5/13", text.as_bytes()),
            Value::Boolean(expected)
        );
    }
}

#[test]
fn opaque_values_are_base64_in_text() {
    let bytes: Vec<u8> = (0..16).collect();
    for text in ["AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODw"] {
        assert_eq!(value(TEXT, "/33605/5/10", text.as_bytes()), opaque(&bytes));
    }
    assert_eq!(value(TEXT, "/33605/5/10", b"-_8="), opaque(&[0xfb, 0xff]));
}

#[test]
fn text_of_unknown_type_is_a_string() {
    assert_eq!(value(TEXT, "/4/0/2", b"-87"), string("-87"));
}

#[test]
fn white_space_and_nul_around_a_number_make_no_difference() {
    for text in [&b" 95\r\n"[..], b"95\0"] {
        assert_eq!(value(TEXT, "/3/0/9", text), Value::Integer(95));
    }
    assert_eq!(value(TEXT, "/3/0/0", b" a\n"), string(" a\n"));
}

#[test]
fn wrong_text_is_refused_with_the_accepted_spelling() {
    for (path, text, expected) in [
        ("/3/0/9", "ten", "a decimal integer of 64 bits"),
        ("/3/0/9", "", "a decimal integer of 64 bits"),
        ("/3/0/9", "1.5", "a decimal integer of 64 bits"),
        (
            "/3/0/9",
            "9223372036854775808",
            "a decimal integer of 64 bits",
        ),
        ("/33605/5/17", "-1", "a decimal unsigned integer of 64 bits"),
        ("/33605/5/14", "nan", "a decimal number"),
        ("/33605/5/14", "1e999", "a decimal number"),
        ("/33605/5/13", "yes", "0 or 1"),
        ("/33605/5/10", "AAE*", "base64"),
        ("/33605/5/16", "33606", "object:instance"),
        ("/3/0/13", "today", "seconds since 1970 in decimal"),
    ] {
        let error = refusal(TEXT, path, text.as_bytes());
        assert_eq!(
            error.to_string(),
            format!("byte 0: found \"{text}\", expected {expected}")
        );
    }
    let error = refusal(TEXT, "/3/0/0", b"ab\xff");
    assert_eq!(
        error.to_string(),
        "byte 2: found a byte that is not UTF-8, expected text in UTF-8"
    );
}

#[test]
fn opaque_is_bytes_as_they_are() {
    let bytes = hex("000102030405060708090a0b0c0d0e0f");
    assert_eq!(value(OPAQUE, "/33605/5/10", &bytes), opaque(&bytes));
    assert_eq!(value(OPAQUE, "/5/0/0", b""), opaque(b""));
}

#[test]
fn opaque_does_not_fit_another_type() {
    assert_eq!(
        refusal(OPAQUE, "/3/0/9", b"\x01").to_string(),
        "byte 0: value of /3/0/9 is bytes, expected Integer"
    );
}
