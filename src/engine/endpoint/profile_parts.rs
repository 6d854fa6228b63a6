//! What a device profile asks of the endpoints that use it, in the words of the protocol.

use crate::proto::lwm2m::operation::NotificationAttributes;
use crate::proto::lwm2m::{Path, Version};

use super::plan::Mapping;

/// A path of a profile. It concerns devices that announce the object, in this version if one is
/// stated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlannedPath {
    /// The path.
    pub path: Path,
    /// Object version it is for; `None` for every version.
    pub version: Option<Version>,
}

/// One request a profile wants made after Register. Paths that the device does not announce are left
/// out and reported.
#[derive(Clone, Debug, PartialEq)]
pub enum PlannedStep {
    /// Write-Attributes.
    WriteAttributes(PlannedPath, NotificationAttributes),
    /// Observe.
    Observe(PlannedPath),
    /// Observe-Composite.
    ObserveComposite(Box<[PlannedPath]>),
    /// Read.
    Read(PlannedPath),
    /// Read-Composite.
    ReadComposite(Box<[PlannedPath]>),
}

/// How much of what happens with a device is logged for people to read.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// What went wrong.
    Error,
    /// Everything.
    Info,
}

/// When a device listens (LwM2M Core 1.2 §6.5, ThingsBoard's power modes).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum PowerMode {
    /// Always, but for queue mode.
    #[default]
    Drx,
    /// Power Saving Mode: for a while after each message of its own.
    Psm {
        /// How long, in milliseconds.
        activity_timer: u32,
    },
    /// Extended discontinuous reception: for a while after each message of its own, and then it can
    /// be paged once per cycle.
    Edrx {
        /// Length of the cycle in milliseconds; a request may take that long to be answered.
        cycle: u32,
        /// How long it listens, in milliseconds.
        paging_window: u32,
    },
}

/// A profile taken apart: what [`ProfilePlan`](super::plan::ProfilePlan) is compiled from.
#[derive(Clone, Debug, Default)]
pub struct ProfileParts {
    /// Name of the profile.
    pub name: String,
    /// Resources and the keys of their values.
    pub mappings: Vec<Mapping>,
    /// Requests after Register, in order.
    pub steps: Vec<PlannedStep>,
    /// When the devices listen.
    pub power: PowerMode,
    /// An id without version means the version that follows from the LwM2M version (design 4).
    pub strict_object_versions: bool,
    /// How much of a conversation is logged; `None` leaves it to the size of the fleet.
    pub transport_log: Option<LogLevel>,
    /// Telemetry values are handed over one by one, for a history of them.
    pub keeps_history: bool,
}
