//! Bytes for Opaque Resources, from whatever JSON value they are given as.

use data_encoding::{Encoding, HEXLOWER_PERMISSIVE, Specification};
use serde_json::{Number, Value as Json};
use std::sync::LazyLock;

/// The bytes a JSON value stands for; `None` when it stands for none.
///
/// - Text is hexadecimal (any case, an even number of digits) or, when it is not, Base64 with or
///   without padding: `01ABCDEF` is four bytes, `QUJDREVGRw` and `01234567890` are Base64.
/// - A whole number is big-endian, in 4 bytes when it fits in a signed 32-bit integer and in 8 when
///   not; a number with a fraction is IEEE 754, in 4 bytes when its magnitude is within that range
///   and in 8 when not.
/// - A boolean is one byte, 0 or 1.
pub(super) fn of(json: &Json) -> Option<Box<[u8]>> {
    match json {
        Json::String(text) => of_text(text),
        Json::Number(number) => Some(of_number(number)),
        Json::Bool(boolean) => Some([u8::from(*boolean)].into()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn of_text(text: &str) -> Option<Box<[u8]>> {
    let hex = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
    let bytes = match hex {
        Ok(bytes) => bytes,
        Err(_) => LENIENT_BASE64
            .decode(text.trim_end_matches('=').as_bytes())
            .ok()?,
    };
    Some(bytes.into())
}

/// Bits behind the last byte are not looked at: `ABCDEFG` is five bytes.
static LENIENT_BASE64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    specification.check_trailing_bits = false;
    specification
        .encoding()
        .unwrap_or(data_encoding::BASE64_NOPAD)
});

fn of_number(number: &Number) -> Box<[u8]> {
    if let Some(integer) = number.as_i64() {
        return match i32::try_from(integer) {
            Ok(integer) => integer.to_be_bytes().into(),
            Err(_) => integer.to_be_bytes().into(),
        };
    }
    if let Some(integer) = number.as_u64() {
        return integer.to_be_bytes().into();
    }
    let double = number.as_f64().unwrap_or_default();
    let single = double as f32;
    let fits = single.is_finite() && (single != 0.0 || double == 0.0);
    if fits {
        single.to_be_bytes().into()
    } else {
        double.to_be_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // "must_One" and "must_in_Json_format" of thingsboard-behaviour 13.1, RpcLwm2mIntegrationWriteTest.
    #[test]
    fn json_values_have_as_many_bytes_as_thingsboard_gives_them() {
        for (value, length) in [
            (json!("QUJDREVGRw"), 7),
            (json!("QUJDREVGRw=="), 7),
            (json!("ABCDEFG"), 5),
            (json!("01ABCDEF"), 4),
            (json!("1525ad45675600cdef"), 9),
            (json!("01234567890"), 8),
            (json!("01234567890CABFF"), 8),
            (json!(1_234_566), 4),
            (json!(i32::MAX), 4),
            (json!(i32::MIN), 4),
            (json!(4_406_483_977_u64), 8),
            (json!(i64::MAX), 8),
            (json!(i64::MIN), 8),
            (json!(8.02), 4),
            (json!(3.402_823_5e38), 4),
            (json!(1.4e-45), 4),
            (json!(1022.5906), 4),
            (json!(-1022.5906), 4),
            (json!(0.0), 4),
            (json!(f64::MAX), 8),
            (json!(4.9e-324), 8),
            (json!(true), 1),
            (json!(""), 0),
        ] {
            assert_eq!(of(&value).map(|bytes| bytes.len()), Some(length), "{value}");
        }
        assert_eq!(of(&json!("01ABCDEF")), Some([1, 0xab, 0xcd, 0xef].into()));
        assert_eq!(of(&json!("QUJDREVGRw")), Some((*b"ABCDEFG").into()));
        assert_eq!(of(&json!(-2)), Some([0xff, 0xff, 0xff, 0xfe].into()));
    }

    #[test]
    fn text_that_is_neither_hexadecimal_nor_base64_is_no_bytes() {
        for value in [json!("?"), json!("abcde"), json!("not base 64"), json!([1])] {
            assert_eq!(of(&value), None, "{value}");
        }
    }
}
