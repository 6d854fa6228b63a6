//! Updates over the air: a fleet whose devices take or fetch an image, verify it bit for bit, install it and come back
//! with the new version, over a network and with flash and power that are as bad as wished.
//!
//! The server gets package, profile, devices and the order to update by its API. What it costs it is set against an
//! echo of as many datagrams, and against what other devices notice of it.

mod bystanders;
mod device;
mod fleet;
mod floor;
mod image;
mod report;
mod run;
mod scenario;
mod server;
mod table;
mod wire;

pub use device::{Device, Event, Output, Peer, Terms};
pub use image::{Digest, Image, ImageError};
pub use report::OtaReport;
pub use run::{OtaError, OtaOptions, run};
pub use scenario::{Assign, OtaScenario, PackageKind, Refusals, Way};
pub use table::ota_table;
