//! Values in the spelling of Java, which callers of ThingsBoard read.

use jiff::Timestamp;
use serde_json::Value as Json;

/// A number as `Double.toString` prints it: `1.0`, `1.0E10`, `NaN`.
pub(super) fn double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .into();
    }
    if number == 0.0 || PLAIN.contains(&number.abs()) {
        return with_fraction(&number.to_string());
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}E{exponent}", with_fraction(mantissa)),
        None => text,
    }
}

/// Where `Double.toString` needs no exponent.
const PLAIN: std::ops::Range<f64> = 1e-3..1e7;

fn with_fraction(digits: &str) -> String {
    if digits.contains('.') {
        digits.into()
    } else {
        format!("{digits}.0")
    }
}

/// A time as `Date.toString` prints it on a server whose time zone is UTC:
/// `Thu Jul 01 13:39:49 UTC 2021`. Seconds since 1970; a time that no calendar of ours has (before
/// -9999 or after 9999) is printed as such.
pub(super) fn date(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%a %b %d %H:%M:%S UTC %Y").to_string(),
        Err(_) => format!("{seconds} seconds since 1970"),
    }
}

/// The class that a JSON value has for Java, without its package.
pub(super) fn class(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "Boolean",
        Json::Number(number) => match number.as_i64() {
            Some(number) if i32::try_from(number).is_ok() => "Integer",
            Some(_) => "Long",
            None if number.is_u64() => "BigInteger",
            None => "Double",
        },
        Json::String(_) => "String",
        Json::Array(_) => "ArrayList",
        Json::Object(_) => "LinkedHashMap",
    }
}

/// A JSON value as Java prints it: text without quotes, maps as `{a=1, b=2}`.
pub(super) fn json(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(boolean) => boolean.to_string(),
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => double(float),
            _ => number.to_string(),
        },
        Json::String(text) => text.clone(),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(self::json).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}={}", self::json(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_as_java_does() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (25.05, "25.05"),
            (-0.001, "-0.001"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (1.234_567_89e20, "1.23456789E20"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::from(42.2f32), "42.20000076293945"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(number), text);
        }
    }

    #[test]
    fn times_are_spelled_as_java_does_in_utc() {
        assert_eq!(date(1_625_146_789), "Thu Jul 01 13:39:49 UTC 2021");
        assert_eq!(date(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(date(-1), "Wed Dec 31 23:59:59 UTC 1969");
        assert_eq!(date(i64::MAX), "9223372036854775807 seconds since 1970");
    }

    #[test]
    fn json_is_shown_as_java_shows_it() {
        let value = serde_json::json!({"0": "00ad", "1": [1, 2.0, null, true]});
        assert_eq!(json(&value), "{0=00ad, 1=[1, 2.0, null, true]}");
        assert_eq!(class(&value), "LinkedHashMap");
        assert_eq!(class(&serde_json::json!(2_147_483_648_u64)), "Long");
        assert_eq!(class(&serde_json::json!(u64::MAX)), "BigInteger");
    }
}
