//! Firmware and software packages: states that follow each other on a timer, and what goes to [`stored`].

use super::stored::{self, PackageKind};
use crate::client::device::{Device, Timer};
use crate::client::operations::Arguments;
use crate::client::options::PackageMode;
use crate::client::refusal::Refusal;
use crate::client::value::Value;

/// Between two states, in milliseconds.
const STEP_MS: u64 = 100;

/// States and results of a package, as far as an Execute has to know them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PackageState {
    pub state: i64,
    pub result: i64,
}

impl PackageState {
    /// Those of object 5 or 9.
    #[must_use]
    pub fn of(device: &Device, state: &str, result: &str) -> Self {
        let number = |path| device.value(path).and_then(|value| value.as_integer());
        Self {
            state: number(state).unwrap_or_default(),
            result: number(result).unwrap_or_default(),
        }
    }
}

fn steps(device: &mut Device, now: u64, steps: &[(u64, &'static str, i64)]) {
    for &(step, path, value) in steps {
        device.schedule(
            now + step * STEP_MS,
            Timer::Set(path, Value::Integer(value)),
        );
    }
}

/// A package or its address was written. An empty one resets the state (OMA LwM2M Core, Firmware Update).
///
/// # Errors
///
/// 4.00 when a package is to be stored and cannot be.
pub fn firmware_written(device: &mut Device, value: &Value, now: u64) -> Result<(), Refusal> {
    let reset = matches!(value, Value::Opaque(bytes) if bytes.is_empty() || bytes == &[0])
        || matches!(value, Value::Text(text) if text.is_empty());
    if reset {
        steps(device, now, &[(0, "/5/0/3", 0), (0, "/5/0/5", 0)]);
    } else if device.options().packages == PackageMode::Simulated {
        steps(device, now, &[(1, "/5/0/3", 1), (2, "/5/0/3", 2)]);
    } else if device.options().packages == PackageMode::Stored {
        return store(device, PackageKind::Firmware, value, now);
    }
    Ok(())
}

fn store(device: &mut Device, kind: PackageKind, value: &Value, now: u64) -> Result<(), Refusal> {
    match value {
        Value::Opaque(bytes) => stored::take(device, kind, bytes, now),
        Value::Text(url) => {
            stored::fetch(device, kind, url, now);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Execute 5/0/2.
///
/// # Errors
///
/// 4.00 in any state but downloaded, when states are simulated.
pub fn install_firmware(device: &mut Device, now: u64) -> Result<(), Refusal> {
    if device.options().packages == PackageMode::None {
        return Ok(());
    }
    let package = PackageState::of(device, "/5/0/3", "/5/0/5");
    if (package.state, package.result) != (2, 0) {
        return Err(Refusal::bad_request(format!(
            "Firmware was updated failed. Sate: [{}] result: [{}]",
            package.state, package.result
        )));
    }
    let done = [
        (1, "/5/0/3", 3),
        (2, "/5/0/5", 1),
        (3, "/5/0/3", 0),
        (3, "/5/0/5", 0),
    ];
    steps(device, now, &done);
    device.schedule(now + 2 * STEP_MS, Timer::Installed(PackageKind::Firmware));
    Ok(())
}

/// A software package or its address was written.
///
/// # Errors
///
/// 4.00 when a package is to be stored and cannot be.
pub fn software_written(device: &mut Device, value: &Value, now: u64) -> Result<(), Refusal> {
    if device.options().packages == PackageMode::Stored {
        return store(device, PackageKind::Software, value, now);
    }
    if device.options().packages == PackageMode::Simulated {
        let delivered = [
            (1, "/9/0/7", 1),
            (1, "/9/0/9", 1),
            (2, "/9/0/7", 2),
            (3, "/9/0/7", 3),
            (3, "/9/0/9", 3),
        ];
        steps(device, now, &delivered);
    }
    Ok(())
}

/// Execute 9/0/4.
///
/// # Errors
///
/// 4.00 unless the package is delivered, when states are simulated.
pub fn install_software(device: &mut Device, now: u64) -> Result<(), Refusal> {
    if device.options().packages == PackageMode::None {
        return Ok(());
    }
    let package = PackageState::of(device, "/9/0/7", "/9/0/9");
    if (package.state, package.result) != (3, 3) {
        return Err(Refusal::bad_request(format!(
            "Software was installed failed. State: [{}] result: [{}]",
            package.state, package.result
        )));
    }
    let done = [
        (1, "/9/0/7", 4),
        (2, "/9/0/9", 2),
        (3, "/9/0/7", 0),
        (3, "/9/0/9", 0),
    ];
    steps(device, now, &done);
    device.schedule(now + 2 * STEP_MS, Timer::Installed(PackageKind::Software));
    Ok(())
}

/// Execute 9/0/6: argument 1 prepares an update, which ends in the initial state; else the package would be deleted.
pub fn uninstall_software(device: &mut Device, arguments: &Arguments) {
    if arguments.iter().any(|(digit, _)| *digit == 1) {
        device.put("/9/0/7", 0.into());
        device.put("/9/0/9", 0.into());
    } else {
        stored::delete(device, PackageKind::Software);
    }
}
