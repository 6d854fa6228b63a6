//! The fleet: a thread with sockets that lets devices talk to their server.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hdrhistogram::Histogram;
use rookery::net::{PeerAddr, ReceiveBatch, ShardSocket};
use rustix::event::epoll;
use rustix::time::Timespec;

use super::device::{Device, Event, Output, Peer, Terms};
use super::scenario::OtaScenario;
use super::wire::{Lates, Weather, Wire};
use crate::clock::{Clock, Micros};
use crate::engine::{Links, Outbox, Outcome, RunError, open_sockets};
use crate::fleet::Addresses;
use crate::security::Security;
use crate::stats::Counts as LinkCounts;

/// How the devices are doing, for whoever leads the run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Devices that have been registered.
    pub registered: AtomicU32,
    /// Devices that run the new version.
    pub updated: AtomicU32,
    /// Blocks of the image that came for the first time.
    pub blocks: AtomicU64,
    /// Handshakes that failed.
    pub handshakes_failed: AtomicU64,
    /// The fleet is to end.
    pub ends: AtomicBool,
    /// From now on is measured, in microseconds of the clock; 0 for not yet.
    pub ordered: AtomicU64,
}

/// What a fleet counted.
#[derive(Debug)]
pub struct Counted {
    /// Blocks that came for the first time.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that came again.
    pub repeated: u64,
    /// Messages of devices that were sent again.
    pub retransmitted: u64,
    /// Datagrams that the simulated network lost.
    pub lost: u64,
    /// Datagrams that the kernel dropped, or did not take.
    pub dropped: u64,
    /// Images that were whole and right.
    pub verified: u64,
    /// Images that were whole and wrong, though the device's own flash was in order.
    pub wrong: u64,
    /// Images that the device's own flash spoilt.
    pub spoilt: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Results that devices gave up with, by number.
    pub refused: BTreeMap<u8, u64>,
    /// Devices that run the new version.
    pub updated: u32,
    /// From the first block to the verified image, in microseconds.
    pub transfer: Histogram<u64>,
    /// From the order to the new version, in microseconds.
    pub update: Histogram<u64>,
}

/// A fleet, ready to run.
pub struct Fleet {
    terms: Arc<Terms>,
    members: Vec<Member>,
    due: BinaryHeap<Reverse<(Micros, u32)>>,
    clock: Clock,
    pace: Micros,
    started: u32,
    sockets: Vec<ShardSocket>,
    poll: OwnedFd,
    addresses: Addresses,
    server: PeerAddr,
    wire: Wire,
    incoming: Lates,
    weather: Weather,
    links: Links,
    link_counts: LinkCounts,
    drops: Vec<u32>,
    counted: Counted,
    output: Output,
}

struct Member {
    device: Device,
    /// When its next turn is; the largest number for none.
    entered: Micros,
    /// When its handshake has something to do; the largest number for never.
    handshake: Micros,
    registered: bool,
}

/// Sockets towards a server on loopback.
const SOCKETS: u32 = 16;
/// Datagrams received in one call, and their length.
const BATCH: (usize, usize) = (64, 2_048);
/// Datagrams gathered before the kernel gets them.
const GATHERED: usize = 64;
/// How often it is looked whether the fleet is to end, in microseconds.
const LOOK: Micros = 10_000;

