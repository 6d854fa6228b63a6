//! What the objects do by themselves, when executed and after a write.

use super::packages;
use crate::client::device::{Device, Timer};
use crate::client::operations::Arguments;
use crate::client::options::Fixture;
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::tree::Record;
use crate::client::value::Value;

/// Between the answer to a reboot and the stop, and between the stop and the start, in milliseconds.
const REBOOT_STEP_MS: u64 = 500;

/// A tick of the simulated values: battery, clock, location, binary data, temperature.
#[expect(
    clippy::cast_possible_wrap,
    reason = "milliseconds since 1970 are far below 2^63"
)]
pub fn change_values(device: &mut Device, now: u64) {
    let seconds = (now / 1_000) as i64;
    let battery = match device.options().fixture {
        Fixture::Demo => device.rng.u8(0..=100),
        Fixture::Thingsboard13 => device.rng.u8(5..=50),
    };
    let status = i64::from(device.rng.u8(0..7));
    let thingsboard = device.options().fixture == Fixture::Thingsboard13;
    device.put("/3/0/9", i64::from(battery).into());
    device.put("/3/0/13", Value::Time(seconds));
    if thingsboard {
        device.put("/3/0/20", status.into());
    }
    device.put("/6/0/5", Value::Time(seconds));
    for instance in [0, 1] {
        let data = Path::new(&[19, instance, 0, 0]);
        // Data that a server wrote stays.
        if matches!(device.tree().get(&data), Some(Value::Opaque(bytes)) if bytes.len() == 1) {
            let byte = device.rng.u8(..20);
            device.put_at(&data, Value::Opaque(vec![byte]));
            device.put_at(&Path::new(&[19, instance, 2]), Value::Time(seconds));
        }
    }
    for instance in [0, 12] {
        change_temperature(device, instance);
    }
}

fn change_temperature(device: &mut Device, instance: u16) {
    let at = |resource| Path::new(&[3303, instance, resource]);
    let number = |device: &Device, resource| device.tree().get(&at(resource))?.as_number();
    let Some(before) = number(device, 5700) else {
        return;
    };
    let step = device.rng.f64() * 2.0 - 1.0;
    let value = ((before + step) * 100.0).round() / 100.0;
    device.put_at(&at(5700), value.into());
    if number(device, 5601).is_none_or(|least| value < least) {
        device.put_at(&at(5601), value.into());
    }
    if number(device, 5602).is_none_or(|most| value > most) {
        device.put_at(&at(5602), value.into());
    }
}

/// Writes that an object refuses though its model allows them.
#[must_use]
pub fn refuse_write(path: &Path) -> Option<Refusal> {
    let current_time = Path::new(&[3, 0, 13]);
    (*path == current_time).then(|| Refusal::not_found("the clock cannot be set"))
}

/// Carries out an Execute.
///
/// # Errors
///
/// The response in the negative case.
pub fn execute(
    device: &mut Device,
    path: &Path,
    arguments: &Arguments,
    now: u64,
) -> Result<(), Refusal> {
    match *path.ids() {
        [1, instance, 4] => {
            let timeout = device
                .tree()
                .get(&Path::new(&[1, instance, 5]))
                .and_then(Value::as_integer);
            let timeout = u64::try_from(timeout.unwrap_or(86_400)).unwrap_or(86_400);
            device.schedule(now, Timer::Deregister);
            device.schedule(now + timeout.saturating_mul(1_000), Timer::Register);
        }
        [1, _, 8] => device.schedule(now, Timer::Update),
        [1, _, 9] if device.can_bootstrap() => device.schedule(now, Timer::Bootstrap),
        [1, _, 9] => {
            return Err(Refusal::bad_request(
                "probably no bootstrap server configured",
            ));
        }
        [3, _, 4] => reboot(device, now),
        [3, _, 12] => {
            device.put("/3/0/11/0", 0.into());
        }
        [5, _, 2] => packages::install_firmware(device, now)?,
        [9, _, 4] => packages::install_software(device, now)?,
        [9, _, 6] => packages::uninstall_software(device, arguments),
        [3303, instance, 5605] => {
            let current = device
                .tree()
                .get(&Path::new(&[3303, instance, 5700]))
                .cloned();
            for resource in [5601, 5602] {
                let at = Path::new(&[3303, instance, resource]);
                if let Some(value) = &current {
                    device.put_at(&at, value.clone());
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Stops and starts again. The demo device takes its leave; that of the tests does not.
pub fn reboot(device: &mut Device, now: u64) {
    if device.options().fixture == Fixture::Demo {
        device.schedule(now + REBOOT_STEP_MS, Timer::Deregister);
    } else {
        device.schedule(now + REBOOT_STEP_MS, Timer::Forget);
    }
    device.schedule(now + 2 * REBOOT_STEP_MS, Timer::Register);
}

/// What follows from a Write.
///
/// # Errors
///
/// The response in the negative case, for a package that cannot be stored.
pub fn written(device: &mut Device, records: &[Record], now: u64) -> Result<(), Refusal> {
    for record in records {
        match (record.path.ids(), &record.value) {
            ([1, _, 1], Some(value)) => {
                let lifetime = value
                    .as_integer()
                    .and_then(|seconds| u32::try_from(seconds).ok());
                lifetime
                    .into_iter()
                    .for_each(|seconds| device.change_lifetime(seconds));
            }
            ([5, 0, 0 | 1], Some(value)) => packages::firmware_written(device, value, now)?,
            ([9, 0, 2 | 3], Some(value)) => packages::software_written(device, value, now)?,
            _ => {}
        }
    }
    Ok(())
}

/// Moves the location by degrees of latitude and longitude.
#[expect(
    clippy::cast_possible_wrap,
    reason = "milliseconds since 1970 are far below 2^63"
)]
pub fn move_by(device: &mut Device, latitude: f64, longitude: f64, now: u64) {
    for (path, by, limit) in [("/6/0/0", latitude, 90.0), ("/6/0/1", longitude, 180.0)] {
        if let Some(before) = device.value(path).and_then(|value| value.as_number()) {
            device.put(path, (before + by).clamp(-limit, limit).into());
        }
    }
    device.put("/6/0/5", Value::Time((now / 1_000) as i64));
}
