//! Where an endpoint lives: what the shard keeps of it besides its state machine.

use crate::engine::peer::Peer;
use crate::proto::coap::exchange::{Answer, DedupRing};
use crate::proto::coap::pacing::AmplificationBudget;
use crate::proto::time::{NEVER, Tick, WheelSlot};

use super::actor::{EndpointAddress, SharedCore};
use super::conversation::OwnWork;
use super::core::{EndpointCore, Presence, Route};

/// Messages of a device whose repetition is recognised.
const DEDUP_DEPTH: usize = 4;

/// Registers of a device whose repetition is recognised, whatever else it sent since: a copy taken
/// for a new Register would end the registration the device believes in.
const REGISTERS: usize = 2;

/// One endpoint of a shard.
pub struct Slot {
    /// What the shard needs to know without asking the state machine.
    pub head: Head,
    /// The state machine, or who has it.
    pub state: State,
}

impl Slot {
    /// Reads something of each cache line of the slot.
    #[must_use]
    pub fn touch(&self) -> u64 {
        let core = match &self.state {
            State::Rest(core) => core.touch(),
            State::Vacant | State::Active(..) | State::Quarantined(_) => 0,
        };
        let head = u64::from(self.head.salt) ^ self.head.deadline.as_millis();
        core ^ head ^ u64::from(self.head.backlog)
    }

    /// Whether an endpoint lives here.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        !matches!(self.state, State::Vacant)
    }
}

/// Who has the state machine of an endpoint.
pub enum State {
    /// The slot is free, or its endpoint is being run just now.
    Vacant,
    /// The slot itself: the shard lends it its thread.
    Rest(EndpointCore),
    /// An actor: a conversation is going on.
    Active(EndpointAddress, SharedCore),
    /// The slot, but it is not run until the quarantine ends.
    Quarantined(Box<EndpointCore>),
}

/// Transport state of an endpoint.
#[derive(Debug)]
pub struct Head {
    /// Where the device is.
    pub peer: Peer,
    /// Address of ours that the device uses, as an index into the shard's table.
    pub local: u8,
    /// What the shard's gauges count the endpoint as.
    pub counted: Presence,
    /// Number of the profile.
    pub profile: u16,
    /// Profile and version of it that the state machine lives under.
    pub in_force: (u16, u16),
    /// What the shard's census counts it as.
    pub census: Option<((u16, u16), Progress)>,
    /// Number of the device's own power mode; 0 for that of the profile.
    pub power: u16,
    /// Salt of the registration; registration ids and tokens of another one do not fit.
    pub salt: u32,
    /// Between whom it stands among the endpoints at its address.
    pub neighbours: Neighbours,
    recent: DedupRing<DEDUP_DEPTH>,
    registers: DedupRing<REGISTERS>,
    /// What may be sent before the peer proves that it is no spoof.
    pub budget: AmplificationBudget,
    /// Message id of the request in flight.
    pub awaiting: Option<u16>,
    /// Requests the shard's gauge counts for the endpoint.
    pub queued: u16,
    /// Messages in the actor's mailbox.
    pub backlog: u16,
    /// What is kept of the endpoint is not what storage has.
    pub changed: bool,
    /// Storage has a record for the slot.
    pub stored: bool,
    /// Panics since `first_panic`.
    pub panics: u8,
    /// When the shard must look at the endpoint.
    pub deadline: Tick,
    /// What the wheel holds for it.
    pub held: WheelSlot,
    /// Start of the period in which panics are counted.
    pub first_panic: Tick,
}

/// How far an endpoint is with what its profile wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It is not registered.
    Absent,
    /// Nothing is left to ask.
    Settled,
    /// The device is being asked.
    Asked,
    /// The device is asked when it wakes up.
    Waiting,
    /// The device sleeps, and there is nothing to ask.
    Asleep,
    /// It left a request unanswered again and again, or its state machine failed.
    Failed,
}

impl Progress {
    /// The progress of a device with so much left to ask.
    #[must_use]
    pub const fn of(presence: Presence, work: OwnWork) -> Self {
        match (presence, work) {
            (Presence::Absent, _) => Self::Absent,
            (_, OwnWork::Parked) => Self::Failed,
            (Presence::Awake, OwnWork::None) => Self::Settled,
            (Presence::Awake, OwnWork::Due) => Self::Asked,
            (Presence::Asleep, OwnWork::None) => Self::Asleep,
            (Presence::Asleep, OwnWork::Due) => Self::Waiting,
        }
    }
}

/// The endpoints before and after one in the list of those at its address, or [`NOBODY`].
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// Slot of the one before.
    pub before: u32,
    /// Slot of the one after.
    pub after: u32,
}

/// Stands for no neighbour.
pub const NOBODY: u32 = u32::MAX;

impl Default for Neighbours {
    fn default() -> Self {
        Self {
            before: NOBODY,
            after: NOBODY,
        }
    }
}

impl Head {
    /// The head of an endpoint whose first message came from `peer`.
    #[must_use]
    pub fn new(peer: Peer, local: u8, profile: u16) -> Self {
        let mut budget = AmplificationBudget::default();
        if peer.session().is_some() {
            budget.verify();
        }
        Self {
            peer,
            local,
            counted: Presence::Absent,
            profile,
            in_force: (profile, 0),
            census: None,
            power: 0,
            salt: 0,
            neighbours: Neighbours::default(),
            recent: DedupRing::default(),
            registers: DedupRing::default(),
            budget,
            awaiting: None,
            queued: 0,
            backlog: 0,
            changed: false,
            stored: false,
            panics: 0,
            deadline: NEVER,
            held: WheelSlot::default(),
            first_panic: Tick::ZERO,
        }
    }

    /// What was answered to the message with this id and fingerprint, if it was handled lately.
    #[must_use]
    pub fn remembered(
        &self,
        route: Route,
        mid: u16,
        fingerprint: u32,
        now: Tick,
    ) -> Option<Answer> {
        match route {
            Route::Register => self.registers.check(mid, fingerprint, now),
            _ => self.recent.check(mid, fingerprint, now),
        }
    }

    /// Keeps what was answered to a message.
    pub fn remember(&mut self, route: Route, mid: u16, now: Tick, answer: Answer) {
        match route {
            Route::Register => self.registers.record(mid, now, answer),
            _ => self.recent.record(mid, now, answer),
        };
    }
}
