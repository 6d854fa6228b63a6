//! Which shared attributes there can be.

use serde_json::{Map, Value};

use super::{MAX_ATTRIBUTES, MAX_BYTES, MAX_KEY_BYTES};

/// Names of the attributes by which ThingsBoard assigns firmware and software. They belong to the
/// update of devices and are set by it alone.
pub const RESERVED: [&str; 16] = [
    "fw_title",
    "fw_version",
    "fw_tag",
    "fw_ts",
    "fw_size",
    "fw_checksum",
    "fw_checksum_algorithm",
    "fw_url",
    "sw_title",
    "sw_version",
    "sw_tag",
    "sw_ts",
    "sw_size",
    "sw_checksum",
    "sw_checksum_algorithm",
    "sw_url",
];

/// What is wrong with a shared attribute.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttributeFault {
    /// The body names no attribute.
    #[error("the body is empty; accepted is an object with values by attribute name")]
    Empty,
    /// The name cannot be one.
    #[error(
        "\"{key}\" cannot be the name of an attribute; accepted are 1 to {MAX_KEY_BYTES} bytes without control characters and commas"
    )]
    Key {
        /// As given, cut to a readable length.
        key: String,
    },
    /// The name belongs to the update of firmware and software.
    #[error("{key} is set by assigning a firmware or software package, not here")]
    Reserved {
        /// The name.
        key: String,
    },
    /// The value is `null`.
    #[error("{key} is null; accepted is any other JSON value, and DELETE removes an attribute")]
    Null {
        /// The name.
        key: String,
    },
    /// The device has as many as there can be.
    #[error("the device would have {count} shared attributes; it can have {MAX_ATTRIBUTES}")]
    TooMany {
        /// How many there would be.
        count: usize,
    },
    /// They take too much room.
    #[error(
        "the shared attributes of the device would take {bytes} bytes as JSON; they can take {MAX_BYTES}"
    )]
    TooLarge {
        /// How many bytes they would take.
        bytes: usize,
    },
}

impl AttributeFault {
    /// The attribute that is refused, when it is one of them.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key { key } | Self::Reserved { key } | Self::Null { key } => Some(key),
            Self::Empty | Self::TooMany { .. } | Self::TooLarge { .. } => None,
        }
    }
}

/// Longest quotation of a name, in bytes.
const MAX_QUOTED: usize = 64;

/// Checks values that are to be set.
pub(super) fn check(values: &Map<String, Value>) -> Result<(), AttributeFault> {
    if values.is_empty() {
        return Err(AttributeFault::Empty);
    }
    for (key, value) in values {
        let length = 1..=MAX_KEY_BYTES;
        let refused = |c: char| c.is_control() || c == ',';
        if !length.contains(&key.len()) || key.contains(refused) {
            let cut = &key[..key.floor_char_boundary(MAX_QUOTED)];
            let key = cut.escape_default().to_string();
            return Err(AttributeFault::Key { key });
        }
        let key = key.clone();
        if RESERVED.contains(&key.as_str()) {
            return Err(AttributeFault::Reserved { key });
        }
        if value.is_null() {
            return Err(AttributeFault::Null { key });
        }
    }
    Ok(())
}
