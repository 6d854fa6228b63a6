//! The device, sans-IO: datagrams and time in, datagrams out.

use std::collections::VecDeque;
use std::mem;

use coap_lite::{MessageClass, MessageType, Packet};
use fastrand::Rng;

use super::blocks::{Incoming, Outgoing};
use super::bootstrap::Stage;
use super::event::{Counters, Event};
use super::exchange::{OwnRequests, Repeated, message_bytes};
use super::formats;
use super::objects::{self, PackageInfo, PackageKind};
use super::observe::Observation;
use super::operations::Abilities;
use super::options::{ClientOptions, Version};
use super::path::Path;
use super::register::Registration;
use super::storage::Download;
use super::tree::{Record, Tree};
use super::value::Value;
use crate::coap::Parsed;

/// A simulated LwM2M device. All times are milliseconds since 1970.
pub struct Device {
    pub(super) options: ClientOptions,
    pub(super) tree: Tree,
    pub(super) abilities: Abilities,
    pub(super) registration: Registration,
    pub(super) own: OwnRequests,
    pub(super) repeated: Repeated,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) observations: Vec<Observation>,
    /// Values put aside to be sent later, with their times.
    pub(super) collected: Vec<Record>,
    pub(super) counters: Counters,
    pub(super) events: VecDeque<Event>,
    /// Until when a device in queue mode listens.
    pub(super) awake_until: u64,
    pub(super) rng: Rng,
    /// Packages that are stored and not installed, by kind.
    pub(super) delivered: [Option<PackageInfo>; 2],
    /// What is to be fetched.
    pub(super) downloads: Vec<Download>,
    pub(super) stage: Stage,
    /// Registers that failed since one was taken.
    pub(super) registers_failed: u32,
    timers: Vec<(u64, Timer)>,
    outbox: VecDeque<Vec<u8>>,
    next_change: u64,
    next_mid: u16,
    received: u32,
    /// Whether a value may have changed since the observations were looked at.
    pub(super) dirty: bool,
}

/// Something to be done at a set time.
#[derive(Clone, Debug, PartialEq)]
pub enum Timer {
    Set(&'static str, Value),
    Register,
    Update,
    Deregister,
    /// Leave the server, if there is one, and bootstrap.
    Bootstrap,
    /// Forget the registration, as a device does that loses power.
    Forget,
    /// A stored package has been installed.
    Installed(PackageKind),
}

/// Events nobody fetched are forgotten beyond this.
const EVENTS: usize = 1_000;

impl Device {
    /// A device that has just been switched on and registers, or bootstraps, at once.
    #[must_use]
    pub fn new(options: ClientOptions, now: u64) -> Self {
        let mut rng = options.seed.map_or_else(Rng::new, Rng::with_seed);
        let seconds = i64::try_from(now / 1_000).unwrap_or(i64::MAX);
        let tree = objects::initial(&options, seconds, &mut rng);
        let mut device = Self {
            abilities: abilities(&options),
            registration: Registration::new(&options),
            own: OwnRequests::default(),
            repeated: Repeated::default(),
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            observations: Vec::new(),
            collected: Vec::new(),
            counters: Counters::default(),
            events: VecDeque::new(),
            awake_until: u64::MAX,
            delivered: [None, None],
            downloads: Vec::new(),
            stage: Stage::default(),
            registers_failed: 0,
            timers: Vec::new(),
            outbox: VecDeque::new(),
            next_change: now + period(&options),
            next_mid: rng.u16(..),
            received: 0,
            dirty: false,
            options,
            tree,
            rng,
        };
        let first = device.options.bootstrap.as_ref().filter(|b| b.first);
        let timer = first.map_or(Timer::Register, |_| Timer::Bootstrap);
        device.schedule(now, timer);
        device
    }

    /// Takes a datagram from the server.
    pub fn receive(&mut self, datagram: &[u8], now: u64) {
        self.received = self.received.wrapping_add(1);
        if now > self.awake_until {
            self.counters.dropped += 1;
            self.tell(Event::Slept);
            return;
        }
        if self.loses_datagram() {
            self.counters.dropped += 1;
            return;
        }
        let Some(Parsed { packet }) = Parsed::from_bytes(datagram) else {
            self.counters.not_understood += 1;
            return;
        };
        self.stay_awake(now);
        match packet.header.code {
            MessageClass::Request(_) => self.on_request(&packet, datagram, now),
            MessageClass::Empty => self.on_empty(&packet, now),
            _ => self.on_response(&packet, now),
        }
        self.notify_changes(now);
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: u64) {
        for timer in self.due_timers(now) {
            self.run(timer, now);
        }
        if now >= self.next_change {
            self.next_change = now + period(&self.options);
            objects::change_values(self, now);
        }
        self.watch_stage(now);
        self.keep_registered(now);
        self.drive_own_requests(now);
        self.notify_changes(now);
    }

