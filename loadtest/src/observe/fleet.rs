//! The fleet of one strategy: a thread with sockets that lets devices register, change and answer.

mod member;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use fastrand::Rng;
use hdrhistogram::Histogram;
use rookery::net::{PeerAddr, ReceiveBatch, ShardSocket};
use rustix::event::epoll;
use rustix::time::Timespec;

use super::changes::{DeviceTime, Resources};
use super::device::{Kind, State};
use super::latency::Log;
use super::radio::{Activity, RadioTimes};
use super::settings::Settings;
use super::strategy::Strategy;
use super::traffic::{Direction, Traffic};
use crate::clock::{Clock, Micros};
use crate::engine::{Outbox, RunError, open_sockets};
use crate::fleet::{Addresses, Names};
use member::Member;

/// What the benchmark tells a fleet.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// From now until a time of the run's clock: values change, and what passes is counted.
    Measure { from: Micros, until: Micros },
}

/// How the devices are doing.
#[derive(Debug, Default)]
pub struct Progress {
    /// Devices that are observed as their profile says; for polls, that were read once.
    pub ready: AtomicU32,
    /// Devices that could not register.
    pub failed: AtomicU32,
}

/// What a fleet counted.
#[derive(Debug)]
pub struct Counted {
    /// Until each device was ready.
    pub setup: Traffic,
    /// While measured.
    pub traffic: Traffic,
    /// Of the radios, while measured.
    pub activity: Activity,
    /// From a device's first Register to its being ready, in microseconds of the clock.
    pub ready_us: Histogram<u64>,
    /// Observations at the end.
    pub observations: u64,
    /// Values that changed.
    pub changes: u64,
    /// Notifications sent while measured.
    pub notifications: u64,
    /// Requests of the server that were refused.
    pub refused: u64,
    /// Messages that the kernel did not take, or dropped.
    pub lost: u64,
    /// The latest that something happened after its time, in microseconds of the clock.
    pub max_lateness_us: Micros,
    /// What happened to the values of some devices.
    pub log: Log,
}

/// A fleet, ready to run.
pub struct Fleet {
    settings: Settings,
    kind: Kind,
    names: Names,
    members: Vec<Member>,
    due: BinaryHeap<Reverse<(Micros, u32)>>,
    clock: Clock,
    measured: Option<(Micros, Micros)>,
    started: u32,
    sockets: Vec<ShardSocket>,
    poll: OwnedFd,
    addresses: Addresses,
    server: PeerAddr,
    outbox: Outbox,
    drops: Vec<u32>,
    counted: Counted,
}

/// Sockets towards a server on loopback.
const SOCKETS: u32 = 16;
/// Datagrams received in one call, and their length.
const BATCH: (usize, usize) = (64, 2_048);
/// Datagrams gathered before the kernel gets them.
const GATHERED: usize = 64;
/// How often orders are looked for, in microseconds.
const LOOK_US: Micros = 2_000;

