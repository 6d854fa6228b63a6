//! SenML in JSON and CBOR (RFC 8428), with the object link of LwM2M.

use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use minicbor::Decoder;
use minicbor::data::Type;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{FormatError, cbor, path_of};
use crate::client::path::Path;
use crate::client::tree::Record;
use crate::client::value::{Value, object_link};

/// A SenML record in JSON.
#[derive(Default, Deserialize, Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    bn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vb: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlo: Option<String>,
}

/// What of a record's name and time is written with it.
struct Frame {
    base_name: Option<String>,
    base_time: Option<f64>,
    name: Option<String>,
    time: Option<f64>,
}

/// Base name and base time go into the first record; a time that differs from the base is told relative to it.
fn frames<'a>(base: &'a Path, records: &'a [Record]) -> impl Iterator<Item = (Frame, &'a Value)> {
    let base_name = (base.depth() > 0).then(|| base.to_string());
    let prefix = base_name.as_deref().map_or(0, str::len);
    let base_time = records.iter().find_map(|record| record.time);
    let valued = records
        .iter()
        .filter_map(|record| Some((record, record.value.as_ref()?)));
    valued.enumerate().map(move |(n, (record, value))| {
        let name = record.path.to_string().split_off(prefix);
        let later = record.time.zip(base_time).map(|(time, base)| time - base);
        let frame = Frame {
            base_name: base_name.clone().filter(|_| n == 0),
            base_time: base_time.filter(|_| n == 0),
            name: Some(name).filter(|name| !name.is_empty()),
            time: later.filter(|&later| later != 0.0),
        };
        (frame, value)
    })
}

pub fn encode_json(base: &Path, records: &[Record]) -> Vec<u8> {
    let entries: Vec<Entry> = frames(base, records)
        .map(|(frame, value)| {
            let mut entry = Entry {
                bn: frame.base_name,
                bt: frame.base_time,
                n: frame.name,
                t: frame.time,
                ..Entry::default()
            };
            match value {
                Value::Text(text) | Value::CoreLink(text) => entry.vs = Some(text.clone()),
                Value::Integer(value) | Value::Time(value) => entry.v = Some((*value).into()),
                Value::Unsigned(value) => entry.v = Some((*value).into()),
                Value::Float(value) => entry.v = Number::from_f64(*value),
                Value::Boolean(value) => entry.vb = Some(*value),
                Value::Opaque(bytes) => entry.vd = Some(BASE64URL_NOPAD.encode(bytes)),
                Value::ObjectLink(..) => entry.vlo = Some(value.to_plain_text()),
            }
            entry
        })
        .collect();
    // Strings, numbers and booleans always have a JSON form.
    serde_json::to_vec(&entries).unwrap_or_default()
}

pub fn encode_cbor(base: &Path, records: &[Record]) -> Vec<u8> {
    let frames: Vec<(Frame, &Value)> = frames(base, records).collect();
    cbor::encoded(|e| {
        e.array(frames.len() as u64)?;
        for (frame, value) in &frames {
            let members = 1
                + u64::from(frame.base_name.is_some())
                + u64::from(frame.base_time.is_some())
                + u64::from(frame.name.is_some())
                + u64::from(frame.time.is_some());
            e.map(members)?;
            if let Some(name) = &frame.base_name {
                e.i8(-2)?.str(name)?;
            }
            if let Some(name) = &frame.name {
                e.u8(0)?.str(name)?;
            }
            if let Some(time) = frame.base_time {
                e.i8(-3)?.f64(time)?;
            }
            if let Some(time) = frame.time {
                e.u8(6)?;
                cbor::put_float(e, time)?;
            }
            match value {
                Value::Text(_) | Value::CoreLink(_) => e.u8(3)?,
                Value::Boolean(_) => e.u8(4)?,
                Value::Opaque(_) => e.u8(8)?,
                Value::ObjectLink(..) => e.str("vlo")?,
                _ => e.u8(2)?,
            };
            cbor::put(e, value)?;
        }
        Ok(())
    })
}

/// Base name and time so far.
#[derive(Default)]
struct Bases {
    name: String,
    time: Option<f64>,
}

