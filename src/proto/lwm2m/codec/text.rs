//! Plain text: one value in decimal, `0`/`1`, base64 or as it is.

use super::output::Output;
use super::scalar::{Number, Scalar};
use super::{DecodeError, Position};
use crate::proto::lwm2m::decimal::parse_decimal;
use crate::proto::lwm2m::excerpt::excerpt;
use crate::proto::lwm2m::{ResourceType, Value, parse_objlnk};

pub(super) fn decode(payload: &[u8], output: &mut Output<'_>) -> Result<(), DecodeError> {
    let text = str::from_utf8(payload).map_err(|error| DecodeError::Malformed {
        at: Position::byte(error.valid_up_to()),
        found: "a byte that is not UTF-8".into(),
        expected: "text in UTF-8",
    })?;
    let path = output.base();
    let resource_type = output.resource_type(&path).unwrap_or(ResourceType::String);
    let value = parse(text, resource_type).ok_or_else(|| DecodeError::Malformed {
        at: Position::byte(0),
        found: format!("\"{}\"", excerpt(text)).into(),
        expected: spelling(resource_type),
    })?;
    output.value(0, path, None, value)
}

fn parse(text: &str, resource_type: ResourceType) -> Option<Value> {
    let trimmed =
        text.trim_matches(|character: char| character.is_ascii_whitespace() || character == '\0');
    match resource_type {
        ResourceType::String => Some(Value::String(text.into())),
        ResourceType::Corelnk => Some(Value::Corelnk(text.into())),
        ResourceType::Boolean => match trimmed {
            "0" | "false" => Some(Value::Boolean(false)),
            "1" | "true" => Some(Value::Boolean(true)),
            _ => None,
        },
        ResourceType::Opaque => base64(trimmed).map(|bytes| Value::Opaque(bytes.into())),
        ResourceType::Objlnk => parse_objlnk(trimmed)
            .ok()
            .map(|(object, instance)| Value::Objlnk(object, instance)),
        ResourceType::Integer
        | ResourceType::UnsignedInteger
        | ResourceType::Float
        | ResourceType::Time => Scalar::Number(number(trimmed)?)
            .into_value(Some(resource_type))
            .ok(),
    }
}

/// A number in decimal; an integer stays exact.
fn number(text: &str) -> Option<Number> {
    if let Ok(integer) = text.parse() {
        return Some(Number::Integer(integer));
    }
    parse_decimal(text).map(Number::Float)
}

/// Reads base64 in either alphabet, padded or not (RFC 4648 §4 and §5).
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let unpadded = text.trim_end_matches('=').as_bytes();
    let url_safe = unpadded.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let encoding = if url_safe {
        &data_encoding::BASE64URL_NOPAD
    } else {
        &data_encoding::BASE64_NOPAD
    };
    encoding.decode(unpadded).ok()
}

const fn spelling(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::Integer => "a decimal integer of 64 bits",
        ResourceType::UnsignedInteger => "a decimal unsigned integer of 64 bits",
        ResourceType::Float => "a decimal number",
        ResourceType::Boolean => "0 or 1",
        ResourceType::Opaque => "base64",
        ResourceType::Time => "seconds since 1970 in decimal",
        ResourceType::Objlnk => "object:instance",
        ResourceType::String | ResourceType::Corelnk => "text in UTF-8",
    }
}
