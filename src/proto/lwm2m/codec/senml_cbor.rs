//! SenML CBOR: an array of maps with short integer keys (RFC 8428 §6).

use minicbor::data::Type;

use super::cbor_reader::CborReader;
use super::output::Output;
use super::scalar::Scalar;
use super::senml::{Fields, Label, Pack};
use super::{DecodeError, Position};
use crate::proto::time::UnixMillis;

pub(super) fn decode(
    payload: &[u8],
    nulls: bool,
    now: UnixMillis,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let mut reader = CborReader::new(payload);
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
    reader: &mut CborReader<'_>,
    nulls: bool,
    pack: &mut Pack,
    output: &mut Output<'_>,
) -> Result<(), DecodeError> {
    let offset = reader.offset();
    let mut fields = Fields::default();
    reader.map("a SenML record, a map", |reader| {
        field(reader, nulls, &mut fields)
    })?;
    pack.record(fields, offset, output)
}

fn field<'b>(
    reader: &mut CborReader<'b>,
    nulls: bool,
    fields: &mut Fields<'b>,
) -> Result<(), DecodeError> {
    let key_offset = reader.offset();
    let label = label(reader)?;
    let offset = reader.offset();
    match label {
        Label::BaseVersion => fields.base_version = Some(reader.number("the SenML version")?),
        Label::BaseName => fields.base_name = Some(reader.text("a base name, text")?),
        Label::BaseTime => fields.base_time = Some(reader.number("a base time, a number")?),
        Label::BaseValue => fields.base_value = Some(reader.number("a base value, a number")?),
        Label::Name => fields.name = Some(reader.text("a name, text")?),
        Label::Time => fields.time = Some(reader.number("a time, a number")?),
        Label::Value if nulls && reader.take_null()? => fields.set_null(offset)?,
        Label::Value => {
            let number = reader.number("a value, a number")?;
            fields.set_value(label, Scalar::Number(number), offset)?;
        }
        Label::ObjectLinkValue => {
            let text = reader.text("an object link, text")?;
            fields.set_value(label, Scalar::ObjectLink(text), offset)?;
        }
        Label::StringValue => {
            let text = reader.text("a string value, text")?;
            fields.set_value(label, Scalar::Text(text), offset)?;
        }
        Label::BooleanValue => {
            let boolean = reader.boolean("a boolean value")?;
            fields.set_value(label, Scalar::Boolean(boolean), offset)?;
        }
        Label::DataValue => {
            let bytes = reader.bytes("a data value, bytes")?;
            fields.set_value(label, Scalar::Bytes(bytes), offset)?;
        }
        Label::Ignored => reader.skip()?,
        Label::MustUnderstand => {
            return Err(DecodeError::Malformed {
                at: Position::byte(key_offset),
                found: "an unknown field whose name ends with '_'".into(),
                expected: "fields of RFC 8428",
            });
        }
    }
    Ok(())
}

/// Reads a key: the number of RFC 8428, or a name for fields without one, such as `vlo`.
fn label(reader: &mut CborReader<'_>) -> Result<Label, DecodeError> {
    const EXPECTED: &str = "a SenML label, an integer or text";
    match reader.kind(EXPECTED)? {
        Type::String | Type::StringIndef => Ok(Label::from_name(&reader.text(EXPECTED)?)),
        _ => Ok(Label::from_number(reader.integer(EXPECTED)?)),
    }
}
