//! What a file with a profile holds.

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A profile to import.
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) configuration: Box<RawValue>,
}

/// A device profile as ThingsBoard exports it, as far as it concerns us.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    name: Option<String>,
    transport_type: Option<String>,
    profile_data: Option<ProfileData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileData {
    transport_configuration: Option<Box<RawValue>>,
}

impl Profile {
    /// Reads a ThingsBoard device profile, or a transport configuration alone; `name` goes before
    /// the name in the file.
    pub(super) fn read(text: &str, name: Option<String>) -> anyhow::Result<Self> {
        let export: Export = serde_json::from_str(text).context(
            "it is neither a device profile of ThingsBoard nor a transport configuration",
        )?;
        let Some(data) = export.profile_data else {
            let name = name.context(
                "a transport configuration has no name: give it with --name, or import a whole device profile",
            )?;
            let configuration = serde_json::from_str(text)?;
            return Ok(Self {
                name,
                configuration,
            });
        };
        if let Some(transport) = export.transport_type.filter(|t| t != "LWM2M") {
            bail!(
                "`transportType` of the device profile is \"{transport}\"; accepted is \"LWM2M\""
            );
        }
        let configuration = data.transport_configuration.context(
            "`profileData.transportConfiguration` is missing; accepted is a device profile with transport type LWM2M",
        )?;
        let name = name
            .or(export.name)
            .context("the device profile has no `name`: give one with --name")?;
        Ok(Self {
            name,
            configuration,
        })
    }
}
