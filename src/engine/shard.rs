//! One shard: its sockets' datagrams, its endpoints, its deadlines. All on one thread.
//!
//! This file holds the state and what happens in one turn. `run` is the loop around it, `router`
//! finds the endpoint of a datagram, `dispatch` runs endpoints and carries out what they hand back.

use std::cell::RefCell;
use std::rc::Weak;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use tokio::sync::{mpsc, oneshot};

use crate::net::mmsg::{OutDatagram, ReceivedMut};
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::coap::block::Assembler;
use crate::proto::lwm2m::link::LinkInterner;
use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::time::{Now, Tick, Wheel};

use super::arrivals::Arrivals;
use super::bootstrap::desk::Desk;
use super::bootstrap::server::BootstrapServer;
use super::command::Command;
use super::config::EngineConfig;
use super::credentials::{Credentials, Owner};
use super::directory::Directory;
use super::endpoint::identity::IdentityKey;
use super::endpoint::outputs::Outputs;
use super::endpoint::profile_parts::LogLevel;
use super::event::Event;
use super::handoff::{HandedOff, Handoffs};
use super::history::{Measured, Outlet};
use super::locals::Locals;
use super::metrics::ShardMetrics;
use super::newcomers::Newcomers;
use super::peer::{Peer, Session};
use super::profiles::{KnownProfiles, Profiles};
use super::slab::Slab;
use super::trace::Tracing;
use super::update::{Milestone, Milestones, Updates};

mod answers;
mod bodies;
mod bootstrap;
mod census;
mod dispatch;
mod inspect;
mod keep;
mod logs;
mod requests;
mod residence;
mod restore;
mod rollout;
mod router;
pub(super) mod run;
mod secure;
mod standalone;
mod tell;
mod traces;
mod updates;
mod warm;

#[cfg(test)]
mod tests;

pub use dispatch::Sender;
pub use router::Origin;
pub use standalone::Standalone;

/// Deadlines handled in one turn; the rest waits for the next one.
const DEADLINES_PER_TURN: usize = 4096;

/// Bytes of datagrams that wait for a socket whose buffer is full, at most.
const MAX_UNSENT: usize = 8 << 20;

/// Object lists shared by the devices of a shard, at most; beyond it lists are not shared.
const MAX_SHARED_LISTS: usize = 1 << 16;

/// What all shards share.
#[derive(Debug)]
pub struct Shared {
    /// Settings.
    pub config: EngineConfig,
    /// Endpoint names to homes.
    pub directory: Directory,
    /// Makes and reads registration ids and tokens.
    pub keys: IdentityKey,
    /// What devices are updated to, and what they fetch for it.
    pub updates: Updates,
    /// Profiles, and power modes of devices.
    pub profiles: Profiles,
    /// Object definitions in force.
    pub models: ArcSwap<ObjectModels>,
    /// Who may speak for which endpoint; empty where no device has credentials. Set before the engine
    /// runs.
    pub credentials: OnceLock<Arc<dyn Credentials>>,
    /// Who waits for a device to register.
    pub arrivals: Arrivals,
    /// Who says what devices are told when they bootstrap.
    pub bootstrap: Desk,
    /// Where values for a history go.
    pub history: Outlet,
    /// Where the service of updates is told who registered and whose update is over.
    pub milestones: Milestones,
    /// Devices that are traced.
    pub tracing: Tracing,
    /// Counts devices whose shard could not be told what they are provisioned with now.
    pub readmissions: std::sync::atomic::AtomicU64,
    /// Whether somebody listens to events.
    pub listening: std::sync::atomic::AtomicBool,
    /// Endpoints of all shards.
    pub endpoints: std::sync::atomic::AtomicUsize,
    /// Shards that hang.
    pub stalled: std::sync::atomic::AtomicUsize,
}

/// A datagram as it came from a socket or from another shard.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Its payload.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub peer: Peer,
    /// From where.
    pub address: PeerAddr,
    /// The identity proven in its session.
    pub owner: Option<&'a Owner>,
    /// Which address of ours it came to.
    pub local: Option<LocalAddr>,
    /// It was longer than the buffer.
    pub truncated: bool,
}

impl<'a> Datagram<'a> {
    /// A whole datagram of plain CoAP.
    #[must_use]
    pub const fn plain(bytes: &'a [u8], address: PeerAddr) -> Self {
        Self {
            bytes,
            peer: Peer::Plain(address),
            address,
            owner: None,
            local: None,
            truncated: false,
        }
    }
}

