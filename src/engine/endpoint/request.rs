//! What services ask of a device, and how it ended.

use crate::proto::coap::block::{ReadError, WriteError};
use crate::proto::lwm2m::operation::{AnswerError, DiscoverAnswer, Operation, OperationError};
use crate::proto::lwm2m::{Path, Record};

use super::observations::Observed;

/// Commands that may wait for one device; further ones are refused with
/// [`RequestError::QueueFull`].
pub const MAX_QUEUED: usize = 32;

/// A command for one device. Commands of a device are carried out one at a time, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceRequest {
    /// What is asked.
    pub command: DeviceCommand,
    /// Content format to use instead of the negotiated one.
    pub content_format: Option<u16>,
    /// How long it may wait before it is sent, in milliseconds. A sleeping device is waited for within
    /// this time.
    pub wait_millis: u64,
    /// How long the device has, each time, to acknowledge a block or to answer, in milliseconds.
    pub timeout_millis: u64,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceCommand {
    /// An operation on the device. An Observe of what is observed already replaces that
    /// observation; one that overlaps another in any other way is refused.
    Operation(Operation),
    /// Ends every observation.
    CancelAllObservations,
    /// Lists the observations; asks the device nothing.
    ReadAllObservations,
}

/// A good end of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceAnswer {
    /// Values: Read, Read-Composite, Observe, Observe-Composite.
    Values {
        /// As decoded, in the order of the answer.
        records: Vec<Record>,
        /// Content format of the answer.
        format: u16,
        /// Whether the device will send notifications.
        observing: bool,
    },
    /// Links: Discover.
    Links {
        /// The answer as it came.
        text: Box<str>,
        /// The same, read.
        answer: Box<DiscoverAnswer>,
    },
    /// 2.04: Write, Write-Attributes, Execute, Write-Composite.
    Changed,
    /// 2.01: Create.
    Created {
        /// Id of the new instance, when the device tells.
        instance: Option<u16>,
        /// Location-Path with slashes, when the device tells.
        location: Option<Box<str>>,
    },
    /// 2.02: Delete.
    Deleted,
    /// Observations ended; the device is told in the background.
    Cancelled {
        /// How many.
        count: usize,
    },
    /// The observations there are.
    Observations(Vec<Observed>),
}

/// How a command ended.
pub type DeviceOutcome = Result<DeviceAnswer, RequestError>;

/// Why a command did not succeed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The device is not registered.
    #[error("the device is not registered")]
    NotRegistered,
    /// [`MAX_QUEUED`] commands wait for the device.
    #[error("{MAX_QUEUED} commands wait for the device already")]
    QueueFull,
    /// The operation cannot be asked of this device.
    #[error(transparent)]
    Invalid(#[from] OperationError),
    /// What is to be observed overlaps what is observed.
    #[error("{requested} overlaps what is observed by {existing}")]
    Conflict {
        /// The path asked for.
        requested: Path,
        /// The observation in the way.
        existing: Observed,
    },
    /// There is no such observation.
    #[error("there is no such observation")]
    NotObserved,
    /// The time was over before the device could be asked.
    #[error("not sent in time: {}", waiting.reason())]
    NotSent {
        /// What it waited for.
        waiting: Waiting,
    },
    /// The device did not answer in time.
    #[error("the device {} not answer in time", if *acknowledged { "acknowledged, but did" } else { "did" })]
    Unanswered {
        /// Whether it had acknowledged the request.
        acknowledged: bool,
    },
    /// The device answered with a Reset.
    #[error("the device answered with a Reset")]
    Reset,
    /// The registration ended or was made anew while the command waited.
    #[error("the registration ended while the command was waiting")]
    RegistrationEnded,
    /// The command was taken back.
    #[error("the command was cancelled")]
    Cancelled,
    /// The device refused, or its answer is none to the operation.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The answer came in blocks that do not fit together.
    #[error("blocks of the answer: {0}")]
    AnswerBlocks(#[from] ReadError),
    /// The device's answer to a block of the request is none.
    #[error("blocks of the request: {0}")]
    RequestBlocks(#[from] WriteError),
    /// The endpoint failed and was rebuilt.
    #[error("handling the device failed; it was rebuilt")]
    Failed,
}

impl RequestError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::NotRegistered => "not_registered",
            Self::QueueFull => "queue_full",
            Self::Invalid(_) => "invalid",
            Self::Conflict { .. } => "conflict",
            Self::NotObserved => "not_observed",
            Self::NotSent { .. } => "not_sent",
            Self::Unanswered { .. } => "unanswered",
            Self::Reset => "reset",
            Self::RegistrationEnded => "registration_ended",
            Self::Cancelled => "cancelled",
            Self::Answer(error) => error.discriminant(),
            Self::AnswerBlocks(error) => error.discriminant(),
            Self::RequestBlocks(error) => error.discriminant(),
            Self::Failed => "failed",
        }
    }

    /// Whether the device did not answer in time, asked or not: trying again may help.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::Unanswered { .. })
    }
}

/// What a command waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// The device is asleep.
    Asleep,
    /// The device left a request unanswered and has been silent since.
    Silent,
    /// Other requests come first.
    Busy,
}

impl Waiting {
    /// In words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Asleep => "the device is asleep",
            Self::Silent => "the device does not answer",
            Self::Busy => "other requests come first",
        }
    }
}
