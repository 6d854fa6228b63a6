//! Parameters of Bootstrap-Request and Bootstrap-Pack-Request (LwM2M Transport §6.4.2).

use crate::proto::coap::{Code, content_format};
use crate::proto::lwm2m::registration::{RegisterParams, RegistrationError};

/// Content formats in which configurations are written.
pub const FORMATS: [u16; 7] = [
    content_format::TLV,
    content_format::SENML_CBOR,
    content_format::SENML_JSON,
    content_format::LWM2M_CBOR,
    content_format::JSON,
    content_format::OLD_TLV,
    content_format::OLD_JSON,
];

/// Formats of a Bootstrap-Pack: those that hold values of several objects.
pub const PACK_FORMATS: [u16; 3] = [
    content_format::SENML_CBOR,
    content_format::SENML_JSON,
    content_format::LWM2M_CBOR,
];

/// What the query says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BootstrapParams<'a> {
    /// Endpoint client name (`ep`); absent when the device leaves it to its identity.
    pub endpoint: Option<&'a str>,
    /// Preferred content format (`pct`).
    pub preferred: Option<u16>,
    /// Other parameters, name and value.
    pub additional: Vec<(&'a str, &'a str)>,
}

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParamsError {
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] RegistrationError),
    /// `pct` is no number, or one of no format that configurations are written in.
    #[error("pct is none of 11542, 112, 110, 11544, 11543")]
    UnsupportedFormat,
}

impl ParamsError {
    /// CoAP response code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Query(error) => Code::from_u8(error.coap_code()),
            Self::UnsupportedFormat => Code::UNSUPPORTED_CONTENT_FORMAT,
        }
    }
}

impl<'a> BootstrapParams<'a> {
    /// Reads the Uri-Query options.
    ///
    /// # Errors
    /// See [`ParamsError`].
    pub fn parse(queries: impl Iterator<Item = &'a [u8]>) -> Result<Self, ParamsError> {
        let params = RegisterParams::parse(queries)?;
        let mut read = Self {
            endpoint: params.endpoint,
            preferred: None,
            additional: params.additional,
        };
        let preferred = read.additional.iter().position(|(name, _)| *name == "pct");
        if let Some(at) = preferred {
            let (_, text) = read.additional.remove(at);
            let format = text.parse().ok().filter(|format| FORMATS.contains(format));
            read.preferred = Some(format.ok_or(ParamsError::UnsupportedFormat)?);
        }
        Ok(read)
    }
}
