//! The devices of one thread and all that happens to them, without sockets and clock.

mod bootstrap;
mod incoming;
mod links;
mod outgoing;

use std::sync::Arc;

use fastrand::Rng;

pub use bootstrap::Bootstrap;

use super::calendar::{Calendar, Due};
use super::links::Links;
use super::outbox::Outbox;
use crate::clock::{Clock, Micros, Ticks};
use crate::coap::{OnTimeout, Timing};
use crate::device::{Device, Doing, Identity, State};
use crate::fleet::Fleet;
use crate::stats::{Failure, Operation, Stats};

/// The devices `first..` of a run and their schedule.
pub struct Simulation {
    fleets: Arc<[Fleet]>,
    /// Number of the first device: indices here start at 0.
    first: u32,
    devices: Vec<Device>,
    /// One bit for each device that has a message under way.
    awaiting: Vec<u64>,
    calendar: Calendar,
    links: Links,
    bootstrap: Option<Bootstrap>,
    clock: Clock,
    timing: Timing,
    rng: Rng,
    echoed: bool,
    /// Devices whose Register or De-register is under way.
    unsettled: u32,
    living: bool,
    /// What was counted.
    pub stats: Stats,
    name: String,
    /// Room for what a datagram held.
    messages: Vec<Vec<u8>>,
}

/// What a simulation needs to know besides its devices.
pub struct Terms {
    /// The run's clock.
    pub clock: Clock,
    /// What all that is random follows from.
    pub seed: u64,
    /// Whether the peer is an echo server, whose answer to a request is the request itself.
    pub echoed: bool,
}

impl Simulation {
    /// The devices of `fleets` with numbers from `first` on, `count` of them.
    #[must_use]
    pub fn new(fleets: Arc<[Fleet]>, first: u32, count: u32, links: Links, terms: &Terms) -> Self {
        let timing = Timing::new(&terms.clock);
        let mut rng = Rng::with_seed(terms.seed ^ u64::from(first) << 32);
        let fleet_of = |number| {
            fleets
                .iter()
                .position(|fleet| fleet.members.contains(&number))
                .unwrap_or_default()
        };
        let mut devices = Vec::with_capacity(count as usize);
        devices.extend(
            (first..first + count).map(|number| Device::new(fleet_of(number) as u8, rng.u16(..))),
        );
        Self {
            first,
            devices,
            awaiting: vec![0; count.div_ceil(64) as usize],
            calendar: Calendar::new(timing.horizon()),
            links,
            bootstrap: None,
            clock: terms.clock,
            timing,
            rng,
            echoed: terms.echoed,
            unsettled: 0,
            living: true,
            stats: Stats::default(),
            name: String::new(),
            messages: Vec::new(),
            fleets,
        }
    }

    /// Lets the devices bootstrap before they register.
    #[must_use]
    pub fn with_bootstrap(mut self, bootstrap: Bootstrap) -> Self {
        self.bootstrap = Some(bootstrap);
        self
    }