/// The state of one shard.
pub struct Shard {
    index: u8,
    count: u8,
    shared: Arc<Shared>,
    profiles: KnownProfiles,
    metrics: Arc<ShardMetrics>,
    endpoints: Slab,
    wheel: Wheel,
    bodies: Assembler<bodies::BodyKey>,
    links: LinkInterner,
    newcomers: Newcomers,
    locals: Locals,
    rng: fastrand::Rng,
    now: Now,
    out: Outputs,
    outbox: Vec<OutDatagram>,
    secure: Option<Box<secure::Secure>>,
    bootstrap: Option<Box<BootstrapServer>>,
    /// By slot the session that a registration had before its newest one, until that has carried
    /// data.
    superseded: HashMap<u32, Session>,
    fired: Vec<u32>,
    events: Vec<Event>,
    event_bus: mpsc::Sender<Vec<Event>>,
    measured: Vec<Measured>,
    milestones: Vec<Milestone>,
    logs: logs::Logs,
    traces: Vec<traces::Traced>,
    /// How much is logged of devices whose profile does not say.
    log_level: LogLevel,
    handoffs: Handoffs,
    requests: requests::Requests,
    rollout: Option<rollout::Rollout>,
    census: census::Census,
    keeper: Option<keep::Keeper>,
    /// Told when everything is handed over at the end.
    drained: Option<oneshot::Sender<()>>,
    readmissions: u64,
    models: Arc<ObjectModels>,
    next_mid: u16,
    /// Messages in the mailboxes of actors of this shard.
    mailboxes: usize,
    /// Lets actors find the shard; without it every endpoint is run at rest.
    host: Option<Weak<RefCell<Shard>>>,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(
        index: u8,
        shared: Arc<Shared>,
        metrics: Arc<ShardMetrics>,
        handoffs: Handoffs,
        event_bus: mpsc::Sender<Vec<Event>>,
        seed: u64,
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let config = &shared.config;
        Self {
            index,
            count: handoffs.shards(),
            wheel: Wheel::new(Tick::ZERO),
            bodies: bodies::assembler(config, &mut rng),
            links: LinkInterner::new(MAX_SHARED_LISTS, [rng.u64(..), rng.u64(..)]),
            newcomers: Newcomers::new(config.newcomers_per_second),
            locals: Locals::default(),
            next_mid: rng.u16(..),
            rng,
            now: Now::default(),
            endpoints: Slab::default(),
            out: Outputs::default(),
            outbox: Vec::new(),
            secure: None,
            bootstrap: None,
            superseded: HashMap::new(),
            fired: Vec::new(),
            events: Vec::new(),
            event_bus,
            measured: Vec::new(),
            milestones: Vec::new(),
            logs: logs::Logs::default(),
            traces: Vec::new(),
            log_level: LogLevel::default(),
            handoffs,
            requests: requests::Requests::default(),
            rollout: None,
            census: census::Census::default(),
            keeper: None,
            drained: None,
            readmissions: 0,
            models: shared.models.load_full(),
            mailboxes: 0,
            host: None,
            profiles: KnownProfiles::of(&shared.profiles),
            shared,
            metrics,
        }
    }

    /// Lets endpoints be run by actors, which find the shard through `host`.
    pub fn set_host(&mut self, host: Weak<RefCell<Shard>>) {
        self.host = Some(host);
    }

