//! The content formats of LwM2M, between payloads and records.

mod cbor;
mod json;
mod lwm2m_cbor;
mod senml;
mod tlv;

use std::str;

use thiserror::Error;

use super::options::Version;
use super::path::Path;
use super::refusal::Refusal;
use super::tree::{Record, Tree};
use super::value::{Type, Value};

pub const TEXT: u16 = 0;
pub const LINK_FORMAT: u16 = 40;
pub const OPAQUE: u16 = 42;
pub const CBOR: u16 = 60;
pub const SENML_JSON: u16 = 110;
pub const SENML_CBOR: u16 = 112;
pub const SENML_ETCH_JSON: u16 = 320;
pub const SENML_ETCH_CBOR: u16 = 322;
pub const OLD_TLV: u16 = 1542;
pub const OLD_JSON: u16 = 1543;
pub const TLV: u16 = 11542;
pub const JSON: u16 = 11543;
pub const LWM2M_CBOR: u16 = 11544;

/// In the place of the object instance id that a Create left to the device.
pub const NEW_INSTANCE: u16 = u16::MAX;

/// The formats with the names that the console takes.
pub const NAMES: [(&str, u16); 11] = [
    ("TEXT", TEXT),
    ("OPAQUE", OPAQUE),
    ("CBOR", CBOR),
    ("SENML_JSON", SENML_JSON),
    ("SENML_CBOR", SENML_CBOR),
    ("SENML_ETCH_JSON", SENML_ETCH_JSON),
    ("SENML_ETCH_CBOR", SENML_ETCH_CBOR),
    ("TLV", TLV),
    ("JSON", JSON),
    ("LWM2M_CBOR", LWM2M_CBOR),
    ("LINK", LINK_FORMAT),
];

/// Why records cannot be written in a format, or a payload not be read.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum FormatError {
    #[error("content format {0} is not known")]
    Unknown(u16),
    #[error("content format {0} carries one value, not {1}")]
    NotOneValue(u16, usize),
    #[error("truncated payload")]
    Truncated,
    #[error("malformed payload: {0}")]
    Malformed(String),
    #[error("{0} is not below {1}")]
    OutOfPlace(Path, Path),
    #[error("{0} does not have this type of value")]
    WrongType(Path),
}

impl From<FormatError> for Refusal {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Unknown(_) => Self::unsupported_format(error.to_string()),
            _ => Self::bad_request(error.to_string()),
        }
    }
}

/// What a client of this version announces by itself (text and opaque go without saying).
#[must_use]
pub const fn announced(version: Version) -> &'static [u16] {
    match version {
        Version::V1_0 => &[TLV, JSON],
        Version::V1_1 => &[CBOR, SENML_JSON, SENML_CBOR, TLV, JSON],
        Version::V1_2 => &[
            CBOR,
            SENML_JSON,
            SENML_CBOR,
            SENML_ETCH_JSON,
            SENML_ETCH_CBOR,
            TLV,
            JSON,
            LWM2M_CBOR,
        ],
    }
}

/// Whether the format carries one value without its path.
#[must_use]
pub const fn is_single_valued(format: u16) -> bool {
    matches!(format, TEXT | OPAQUE | CBOR)
}

/// Writes what was read at `base`. For [`Path::ROOT`] the names are whole paths, as in composite answers and Sends.
///
/// # Errors
///
/// When the format is unknown or can carry one value only and there is another number.
pub fn encode(format: u16, base: &Path, records: &[Record]) -> Result<Vec<u8>, FormatError> {
    match format {
        TEXT | OPAQUE | CBOR => {
            let [
                Record {
                    path,
                    value: Some(value),
                    ..
                },
            ] = records
            else {
                return Err(FormatError::NotOneValue(format, records.len()));
            };
            match (format, value) {
                (OPAQUE, Value::Opaque(bytes)) => Ok(bytes.clone()),
                (OPAQUE, _) => Err(FormatError::WrongType(*path)),
                (TEXT, _) => Ok(value.to_plain_text().into_bytes()),
                _ => Ok(cbor::one(value)),
            }
        }
        SENML_JSON => Ok(senml::encode_json(base, records)),
        SENML_CBOR => Ok(senml::encode_cbor(base, records)),
        TLV | OLD_TLV => Ok(tlv::encode(base, records)),
        JSON | OLD_JSON => Ok(json::encode(base, records)),
        LWM2M_CBOR => Ok(lwm2m_cbor::encode(base, records)),
        _ => Err(FormatError::Unknown(format)),
    }
}

/// Reads what is to be written at `base`; every value has its resource's type afterwards.
///
/// # Errors
///
/// When the format is unknown, the payload malformed, a path not below `base`, or a value of another type.
pub fn decode(
    format: u16,
    base: &Path,
    payload: &[u8],
    tree: &Tree,
) -> Result<Vec<Record>, FormatError> {
    let wanted = |path: &Path| tree.type_of(path);
    let records = match format {
        TEXT => vec![Record::new(*base, text(payload, base, wanted(base))?)],
        OPAQUE => vec![Record::new(*base, Value::Opaque(payload.to_vec()))],
        CBOR => vec![Record {
            path: *base,
            value: cbor::read_one(payload)?,
            time: None,
        }],
        SENML_JSON | SENML_ETCH_JSON => senml::decode_json(payload)?,
        SENML_CBOR | SENML_ETCH_CBOR => senml::decode_cbor(payload)?,
        TLV | OLD_TLV => tlv::decode(base, payload, &wanted)?,
        JSON | OLD_JSON => json::decode(payload, &wanted)?,
        LWM2M_CBOR => lwm2m_cbor::decode(payload)?,
        _ => return Err(FormatError::Unknown(format)),
    };
    let mut typed = Vec::with_capacity(records.len());
    for Record { path, value, time } in records {
        if !base.contains(&path) {
            return Err(FormatError::OutOfPlace(path, *base));
        }
        let value = match (value, wanted(&path)) {
            (Some(value), Some(wanted)) => Some(
                value
                    .into_type(wanted)
                    .ok_or(FormatError::WrongType(path))?,
            ),
            (value, _) => value,
        };
        typed.push(Record { path, value, time });
    }
    Ok(typed)
}

/// The paths that a composite request asks for.
///
/// # Errors
///
/// When the format is none for paths or the payload malformed.
pub fn decode_paths(format: u16, payload: &[u8]) -> Result<Vec<Path>, FormatError> {
    let records = match format {
        SENML_JSON | SENML_ETCH_JSON => senml::decode_json(payload)?,
        SENML_CBOR | SENML_ETCH_CBOR => senml::decode_cbor(payload)?,
        _ => return Err(FormatError::Unknown(format)),
    };
    Ok(records.into_iter().map(|record| record.path).collect())
}

fn text(payload: &[u8], base: &Path, wanted: Option<Type>) -> Result<Value, FormatError> {
    let text = str::from_utf8(payload)
        .map_err(|_| FormatError::Malformed("the text is not UTF-8".to_owned()))?;
    match wanted {
        Some(wanted) => wanted
            .from_plain_text(text)
            .ok_or(FormatError::WrongType(*base)),
        None => Ok(Value::Text(text.to_owned())),
    }
}

/// A name of a SenML or JSON record: base name and name put together.
fn path_of(base_name: &str, name: &str) -> Result<Path, FormatError> {
    let whole = format!("{base_name}{name}");
    whole
        .parse()
        .map_err(|error| FormatError::Malformed(format!("{error}")))
}

#[cfg(test)]
mod tests;
