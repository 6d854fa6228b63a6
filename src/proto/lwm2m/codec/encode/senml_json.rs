//! SenML JSON (RFC 8428 §5) and its FETCH and PATCH form (RFC 8790).

use data_encoding::BASE64URL_NOPAD;

use super::EncodeError;
use super::error::NotFinite;
use super::json_writer::{display, float, string};
use super::name::Name;
use super::senml::Naming;
use super::text::write_objlnk;
use super::time::{self, Seconds};
use crate::proto::lwm2m::{Path, Record, Value};

pub(super) fn encode(
    format: u16,
    etch: bool,
    base: &Path,
    records: &[Record],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let naming = Naming::choose(base, records);
    let base_time = time::common(records)?;
    out.push(b'[');
    for (index, record) in records.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        if index == 0 {
            if let Some(base_name) = naming.base() {
                display(format_args!("\"bn\":\"{}\",", base_name.as_str()), out);
            }
            if let Some(base_time) = base_time {
                display(format_args!("\"bt\":{},", Seconds(base_time)), out);
            }
        }
        out.extend_from_slice(b"\"n\":\"");
        out.extend_from_slice(naming.name(&record.path).as_str().as_bytes());
        out.push(b'"');
        if let (Some(time), None) = (record.time, base_time) {
            display(format_args!(",\"t\":{}", Seconds(time)), out);
        }
        match &record.value {
            Some(value) => self::value(value, out).map_err(|_| EncodeError::NotFinite {
                format,
                path: record.path,
            })?,
            None if etch => out.extend_from_slice(b",\"v\":null"),
            None => {}
        }
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}

pub(super) fn encode_paths(paths: &[Path], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, path) in paths.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        display(
            format_args!("\"n\":\"{}\"}}", Name::full(path).as_str()),
            out,
        );
    }
    out.push(b']');
}

/// A value behind its label.
fn value(value: &Value, out: &mut Vec<u8>) -> Result<(), NotFinite> {
    match value {
        Value::String(text) | Value::Corelnk(text) => {
            out.extend_from_slice(b",\"vs\":");
            string(text, out);
        }
        Value::Integer(integer) | Value::Time(integer) => {
            display(format_args!(",\"v\":{integer}"), out);
        }
        Value::Unsigned(integer) => display(format_args!(",\"v\":{integer}"), out),
        Value::Float(number) => {
            out.extend_from_slice(b",\"v\":");
            float(*number, out)?;
        }
        Value::Boolean(boolean) => display(format_args!(",\"vb\":{boolean}"), out),
        Value::Opaque(bytes) => {
            out.extend_from_slice(b",\"vd\":\"");
            out.extend_from_slice(BASE64URL_NOPAD.encode(bytes).as_bytes());
            out.push(b'"');
        }
        Value::Objlnk(object, instance) => {
            out.extend_from_slice(b",\"vlo\":\"");
            write_objlnk(*object, *instance, out);
            out.push(b'"');
        }
    }
    Ok(())
}