    /// When [`Self::tick`] has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> u64 {
        let timers = self.timers.iter().map(|(at, _)| *at);
        let observations = self.observations.iter().map(|o| o.next_look);
        timers
            .chain(observations)
            .chain([
                self.next_change,
                self.registration.next_step(),
                self.next_stage_step(),
                self.own.next_step(),
            ])
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The next datagram to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// A package that the device wants to be fetched; what came of it is told to [`Self::fetched`].
    pub(super) fn take_download(&mut self) -> Option<Download> {
        self.downloads.pop()
    }

    /// A package has been fetched, or not.
    pub(super) fn fetched(
        &mut self,
        kind: PackageKind,
        outcome: Result<Vec<u8>, String>,
        now: u64,
    ) {
        objects::package_fetched(self, kind, outcome, now);
        self.notify_changes(now);
    }

    /// The object tree.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The options it was made with; lifetime and version as they are now.
    #[must_use]
    pub const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The registration as it stands.
    #[must_use]
    pub const fn registration(&self) -> &Registration {
        &self.registration
    }

    /// The value at a path.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<Value> {
        self.tree.get(&path.parse().ok()?).cloned()
    }

    /// Sets a value as the device itself does, which is notified; `false` when the path or the type do not fit.
    pub fn put(&mut self, path: &str, value: Value) -> bool {
        path.parse().is_ok_and(|path| self.put_at(&path, value))
    }

    /// Like [`Self::put`]. Only where there is an instance already.
    pub fn put_at(&mut self, path: &Path, value: Value) -> bool {
        let set = self.tree.instance(path).is_ok() && self.tree.set(path, value);
        self.dirty |= set;
        set
    }

    /// Takes another fault, or none.
    pub const fn set_fault(&mut self, fault: Option<super::options::Fault>) {
        self.options.fault = fault;
    }

    /// Does something at a set time.
    pub fn schedule(&mut self, at: u64, timer: Timer) {
        self.timers.push((at, timer));
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(super) fn push_out(&mut self, datagram: Vec<u8>) {
        self.outbox.push_back(datagram);
    }

    pub(super) const fn take_mid(&mut self) -> u16 {
        self.next_mid = self.next_mid.wrapping_add(1);
        self.next_mid
    }

    /// In queue mode, traffic keeps the device awake for its time.
    pub(super) fn stay_awake(&mut self, now: u64) {
        self.awake_until = self.options.queue_awake.map_or(u64::MAX, |awake| {
            now + u64::try_from(awake.as_millis()).unwrap_or(u64::MAX / 2)
        });
    }

    /// Takes another LwM2M version, after 4.12.
    pub(super) fn speak(&mut self, version: Version) {
        self.options.version = version;
        self.abilities = abilities(&self.options);
    }

    fn on_empty(&mut self, packet: &Packet, now: u64) {
        let mid = packet.header.message_id;
        match packet.header.get_type() {
            // A ping (RFC 7252, section 4.3).
            MessageType::Confirmable => {
                let reset = message_bytes(MessageType::Reset, MessageClass::Empty, mid, &[]);
                self.push_out(reset);
            }
            MessageType::Acknowledgement => self.own.acknowledged(mid, now),
            MessageType::Reset => {
                let known = self.own.is_waiting_for(mid);
                if known {
                    self.own_request_failed(None, now);
                }
                if !self.cancel_by_reset(mid) && !known {
                    self.counters.not_understood += 1;
                }
            }
            MessageType::NonConfirmable => self.counters.not_understood += 1,
        }
    }

    fn due_timers(&mut self, now: u64) -> Vec<Timer> {
        let (due, later): (Vec<_>, Vec<_>) = mem::take(&mut self.timers)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.timers = later;
        let mut due = due;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, timer)| timer).collect()
    }

    fn run(&mut self, timer: Timer, now: u64) {
        match timer {
            Timer::Set(path, value) => drop(self.put(path, value)),
            Timer::Register => self.register(now),
            Timer::Update => drop(self.update(now)),
            Timer::Deregister => drop(self.deregister(now)),
            Timer::Bootstrap => drop(self.bootstrap(now)),
            Timer::Forget => self.forget_registration(),
            Timer::Installed(kind) => objects::package_installed(self, kind),
        }
    }

    fn loses_datagram(&self) -> bool {
        matches!(
            self.options.fault,
            Some(super::options::Fault::DropEvery(n)) if n > 0 && self.received.is_multiple_of(n)
        )
    }
}

/// What the options let the device understand.
fn abilities(options: &ClientOptions) -> Abilities {
    let mut formats = match &options.formats {
        Some(formats) => formats.clone(),
        None => [
            &[formats::TEXT, formats::OPAQUE],
            formats::announced(options.version),
        ]
        .concat(),
    };
    if options.old_formats {
        formats.extend([formats::OLD_TLV, formats::OLD_JSON]);
    }
    Abilities {
        version: options.version,
        fixture: options.fixture,
        formats,
    }
}

fn period(options: &ClientOptions) -> u64 {
    let millis = options.time_frequency.as_millis().max(1);
    u64::try_from(millis).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests;
