//! OMA TLV (11542, once 1542).

use std::str;

use super::{FormatError, NEW_INSTANCE};
use crate::client::path::Path;
use crate::client::tree::Record;
use crate::client::value::{Type, Value};

const OBJECT_INSTANCE: u8 = 0;
const RESOURCE_INSTANCE: u8 = 1;
const MULTIPLE_RESOURCE: u8 = 2;
const RESOURCE: u8 = 3;

/// Writes what was read at `base`: object instances below an object, resources below an instance, a resource or a
/// resource instance below those.
pub fn encode(base: &Path, records: &[Record]) -> Vec<u8> {
    if base.depth() >= 2 {
        return resources(records, base.depth() == 4);
    }
    let mut out = Vec::new();
    for chunk in records.chunk_by(|a, b| a.path.ancestor(2) == b.path.ancestor(2)) {
        let id = chunk[0].path.instance().unwrap_or_default();
        element(OBJECT_INSTANCE, id, &resources(chunk, false), &mut out);
    }
    out
}

fn resources(records: &[Record], bare_instances: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in records.chunk_by(|a, b| a.path.ancestor(3) == b.path.ancestor(3)) {
        let id = chunk[0].path.resource().unwrap_or_default();
        if let [
            Record {
                path,
                value: Some(value),
                ..
            },
        ] = chunk
            && path.depth() == 3
        {
            element(RESOURCE, id, &bytes(value), &mut out);
            continue;
        }
        let mut inner = Vec::new();
        for record in chunk {
            if let (Some(id), Some(value)) = (record.path.resource_instance(), &record.value) {
                element(RESOURCE_INSTANCE, id, &bytes(value), &mut inner);
            }
        }
        if bare_instances {
            out.extend(inner);
        } else {
            element(MULTIPLE_RESOURCE, id, &inner, &mut out);
        }
    }
    out
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each length is below its width's limit"
)]
fn element(kind: u8, id: u16, value: &[u8], out: &mut Vec<u8>) {
    let length = (value.len() as u32).to_be_bytes();
    let (length_bits, length_bytes): (u8, &[u8]) = match value.len() {
        0..8 => (value.len() as u8, &[]),
        8..0x100 => (1 << 3, &length[3..]),
        0x100..0x1_0000 => (2 << 3, &length[2..]),
        _ => (3 << 3, &length[1..]),
    };
    let wide = id > 0xFF;
    out.push(kind << 6 | u8::from(wide) << 5 | length_bits);
    let id = id.to_be_bytes();
    out.extend_from_slice(if wide { &id } else { &id[1..] });
    out.extend_from_slice(length_bytes);
    out.extend_from_slice(value);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "taken only when nothing is lost"
)]
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) | Value::CoreLink(text) => text.clone().into_bytes(),
        Value::Integer(value) | Value::Time(value) => {
            if let Ok(value) = i8::try_from(*value) {
                value.to_be_bytes().to_vec()
            } else if let Ok(value) = i16::try_from(*value) {
                value.to_be_bytes().to_vec()
            } else if let Ok(value) = i32::try_from(*value) {
                value.to_be_bytes().to_vec()
            } else {
                value.to_be_bytes().to_vec()
            }
        }
        Value::Unsigned(value) => {
            let zeros = value.leading_zeros() / 8;
            let width = match 8 - zeros {
                0 | 1 => 1,
                2 => 2,
                3 | 4 => 4,
                _ => 8,
            };
            value.to_be_bytes()[8 - width..].to_vec()
        }
        Value::Float(value) => {
            let short = *value as f32;
            if f64::from(short) == *value {
                short.to_be_bytes().to_vec()
            } else {
                value.to_be_bytes().to_vec()
            }
        }
        Value::Boolean(value) => vec![u8::from(*value)],
        Value::Opaque(bytes) => bytes.clone(),
        Value::ObjectLink(object, instance) => {
            [object.to_be_bytes(), instance.to_be_bytes()].concat()
        }
    }
}

/// An element: kind, id, value.
type Element<'a> = (u8, u16, &'a [u8]);

/// Reads a payload for `base`. For an object, resources without an object instance around them get
/// [`NEW_INSTANCE`] as their instance.
pub fn decode(
    base: &Path,
    payload: &[u8],
    wanted: &dyn Fn(&Path) -> Option<Type>,
) -> Result<Vec<Record>, FormatError> {
    let mut records = Vec::new();
    for element in elements(payload)? {
        let (kind, id, value) = element;
        match (kind, base.depth()) {
            (OBJECT_INSTANCE, 1) => {
                let instance = base.child(id);
                for inner in elements(value)? {
                    resource(instance, inner, wanted, &mut records)?;
                }
            }
            (OBJECT_INSTANCE, 2) if base.instance() == Some(id) => {
                for inner in elements(value)? {
                    resource(*base, inner, wanted, &mut records)?;
                }
            }
            (RESOURCE | MULTIPLE_RESOURCE, 1) => {
                resource(base.child(NEW_INSTANCE), element, wanted, &mut records)?;
            }
            (RESOURCE | MULTIPLE_RESOURCE, 2) => {
                resource(*base, element, wanted, &mut records)?;
            }
            (RESOURCE | MULTIPLE_RESOURCE, 3) if base.resource() == Some(id) => {
                resource(base.ancestor(2), element, wanted, &mut records)?;
            }
            (RESOURCE_INSTANCE, 3) => {
                let path = base.child(id);
                records.push(Record::new(path, typed(value, path, wanted)?));
            }
            (RESOURCE_INSTANCE, 4) if base.resource_instance() == Some(id) => {
                records.push(Record::new(*base, typed(value, *base, wanted)?));
            }
            _ => {
                let text = format!("a TLV of type {kind} and id {id} has no place in {base}");
                return Err(FormatError::Malformed(text));
            }
        }
    }
    Ok(records)
}

