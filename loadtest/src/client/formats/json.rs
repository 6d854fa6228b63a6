//! The JSON format of LwM2M 1.0 (11543, once 1543).

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::senml::number_value;
use super::{FormatError, path_of};
use crate::client::path::Path;
use crate::client::tree::Record;
use crate::client::value::{Type, Value, object_link};

#[derive(Deserialize, Serialize)]
struct Body {
    #[serde(default)]
    bn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bt: Option<f64>,
    e: Vec<Entry>,
}

#[derive(Default, Deserialize, Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bv: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ov: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sv: Option<String>,
}

pub fn encode(base: &Path, records: &[Record]) -> Vec<u8> {
    let bn = base.to_string();
    let prefix = if base.depth() == 0 { 1 } else { bn.len() };
    let valued = records
        .iter()
        .filter_map(|record| Some((record, record.value.as_ref()?)));
    let entries = valued.map(|(record, value)| {
        let name = record.path.to_string().split_off(prefix);
        let mut entry = Entry {
            n: Some(name).filter(|name| !name.is_empty()),
            t: record.time,
            ..Entry::default()
        };
        match value {
            Value::Integer(value) | Value::Time(value) => entry.v = Some((*value).into()),
            Value::Unsigned(value) => entry.v = Some((*value).into()),
            Value::Float(value) => entry.v = Number::from_f64(*value),
            Value::Boolean(value) => entry.bv = Some(*value),
            Value::ObjectLink(..) => entry.ov = Some(value.to_plain_text()),
            _ => entry.sv = Some(value.to_plain_text()),
        }
        entry
    });
    let body = Body {
        e: entries.collect(),
        bt: None,
        bn,
    };
    // Strings, numbers and booleans always have a JSON form.
    serde_json::to_vec(&body).unwrap_or_default()
}

pub fn decode(
    payload: &[u8],
    wanted: &dyn Fn(&Path) -> Option<Type>,
) -> Result<Vec<Record>, FormatError> {
    let body: Body = serde_json::from_slice(payload).map_err(|error| {
        if error.is_eof() {
            FormatError::Truncated
        } else {
            FormatError::Malformed(error.to_string())
        }
    })?;
    let records = body.e.iter().map(|entry| {
        let path = path_of(&body.bn, entry.n.as_deref().unwrap_or_default())?;
        let value = if let Some(number) = &entry.v {
            Some(number_value(number))
        } else if let Some(value) = entry.bv {
            Some(Value::Boolean(value))
        } else if let Some(link) = &entry.ov {
            Some(object_link(link).ok_or(FormatError::WrongType(path))?)
        } else if let Some(text) = &entry.sv {
            let opaque = wanted(&path) == Some(Type::Opaque);
            let bytes = opaque.then(|| BASE64.decode(text.as_bytes())).transpose();
            let bytes = bytes.map_err(|_| FormatError::WrongType(path))?;
            Some(bytes.map_or_else(|| Value::Text(text.clone()), Value::Opaque))
        } else {
            None
        };
        let time = body
            .bt
            .map(|base| base + entry.t.unwrap_or_default())
            .or(entry.t);
        Ok(Record { path, value, time })
    });
    records.collect()
}