    /// Begins a turn: the time stands still until the next one.
    pub fn begin(&mut self, now: Now) {
        self.now = now;
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.begin(now);
        }
        let models = self.shared.models.load();
        if !Arc::ptr_eq(&models, &self.models) {
            self.models = Arc::clone(&models);
        }
        drop(models);
        self.take_over_profiles();
        self.log_level = self.usual_log_level();
        self.out.listening = self
            .shared
            .listening
            .load(std::sync::atomic::Ordering::Relaxed);
        self.out.follows_updates = self.shared.milestones.are_wanted();
    }

    /// Handles deadlines that have passed. Returns whether more are waiting.
    pub fn run_deadlines(&mut self) -> bool {
        let mut fired = std::mem::take(&mut self.fired);
        let tick = self.now.tick;
        let more = self
            .wheel
            .advance(tick, DEADLINES_PER_TURN, &mut self.endpoints, &mut fired);
        for slot in fired.drain(..) {
            self.on_deadline(slot);
        }
        self.fired = fired;
        self.bodies.expire(tick);
        self.poll_dtls();
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.run_deadlines();
        }
        self.roll_out();
        more
    }

    /// Ends a turn: hands events and datagrams for other shards over.
    pub fn end(&mut self) {
        self.metrics.turns.add(1);
        self.metrics.backlog.set(self.mailboxes as i64);
        self.metrics.bodies.set(self.bodies.transfers() as i64);
        self.metrics.endpoints.set(self.endpoints.len() as i64);
        self.handoffs.flush(&self.metrics);
        self.count_dtls();
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.end();
        }
        self.save();
        if !self.events.is_empty() {
            let events = std::mem::take(&mut self.events);
            if self.event_bus.try_send(events).is_err() {
                self.metrics.events_lost.add(1);
            }
        }
        if !self.measured.is_empty() {
            let measured = std::mem::take(&mut self.measured);
            let lost = self.shared.history.hand_over(measured);
            self.metrics.history_lost.add(lost as u64);
        }
        if !self.milestones.is_empty() {
            let milestones = std::mem::take(&mut self.milestones);
            let lost = self.shared.milestones.hand_over(milestones);
            self.metrics.milestones_lost.add(lost as u64);
        }
    }

    /// The datagrams to send, and the bytes they refer to.
    #[must_use]
    pub fn outbox(&self) -> (&[u8], &[OutDatagram]) {
        (&self.out.arena, &self.outbox)
    }

    /// Forgets the first `sent` datagrams of the outbox; the others stay for the next turn. When too
    /// many have piled up they are lost, as if the network had dropped them, and counted.
    pub fn sent(&mut self, sent: usize) {
        self.outbox.drain(..sent);
        if self.out.arena.len() > MAX_UNSENT {
            self.metrics.send_errors.add(self.outbox.len() as u64);
            self.outbox.clear();
        }
        if self.outbox.is_empty() {
            self.out.arena.clear();
        }
    }

    /// When the shard wants a turn though nothing arrives.
    #[must_use]
    pub fn next_wake(&self) -> Option<Tick> {
        let rollout = self.rollout.as_ref();
        let next_part = rollout.map(|_| self.now.tick.plus_millis(rollout::PERIOD_MILLIS));
        let times = self.wheel.next_wake().into_iter().chain(next_part);
        let times = times.chain(self.next_dtls_wake());
        let times = times.chain(self.next_bootstrap_wake());
        times.chain(self.next_save()).min()
    }

    /// Hands all changes to storage, after the last turn. Returns `false` when storage is full: it is
    /// to be called again then.
    pub fn drain(&mut self) -> bool {
        if !self.save_all() {
            return false;
        }
        if let Some(drained) = self.drained.take() {
            // Whoever waited may have lost patience.
            let _ = drained.send(());
        }
        true
    }

    /// Messages in the mailboxes of actors of this shard.
    #[must_use]
    pub fn mailboxes(&self) -> usize {
        self.mailboxes
    }

    /// Carries out a command. Returns `false` when it was the last one.
    pub fn on_command(&mut self, command: Command) -> bool {
        self.command(command)
    }

    /// Takes what another shard hands over.
    pub fn on_handoff(&mut self, handed: HandedOff) {
        match handed {
            HandedOff::Message {
                bytes,
                peer,
                address,
                owner,
                local,
            } => {
                let datagram = Datagram {
                    bytes: &bytes,
                    peer,
                    address,
                    owner: owner.as_ref(),
                    local,
                    truncated: false,
                };
                self.on_datagram(&datagram, Origin::Shard);
            }
            HandedOff::Record {
                mut bytes,
                address,
                local,
            } => {
                let received = ReceivedMut {
                    bytes: &mut bytes,
                    peer: address,
                    local,
                    truncated: false,
                };
                self.on_record(received, Origin::Shard);
            }
            HandedOff::ToSeal { session, plaintext } => self.seal_for_other(session, &plaintext),
            HandedOff::Bind {
                slot,
                endpoint,
                sender,
            } => self.bind_here(slot, &endpoint, sender),
            HandedOff::GiveBack {
                slot,
                endpoint,
                session,
            } => self.give_back_here(slot, &endpoint, session),
            HandedOff::Close { session, identity } => self.close_for_other(session, identity),
            HandedOff::Trouble {
                slot,
                endpoint,
                detail,
            } => self.note_trouble(slot, &endpoint, detail),
        }
    }
}
