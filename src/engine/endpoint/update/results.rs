//! What states and results of objects 5 and 9 mean (LwM2M Core 1.2 appendix E.6, OMA software
//! management), in ThingsBoard's words where it has some.

use super::target::UpdateKind;
use crate::proto::lwm2m::{Path, Value};

/// A state as a text; `None` for one that the object does not define.
pub fn state_text(kind: UpdateKind, state: u8) -> Option<&'static str> {
    Some(match (kind, state) {
        (UpdateKind::Firmware, 0) => "Idle",
        (UpdateKind::Firmware, 1) => "Downloading",
        (UpdateKind::Firmware, 2) => "Downloaded",
        (UpdateKind::Firmware, 3) => "Updating",
        (UpdateKind::Software, 0) => "Initial",
        (UpdateKind::Software, 1) => "DownloadStarted",
        (UpdateKind::Software, 2) => "Downloaded",
        (UpdateKind::Software, 3) => "Delivered",
        (UpdateKind::Software, 4) => "Installed",
        _ => return None,
    })
}

/// A result as a text; `None` for one that the object does not define.
pub fn result_text(kind: UpdateKind, result: u8) -> Option<&'static str> {
    Some(match (kind, result) {
        (_, 0) => "Initial value",
        (UpdateKind::Firmware, 1) => "Firmware updated successfully",
        (UpdateKind::Firmware, 2) => "Not enough flash memory for the new firmware package",
        (UpdateKind::Firmware, 3) => "Out of RAM during downloading process",
        (UpdateKind::Firmware, 4) => "Connection lost during downloading process",
        (UpdateKind::Firmware, 5) => "Integrity check failure for new downloaded package",
        (UpdateKind::Firmware, 6) => "Unsupported package type",
        (UpdateKind::Firmware, 7) => "Invalid URI",
        (UpdateKind::Firmware, 8) => "Firmware update failed",
        (UpdateKind::Firmware, 9) => "Unsupported protocol",
        (UpdateKind::Firmware, 10) => "Firmware update cancelled",
        (UpdateKind::Firmware, 11) => "Firmware update deferred",
        (UpdateKind::Software, 1) => "Downloading",
        (UpdateKind::Software, 2) => "Software successfully installed",
        (UpdateKind::Software, 3) => "Successfully Downloaded and package integrity verified",
        (UpdateKind::Software, 50) => "Not enough storage for the new software package",
        (UpdateKind::Software, 51) => "Out of memory during downloading process",
        (UpdateKind::Software, 52) => "Connection lost during downloading process",
        (UpdateKind::Software, 53) => "Package integrity check failure.",
        (UpdateKind::Software, 54) => "Unsupported package type",
        (UpdateKind::Software, 56) => "Invalid URI",
        (UpdateKind::Software, 57) => "Device defined update error",
        (UpdateKind::Software, 58) => "Software installation failure",
        (UpdateKind::Software, 59) => "Uninstallation Failure during forUpdate(arg=0)",
        _ => return None,
    })
}

/// A result in words, whatever it is.
pub(super) fn result_in_words(kind: UpdateKind, result: u8) -> String {
    match (result_text(kind, result), kind) {
        (Some(text), _) => text.to_owned(),
        (None, UpdateKind::Software) if result >= 200 => {
            format!("update result {result}, which only the device's vendor can explain")
        }
        (None, _) => format!("update result {result}, which the object does not define"),
    }
}

/// Whether a result says that the update did not work.
pub(super) fn is_failure(kind: UpdateKind, result: u8) -> bool {
    match kind {
        UpdateKind::Firmware => !matches!(result, 0 | 1 | 11),
        UpdateKind::Software => !matches!(result, 0..=3),
    }
}

/// Whether another attempt may help.
pub(super) fn is_retried(kind: UpdateKind, result: u8) -> bool {
    match kind {
        UpdateKind::Firmware => matches!(result, 4 | 5),
        UpdateKind::Software => matches!(result, 50 | 51 | 56..=59),
    }
}

/// What is kept of a state or a result instead of its number (ThingsBoard stores texts); `None` for
/// every other resource, and for numbers without a text.
pub fn stored_text(path: &Path, value: &Value) -> Option<Value> {
    let number = number(value)?;
    let text = match path.segments() {
        [5, 0, 3] => state_text(UpdateKind::Firmware, number),
        [5, 0, 5] => result_text(UpdateKind::Firmware, number),
        [9, 0, 7] => state_text(UpdateKind::Software, number),
        [9, 0, 9] => result_text(UpdateKind::Software, number),
        _ => None,
    };
    text.map(|text| Value::String(text.into()))
}

/// A small number.
pub(super) fn number(value: &Value) -> Option<u8> {
    match value {
        Value::Integer(number) => u8::try_from(*number).ok(),
        Value::Unsigned(number) => u8::try_from(*number).ok(),
        Value::Float(number) if number.fract() == 0.0 && (0.0..256.0).contains(number) => {
            Some(*number as u8)
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