    /// How many devices there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.devices.len() as u32
    }

    /// Devices whose Register or De-register is under way.
    #[must_use]
    pub const fn unsettled(&self) -> u32 {
        self.unsettled
    }

    /// Device `index` registers, unless it is registered or about to be.
    pub fn register(&mut self, index: u32, intended: Ticks, now: Micros, out: &mut Outbox) {
        let device = &mut self.devices[index as usize];
        if !matches!(device.state, State::New | State::Gone) || device.doing != Doing::Nothing {
            return;
        }
        device.state = State::Registering;
        self.unsettled += 1;
        let doing = match &self.bootstrap {
            Some(bootstrap) if !bootstrap.has_told(index) => Doing::Bootstrap,
            _ => Doing::Register,
        };
        self.begin(index, doing, intended, now, out);
    }

    /// Device `index` de-registers, as soon as it may.
    pub fn deregister(&mut self, index: u32, intended: Ticks, now: Micros, out: &mut Outbox) {
        let device = &mut self.devices[index as usize];
        if device.state != State::Registered {
            return;
        }
        device.state = State::Deregistering;
        self.stats.counts.registered -= 1;
        self.unsettled += 1;
        if device.doing == Doing::Nothing {
            self.begin(index, Doing::Deregister, intended, now, out);
        } else {
            device.queued.deregister = true;
            device.queued_since = intended;
        }
    }

    /// From now on nobody updates or notifies any more.
    pub const fn stop_living(&mut self) {
        self.living = false;
    }

    /// Does the next thing that is due by `now`. False when there is nothing.
    pub fn step(&mut self, now: Micros, out: &mut Outbox) -> bool {
        if self.start_handshake(now, out) {
            return true;
        }
        let tick = self.clock.tick(now);
        let Some((index, due)) = self.calendar.take(tick) else {
            return false;
        };
        match due {
            Due::Timeout => self.time_out(index, tick, now, out),
            Due::Update => self.update(index, tick, now, out),
            Due::Notify => self.notify(index, tick, now, out),
        }
        true
    }

    /// When there is something to do next, looked for up to `limit`.
    #[must_use]
    pub fn next_due(&self, limit: Ticks) -> Option<Ticks> {
        self.calendar.first(limit)
    }

    /// What is under way now will not end well any more.
    pub fn abandon(&mut self) {
        for index in 0..self.count() {
            if let Some(operation) = operation(self.devices[index as usize].doing) {
                self.stats.failed(operation, Failure::Unfinished);
            }
        }
    }

    fn update(&mut self, index: u32, tick: Ticks, now: Micros, out: &mut Outbox) {
        let period = self.update_period(index);
        let device = &mut self.devices[index as usize];
        let Some(intended) = take_due(
            &mut device.next_update,
            tick,
            period,
            device.state,
            self.living,
        ) else {
            return;
        };
        self.calendar.enter(device.next_update, index, Due::Update);
        if intended > tick || device.state != State::Registered {
            return;
        }
        if device.doing == Doing::Nothing {
            self.begin(index, Doing::Update, intended, now, out);
        } else {
            device.queued.update = true;
            device.queued_since = intended;
        }
    }

    fn notify(&mut self, index: u32, tick: Ticks, now: Micros, out: &mut Outbox) {
        let period = self.notify_period(index);
        let confirm = self.fleet(index).settings.confirm_notifications;
        let device = &mut self.devices[index as usize];
        let Some(intended) = take_due(
            &mut device.next_notify,
            tick,
            period,
            device.state,
            self.living,
        ) else {
            return;
        };
        self.calendar.enter(device.next_notify, index, Due::Notify);
        if intended > tick || device.state != State::Registered {
            return;
        }
        device.sequence = device.sequence.wrapping_add(1);
        if !confirm && !self.links.is_up(index) {
            // Nobody would take it; the next one has a session.
            if self.devices[index as usize].doing == Doing::Nothing {
                let late = now.saturating_sub(self.clock.begin_of(intended));
                self.begin_handshake_for(index, Doing::Nothing, intended, late);
            }
            return;
        }
        let device = &mut self.devices[index as usize];
        for observation in device.observed() {
            let device = &mut self.devices[index as usize];
            if !confirm {
                self.notify_unconfirmed(index, observation, intended, now, out);
            } else if device.doing == Doing::Nothing {
                self.begin(index, Doing::Notify(observation as u8), intended, now, out);
            } else {
                device.queued.notify |= 1 << observation;
                device.queued_since = intended;
            }
        }
    }

    fn time_out(&mut self, index: u32, tick: Ticks, now: Micros, out: &mut Outbox) {
        if !self.is_awaiting(index) {
            return;
        }
        let device = &mut self.devices[index as usize];
        if device.exchange.deadline > tick {
            return; // a later exchange, which has an entry of its own
        }
        if device.doing == Doing::Handshake {
            return self.handshake_time_out(index, now, out);
        }
        if device.doing == Doing::Bootstrap && self.bootstraps_again(index, now, out) {
            return;
        }
        let device = &mut self.devices[index as usize];
        match device.exchange.time_out(tick) {
            OnTimeout::Retransmit => {
                self.calendar
                    .enter(device.exchange.deadline, index, Due::Timeout);
                self.stats.counts.retransmissions += 1;
                self.write_current(index, out);
            }
            OnTimeout::NotAcknowledged => self.end(index, Err(Failure::NotAcknowledged), tick, out),
            OnTimeout::NoResponse => self.end(index, Err(Failure::NoResponse), tick, out),
        }
    }

    /// The first tick after `now` at which `index` is due every `period` ticks.
    ///
    /// The devices of a fleet are spread evenly over the period. Within a block of them the order is one that the
    /// server's memory cannot foresee; the blocks come one after the other, so that datagrams of one socket can be
    /// sent together.
    fn first_due(&self, index: u32, now: Ticks, period: Ticks, half: bool) -> Ticks {
        const BLOCK: u32 = 4_096;
        const STRIDE: u32 = 2_531; // odd, near the golden section of the block
        let members = &self.fleet(index).members;
        let first = members.start.max(self.first);
        let count = members.end.min(self.first + self.count()) - first;
        let rank = self.first + index - first;
        let block = rank / BLOCK * BLOCK;
        let within = if count - block >= BLOCK {
            (rank - block) * STRIDE % BLOCK
        } else {
            rank - block
        };
        let phase = (u64::from(block + within) * u64::from(period) / u64::from(count)) as Ticks;
        let phase = (phase + if half { period / 2 } else { 0 }) % period;
        let wait = (phase + period - now % period) % period;
        now + if wait == 0 { period } else { wait }
    }

    /// When a device that registers now updates for the first time: not at once, as long as its lifetime allows it.
    fn first_update(&self, index: u32, now: Ticks) -> Ticks {
        let period = self.update_period(index);
        let due = self.first_due(index, now, period, false);
        let lifetime = u64::from(self.lifetime(index)) * 900;
        let too_soon = due - now < period / 2;
        let in_time = due - now + period < self.clock.ticks_in_millis(lifetime);
        if too_soon && in_time {
            due + period
        } else {
            due
        }
    }

    fn update_period(&self, index: u32) -> Ticks {
        self.period(self.fleet(index).settings.update_every)
    }

    fn notify_period(&self, index: u32) -> Ticks {
        self.period(self.fleet(index).settings.notify_every)
    }

    fn period(&self, seconds: f64) -> Ticks {
        let ticks = seconds * 1e6 / self.clock.tick_us() as f64;
        (ticks as Ticks).max(1)
    }

    fn fleet(&self, index: u32) -> &Fleet {
        &self.fleets[usize::from(self.devices[index as usize].fleet)]
    }

    fn identity(&mut self, index: u32) -> Identity<'_> {
        let lifetime = self.lifetime(index);
        let fleet = &self.fleets[usize::from(self.devices[index as usize].fleet)];
        Identity {
            lifetime,
            ..fleet.identity(self.first + index, &mut self.name)
        }
    }

    /// The lifetime of a device's registrations.
    fn lifetime(&self, index: u32) -> u32 {
        let told = self.bootstrap.as_ref().and_then(|b| b.lifetime(index));
        told.unwrap_or(self.fleet(index).settings.lifetime)
    }

    const fn is_awaiting(&self, index: u32) -> bool {
        self.awaiting.as_slice()[index as usize / 64] & 1 << (index % 64) != 0
    }

    fn set_awaiting(&mut self, index: u32, is: bool) {
        let bit = 1 << (index % 64);
        let word = &mut self.awaiting[index as usize / 64];
        if is {
            *word |= bit;
            self.stats.counts.in_flight += 1;
        } else {
            *word &= !bit;
            self.stats.counts.in_flight -= 1;
        }
    }
}

/// When the entry that has come up is due, which is later than `tick` for one that came up early; then `next` is the
/// following one. `None`, and no following one, for devices whose schedule has ended.
const fn take_due(
    next: &mut Ticks,
    tick: Ticks,
    period: Ticks,
    state: State,
    living: bool,
) -> Option<Ticks> {
    if !living || matches!(state, State::New | State::Gone) {
        *next = Ticks::MAX;
        return None;
    }
    let due = *next;
    if due <= tick {
        *next = due.saturating_add(period);
    }
    Some(due)
}

const fn operation(doing: Doing) -> Option<Operation> {
    match doing {
        Doing::Nothing => None,
        Doing::Handshake => Some(Operation::Handshake),
        Doing::Bootstrap => Some(Operation::Bootstrap),
        Doing::Register => Some(Operation::Register),
        Doing::Update => Some(Operation::Update),
        Doing::Deregister => Some(Operation::Deregister),
        Doing::Notify(_) => Some(Operation::Notify),
    }
}
