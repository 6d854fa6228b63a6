//! Values of devices from end to end: the engine's binary and a simulated device.

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod credentials;
mod history;
mod import_memory;
mod shared_attributes;
mod trace;
mod transport_log;