impl Bases {
    fn record(
        &self,
        name: &str,
        time: Option<f64>,
        value: Option<Value>,
    ) -> Result<Record, FormatError> {
        let time = match (self.time, time) {
            (Some(base), Some(time)) => Some(base + time),
            (base, time) => base.or(time),
        };
        Ok(Record {
            path: path_of(&self.name, name)?,
            value,
            time,
        })
    }
}

pub fn decode_json(payload: &[u8]) -> Result<Vec<Record>, FormatError> {
    let entries: Vec<Entry> = serde_json::from_slice(payload).map_err(|error| {
        if error.is_eof() {
            FormatError::Truncated
        } else {
            FormatError::Malformed(error.to_string())
        }
    })?;
    let mut bases = Bases::default();
    let records = entries.into_iter().map(|entry| {
        bases.name = entry
            .bn
            .clone()
            .unwrap_or_else(|| std::mem::take(&mut bases.name));
        bases.time = entry.bt.or(bases.time);
        let value = json_value(&entry)?;
        bases.record(entry.n.as_deref().unwrap_or_default(), entry.t, value)
    });
    records.collect()
}

fn json_value(entry: &Entry) -> Result<Option<Value>, FormatError> {
    let malformed = |what: &str| FormatError::Malformed(what.to_owned());
    Ok(if let Some(number) = &entry.v {
        Some(number_value(number))
    } else if let Some(text) = &entry.vs {
        Some(Value::Text(text.clone()))
    } else if let Some(value) = entry.vb {
        Some(Value::Boolean(value))
    } else if let Some(data) = &entry.vd {
        let bytes = BASE64URL_NOPAD
            .decode(data.as_bytes())
            .or_else(|_| BASE64URL.decode(data.as_bytes()));
        Some(Value::Opaque(
            bytes.map_err(|_| malformed("vd is not base64url"))?,
        ))
    } else if let Some(link) = &entry.vlo {
        Some(object_link(link).ok_or_else(|| malformed("vlo is no object link"))?)
    } else {
        None
    })
}

/// A JSON number: whole as long as it can be.
pub fn number_value(number: &Number) -> Value {
    if let Some(integer) = number.as_i64() {
        Value::Integer(integer)
    } else if let Some(unsigned) = number.as_u64() {
        Value::Unsigned(unsigned)
    } else {
        Value::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

pub fn decode_cbor(payload: &[u8]) -> Result<Vec<Record>, FormatError> {
    let mut d = Decoder::new(payload);
    let (mut records, mut bases) = (Vec::new(), Bases::default());
    let mut left = d.array()?;
    while more(&mut d, &mut left)? {
        records.push(cbor_record(&mut d, &mut bases)?);
    }
    if d.position() < payload.len() {
        return Err(FormatError::Malformed("more than one array".to_owned()));
    }
    Ok(records)
}

fn cbor_record(d: &mut Decoder<'_>, bases: &mut Bases) -> Result<Record, FormatError> {
    let (mut name, mut time, mut value) = (String::new(), None, None);
    let mut left = d.map()?;
    while more(d, &mut left)? {
        if matches!(d.datatype()?, Type::String) {
            match d.str()? {
                "vlo" => value = cbor::take(d)?.and_then(|v| object_link(&v.to_plain_text())),
                must if must.ends_with('_') => {
                    return Err(FormatError::Malformed(format!("{must} is not understood")));
                }
                _ => d.skip()?,
            }
            continue;
        }
        match d.i64()? {
            -2 => d.str()?.clone_into(&mut bases.name),
            -3 => bases.time = cbor::take(d)?.and_then(|v| v.as_number()),
            0 => d.str()?.clone_into(&mut name),
            6 => time = cbor::take(d)?.and_then(|v| v.as_number()),
            2 | 3 | 4 | 8 => value = cbor::take(d)?,
            _ => d.skip()?,
        }
    }
    bases.record(&name, time, value)
}

/// Whether an array or map goes on, of known length or not.
pub fn more(d: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, FormatError> {
    match left {
        Some(0) => Ok(false),
        Some(n) => {
            *n -= 1;
            Ok(true)
        }
        None if d.datatype()? == Type::Break => {
            d.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}