impl Fleet {
    /// A fleet that is going to be observed by `strategy`.
    ///
    /// # Errors
    /// When the sockets cannot be opened or waited for.
    pub fn new(
        settings: &Settings,
        strategy: Strategy,
        server: SocketAddr,
        clock: Clock,
    ) -> Result<Self, RunError> {
        let clients = settings.clients;
        let addresses = Addresses::new(server, clients, SOCKETS);
        let sockets = open_sockets(&addresses, clients, clients, server)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        for (index, socket) in sockets.iter().enumerate() {
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&poll, socket, data, epoll::EventFlags::IN).map_err(io::Error::from)?;
        }
        let kind = Kind::new(settings);
        let mut rng = Rng::with_seed(settings.seed);
        let members = (0..clients)
            .map(|number| Member::new(settings, strategy, &kind, number, rng.u16(..)))
            .collect();
        Ok(Self {
            names: Names::new(&settings.endpoint_prefix(strategy), clients),
            outbox: Outbox::new(server.into(), addresses.clone(), sockets.len()),
            drops: vec![0; sockets.len()],
            counted: Counted::new(settings),
            settings: settings.clone(),
            server: server.into(),
            due: BinaryHeap::new(),
            measured: None,
            started: 0,
            kind,
            members,
            clock,
            sockets,
            poll,
            addresses,
        })
    }

    /// Lets the devices live until nobody gives orders any more, and returns what was counted.
    ///
    /// # Errors
    /// When waiting for the sockets fails.
    pub fn run(mut self, orders: &Receiver<Order>, progress: &Progress) -> io::Result<Counted> {
        let began = self.clock.now();
        let mut inbox = ReceiveBatch::new(BATCH.0, BATCH.1);
        let mut events = Vec::with_capacity(self.sockets.len().min(1_024));
        loop {
            match orders.try_recv() {
                Ok(Order::Measure { from, until }) => self.measure(from, until),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Ok(self.finish()),
            }
            let now = self.clock.now();
            self.start(began, now);
            self.work(now, progress);
            self.flush();
            let next = self.next_work(began);
            let wait = next.saturating_sub(self.clock.now()).min(LOOK_US);
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: (wait * 1_000) as _,
            };
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.poll, room, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.receive(event.data.u64() as usize, &mut inbox, progress);
            }
            self.flush();
        }
    }

    fn measure(&mut self, from: Micros, until: Micros) {
        self.measured = Some((from, until));
        for number in 0..self.members.len() as u32 {
            self.schedule(number);
        }
    }

    /// Devices register one after the other.
    fn start(&mut self, began: Micros, now: Micros) {
        while self.started < self.settings.clients
            && self.outbox.len() < GATHERED
            && self.begin_of(began, self.started) <= now
        {
            self.members[self.started as usize].entered = now;
            self.due.push(Reverse((now, self.started)));
            self.started += 1;
        }
    }

    fn begin_of(&self, began: Micros, number: u32) -> Micros {
        began + (f64::from(number) * 1e6 / self.settings.register_rate) as Micros
    }

    fn next_work(&self, began: Micros) -> Micros {
        let start = if self.started < self.settings.clients {
            self.begin_of(began, self.started)
        } else {
            Micros::MAX
        };
        let due = self.due.peek().map_or(Micros::MAX, |Reverse((at, _))| *at);
        start.min(due)
    }

    /// Does what is due.
    fn work(&mut self, now: Micros, progress: &Progress) {
        while self.outbox.len() < GATHERED
            && let Some(&Reverse((at, number))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            let member = &mut self.members[number as usize];
            if at == member.entered {
                member.entered = Micros::MAX;
                self.turn(number, now, progress);
            }
        }
    }

    /// Whatever a device has to do at present: register, change, notify.
    fn turn(&mut self, number: u32, now: Micros, progress: &Progress) {
        let member = &mut self.members[number as usize];
        match member.device.state() {
            State::New | State::Registering { .. } => {
                let name = self.names.of(number);
                if let Some(register) = member.device.register(&self.kind, &name, now) {
                    member.registers_since.get_or_insert(now);
                    self.send(number, &register, now);
                } else if self.members[number as usize].device.state() == State::Failed {
                    progress.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            State::Registered => {
                self.change(number, now);
                self.notify(number, now);
            }
            State::Failed => return,
        }
        self.schedule(number);
    }

    fn change(&mut self, number: u32, now: Micros) {
        let Some((from, until)) = self.measured else {
            return;
        };
        let member = &mut self.members[number as usize];
        while let Some(change) = member.changes.peek().copied() {
            let at = from + self.settings.clock_micros(change.at);
            if at >= until || at > now {
                return;
            }
            member.changes.next();
            member.device.change(change.resources);
            self.counted.changes += u64::from(change.resources.count_ones());
            self.counted.max_lateness_us = self.counted.max_lateness_us.max(now - at);
            let counts = member.device.counts();
            self.counted
                .log
                .changed(number, change.resources, counts, at);
        }
    }

    fn notify(&mut self, number: u32, now: Micros) {
        while let Some((notification, told)) =
            self.members[number as usize].device.notify(&self.kind, now)
        {
            if self.is_measured(now) {
                self.counted.notifications += 1;
            }
            self.tell(number, told, now);
            self.send(number, &notification, now);
        }
    }

    /// Enters when the device has something to do next.
    fn schedule(&mut self, number: u32) {
        let member = &mut self.members[number as usize];
        let at = match member.device.state() {
            State::Registering { again, .. } => again,
            State::Registered => {
                let change = match (self.measured, member.changes.peek()) {
                    (Some((from, until)), Some(change)) => {
                        let at = from + self.settings.clock_micros(change.at);
                        if at < until { at } else { Micros::MAX }
                    }
                    _ => Micros::MAX,
                };
                change.min(member.device.next_notification(&self.kind))
            }
            State::New | State::Failed => Micros::MAX,
        };
        // Only the earliest entry counts; one that was entered before is passed over when it comes up.
        if at < member.entered {
            member.entered = at;
            self.due.push(Reverse((at, number)));
        }
    }

    fn receive(&mut self, socket: usize, inbox: &mut ReceiveBatch, progress: &Progress) {
        loop {
            // An error is one of an earlier datagram, such as an ICMP message.
            let Ok(count) = inbox.receive(&self.sockets[socket]) else {
                return;
            };
            if let Some(drops) = inbox.drops_in_batch() {
                self.counted.lost += u64::from(drops.wrapping_sub(self.drops[socket]));
                self.drops[socket] = drops;
            }
            let now = self.clock.now();
            for received in inbox.iter() {
                let number = self.addresses.device(socket as u32, received.local);
                let number = number.filter(|number| *number < self.settings.clients);
                if let Some(number) = number
                    && received.peer == self.server
                    && !received.truncated
                {
                    self.take(number, received.bytes, now, progress);
                }
            }
            if self.outbox.len() >= GATHERED {
                self.flush();
            }
            if count < BATCH.0 {
                return;
            }
        }
    }

    /// A datagram for a device.
    fn take(&mut self, number: u32, bytes: &[u8], now: Micros, progress: &Progress) {
        self.pass(number, Direction::Down, bytes.len(), now);
        let member = &mut self.members[number as usize];
        let outcome = member.device.receive(&self.kind, bytes, now);
        self.counted.refused += u64::from(outcome.refused);
        if let Some(reply) = outcome.reply {
            self.tell(number, outcome.told, now);
            self.send(number, &reply, now);
        } else if member.device.state() == State::Failed && !member.ready {
            member.ready = true;
            progress.failed.fetch_add(1, Ordering::Relaxed);
        }
        let member = &mut self.members[number as usize];
        if !member.ready && member.is_ready(&self.kind) {
            member.ready = true;
            progress.ready.fetch_add(1, Ordering::Relaxed);
            let since = member.registers_since.unwrap_or(now);
            self.counted
                .ready_us
                .saturating_record((now - since).max(1));
        }
        self.schedule(number);
    }

    fn tell(&mut self, number: u32, told: Resources, now: Micros) {
        let counts = self.members[number as usize].device.counts();
        self.counted.log.told(number, told, counts, now);
    }

    fn send(&mut self, number: u32, bytes: &[u8], now: Micros) {
        self.pass(number, Direction::Up, bytes.len(), now);
        self.outbox
            .put(number, |arena| arena.extend_from_slice(bytes));
    }

    /// Counts a packet where it belongs.
    fn pass(&mut self, number: u32, direction: Direction, length: usize, now: Micros) {
        let member = &mut self.members[number as usize];
        if !member.ready {
            self.counted.setup.count(direction, length);
        } else if let Some((from, until)) = self.measured
            && (from..until).contains(&now)
        {
            let at = ((now - from) as f64 * self.settings.speed) as DeviceTime;
            let times = self.settings.radio_times();
            member.radio.packet(at, direction, length, &times);
        }
    }

    fn is_measured(&self, now: Micros) -> bool {
        self.measured
            .is_some_and(|(from, until)| (from..until).contains(&now))
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            self.counted.lost += self.outbox.flush(&self.sockets);
        }
    }

    fn finish(mut self) -> Counted {
        let times = self.settings.radio_times();
        for member in &self.members {
            let (activity, traffic) = member.radio.finish(&times);
            self.counted.activity.add(&activity);
            self.counted.traffic.add(&traffic);
            self.counted.observations += member.device.observations() as u64;
        }
        self.counted
    }
}

impl Counted {
    fn new(settings: &Settings) -> Self {
        Self {
            setup: Traffic::default(),
            traffic: Traffic::default(),
            activity: Activity::default(),
            ready_us: super::latency::histogram(),
            observations: 0,
            changes: 0,
            notifications: 0,
            refused: 0,
            lost: 0,
            max_lateness_us: 0,
            log: Log::new(settings.clients, settings.resources),
        }
    }
}

impl Settings {
    /// Microseconds of the clock in so many of device time.
    fn clock_micros(&self, time: DeviceTime) -> Micros {
        (time as f64 / self.speed) as Micros
    }

    /// How long radios stay on.
    #[must_use]
    pub fn radio_times(&self) -> RadioTimes {
        RadioTimes {
            inactivity: self.inactivity,
            active_time: self.active_time,
        }
    }
}
