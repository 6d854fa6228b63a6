//! `[bootstrap]` of a scenario.

use serde::Deserialize;

use crate::client::{Version, formats};

/// `[bootstrap]`: devices know the server of the run as their bootstrap server, and no other.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapSettings {
    /// In which content format they want to be told (`pct`, or `Accept` of a pack). Without it they say nothing, and are
    /// told in TLV; a pack they want in SenML CBOR.
    pub format: Option<BootstrapFormat>,
    /// Whether they ask for all of it at once (Bootstrap-Pack of LwM2M 1.2).
    pub pack: bool,
}

/// Content formats of configurations.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum BootstrapFormat {
    Tlv,
    Json,
    SenmlJson,
    SenmlCbor,
    Lwm2mCbor,
}

impl BootstrapSettings {
    /// The number of the format, if one is wanted.
    #[must_use]
    pub const fn content_format(&self) -> Option<u16> {
        match self.format {
            None if self.pack => Some(formats::SENML_CBOR),
            None => None,
            Some(BootstrapFormat::Tlv) => Some(formats::TLV),
            Some(BootstrapFormat::Json) => Some(formats::JSON),
            Some(BootstrapFormat::SenmlJson) => Some(formats::SENML_JSON),
            Some(BootstrapFormat::SenmlCbor) => Some(formats::SENML_CBOR),
            Some(BootstrapFormat::Lwm2mCbor) => Some(formats::LWM2M_CBOR),
        }
    }

    /// The version of LwM2M that devices have: 1.2 where they want what came with it.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self.format {
            Some(BootstrapFormat::Lwm2mCbor) => Version::V1_2,
            _ if self.pack => Version::V1_2,
            _ => Version::V1_1,
        }
    }
}
