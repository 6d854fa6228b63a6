//! Text: one value (LwM2M Core, appendix C).

use data_encoding::BASE64;

use super::error::NotFinite;
use super::json_writer::display;
use super::name::write_decimal;
use crate::proto::lwm2m::Value;
use crate::proto::lwm2m::decimal::Decimal;

/// Booleans are digits, bytes are padded base64, a Time is in seconds.
pub(super) fn encode(value: &Value, out: &mut Vec<u8>) -> Result<(), NotFinite> {
    match value {
        Value::String(text) | Value::Corelnk(text) => out.extend_from_slice(text.as_bytes()),
        Value::Integer(integer) | Value::Time(integer) => display(format_args!("{integer}"), out),
        Value::Unsigned(integer) => display(format_args!("{integer}"), out),
        Value::Float(number) if number.is_finite() => {
            display(format_args!("{}", Decimal(*number)), out);
        }
        Value::Float(_) => return Err(NotFinite),
        Value::Boolean(boolean) => out.push(b'0' + u8::from(*boolean)),
        Value::Opaque(bytes) => out.extend_from_slice(BASE64.encode(bytes).as_bytes()),
        Value::Objlnk(object, instance) => write_objlnk(*object, *instance, out),
    }
    Ok(())
}

/// `object:instance`
pub(super) fn write_objlnk(object: u16, instance: u16, out: &mut Vec<u8>) {
    write_decimal(object, out);
    out.push(b':');
    write_decimal(instance, out);
}
