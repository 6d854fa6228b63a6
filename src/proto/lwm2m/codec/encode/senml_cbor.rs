//! SenML CBOR (RFC 8428 §6) and its FETCH and PATCH form (RFC 8790).

use super::cbor_writer::{ARRAY, MAP, float, head, integer, null, object_link, text};
use super::name::Name;
use super::senml::Naming;
use super::{EncodeError, FloatWidth, cbor_writer, time};
use crate::proto::lwm2m::{Path, Record, Value};
use crate::proto::time::UnixMillis;

const BASE_NAME: i64 = -2;
const BASE_TIME: i64 = -3;
const NAME: i64 = 0;
const VALUE: i64 = 2;
const STRING_VALUE: i64 = 3;
const BOOLEAN_VALUE: i64 = 4;
const TIME: i64 = 6;
const DATA_VALUE: i64 = 8;

pub(super) fn encode(
    etch: bool,
    base: &Path,
    records: &[Record],
    floats: FloatWidth,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let naming = Naming::choose(base, records);
    let base_time = time::common(records)?;
    head(ARRAY, records.len() as u64, out);
    for (index, record) in records.iter().enumerate() {
        let base_name = naming.base().filter(|_| index == 0);
        let front_time = base_time.filter(|_| index == 0);
        let own_time = record.time.filter(|_| base_time.is_none());
        let fields = 1
            + u64::from(base_name.is_some())
            + u64::from(front_time.is_some())
            + u64::from(own_time.is_some())
            + u64::from(record.value.is_some() || etch);
        head(MAP, fields, out);
        if let Some(base_name) = base_name {
            integer(BASE_NAME, out);
            text(base_name.as_str(), out);
        }
        if let Some(time) = front_time {
            integer(BASE_TIME, out);
            seconds(time, out);
        }
        integer(NAME, out);
        text(naming.name(&record.path).as_str(), out);
        if let Some(time) = own_time {
            integer(TIME, out);
            seconds(time, out);
        }
        match &record.value {
            Some(value) => self::value(value, floats, out),
            None if etch => {
                integer(VALUE, out);
                null(out);
            }
            None => {}
        }
    }
    Ok(())
}

pub(super) fn encode_paths(paths: &[Path], out: &mut Vec<u8>) {
    head(ARRAY, paths.len() as u64, out);
    for path in paths {
        head(MAP, 1, out);
        integer(NAME, out);
        text(Name::full(path).as_str(), out);
    }
}

/// A value behind its label; that of an object link is text, it has no number.
fn value(value: &Value, floats: FloatWidth, out: &mut Vec<u8>) {
    let label = match value {
        Value::String(_) | Value::Corelnk(_) => STRING_VALUE,
        Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) | Value::Time(_) => VALUE,
        Value::Boolean(_) => BOOLEAN_VALUE,
        Value::Opaque(_) => DATA_VALUE,
        Value::Objlnk(object, instance) => {
            text("vlo", out);
            return object_link(*object, *instance, out);
        }
    };
    integer(label, out);
    cbor_writer::value(value, floats, out);
}

fn seconds(time: UnixMillis, out: &mut Vec<u8>) {
    if time % 1000 == 0 {
        integer(time / 1000, out);
    } else {
        // A calendar's milliseconds are exact in 53 bits.
        float(time as f64 / 1000.0, FloatWidth::Double, out);
    }
}
