//! The JSON format of LwM2M 1.0: one object with a base name, a base time and an array `e`.
//!
//! A base name that is absent is the path of the request; `bv` is a boolean here, unlike in SenML.

use super::json_reader::JsonReader;
use super::name::NameBuilder;
use super::output::Output;
use super::scalar::{Number, Scalar};
use super::senml::unix_millis;
use super::text::base64;
use super::{DecodeError, Position};
use crate::proto::lwm2m::ResourceType;
use crate::proto::lwm2m::excerpt::excerpt;
use crate::proto::time::UnixMillis;

pub(super) fn decode(
    payload: &[u8],
    now: UnixMillis,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let mut reader = JsonReader::new(payload)?;
    let start = reader.offset();
    let mut base_name = None;
    let mut base_time = None;
    let mut elements = None;
    reader.object("an object with an array \"e\"", |reader, key| {
        match &*key {
            "bn" => base_name = Some((reader.offset(), reader.string("a base name, a string")?)),
            "bt" => base_time = Some(reader.number("a base time, a number")?),
            "e" => {
                // Names and times depend on members that may follow: come back later.
                elements = Some(reader.offset());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    reader.end()?;

    let mut names = NameBuilder::default();
    match base_name {
        Some((offset, base_name)) => names.set_base(&base_name, offset)?,
        None if output.base().is_root() => {}
        None => names.set_base(&format!("{}/", output.base()), start)?,
    }
    let elements = elements.ok_or(DecodeError::Malformed {
        at: Position::byte(start),
        found: "an object without it".into(),
        expected: "an array \"e\"",
    })?;
    reader.set_offset(elements);
    let mut index = 0;
    reader.array("an array of elements", |reader| {
        element(reader, &mut names, base_time, now, output)
            .map_err(|error| error.in_record(index))?;
        index += 1;
        Ok(())
    })
}

fn element(
    reader: &mut JsonReader<'_>,
    names: &mut NameBuilder,
    base_time: Option<Number>,
    now: UnixMillis,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let offset = reader.offset();
    let mut name = None;
    let mut time = None;
    let mut value = None;
    reader.object("an element, an object", |reader, key| {
        match &*key {
            "n" => name = Some(reader.string("a name, a string")?),
            "t" => time = Some(reader.number("a time, a number")?),
            "v" => value = Some(Scalar::Number(reader.number("a value, a number")?)),
            "sv" => value = Some(Scalar::Text(reader.string("a string value, a string")?)),
            "bv" => {
                value = Some(Scalar::Boolean(
                    reader.boolean("a boolean value, true or false")?,
                ))
            }
            "ov" => {
                value = Some(Scalar::ObjectLink(
                    reader.string("an object link, a string")?,
                ))
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let path = names.path(name.as_deref().unwrap_or_default(), &output.base(), offset)?;
    let time = match (base_time, time) {
        (Some(base), Some(time)) => Some(base.plus(time)),
        (base, time) => base.or(time),
    };
    let time = time
        .map(|time| unix_millis(time, now, offset))
        .transpose()?;
    match value {
        Some(Scalar::Text(text)) if output.resource_type(&path) == Some(ResourceType::Opaque) => {
            let bytes = base64(&text).ok_or_else(|| DecodeError::Malformed {
                at: Position::byte(offset),
                found: format!("\"{}\"", excerpt(&text)).into(),
                expected: "base64 for an Opaque Resource",
            })?;
            output.scalar(offset, path, time, Scalar::Bytes(bytes.into()))
        }
        Some(value) => output.scalar(offset, path, time, value),
        None => output.without_value(offset, path, time),
    }
}
