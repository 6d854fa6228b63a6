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

/// The kinds of [`PowerMode`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PowerKind {
    /// [`PowerMode::Drx`]
    Drx,
    /// [`PowerMode::Psm`]
    Psm,
    /// [`PowerMode::Edrx`]
    Edrx,
}

/// What a profile or a device says of when a device listens; what it does not say comes from the
/// profile, and then from the server. Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct PowerSettings {
    /// The kind of power mode.
    pub kind: Option<PowerKind>,
    /// How long a device in PSM listens.
    pub activity_timer: Option<u32>,
    /// Cycle of a device in eDRX.
    pub cycle: Option<u32>,
    /// How long a device in eDRX listens.
    pub paging_window: Option<u32>,
}

impl PowerSettings {
    /// How long a device in PSM listens where nobody says.
    pub const ACTIVITY_TIMER: u32 = 10_000;

    /// Cycle of a device in eDRX where nobody says.
    pub const CYCLE: u32 = 120_000;

    /// How long a device in eDRX listens where nobody says.
    pub const PAGING_WINDOW: u32 = 10_000;

    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            kind: self.kind.or(other.kind),
            activity_timer: self.activity_timer.or(other.activity_timer),
            cycle: self.cycle.or(other.cycle),
            paging_window: self.paging_window.or(other.paging_window),
        }
    }

    /// The power mode that follows. A device listens for a cycle at most.
    #[must_use]
    pub fn mode(self) -> PowerMode {
        match self.kind {
            None | Some(PowerKind::Drx) => PowerMode::Drx,
            Some(PowerKind::Psm) => PowerMode::Psm {
                activity_timer: self.activity_timer.unwrap_or(Self::ACTIVITY_TIMER),
            },
            Some(PowerKind::Edrx) => {
                let cycle = self.cycle.unwrap_or(Self::CYCLE);
                let window = self.paging_window.unwrap_or(Self::PAGING_WINDOW);
                PowerMode::Edrx {
                    cycle,
                    paging_window: window.min(cycle),
                }
            }
        }
    }
}

impl From<PowerMode> for PowerSettings {
    fn from(mode: PowerMode) -> Self {
        match mode {
            PowerMode::Drx => Self {
                kind: Some(PowerKind::Drx),
                ..Self::default()
            },
            PowerMode::Psm { activity_timer } => Self {
                kind: Some(PowerKind::Psm),
                activity_timer: Some(activity_timer),
                ..Self::default()
            },
            PowerMode::Edrx {
                cycle,
                paging_window,
            } => Self {
                kind: Some(PowerKind::Edrx),
                cycle: Some(cycle),
                paging_window: Some(paging_window),
                ..Self::default()
            },
        }
    }
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
    pub power: PowerSettings,
    /// An id without version means the version that follows from the LwM2M version (design 4).
    pub strict_object_versions: bool,
    /// How much of a conversation is logged; `None` leaves it to the size of the fleet.
    pub transport_log: Option<LogLevel>,
    /// Telemetry values are handed over one by one, for a history of them.
    pub keeps_history: bool,
}
