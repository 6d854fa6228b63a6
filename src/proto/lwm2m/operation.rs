//! What a server asks of a device: operations of the "Device Management & Service Enablement" and
//! "Information Reporting" interfaces (LwM2M Core §6.3 and §6.4), as CoAP requests (LwM2M Transport
//! §6.4.4 and §6.4.5) and the meaning of their answers.
//!
//! `request` builds requests, `format` chooses content formats, `paths` knows which paths an
//! operation takes, `answer` reads what comes back.

mod answer;
mod arguments;
mod attributes;
mod context;
mod discover;
mod error;
mod format;
mod paths;
mod request;

pub use answer::{Answer, AnswerError};
pub use arguments::{ArgumentsError, ExecuteArguments};
pub use attributes::{AttributeError, Edge, NotificationAttributes, Setting};
pub use context::RequestContext;
pub use discover::{DiscoverAnswer, DiscoverError, DiscoveredLink};
pub use error::OperationError;
pub use request::RequestParts;

use super::{Path, Record};

/// One operation on one device.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Reads an object, Object Instance, Resource or, from LwM2M 1.1 on, Resource Instance.
    Read {
        /// What to read.
        path: Path,
    },
    /// Asks which instances, Resources and attributes there are.
    Discover {
        /// Object, Object Instance or Resource.
        path: Path,
        /// How many levels below `path` to list, 0 to 3 (LwM2M 1.2).
        depth: Option<u8>,
    },
    /// Writes an Object Instance, a Resource or, from LwM2M 1.1 on, a Resource Instance.
    Write {
        /// What to write.
        path: Path,
        /// What becomes of values that are not given.
        mode: WriteMode,
        /// The values, at or below `path`. A record of a multiple Resource without value leaves it
        /// without instances.
        records: Vec<Record>,
    },
    /// Sets or removes attributes that govern notifications.
    WriteAttributes {
        /// Object, Object Instance, Resource or, from LwM2M 1.1 on, Resource Instance.
        path: Path,
        /// The attributes to change; others stay.
        attributes: NotificationAttributes,
    },
    /// Executes a Resource.
    Execute {
        /// The Resource.
        path: Path,
        /// Its arguments.
        arguments: ExecuteArguments,
    },
    /// Creates Object Instances.
    Create {
        /// The object.
        object: u16,
        /// Who says which ids the instances get.
        ids: InstanceIds,
        /// The values, below `/object`.
        records: Vec<Record>,
    },
    /// Deletes an Object Instance or, from LwM2M 1.2 on, a Resource Instance.
    Delete {
        /// What to delete.
        path: Path,
    },
    /// Reads several things at once (LwM2M 1.1).
    ReadComposite {
        /// What to read; `/` is everything.
        paths: Vec<Path>,
    },
    /// Writes Resources and Resource Instances of several instances at once (LwM2M 1.1).
    WriteComposite {
        /// The values. A Resource Instance without value is removed, in formats that can say so
        /// (LwM2M 1.2).
        records: Vec<Record>,
    },
    /// Reads and asks for notifications.
    Observe {
        /// What to observe.
        path: Path,
        /// Attributes for this observation alone (LwM2M 1.2).
        attributes: NotificationAttributes,
    },
    /// Reads several things at once and asks for notifications (LwM2M 1.1).
    ObserveComposite {
        /// What to observe; `/` is everything.
        paths: Vec<Path>,
        /// Attributes for this observation alone (LwM2M 1.2).
        attributes: NotificationAttributes,
    },
    /// Ends an observation; goes out with the token of the observation.
    CancelObservation {
        /// What is observed.
        path: Path,
    },
    /// Ends a composite observation; goes out with the token of the observation.
    CancelObservationComposite {
        /// What is observed, in the order in which it was asked for.
        paths: Vec<Path>,
    },
}

/// What a Write does to values that it does not give.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WriteMode {
    /// They go: the target has the given values afterwards and no others.
    Replace,
    /// They stay: "Partial Update" of an Object Instance or, from LwM2M 1.1 on, of a multiple
    /// Resource.
    Update,
}

/// Who chooses the ids of new Object Instances.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InstanceIds {
    /// The device, and its answer tells. All values belong to one instance; the id in their paths
    /// stands for the one to come.
    ChosenByDevice,
    /// The server: ids are those in the paths of the values. A record of an Object Instance without
    /// value creates one without Resources.
    Stated,
}

impl Operation {
    /// Name of the operation as the specification has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Read",
            Self::Discover { .. } => "Discover",
            Self::Write { .. } => "Write",
            Self::WriteAttributes { .. } => "Write-Attributes",
            Self::Execute { .. } => "Execute",
            Self::Create { .. } => "Create",
            Self::Delete { .. } => "Delete",
            Self::ReadComposite { .. } => "Read-Composite",
            Self::WriteComposite { .. } => "Write-Composite",
            Self::Observe { .. } => "Observe",
            Self::ObserveComposite { .. } => "Observe-Composite",
            Self::CancelObservation { .. } => "Cancel Observation",
            Self::CancelObservationComposite { .. } => "Cancel Observation-Composite",
        }
    }
}

#[cfg(test)]
mod tests;
