//! The JSON format of LwM2M 1.0: a base name, a base time and an array of elements.

use data_encoding::BASE64;

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
    base: &Path,
    records: &[Record],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let base_time = time::common(records)?;
    // Without a base name, names would follow the path of the request.
    let (base_name, base) = match records {
        // A value of that very path has no name of its own.
        [record] if record.path == *base => (Name::full(base), *base),
        _ => match Naming::choose(base, records) {
            Naming::Below(base) => (Name::base(&base), base),
            Naming::Full => (Name::base(&Path::ROOT), Path::ROOT),
        },
    };
    display(format_args!("{{\"bn\":\"{}\",", base_name.as_str()), out);
    if let Some(base_time) = base_time {
        display(format_args!("\"bt\":{},", Seconds(base_time)), out);
    }
    out.extend_from_slice(b"\"e\":[");
    for (index, record) in records.iter().enumerate() {
        let path = record.path;
        let value = record
            .value
            .as_ref()
            .ok_or(EncodeError::NoValue { format, path })?;
        out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        let name = Name::below(&path, &base);
        if !name.as_str().is_empty() {
            display(format_args!("\"n\":\"{}\",", name.as_str()), out);
        }
        if let (Some(time), None) = (record.time, base_time) {
            display(format_args!("\"t\":{},", Seconds(time)), out);
        }
        self::value(value, out).map_err(|_| EncodeError::NotFinite { format, path })?;
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn value(value: &Value, out: &mut Vec<u8>) -> Result<(), NotFinite> {
    match value {
        Value::String(text) | Value::Corelnk(text) => {
            out.extend_from_slice(b"\"sv\":");
            string(text, out);
        }
        Value::Integer(integer) | Value::Time(integer) => {
            display(format_args!("\"v\":{integer}"), out);
        }
        Value::Unsigned(integer) => display(format_args!("\"v\":{integer}"), out),
        Value::Float(number) => {
            out.extend_from_slice(b"\"v\":");
            float(*number, out)?;
        }
        Value::Boolean(boolean) => display(format_args!("\"bv\":{boolean}"), out),
        Value::Opaque(bytes) => {
            out.extend_from_slice(b"\"sv\":\"");
            out.extend_from_slice(BASE64.encode(bytes).as_bytes());
            out.push(b'"');
        }
        Value::Objlnk(object, instance) => {
            out.extend_from_slice(b"\"ov\":\"");
            write_objlnk(*object, *instance, out);
            out.push(b'"');
        }
    }
    Ok(())
}
