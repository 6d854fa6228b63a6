//! What devices notice when the engine is killed and started again: nothing.

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod device;
mod full_disk;
mod kill;
mod once;
mod secured;
