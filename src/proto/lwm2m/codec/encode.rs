//! Content formats the other way: from values to payloads.
//!
//! One file per format. What they share: `senml` decides about names and times, `cbor_writer` and
//! `json_writer` write the notations, `tree` groups values for the formats that nest.

mod cbor_writer;
mod error;
mod json_writer;
mod lwm2m_cbor;
mod name;
mod oma_json;
mod senml;
mod senml_cbor;
mod senml_json;
mod text;
mod time;
mod tlv;
mod tree;

pub use error::EncodeError;

use super::DataFormat;
use crate::proto::lwm2m::{Path, Record, Value};

/// Choices a format leaves open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EncodeOptions {
    /// Width of floating-point numbers in TLV and the CBOR formats.
    pub floats: FloatWidth,
}

impl EncodeOptions {
    /// What is chosen when nothing else is.
    pub const DEFAULT: Self = Self {
        floats: FloatWidth::Shortest,
    };
}

/// Width of floating-point numbers; LwM2M has 32 and 64 bits, never 16.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FloatWidth {
    /// 32 bits for numbers that lose nothing by it, NaN and the infinities among them.
    #[default]
    Shortest,
    /// Always 64 bits.
    Double,
}

/// Appends `records` in content format `format` to `out`.
///
/// `base` is the path of the request, [`Path::ROOT`] for composite operations and Send. Records lie
/// at or below it. SenML and the JSON format keep their order; TLV and LwM2M CBOR nest, there values
/// go by ascending path. Integers are as short as the format allows.
///
/// TLV names Object Instances only when `base` is an object, as a Create with instance id has it;
/// below an Object Instance come bare Resources.
///
/// A record without value is a name alone in SenML, removes the value in SenML-ETCH (`null`,
/// RFC 8790 §3.2), is `null` in LwM2M CBOR, and in TLV stands for a multiple Resource without
/// instances or an Object Instance without Resources. Other formats have no way to say it.
///
/// NaN and the infinities go out in the binary formats and are refused by those made of text.
///
/// # Errors
/// What the format cannot carry; `out` is then as it was before.
pub fn encode(
    format: u16,
    base: &Path,
    records: &[Record],
    options: EncodeOptions,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let data_format = known(format)?;
    records
        .iter()
        .try_for_each(|record| check(record, base, format, data_format))?;
    let start = out.len();
    let result = match data_format {
        DataFormat::Text | DataFormat::Opaque | DataFormat::Cbor => {
            single_value(format, data_format, base, records, options, out)
        }
        DataFormat::SenmlJson => senml_json::encode(format, false, base, records, out),
        DataFormat::SenmlEtchJson => senml_json::encode(format, true, base, records, out),
        DataFormat::SenmlCbor => senml_cbor::encode(false, base, records, options.floats, out),
        DataFormat::SenmlEtchCbor => senml_cbor::encode(true, base, records, options.floats, out),
        DataFormat::Tlv => tlv::encode(format, base, records, options.floats, out),
        DataFormat::OmaJson => oma_json::encode(format, base, records, out),
        DataFormat::Lwm2mCbor => lwm2m_cbor::encode(records, options.floats, out),
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends a list of paths, as the request of a Read-Composite or Observe-Composite has it: SenML
/// records with names only, or `null` for every path in LwM2M CBOR. SenML keeps the order.
///
/// # Errors
/// Formats other than SenML, SenML-ETCH and LwM2M CBOR, ids that are reserved, and in LwM2M CBOR
/// paths of which one lies below another. `out` is then as it was before.
pub fn encode_paths(format: u16, paths: &[Path], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let data_format = known(format)?;
    paths.iter().try_for_each(check_ids)?;
    let start = out.len();
    let result = match data_format {
        DataFormat::SenmlJson | DataFormat::SenmlEtchJson => {
            senml_json::encode_paths(paths, out);
            Ok(())
        }
        DataFormat::SenmlCbor | DataFormat::SenmlEtchCbor => {
            senml_cbor::encode_paths(paths, out);
            Ok(())
        }
        DataFormat::Lwm2mCbor => lwm2m_cbor::encode_paths(paths, out),
        _ => Err(EncodeError::NoPathLists { format }),
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn known(format: u16) -> Result<DataFormat, EncodeError> {
    DataFormat::from_number(format).ok_or(EncodeError::UnsupportedFormat { format })
}

/// What has to hold for every record, whatever the format.
fn check(
    record: &Record,
    base: &Path,
    format: u16,
    data_format: DataFormat,
) -> Result<(), EncodeError> {
    let path = record.path;
    check_ids(&path)?;
    if !path.starts_with(base) {
        return Err(EncodeError::OutsideBase { path, base: *base });
    }
    if record.value.is_some() && !path.holds_value() {
        return Err(EncodeError::ValueAboveResource { path });
    }
    if record.time.is_some() && !data_format.carries_time() {
        return Err(EncodeError::NoTimes { format, path });
    }
    Ok(())
}

fn check_ids(path: &Path) -> Result<(), EncodeError> {
    if path.segments().iter().any(|id| *id > Path::MAX_ID) {
        return Err(EncodeError::ReservedId { path: *path });
    }
    Ok(())
}

/// Writes the one value of a format that has no paths.
fn single_value(
    format: u16,
    data_format: DataFormat,
    base: &Path,
    records: &[Record],
    options: EncodeOptions,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let [record] = records else {
        return Err(EncodeError::NotOneValue {
            format,
            base: *base,
            values: records.len(),
        });
    };
    let path = record.path;
    if path != *base {
        return Err(EncodeError::ValueBelowBase {
            format,
            path,
            base: *base,
        });
    }
    let value = record
        .value
        .as_ref()
        .ok_or(EncodeError::NoValue { format, path })?;
    match data_format {
        DataFormat::Text => {
            text::encode(value, out).map_err(|_| EncodeError::NotFinite { format, path })
        }
        DataFormat::Opaque => match value {
            Value::Opaque(bytes) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            _ => Err(EncodeError::NotOpaque {
                path,
                found: value.resource_type(),
            }),
        },
        _ => {
            // Epoch-based date/time, as LwM2M 1.1 asks for it (LwM2M Core 1.1 §7.4.3, RFC 8949 §3.4.2).
            if matches!(value, Value::Time(_)) {
                out.push(cbor_writer::EPOCH_TIME_TAG);
            }
            cbor_writer::value(value, options.floats, out);
            Ok(())
        }
    }
}
