//! Values in CBOR (RFC 8949): alone, and as parts of SenML CBOR and LwM2M CBOR.

use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::encode::Error as EncodeError;
use minicbor::{Decoder, Encoder};

use super::FormatError;
use crate::client::value::Value;

impl From<minicbor::decode::Error> for FormatError {
    fn from(error: minicbor::decode::Error) -> Self {
        if error.is_end_of_input() {
            Self::Truncated
        } else {
            Self::Malformed(error.to_string())
        }
    }
}

/// A payload with this value alone.
pub fn one(value: &Value) -> Vec<u8> {
    encoded(|e| put(e, value))
}

/// What `write` writes.
pub fn encoded(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), EncodeError<Infallible>>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // A vector takes everything, so there is no error to tell.
    let _ = write(&mut encoder);
    encoder.into_writer()
}

/// Appends a value in its shortest form; floats as 32 bits where that loses nothing.
pub fn put(e: &mut Encoder<Vec<u8>>, value: &Value) -> Result<(), EncodeError<Infallible>> {
    match value {
        Value::Text(text) | Value::CoreLink(text) => e.str(text)?,
        Value::Integer(value) | Value::Time(value) => e.i64(*value)?,
        Value::Unsigned(value) => e.u64(*value)?,
        Value::Float(value) => return put_float(e, *value),
        Value::Boolean(value) => e.bool(*value)?,
        Value::Opaque(bytes) => e.bytes(bytes)?,
        Value::ObjectLink(..) => e.str(&value.to_plain_text())?,
    };
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "taken only when nothing is lost"
)]
pub fn put_float(e: &mut Encoder<Vec<u8>>, value: f64) -> Result<(), EncodeError<Infallible>> {
    let short = value as f32;
    if f64::from(short) == value {
        e.f32(short)?;
    } else {
        e.f64(value)?;
    }
    Ok(())
}

/// A payload that is one value; `None` for null.
pub fn read_one(payload: &[u8]) -> Result<Option<Value>, FormatError> {
    let mut decoder = Decoder::new(payload);
    let value = take(&mut decoder)?;
    if decoder.position() == payload.len() {
        Ok(value)
    } else {
        Err(FormatError::Malformed("more than one value".to_owned()))
    }
}

/// The next value; `None` for null. Tags are passed over, the types come from the object model.
pub fn take(d: &mut Decoder<'_>) -> Result<Option<Value>, FormatError> {
    while d.datatype()? == Type::Tag {
        d.tag()?;
    }
    Ok(Some(match d.datatype()? {
        Type::Null | Type::Undefined => {
            d.skip()?;
            return Ok(None);
        }
        Type::Bool => Value::Boolean(d.bool()?),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            let number = d.u64()?;
            i64::try_from(number).map_or(Value::Unsigned(number), Value::Integer)
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => Value::Integer(d.i64()?),
        Type::F16 => Value::Float(f64::from(d.f16()?)),
        Type::F32 => Value::Float(f64::from(d.f32()?)),
        Type::F64 => Value::Float(d.f64()?),
        Type::String => Value::Text(d.str()?.to_owned()),
        Type::StringIndef => {
            let parts: Result<String, _> = d.str_iter()?.collect();
            Value::Text(parts?)
        }
        Type::Bytes => Value::Opaque(d.bytes()?.to_vec()),
        Type::BytesIndef => {
            let parts: Result<Vec<&[u8]>, _> = d.bytes_iter()?.collect();
            Value::Opaque(parts?.concat())
        }
        other => return Err(FormatError::Malformed(format!("a value cannot be {other}"))),
    }))
}
