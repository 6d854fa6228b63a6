//! Firmware and software from end to end: the engine's binary and a simulated device.

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod devices;
mod fixture;
mod fleet;
mod full_disk;
