//! Content formats: from payloads to values and back (LwM2M Core, "Data Formats for Transferring
//! Resource Information").
//!
//! `encode` is the way back. Of the decoders, one file per format. What they share: `output` checks paths and gives values their types,
//! `scalar` converts, `name` reads paths, `cbor_reader` and `json_reader` read the notations.

mod cbor;
mod cbor_reader;
mod encode;
mod error;
mod json_reader;
mod lwm2m_cbor;
mod name;
mod oma_json;
mod opaque;
mod output;
mod scalar;
mod senml;
mod senml_cbor;
mod senml_json;
mod text;
mod tlv;

pub use encode::{EncodeError, EncodeOptions, FloatWidth, encode, encode_paths};
pub use error::{DecodeError, Position};
use output::Output;

use super::{Path, Record, ResourceTypes};
use crate::proto::time::UnixMillis;

/// A content format that carries values.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DataFormat {
    /// text/plain, one value.
    Text,
    /// application/octet-stream, one Opaque value.
    Opaque,
    /// application/cbor, one value (LwM2M 1.1).
    Cbor,
    /// application/senml+json (LwM2M 1.1, RFC 8428 §5).
    SenmlJson,
    /// application/senml+cbor (LwM2M 1.1, RFC 8428 §6).
    SenmlCbor,
    /// application/senml-etch+json: paths to fetch, values to set or remove (LwM2M 1.2, RFC 8790).
    SenmlEtchJson,
    /// application/senml-etch+cbor, the same in CBOR.
    SenmlEtchCbor,
    /// application/vnd.oma.lwm2m+tlv.
    Tlv,
    /// application/vnd.oma.lwm2m+json (LwM2M 1.0).
    OmaJson,
    /// application/vnd.oma.lwm2m+cbor (LwM2M 1.2).
    Lwm2mCbor,
}

impl DataFormat {
    /// The format with this CoAP number; 1542 and 1543 are those of TLV and JSON before
    /// registration.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::Text,
            42 => Self::Opaque,
            60 => Self::Cbor,
            110 => Self::SenmlJson,
            112 => Self::SenmlCbor,
            320 => Self::SenmlEtchJson,
            322 => Self::SenmlEtchCbor,
            1542 | 11542 => Self::Tlv,
            1543 | 11543 => Self::OmaJson,
            11544 => Self::Lwm2mCbor,
            _ => return None,
        })
    }

    /// `true` for a format that holds a single value without its path.
    #[must_use]
    pub const fn is_single_value(self) -> bool {
        matches!(self, Self::Text | Self::Opaque | Self::Cbor)
    }

    /// `true` for SenML-ETCH, in which only requests are made.
    #[must_use]
    pub const fn is_etch(self) -> bool {
        matches!(self, Self::SenmlEtchJson | Self::SenmlEtchCbor)
    }

    /// `true` for a format in which a value may have a time.
    #[must_use]
    pub const fn carries_time(self) -> bool {
        !self.is_single_value() && !matches!(self, Self::Tlv | Self::Lwm2mCbor)
    }
}

/// Decodes `payload` of content format `format` and hands each value to `sink` in the order
/// received.
///
/// `base` is the path the payload answers for: of a read or observation, or [`Path::ROOT`] for Send
/// and composite operations. Values get the type `types` knows for their Resource, else the one
/// they have in the payload: text of unknown type is a String, TLV of unknown type is Opaque.
/// Relative times are counted from `now`. In SenML-ETCH, the value `null` is a record without value.
///
/// Memory is bounded by the payload: nothing is collected here, and a record takes at least two
/// bytes of payload.
///
/// # Errors
/// The first thing wrong with the payload. Values before it have been handed out by then; a caller
/// that takes a payload as a whole collects them and drops them on an error.
pub fn decode(
    format: u16,
    base: &Path,
    payload: &[u8],
    types: &dyn ResourceTypes,
    now: UnixMillis,
    sink: &mut dyn FnMut(Record),
) -> Result<(), DecodeError> {
    let data_format =
        DataFormat::from_number(format).ok_or(DecodeError::UnsupportedFormat { format })?;
    if data_format.is_single_value() && !base.holds_value() {
        return Err(DecodeError::NotAResource {
            format,
            base: *base,
        });
    }
    let mut output = Output::new(*base, types, sink);
    match data_format {
        DataFormat::Text => text::decode(payload, &mut output),
        DataFormat::Opaque => opaque::decode(payload, &mut output),
        DataFormat::Cbor => cbor::decode(payload, &mut output),
        DataFormat::SenmlJson | DataFormat::SenmlEtchJson => {
            let nulls = data_format == DataFormat::SenmlEtchJson;
            senml_json::decode(payload, nulls, now, &mut output)
        }
        DataFormat::SenmlCbor | DataFormat::SenmlEtchCbor => {
            let nulls = data_format == DataFormat::SenmlEtchCbor;
            senml_cbor::decode(payload, nulls, now, &mut output)
        }
        DataFormat::Tlv => tlv::decode(payload, &mut output),
        DataFormat::OmaJson => oma_json::decode(payload, now, &mut output),
        DataFormat::Lwm2mCbor => lwm2m_cbor::decode(payload, &mut output),
    }
}

#[cfg(test)]
mod tests;
