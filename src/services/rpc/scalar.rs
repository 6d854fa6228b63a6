//! One JSON value as a value of LwM2M.
//!
//! One rule for all forms of writing: ThingsBoard's converter for single Resources and that for
//! instances differ in widths of integers and in the unit of times; here integers have 64 bits and
//! times are milliseconds everywhere.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value as Json};

use crate::proto::lwm2m::{ResourceType, Value, parse_objlnk};

use super::bytes;
use super::id::VersionedId;
use super::java;
use super::refusal::Hint;

/// The value that `json` stands for in a Resource of type `expected`.
///
/// | type | from |
/// |---|---|
/// | String | text; numbers and booleans as text |
/// | Integer, Unsigned Integer | whole numbers of 64 bits; the same as decimal text |
/// | Float | numbers; the same as text, `NaN` and `Infinity` included |
/// | Boolean | booleans; `true` and `false` as text in any case; 1 and 0 |
/// | Time | milliseconds since 1970 as number or text (decimal, `0x…`, octal), ISO 8601 text |
/// | Opaque | see [`bytes::of`] |
/// | Objlnk | `3:0` or `/3/0` |
/// | Corelnk | text |
/// | not known | what it is in JSON |
///
/// # Errors
/// The value cannot be of that type; what could, where the name of the type does not say it.
pub(super) fn convert(json: &Json, expected: Option<ResourceType>) -> Result<Value, Hint> {
    let Some(expected) = expected else {
        return of_its_own_type(json);
    };
    let (value, hint) = match expected {
        ResourceType::String => (text(json).map(|text| Value::String(text.into())), None),
        ResourceType::Integer => (integer(json).map(Value::Integer), Some(INTEGER)),
        ResourceType::UnsignedInteger => (integer(json).map(Value::Unsigned), Some(UNSIGNED)),
        ResourceType::Float => (float(json).map(Value::Float), None),
        ResourceType::Boolean => (boolean(json).map(Value::Boolean), None),
        ResourceType::Opaque => (bytes::of(json).map(Value::Opaque), Some(OPAQUE)),
        ResourceType::Time => (time(json).map(Value::Time), None),
        ResourceType::Objlnk => (objlnk(json), Some(OBJLNK)),
        ResourceType::Corelnk => (
            json.as_str().map(|text| Value::Corelnk(text.into())),
            Some(CORELNK),
        ),
    };
    value.ok_or_else(|| Hint(hint.filter(|_| is_near(json, expected))))
}

const INTEGER: &str = "a whole number from -9223372036854775808 to 9223372036854775807";
const UNSIGNED: &str = "a whole number from 0 to 18446744073709551615";
const OPAQUE: &str = "hexadecimal digits or Base64";
const OBJLNK: &str = "an object link such as 3:0";
const CORELNK: &str = "text in link format";

/// Whether the kind of JSON value is one of the type's, so that the type does not say what is wrong.
fn is_near(json: &Json, expected: ResourceType) -> bool {
    match expected {
        ResourceType::Integer | ResourceType::UnsignedInteger => {
            json.is_number() || json.as_str().is_some_and(|text| float_of(text).is_some())
        }
        ResourceType::Opaque => json.is_string(),
        ResourceType::Objlnk => json.is_string(),
        ResourceType::Corelnk => true,
        _ => false,
    }
}

fn of_its_own_type(json: &Json) -> Result<Value, Hint> {
    Ok(match json {
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Bool(boolean) => Value::Boolean(*boolean),
        Json::Number(number) => {
            if let Some(integer) = number.as_i64() {
                Value::Integer(integer)
            } else if let Some(unsigned) = number.as_u64() {
                Value::Unsigned(unsigned)
            } else {
                Value::Float(number.as_f64().unwrap_or_default())
            }
        }
        Json::Null | Json::Array(_) | Json::Object(_) => {
            return Err(Hint(Some("text, a number or a boolean")));
        }
    })
}

fn text(json: &Json) -> Option<String> {
    match json {
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        scalar => Some(java::json(scalar)),
    }
}

fn integer<T: TryFrom<i128>>(json: &Json) -> Option<T> {
    let integer = match json {
        Json::Number(number) => whole(number)?,
        Json::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    T::try_from(integer).ok()
}

/// The whole number this is, `5.0` included.
fn whole(number: &Number) -> Option<i128> {
    if let Some(integer) = number.as_i64() {
        return Some(integer.into());
    }
    if let Some(integer) = number.as_u64() {
        return Some(integer.into());
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() < TWO_POW_64).then_some(float as i128)
}

/// 2^64: floats below convert exactly.
const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.trim() {
            "NaN" => Some(f64::NAN),
            "Infinity" | "+Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => float_of(text),
        },
        _ => None,
    }
}

fn float_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.filter(|_| digits)
}

fn boolean(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(boolean) => Some(*boolean),
        Json::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Json::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        Json::Number(number) => match whole(number) {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// Seconds since 1970, the second before where there is a fraction.
fn time(json: &Json) -> Option<i64> {
    let millis = match json {
        Json::Number(number) => match whole(number) {
            Some(millis) => i64::try_from(millis).ok()?,
            None => number
                .as_f64()
                .filter(|millis| millis.abs() < TWO_POW_63)
                .map(|millis| millis.floor() as i64)?,
        },
        Json::String(text) => match text.trim() {
            text if is_integer(text) => integer_literal(text)?,
            text => return point_in_time(text),
        },
        _ => return None,
    };
    Some(millis.div_euclid(1000))
}

const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with("0x") || digits.starts_with("0X") || {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// A number as Java source spells it: decimal, hexadecimal behind `0x`, octal behind `0`.
fn integer_literal(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (digits, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| i64::from_str_radix(&format!("{sign}{digits}"), radix).ok())?
}

/// ISO 8601, in UTC when it states no offset.
fn point_in_time(text: &str) -> Option<i64> {
    let in_utc = || {
        let time = text.parse::<DateTime>().ok()?;
        TimeZone::UTC.to_timestamp(time).ok()
    };
    let time = text.parse::<Timestamp>().ok().or_else(in_utc)?;
    Some(time.as_millisecond().div_euclid(1000))
}

fn objlnk(json: &Json) -> Option<Value> {
    let text = json.as_str()?.trim();
    if let Ok((object, instance)) = parse_objlnk(text) {
        return Some(Value::Objlnk(object, instance));
    }
    let path = VersionedId::parse(text).ok()?.path;
    let is_path = text.starts_with('/') && path.len() == 2;
    is_path.then_some(Value::Objlnk(path.object_id()?, path.instance_id()?))
}

/// Name of a type in ThingsBoard's texts.
pub(super) fn type_name(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::String => "STRING",
        ResourceType::Integer => "INTEGER",
        ResourceType::UnsignedInteger => "UNSIGNED_INTEGER",
        ResourceType::Float => "FLOAT",
        ResourceType::Boolean => "BOOLEAN",
        ResourceType::Opaque => "OPAQUE",
        ResourceType::Time => "TIME",
        ResourceType::Objlnk => "OBJLNK",
        ResourceType::Corelnk => "CORELINK",
    }
}

/// Name of the type that a JSON value has by itself.
pub(super) fn json_type_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "NONE",
        Json::Bool(_) => "BOOLEAN",
        Json::Number(number) if number.is_f64() => "FLOAT",
        Json::Number(_) => "INTEGER",
        Json::String(_) => "STRING",
        Json::Array(_) => "LIST",
        Json::Object(_) => "MAP",
    }
}