fn resource(
    instance: Path,
    (kind, id, value): Element<'_>,
    wanted: &dyn Fn(&Path) -> Option<Type>,
    records: &mut Vec<Record>,
) -> Result<(), FormatError> {
    let path = instance.child(id);
    match kind {
        RESOURCE => records.push(Record::new(path, typed(value, path, wanted)?)),
        MULTIPLE_RESOURCE => {
            let inner = elements(value)?;
            if inner.is_empty() {
                let (value, time) = (None, None);
                records.push(Record { path, value, time });
            }
            for (kind, id, value) in inner {
                if kind != RESOURCE_INSTANCE {
                    let text = format!("{path} holds a TLV of type {kind}");
                    return Err(FormatError::Malformed(text));
                }
                let path = path.child(id);
                records.push(Record::new(path, typed(value, path, wanted)?));
            }
        }
        _ => {
            let text = format!("{instance} holds a TLV of type {kind}");
            return Err(FormatError::Malformed(text));
        }
    }
    Ok(())
}

fn elements(mut bytes: &[u8]) -> Result<Vec<Element<'_>>, FormatError> {
    let mut elements = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let id_width = 1 + usize::from(first >> 5 & 1);
        let length_width = usize::from(first >> 3 & 3);
        let (id, rest) = rest
            .split_at_checked(id_width)
            .ok_or(FormatError::Truncated)?;
        let (length, rest) = rest
            .split_at_checked(length_width)
            .ok_or(FormatError::Truncated)?;
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |all, &byte| all << 8 | usize::from(byte))
        };
        let length = if length_width == 0 {
            usize::from(first & 7)
        } else {
            number(length)
        };
        let (value, rest) = rest
            .split_at_checked(length)
            .ok_or(FormatError::Truncated)?;
        // Two bytes at most.
        let id = u16::try_from(number(id)).unwrap_or(NEW_INSTANCE);
        elements.push((first >> 6, id, value));
        bytes = rest;
    }
    Ok(elements)
}

fn typed(
    bytes: &[u8],
    path: Path,
    wanted: &dyn Fn(&Path) -> Option<Type>,
) -> Result<Value, FormatError> {
    let error = || FormatError::WrongType(path);
    let text = || str::from_utf8(bytes).map_err(|_| error());
    Ok(match wanted(&path) {
        Some(Type::Text) => Value::Text(text()?.to_owned()),
        Some(Type::CoreLink) => Value::CoreLink(text()?.to_owned()),
        Some(Type::Integer) => Value::Integer(integer(bytes).ok_or_else(error)?),
        Some(Type::Time) => Value::Time(integer(bytes).ok_or_else(error)?),
        Some(Type::Unsigned) if (1..=8).contains(&bytes.len()) => Value::Unsigned(
            bytes
                .iter()
                .fold(0, |all, &byte| all << 8 | u64::from(byte)),
        ),
        Some(Type::Float) => Value::Float(match bytes.len() {
            4 => f64::from(f32::from_be_bytes(bytes.try_into().map_err(|_| error())?)),
            8 => f64::from_be_bytes(bytes.try_into().map_err(|_| error())?),
            _ => return Err(error()),
        }),
        Some(Type::Boolean) => match bytes {
            [0] => Value::Boolean(false),
            [1] => Value::Boolean(true),
            _ => return Err(error()),
        },
        Some(Type::ObjectLink) => match bytes {
            &[a, b, c, d] => {
                Value::ObjectLink(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
            }
            _ => return Err(error()),
        },
        Some(Type::Opaque) | None => Value::Opaque(bytes.to_vec()),
        Some(Type::Unsigned | Type::None) => return Err(error()),
    })
}

/// 1, 2, 4 or 8 bytes, signed.
fn integer(bytes: &[u8]) -> Option<i64> {
    if !matches!(bytes.len(), 1 | 2 | 4 | 8) {
        return None;
    }
    let negative = bytes[0] & 0x80 != 0;
    let start = if negative { -1 } else { 0 };
    Some(
        bytes
            .iter()
            .fold(start, |all, &byte| all << 8 | i64::from(byte)),
    )
}