impl Fleet {
    /// The fleet of a scenario.
    ///
    /// # Errors
    /// When the sockets cannot be opened or waited for, or OpenSSL does not take the credentials.
    pub fn new(
        scenario: &OtaScenario,
        terms: Arc<Terms>,
        security: Option<&Arc<Security>>,
        server: SocketAddr,
        clock: Clock,
    ) -> Result<Self, RunError> {
        let clients = scenario.clients;
        let addresses = Addresses::new(server, clients, SOCKETS);
        let sockets = open_sockets(&addresses, clients, clients, server)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        for (index, socket) in sockets.iter().enumerate() {
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&poll, socket, data, epoll::EventFlags::IN).map_err(io::Error::from)?;
        }
        let member = |number| Member {
            device: Device::new(number, scenario.refusal_of(number), scenario.seed),
            entered: Micros::MAX,
            handshake: Micros::MAX,
            registered: false,
        };
        let delay = (scenario.delay_ms * 1e3) as Micros;
        let weather = |salt| Weather::new(scenario.loss, delay, scenario.seed ^ salt);
        let outbox = Outbox::new(server.into(), addresses.clone(), sockets.len());
        Ok(Self {
            members: (0..clients).map(member).collect(),
            due: BinaryHeap::new(),
            pace: (1e6 / scenario.register_rate) as Micros,
            started: 0,
            drops: vec![0; sockets.len()],
            wire: Wire::new(outbox, server.into(), weather(1 << 40)),
            incoming: Lates::default(),
            weather: weather(2 << 40),
            links: Links::new(&scenario.security, security, clients, 1.0)?,
            link_counts: LinkCounts::default(),
            counted: Counted::new(),
            output: Output::default(),
            server: server.into(),
            terms,
            clock,
            sockets,
            poll,
            addresses,
        })
    }

    /// Lets the devices live until `progress` says that it is over; what was counted.
    ///
    /// # Errors
    /// When waiting for the sockets fails.
    pub fn run(mut self, progress: &Progress) -> io::Result<Counted> {
        let began = self.clock.now();
        let mut inbox = ReceiveBatch::new(BATCH.0, BATCH.1);
        let mut events = Vec::with_capacity(self.sockets.len().min(1_024));
        while !progress.ends.load(Ordering::Relaxed) {
            self.wire.now = self.clock.now();
            self.start(began);
            self.work(progress);
            self.flush();
            let now = self.clock.now();
            let wait = self.next_work(began).saturating_sub(now).min(LOOK);
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
            self.wire.now = self.clock.now();
            for event in &events {
                self.receive(event.data.u64() as usize, &mut inbox, progress);
            }
            self.flush();
        }
        self.counted.lost = self.wire.lost() + self.weather.lost;
        let updated = self.members.iter().filter(|it| it.device.is_updated());
        self.counted.updated = updated.count() as u32;
        Ok(self.counted)
    }

    /// Devices are switched on one after the other.
    fn start(&mut self, began: Micros) {
        let now = self.wire.now;
        let count = self.members.len() as u32;
        while self.started < count && began + u64::from(self.started) * self.pace <= now {
            let number = self.started;
            self.enter(number, now);
            self.started += 1;
        }
    }

    fn next_work(&self, began: Micros) -> Micros {
        let start = if (self.started as usize) < self.members.len() {
            began + u64::from(self.started) * self.pace
        } else {
            Micros::MAX
        };
        let due = self.due.peek().map_or(Micros::MAX, |Reverse((at, _))| *at);
        let handshake = self.links.next_start().unwrap_or(Micros::MAX);
        let late = self.incoming.next().min(self.wire.next_release());
        start.min(due).min(handshake).min(late)
    }

    /// Does what is due.
    fn work(&mut self, progress: &Progress) {
        let now = self.wire.now;
        self.wire.release();
        while let Some(late) = self.incoming.pop(now) {
            self.take(late.index, late.peer, &late.bytes, progress);
        }
        let terms = Arc::clone(&self.terms);
        let id = |index: u32| (terms.name(index), index);
        while let Some((index, outcome)) = self.links.start(now, id, &mut self.wire) {
            self.follow(index, outcome, progress);
        }
        while self.wire.len() < GATHERED
            && let Some(&Reverse((at, number))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            let member = &mut self.members[number as usize];
            if at != member.entered {
                continue;
            }
            member.entered = Micros::MAX;
            if member.handshake <= now {
                member.handshake = Micros::MAX;
                let outcome = self.links.poll(number, now, &mut self.wire);
                self.follow(number, outcome, progress);
            }
            let device = &mut self.members[number as usize].device;
            device.wake(&self.terms, now, &mut self.output);
            self.settle(number, progress);
        }
    }

    fn receive(&mut self, socket: usize, inbox: &mut ReceiveBatch, progress: &Progress) {
        loop {
            // An error is one of an earlier datagram, such as an ICMP message.
            let Ok(count) = inbox.receive(&self.sockets[socket]) else {
                return;
            };
            if let Some(drops) = inbox.drops_in_batch() {
                self.counted.dropped += u64::from(drops.wrapping_sub(self.drops[socket]));
                self.drops[socket] = drops;
            }
            self.wire.now = self.clock.now();
            for received in inbox.iter().filter(|received| !received.truncated) {
                let number = self.addresses.device(socket as u32, received.local);
                let Some(number) = number.filter(|n| (*n as usize) < self.members.len()) else {
                    continue;
                };
                match self.weather.fate() {
                    None => {}
                    Some(0) => self.take(number, received.peer, received.bytes, progress),
                    Some(delay) => {
                        let at = self.wire.now + delay;
                        let bytes = received.bytes.to_vec();
                        self.incoming.push(at, number, received.peer, bytes);
                    }
                }
            }
            if self.wire.len() >= GATHERED {
                self.flush();
            }
            if count < BATCH.0 {
                return;
            }
        }
    }

    /// A datagram has arrived at a device.
    fn take(&mut self, number: u32, peer: PeerAddr, bytes: &[u8], progress: &Progress) {
        if peer != self.server {
            return self.deliver(number, Peer::Other(peer.into()), bytes, progress);
        }
        if !self.links.are_secure() {
            return self.deliver(number, Peer::Server, bytes, progress);
        }
        let mut messages = Vec::new();
        let now = self.wire.now;
        let (wire, counts) = (&mut self.wire, &mut self.link_counts);
        let outcome = self
            .links
            .receive(number, bytes, now, &mut messages, counts, wire);
        for message in messages {
            self.deliver(number, Peer::Server, &message, progress);
        }
        self.follow(number, outcome, progress);
    }

    fn deliver(&mut self, number: u32, from: Peer, bytes: &[u8], progress: &Progress) {
        let device = &mut self.members[number as usize].device;
        device.receive(&self.terms, from, bytes, self.wire.now, &mut self.output);
        self.settle(number, progress);
    }

    /// What a handshake, or the end of a session, means to a device.
    fn follow(&mut self, number: u32, outcome: Outcome, progress: &Progress) {
        match outcome {
            Outcome::Nothing | Outcome::Closed => {}
            Outcome::Handshaking(at) => {
                self.members[number as usize].handshake = at;
                self.enter(number, at);
            }
            Outcome::Up { early, .. } => {
                for message in early {
                    self.deliver(number, Peer::Server, &message, progress);
                }
                let device = &mut self.members[number as usize].device;
                device.hurry(&mut self.output);
                self.settle(number, progress);
            }
            // The device asks for another one when it sends again.
            Outcome::Failed(_) => {
                progress.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sends what a device has to send, counts what happened to it, and enters its next turn.
    fn settle(&mut self, number: u32, progress: &Progress) {
        let events = std::mem::take(&mut self.output.events);
        for event in &events {
            self.count(number, *event, progress);
        }
        let mut messages = std::mem::take(&mut self.output.messages);
        for (peer, bytes) in messages.drain(..) {
            self.send(number, peer, &bytes);
        }
        self.output.messages = messages;
        let member = &self.members[number as usize];
        let at = member.device.next_wake().min(member.handshake);
        self.enter(number, at);
    }

    fn send(&mut self, number: u32, peer: Peer, bytes: &[u8]) {
        let write = |arena: &mut Vec<u8>| arena.extend_from_slice(bytes);
        match peer {
            Peer::Other(peer) => self.wire.put_to(peer.into(), number, write),
            Peer::Server if self.links.are_secure() => {
                if !self.links.put(number, &mut self.wire, write) && self.links.is_down(number) {
                    self.links.want(number);
                }
            }
            Peer::Server => self.wire.put_to(self.server, number, write),
        }
    }

    fn count(&mut self, number: u32, event: Event, progress: &Progress) {
        let counted = &mut self.counted;
        match event {
            Event::Registered => {
                let member = &mut self.members[number as usize];
                if !std::mem::replace(&mut member.registered, true) {
                    progress.registered.fetch_add(1, Ordering::Relaxed);
                }
            }
            Event::Off => self.links.drop_link(number),
            Event::Began => {}
            Event::Block(length) => {
                counted.blocks += 1;
                counted.bytes += u64::from(length);
                progress.blocks.store(counted.blocks, Ordering::Relaxed);
            }
            Event::Repeated => counted.repeated += 1,
            Event::Retransmitted => counted.retransmitted += 1,
            Event::Verified(took) => {
                counted.verified += 1;
                counted.transfer.saturating_record(took);
            }
            Event::Wrong => counted.wrong += 1,
            Event::Spoilt => counted.spoilt += 1,
            Event::Cut => counted.cuts += 1,
            Event::Refused(result) => *counted.refused.entry(result).or_default() += 1,
            Event::Updated => {
                progress.updated.fetch_add(1, Ordering::Relaxed);
                let ordered = progress.ordered.load(Ordering::Relaxed);
                let took = self.wire.now.saturating_sub(ordered);
                counted.update.saturating_record(took);
            }
        }
    }

    /// Only the earliest entry counts; one that was entered before is passed over when it comes up.
    fn enter(&mut self, number: u32, at: Micros) {
        let member = &mut self.members[number as usize];
        if at < member.entered {
            member.entered = at;
            self.due.push(Reverse((at, number)));
        }
    }

    fn flush(&mut self) {
        self.counted.dropped += self.wire.flush(&self.sockets);
    }
}

impl Counted {
    fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, 86_400_000_000, 3)
                .expect("three digits and these bounds are valid")
        };
        Self {
            blocks: 0,
            bytes: 0,
            repeated: 0,
            retransmitted: 0,
            lost: 0,
            dropped: 0,
            verified: 0,
            wrong: 0,
            spoilt: 0,
            cuts: 0,
            refused: BTreeMap::new(),
            updated: 0,
            transfer: histogram(),
            update: histogram(),
        }
    }
}
