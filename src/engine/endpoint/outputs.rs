//! What an endpoint's state machine hands back: datagrams, happenings and counts. It never sends.

use std::ops::Range;

use crate::proto::coap::Code;
use crate::proto::lwm2m::operation::Operation;
use crate::proto::lwm2m::{Path, Value};
use crate::proto::time::UnixMillis;

use super::journal::LogLine;
use super::observations::ObservationKind;
use super::profile_parts::LogLevel;
use super::request::DeviceOutcome;
use super::update::UpdateTally;
use super::update::news::UpdateNews;

/// Whom a datagram is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum To {
    /// The sender of the datagram being handled.
    Sender,
    /// The device, at the address of its registration.
    Device,
}

/// One datagram to send: a range of the arena.
#[derive(Clone, Debug)]
pub struct Send {
    /// Whom it is for.
    pub to: To,
    /// Its bytes in [`Outputs::arena`].
    pub bytes: Range<usize>,
}

/// Outputs of one or more calls of [`handle`](super::core::EndpointCore::handle).
///
/// The shard empties everything but the arena after each call; the arena lives until its datagrams
/// are sent at the end of the turn, so that a reply is written once, where the kernel reads it.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Bytes of all datagrams of the turn.
    pub arena: Vec<u8>,
    /// Datagrams to send, in order.
    pub sends: Vec<Send>,
    /// What happened, for subscribers; filled only while somebody listens, but for values of profiles
    /// that keep a history, and for Registers and ends of updates while those are followed.
    pub happenings: Vec<Happening>,
    /// How commands went.
    pub completions: Vec<Completion>,
    /// What the transport log is to say.
    pub log: Vec<LogLine>,
    /// How much it is to say of the device being run.
    pub log_level: LogLevel,
    /// Values of the answer being handled, in words.
    pub(super) answer_values: Option<String>,
    /// Whether somebody listens.
    pub listening: bool,
    /// Whether somebody wants to know who registers and whose update is over.
    pub follows_updates: bool,
    /// The device is at the sender's address from now on.
    pub adopt_sender: bool,
    /// Something that is kept over a restart has changed, beyond what each kind of input changes.
    pub changed: bool,
    /// What the input changed need not be kept, though inputs of its kind change what is.
    pub fleeting: bool,
    /// The peer has answered a request of ours: its address is no spoof.
    pub verified: bool,
    /// The code the message being handled was answered with.
    /// `EMPTY` stands for a bare acknowledgement.
    pub answered: Option<Code>,
    /// The message id whose acknowledgement the endpoint waits for after the call.
    pub awaiting: Option<u16>,
    /// Counts since the shard last folded them.
    pub tally: Tally,
}

impl Outputs {
    /// Queues a datagram that has been written to the arena.
    pub fn send(&mut self, to: To, bytes: Range<usize>) {
        self.sends.push(Send { to, bytes });
    }

    /// Forgets what a call that panicked had put out. Bytes in the arena do no harm.
    pub fn forget_call(&mut self) {
        self.sends.clear();
        self.happenings.clear();
        self.log.clear();
        self.answer_values = None;
        self.completions.clear();
        self.adopt_sender = false;
        self.changed = false;
        self.fleeting = false;
        self.verified = false;
        self.answered = None;
        self.awaiting = None;
    }

    /// Records a happening if somebody listens.
    pub fn happened(&mut self, happening: impl FnOnce() -> Happening) {
        if self.listening {
            self.happenings.push(happening());
        }
    }
}

/// How a command goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// It was sent for the first time.
    Sent {
        /// The command.
        ticket: u64,
    },
    /// It is over.
    Done {
        /// The command.
        ticket: u64,
        /// How it ended.
        outcome: DeviceOutcome,
    },
}

/// What happened to a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// It registered.
    Registered,
    /// It updated its registration.
    Updated,
    /// It de-registered.
    Deregistered,
    /// Its lifetime ran out.
    Expired,
    /// A mapped value arrived.
    Value {
        /// Index of the mapping in the profile.
        mapping: u16,
        /// When it was measured.
        time: UnixMillis,
        /// The value.
        value: Value,
    },
    /// Values of a multiple Resource arrived.
    Instances {
        /// Index of the mapping in the profile.
        mapping: u16,
        /// When the newest was measured.
        time: UnixMillis,
        /// All values known now, by Resource Instance id.
        values: Vec<(u16, Value)>,
    },
    /// An update of firmware or software went on.
    Update(Box<UpdateNews>),
    /// A value was discarded or a request failed.
    Problem {
        /// Stable name of the reason.
        reason: &'static str,
        /// The path concerned.
        path: Option<Path>,
        /// In words.
        detail: Box<str>,
    },
}

/// Why a value was discarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DropReason {
    /// The profile maps no key to the resource.
    Unmapped,
    /// The payload does not decode.
    Undecodable,
    /// The content format is none we know.
    UnsupportedFormat,
    /// A record without a value.
    NoValue,
    /// Longer than a stored value may be.
    TooLong,
    /// A notification older than one already seen (RFC 7641 §3.4).
    Stale,
}

