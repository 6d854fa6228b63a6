//! SenML JSON: an array of objects (RFC 8428 §5).

use std::borrow::Cow;

use super::json_reader::JsonReader;
use super::output::Output;
use super::scalar::Scalar;
use super::senml::{Fields, Label, Pack};
use super::text::base64;
use super::{DecodeError, Position};
use crate::proto::lwm2m::excerpt::excerpt;
use crate::proto::time::UnixMillis;

pub(super) fn decode(
    payload: &[u8],
    nulls: bool,
    now: UnixMillis,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let mut reader = JsonReader::new(payload)?;
    let mut pack = Pack::new(now);
    let mut index = 0;
    reader.array("an array of SenML records", |reader| {
        record(reader, nulls, &mut pack, output).map_err(|error| error.in_record(index))?;
        index += 1;
        Ok(())
    })?;
    reader.end()
}

fn record(
    reader: &mut JsonReader<'_>,
    nulls: bool,
    pack: &mut Pack,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let offset = reader.offset();
    let mut fields = Fields::default();
    reader.object("a SenML record, an object", |reader, key| {
        field(reader, &key, nulls, &mut fields)
    })?;
    pack.record(fields, offset, output)
}

fn field<'a>(
    reader: &mut JsonReader<'a>,
    key: &str,
    nulls: bool,
    fields: &mut Fields<'a>,
) -> Result<(), DecodeError> {
    let label = Label::from_name(key);
    let offset = reader.offset();
    match label {
        Label::BaseVersion => fields.base_version = Some(reader.number("the SenML version")?),
        Label::BaseName => fields.base_name = Some(reader.string("a base name, a string")?),
        Label::BaseTime => fields.base_time = Some(reader.number("a base time, a number")?),
        Label::BaseValue => fields.base_value = Some(reader.number("a base value, a number")?),
        Label::Name => fields.name = Some(reader.string("a name, a string")?),
        Label::Time => fields.time = Some(reader.number("a time, a number")?),
        Label::Value if nulls && reader.take_null() => fields.set_null(offset)?,
        Label::Value => {
            let number = reader.number("a value, a number")?;
            fields.set_value(label, Scalar::Number(number), offset)?;
        }
        Label::StringValue => {
            let text = reader.string("a string value, a string")?;
            fields.set_value(label, Scalar::Text(text), offset)?;
        }
        Label::BooleanValue => {
            let boolean = reader.boolean("a boolean value, true or false")?;
            fields.set_value(label, Scalar::Boolean(boolean), offset)?;
        }
        Label::DataValue => {
            let bytes = data_value(reader)?;
            fields.set_value(label, Scalar::Bytes(Cow::Owned(bytes)), offset)?;
        }
        Label::ObjectLinkValue => {
            let text = reader.string("an object link, a string")?;
            fields.set_value(label, Scalar::ObjectLink(text), offset)?;
        }
        Label::Ignored => reader.skip()?,
        Label::MustUnderstand => {
            return Err(DecodeError::Malformed {
                at: Position::byte(offset),
                found: format!("the unknown field \"{}\"", excerpt(key)).into(),
                expected: "fields of RFC 8428",
            });
        }
    }
    Ok(())
}

/// Reads `vd`, base64url without padding; padding and the other alphabet are put up with.
fn data_value(reader: &mut JsonReader<'_>) -> Result<Vec<u8>, DecodeError> {
    const EXPECTED: &str = "a data value, base64url in a string";
    let offset = reader.offset();
    let text = reader.string(EXPECTED)?;
    base64(&text).ok_or_else(|| DecodeError::Malformed {
        at: Position::byte(offset),
        found: format!("\"{}\"", excerpt(&text)).into(),
        expected: EXPECTED,
    })
}
