//! Commands that services send to a shard. Each carries its reply channel.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::proto::dtls::ServerContexts;

use super::bootstrap::desk::Directive;
use super::credentials::Answer;
use super::endpoint::journal::Severity;
use super::endpoint::request::{DeviceOutcome, DeviceRequest};
use super::peer::Session;
use super::profiles::ProfileId;
use super::trace::TracedMessage;
use super::update::UpdateKind;
use super::view::{
    AttributesView, DeviceContext, DeviceState, DeviceSummary, LogEntry, RegistrationView,
    RolloutView, SecurityMode, TelemetryView, UpdateView,
};

/// What a device list selects.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Only devices in this state.
    pub state: Option<DeviceState>,
    /// Only devices of this profile.
    pub profile: Option<String>,
    /// Only devices of this security mode.
    pub security: Option<SecurityMode>,
    /// Only endpoints that contain this text (case-sensitive).
    pub contains: Option<String>,
}

/// A part of a device list and where the next part begins.
#[derive(Clone, Debug, Default)]
pub struct DevicePage {
    /// The devices, in slot order.
    pub items: Vec<DeviceSummary>,
    /// Slot at which to go on, `None` at the end of the shard.
    pub next_slot: Option<u32>,
}

/// One command to a shard.
#[derive(Debug)]
pub enum Command {
    /// Lists endpoints from `slot` on; looks at a bounded number of slots per call.
    List {
        filter: DeviceFilter,
        slot: u32,
        limit: usize,
        reply: oneshot::Sender<DevicePage>,
    },
    /// One endpoint by slot.
    Inspect {
        slot: u32,
        endpoint: String,
        what: Inspect,
    },
    /// Asks a device for something.
    Request {
        slot: u32,
        endpoint: String,
        ticket: u64,
        request: DeviceRequest,
        reply: RequestReply,
    },
    /// Takes a request back that is not in flight yet, or stops waiting for its answer.
    CancelRequest {
        slot: u32,
        endpoint: String,
        ticket: u64,
    },
    /// What an endpoint is to be updated to has changed.
    LookAtUpdates {
        slot: u32,
        endpoint: String,
        withdrawn: Option<UpdateKind>,
    },
    /// Adds to the transport log of an endpoint.
    Note {
        slot: u32,
        endpoint: String,
        severity: Severity,
        text: String,
    },
    /// Traces an endpoint; the sender is dropped when the slot holds another endpoint by now.
    Trace {
        slot: u32,
        endpoint: String,
        messages: mpsc::Sender<TracedMessage>,
        reply: oneshot::Sender<bool>,
    },
    /// How far devices are with their profiles, of those that the shard has devices of.
    Progress {
        reply: oneshot::Sender<Vec<(ProfileId, RolloutView)>>,
    },
    /// Profiles have changed.
    LookAtProfiles,
    /// The profile or the power mode that an endpoint is provisioned with has changed.
    Readmit { slot: u32, endpoint: String },
    /// What services decided about a bootstrap session.
    Bootstrap(Directive),
    /// A claim of a handshake has been looked up.
    Decided(Box<Answer>),
    /// The credentials of an endpoint do not hold any more: its registration ends, and the sessions
    /// of the identity, where it had one.
    Revoke {
        endpoint: Arc<str>,
        identity: Option<u64>,
    },
    /// Credentials of some endpoints do not hold any more; of which ones is not known.
    RevokeUnknown,
    /// What the server shows in handshakes from now on.
    Show(Arc<ServerContexts>),
    /// Where the peer of a session of this shard is.
    Locate {
        session: Session,
        reply: oneshot::Sender<Option<SocketAddr>>,
    },
    /// Forgets an endpoint: registration, observations, values.
    Remove {
        slot: u32,
        endpoint: String,
        reply: oneshot::Sender<bool>,
    },
    /// Stops taking datagrams, flushes what is to be sent and ends.
    Drain { reply: oneshot::Sender<()> },
}

/// Where the progress of a request is told. Whoever asked may be gone.
#[derive(Debug)]
pub struct RequestReply {
    /// The request has been sent.
    pub sent: Option<oneshot::Sender<()>>,
    /// It is over.
    pub done: oneshot::Sender<DeviceOutcome>,
}

/// Which part of an endpoint to show; answered with `None` when the slot holds another endpoint by now.
#[derive(Debug)]
pub enum Inspect {
    /// One line of a list.
    Summary(oneshot::Sender<Option<DeviceSummary>>),
    /// The registration.
    Registration(oneshot::Sender<Option<Box<RegistrationView>>>),
    /// What commands need to know; `None` as well while it is not registered.
    Context(oneshot::Sender<Option<DeviceContext>>),
    /// Its updates.
    Updates(oneshot::Sender<Option<Vec<UpdateView>>>),
    /// Latest telemetry values.
    Telemetry(oneshot::Sender<Option<TelemetryView>>),
    /// Client attributes.
    Attributes(oneshot::Sender<Option<AttributesView>>),
    /// So many newest entries of the transport log.
    Log(usize, oneshot::Sender<Option<Vec<LogEntry>>>),
}

impl DeviceFilter {
    /// Whether the device is one of those selected.
    #[must_use]
    pub fn selects(&self, device: &DeviceSummary) -> bool {
        self.state.is_none_or(|state| state == device.state)
            && self
                .security
                .is_none_or(|security| security == device.security)
            && self
                .profile
                .as_ref()
                .is_none_or(|profile| *profile == device.profile)
            && self
                .contains
                .as_ref()
                .is_none_or(|text| device.endpoint.contains(text.as_str()))
    }
}

impl Inspect {
    /// Answers that there is no such endpoint. Whoever asked may be gone.
    pub fn nothing(self) {
        match self {
            Self::Summary(reply) => drop(reply.send(None)),
            Self::Registration(reply) => drop(reply.send(None)),
            Self::Context(reply) => drop(reply.send(None)),
            Self::Updates(reply) => drop(reply.send(None)),
            Self::Telemetry(reply) => drop(reply.send(None)),
            Self::Attributes(reply) => drop(reply.send(None)),
            Self::Log(_, reply) => drop(reply.send(None)),
        }
    }
}