impl DropReason {
    /// All reasons, in the order of their indices.
    pub const ALL: [Self; 6] = [
        Self::Unmapped,
        Self::Undecodable,
        Self::UnsupportedFormat,
        Self::NoValue,
        Self::TooLong,
        Self::Stale,
    ];

    /// Stable name, as in the `reason` label.
    #[must_use]
    pub fn discriminant(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::Undecodable => "undecodable",
            Self::UnsupportedFormat => "unsupported_format",
            Self::NoValue => "no_value",
            Self::TooLong => "too_long",
            Self::Stale => "stale",
        }
    }
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotificationResult {
    /// Its values were taken.
    Accepted,
    /// Older than one already seen.
    Stale,
    /// It reported an error and ended the observation.
    Error,
    /// Its payload could not be used.
    Undecodable,
}

impl NotificationResult {
    /// All results, in the order of their indices.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Stale, Self::Error, Self::Undecodable];

    /// Stable name, as in the `result` label.
    #[must_use]
    pub fn discriminant(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Stale => "stale",
            Self::Error => "error",
            Self::Undecodable => "undecodable",
        }
    }
}

/// Operations of the device management and information reporting interfaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OperationKind {
    /// Read.
    Read,
    /// Discover.
    Discover,
    /// Write, replacing or updating.
    Write,
    /// Write-Attributes.
    WriteAttributes,
    /// Execute.
    Execute,
    /// Create.
    Create,
    /// Delete.
    Delete,
    /// Read-Composite.
    ReadComposite,
    /// Write-Composite.
    WriteComposite,
    /// Observe.
    Observe,
    /// Observe-Composite.
    ObserveComposite,
    /// Cancel Observation, of either kind.
    CancelObservation,
}

impl OperationKind {
    /// All operations, in the order of their indices.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Discover,
        Self::Write,
        Self::WriteAttributes,
        Self::Execute,
        Self::Create,
        Self::Delete,
        Self::ReadComposite,
        Self::WriteComposite,
        Self::Observe,
        Self::ObserveComposite,
        Self::CancelObservation,
    ];

    /// The kind of an operation.
    #[must_use]
    pub const fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Read { .. } => Self::Read,
            Operation::Discover { .. } => Self::Discover,
            Operation::Write { .. } => Self::Write,
            Operation::WriteAttributes { .. } => Self::WriteAttributes,
            Operation::Execute { .. } => Self::Execute,
            Operation::Create { .. } => Self::Create,
            Operation::Delete { .. } => Self::Delete,
            Operation::ReadComposite { .. } => Self::ReadComposite,
            Operation::WriteComposite { .. } => Self::WriteComposite,
            Operation::Observe { .. } => Self::Observe,
            Operation::ObserveComposite { .. } => Self::ObserveComposite,
            Operation::CancelObservation { .. } | Operation::CancelObservationComposite { .. } => {
                Self::CancelObservation
            }
        }
    }

    /// Stable name, as in the `operation` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Discover => "discover",
            Self::Write => "write",
            Self::WriteAttributes => "write_attributes",
            Self::Execute => "execute",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::ReadComposite => "read_composite",
            Self::WriteComposite => "write_composite",
            Self::Observe => "observe",
            Self::ObserveComposite => "observe_composite",
            Self::CancelObservation => "cancel_observation",
        }
    }
}

/// How a request to a device ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestResult {
    /// With a 2.xx response.
    Success,
    /// With a 4.xx or 5.xx response.
    Refused,
    /// With an answer that is none to the request.
    Unusable,
    /// With a Reset.
    Reset,
    /// With no answer in time.
    Timeout,
    /// The caller took it back, or the registration ended.
    Abandoned,
}

impl RequestResult {
    /// All results, in the order of their indices.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Refused,
        Self::Unusable,
        Self::Reset,
        Self::Timeout,
        Self::Abandoned,
    ];

    /// Stable name, as in the `result` label.
    #[must_use]
    pub fn discriminant(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Unusable => "unusable",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Abandoned => "abandoned",
        }
    }
}

/// A request to a device that ended.
#[derive(Clone, Copy, Debug)]
pub struct RequestEnd {
    /// What was asked.
    pub operation: OperationKind,
    /// How it ended.
    pub result: RequestResult,
    /// How long it took, in milliseconds.
    pub millis: u32,
}

/// Counts an endpoint makes while it handles inputs; the shard folds them into its metrics.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Values kept as attributes.
    pub attributes: u64,
    /// Values kept as telemetry.
    pub telemetry: u64,
    /// Values discarded, by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Notifications, by [`ObservationKind`] and [`NotificationResult`].
    pub notifications: [[u64; NotificationResult::ALL.len()]; ObservationKind::ALL.len()],
    /// Requests that ended.
    pub requests: Vec<RequestEnd>,
    /// Messages sent again.
    pub retransmissions: u64,
    /// Mapped resources that the device did not announce.
    pub not_announced: u64,
    /// Responses nobody waited for.
    pub unmatched: u64,
    /// Observations begun minus observations ended, by [`ObservationKind`].
    pub observations: [i64; ObservationKind::ALL.len()],
    /// Sends received with a usable payload.
    pub sends: u64,
    /// About updates of firmware and software.
    pub updates: UpdateTally,
}
