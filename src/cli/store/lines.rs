//! The lines of an export: a header, then one record each. Records of the store are JSON and stay
//! readable; those of devices are binary, in base64.

use anyhow::{Context, bail};
use data_encoding::BASE64;
use rookery::store::{FORMAT, STATE_FORMAT};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Version of the form of an export.
const EXPORT: u32 = 1;

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    rookery_export: u32,
    store_format: u32,
    state_format: u32,
}

impl Header {
    pub(super) const fn current() -> Self {
        Self {
            rookery_export: EXPORT,
            store_format: FORMAT,
            state_format: STATE_FORMAT,
        }
    }

    pub(super) fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Whether this build can read what follows.
    pub(super) fn check(line: Option<&str>) -> anyhow::Result<()> {
        let expected = "it is no export of rookery store: {\"rookeryExport\":1,…} is expected";
        let header: Self = serde_json::from_str(line.unwrap_or_default()).context(expected)?;
        let newer = header.rookery_export > EXPORT
            || header.store_format > FORMAT
            || header.state_format > STATE_FORMAT;
        if newer {
            bail!("the export was written by a later version of rookery");
        }
        Ok(())
    }
}

/// A record: of the store when it has a `table`, of devices when it has a `state`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    /// As it is for the store, in base64 for devices.
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    /// In the place of `value`, for bytes that are no JSON on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Line {
    pub(super) fn of_store(table: &str, key: &str, bytes: &[u8]) -> Self {
        let json = std::str::from_utf8(bytes).ok();
        let json = json.filter(|text| !text.contains(['\n', '\r']));
        let value = json.and_then(|text| RawValue::from_string(text.to_owned()).ok());
        Self {
            table: Some(table.to_owned()),
            key: key.to_owned(),
            base64: value.is_none().then(|| BASE64.encode(bytes)),
            value,
            ..Self::default()
        }
    }

    pub(super) fn of_state(table: &str, key: &[u8], bytes: &[u8]) -> Self {
        Self {
            state: Some(table.to_owned()),
            key: BASE64.encode(key),
            base64: Some(BASE64.encode(bytes)),
            ..Self::default()
        }
    }

    pub(super) fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).context(
            "expected {\"table\":…,\"key\":…,\"value\":…} or {\"state\":…,\"key\":…,\"base64\":…}",
        )
    }

    /// The bytes of the record.
    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        match (&self.value, &self.base64) {
            (Some(json), None) => Ok(json.get().as_bytes().to_vec()),
            (None, Some(text)) => decode(text, "base64"),
            _ => bail!("either \"value\" or \"base64\" is needed"),
        }
    }

    /// The key of a record of devices.
    pub(super) fn key_bytes(&self) -> anyhow::Result<Vec<u8>> {
        decode(&self.key, "key")
    }
}

fn decode(text: &str, member: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = BASE64.decode(text.as_bytes());
    bytes.with_context(|| format!("\"{member}\" is not base64"))
}
