//! Firmware and software over the air: what devices are assigned, for all shards.
//!
//! The state machine of an update is part of the device's (`endpoint/update`). Services assign a
//! target; it stays assigned, over registrations, until it is withdrawn or the engine ends. After a
//! restart services assign again, best before the engine runs: the device goes on where it was.

mod downloads;
mod milestones;

pub use downloads::{Download, Updates};
pub use milestones::{Milestone, Milestones, Passed};

pub use super::endpoint::describe::updates::values as update_values;
pub use super::endpoint::update::news::UpdateNews;
pub use super::endpoint::update::status::UpdateStatus;
pub use super::endpoint::update::target::{
    Assignment, DownloadToken, Fetched, Image, Source, Strategy, Timeouts, UpdateKind, UpdateTarget,
};
