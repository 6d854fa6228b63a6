//! Values of TLV entries (LwM2M Core 1.0, appendix C).

use super::entry::Entry;
use crate::proto::lwm2m::codec::{DecodeError, Position};
use crate::proto::lwm2m::{Path, ResourceType, Value};

/// Reads the value of `entry` in the type of its Resource; without a type it stays Opaque.
pub(super) fn decode(
    entry: &Entry<'_>,
    path: Path,
    resource_type: Option<ResourceType>,
) -> Result<Value, DecodeError> {
    let Some(resource_type) = resource_type else {
        return Ok(Value::Opaque(entry.value.into()));
    };
    parse(entry.value, resource_type).ok_or_else(|| DecodeError::Malformed {
        at: Position::byte(entry.offset),
        found: format!("{} bytes for {path}", entry.value.len()).into(),
        expected: encoding(resource_type),
    })
}

fn parse(bytes: &[u8], resource_type: ResourceType) -> Option<Value> {
    Some(match resource_type {
        ResourceType::String => Value::String(str::from_utf8(bytes).ok()?.into()),
        ResourceType::Corelnk => Value::Corelnk(str::from_utf8(bytes).ok()?.into()),
        ResourceType::Integer => Value::Integer(signed(bytes)?),
        ResourceType::Time => Value::Time(signed(bytes)?),
        ResourceType::UnsignedInteger => Value::Unsigned(unsigned(bytes)?),
        ResourceType::Float => Value::Float(match bytes.len() {
            4 => f32::from_be_bytes(bytes.try_into().ok()?).into(),
            _ => f64::from_be_bytes(bytes.try_into().ok()?),
        }),
        ResourceType::Boolean => match bytes {
            [0] => Value::Boolean(false),
            [1] => Value::Boolean(true),
            _ => return None,
        },
        ResourceType::Opaque => Value::Opaque(bytes.into()),
        ResourceType::Objlnk => {
            let [a, b, c, d] = *bytes else { return None };
            Value::Objlnk(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
    })
}

fn signed(bytes: &[u8]) -> Option<i64> {
    Some(match bytes.len() {
        1 => i8::from_be_bytes(bytes.try_into().ok()?).into(),
        2 => i16::from_be_bytes(bytes.try_into().ok()?).into(),
        4 => i32::from_be_bytes(bytes.try_into().ok()?).into(),
        _ => i64::from_be_bytes(bytes.try_into().ok()?),
    })
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    Some(match bytes.len() {
        1 => u8::from_be_bytes(bytes.try_into().ok()?).into(),
        2 => u16::from_be_bytes(bytes.try_into().ok()?).into(),
        4 => u32::from_be_bytes(bytes.try_into().ok()?).into(),
        _ => u64::from_be_bytes(bytes.try_into().ok()?),
    })
}

const fn encoding(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::String | ResourceType::Corelnk => "text in UTF-8",
        ResourceType::Integer => "an Integer of 1, 2, 4 or 8 bytes",
        ResourceType::UnsignedInteger => "an Unsigned Integer of 1, 2, 4 or 8 bytes",
        ResourceType::Time => "a Time of 1, 2, 4 or 8 bytes",
        ResourceType::Float => "a Float of 4 or 8 bytes",
        ResourceType::Boolean => "a Boolean, one byte 0 or 1",
        ResourceType::Opaque => "bytes",
        ResourceType::Objlnk => "an Objlnk of 4 bytes",
    }
}
