//! One thread of the generator: its sockets, and the loop between them and its devices.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use rookery::net::{ReceiveBatch, ShardSocket};
use rustix::event::epoll;
use rustix::time::Timespec;

use super::control::{Order, Orders, Progress, lock};
use super::outbox::{Outbox, Sender};
use super::simulation::Simulation;
use crate::clock::{Clock, Micros};
use crate::stats::Stats;

/// A worker, ready to run.
pub struct Worker {
    simulation: Simulation,
    sockets: Vec<ShardSocket>,
    poll: OwnedFd,
    outbox: Outbox,
    inbox: ReceiveBatch,
    clock: Clock,
    /// Its share of the rates.
    share: f64,
    arrivals: Arrivals,
    /// Kernel drops by socket, as last reported.
    drops: Vec<u32>,
    order: u64,
    progress: Progress,
    next_progress: Micros,
    next_second: Micros,
}

/// Devices that start one after the other at a steady rate.
#[derive(Clone, Copy, Debug)]
struct Arrivals {
    from: Micros,
    rate: f64,
    next: u32,
    end: u32,
    /// How many have started.
    started: u32,
    share: f64,
    action: Action,
}

/// What devices start with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Register,
    Reconnect,
    Deregister,
}

/// Datagrams received in one call.
const BATCH: usize = 64;
/// No message to a simulated device is longer.
const DATAGRAM: usize = 2_048;
/// Datagrams gathered before the kernel gets them. A Register brings about several requests of the server, so this
/// many starts have to leave time to read many times as many datagrams.
const GATHERED: usize = 128;
/// Calls for each socket that has something, before the others and the schedule have their turn.
const CALLS: usize = 32;
/// How often the controller hears of a worker.
const PROGRESS_US: Micros = 20_000;

impl Worker {
    /// A worker for the devices of `simulation`.
    ///
    /// # Errors
    /// When the sockets cannot be waited for.
    pub fn new(
        simulation: Simulation,
        sockets: Vec<ShardSocket>,
        outbox: Outbox,
        clock: Clock,
        share: f64,
    ) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, socket) in sockets.iter().enumerate() {
            epoll::add(
                &poll,
                socket,
                epoll::EventData::new_u64(index as u64),
                epoll::EventFlags::IN,
            )?;
        }
        Ok(Self {
            outbox,
            inbox: ReceiveBatch::new(BATCH, DATAGRAM),
            drops: vec![0; sockets.len()],
            arrivals: Arrivals::NONE,
            order: 0,
            progress: Progress::default(),
            next_progress: 0,
            next_second: 0,
            simulation,
            sockets,
            poll,
            clock,
            share,
        })
    }

    /// Follows `orders` until they say to come home, and returns what was counted.
    ///
    /// # Errors
    /// When waiting for the sockets fails.
    pub fn run(mut self, orders: &Orders, told: &Mutex<Progress>) -> io::Result<Stats> {
        let mut events = Vec::with_capacity(self.sockets.len().min(1_024));
        loop {
            if let Some((number, order)) = orders.newer_than(self.order) {
                self.order = number;
                match order {
                    Order::Live => {}
                    Order::Register { from, rate } => {
                        self.arrive(from, rate, 1.0, Action::Register);
                    }
                    Order::Deregister { from, rate } => {
                        self.arrive(from, rate, 1.0, Action::Deregister);
                    }
                    Order::Reconnect { from, rate, share } => {
                        self.arrive(from, rate, share, Action::Reconnect);
                    }
                    Order::Rebind { share } => self.simulation.rebind(share, &mut self.outbox),
                    Order::Wind => {
                        self.arrivals = Arrivals::NONE;
                        self.simulation.stop_living();
                    }
                    Order::Quit => {
                        self.simulation.abandon();
                        return Ok(self.simulation.stats);
                    }
                }
            }
            let now = self.clock.now();
            self.start_due(now);
            self.flush();
            self.tell(now, told);

            let wait = self.time_until_work();
            events.clear();
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: (wait * 1_000) as _,
            };
            match epoll::wait(
                &self.poll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&timeout),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.receive(event.data.u64() as usize);
            }
            self.flush();
        }
    }

    fn arrive(&mut self, from: Micros, rate: f64, share: f64, action: Action) {
        self.arrivals = Arrivals {
            from,
            rate: rate * self.share,
            next: 0,
            end: self.simulation.count(),
            started: 0,
            share,
            action,
        };
    }

    /// Starts what is due, until enough is gathered.
    fn start_due(&mut self, now: Micros) {
        while self.outbox.len() < GATHERED && self.simulation.step(now, &mut self.outbox) {}
        while self.outbox.len() < GATHERED
            && let Some(due) = self.arrivals.due()
        {
            let intended = self.clock.tick_from(due);
            if self.clock.begin_of(intended) > now {
                break;
            }
            let index = self.arrivals.next;
            self.arrivals.next += 1;
            if !is_chosen(index, self.arrivals.share) {
                continue;
            }
            self.arrivals.started += 1;
            let (simulation, out) = (&mut self.simulation, &mut self.outbox);
            match self.arrivals.action {
                Action::Register => simulation.register(index, intended, now, out),
                Action::Reconnect => simulation.reconnect(index, intended, now),
                Action::Deregister => simulation.deregister(index, intended, now, out),
            }
        }
    }

    fn receive(&mut self, socket: usize) {
        for _ in 0..CALLS {
            // An error is one of an earlier datagram, such as an ICMP message; the next call goes on.
            let Ok(count) = self.inbox.receive(&self.sockets[socket]) else {
                return;
            };
            if let Some(drops) = self.inbox.drops_in_batch() {
                self.simulation.stats.counts.receive_drops +=
                    u64::from(drops.wrapping_sub(self.drops[socket]));
                self.drops[socket] = drops;
            }
            let now = self.clock.now();
            for received in self.inbox.iter() {
                let device = self.outbox.device(socket as u32, received.local);
                let device = device.filter(|&(device, _)| device < self.simulation.count());
                let Some((device, is_present)) = device else {
                    self.simulation.stats.counts.foreign += 1;
                    continue;
                };
                let (simulation, out) = (&mut self.simulation, &mut self.outbox);
                match out.sender(device, received.peer) {
                    Sender::Stranger => simulation.stats.counts.foreign += 1,
                    _ if !is_present => simulation.stats.counts.to_old_address += 1,
                    _ if received.truncated => simulation.stats.counts.malformed += 1,
                    Sender::Server => simulation.receive(device, received.bytes, now, out),
                    Sender::First => simulation.receive_from_before(device, received.bytes, out),
                }
            }
            if count < BATCH {
                return;
            }
            if self.outbox.len() >= GATHERED {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            self.simulation.stats.counts.send_failures += self.outbox.flush(&self.sockets);
        }
    }

    fn tell(&mut self, now: Micros, told: &Mutex<Progress>) {
        if now < self.next_progress {
            return;
        }
        self.next_progress = now + PROGRESS_US;
        if now >= self.next_second {
            self.next_second = now + 1_000_000;
            self.progress.recent_p99_us = self.simulation.stats.take_recent_p99();
        }
        self.progress.order = self.order;
        self.progress.to_start = self.arrivals.end - self.arrivals.next;
        self.progress.unsettled = self.simulation.unsettled();
        self.progress.counts = self.simulation.stats.counts;
        *lock(told) = self.progress;
    }

    /// Microseconds until something is due, at most until the controller wants to hear.
    fn time_until_work(&self) -> Micros {
        let now = self.clock.now();
        let limit = self.next_progress.max(now);
        let arrival = self
            .arrivals
            .due()
            .map(|due| self.clock.begin_of(self.clock.tick_from(due)));
        let due = self
            .simulation
            .next_due(self.clock.tick(limit))
            .map(|tick| self.clock.begin_of(tick));
        let handshake = self.simulation.next_handshake();
        // What a full socket did not take is tried again soon.
        let again = (!self.outbox.is_empty()).then_some(now + 1_000);
        let first = [arrival, due, handshake, again]
            .into_iter()
            .flatten()
            .fold(limit, Micros::min);
        first.saturating_sub(now)
    }
}

impl Arrivals {
    const NONE: Self = Self {
        from: 0,
        rate: 0.0,
        next: 0,
        end: 0,
        started: 0,
        share: 1.0,
        action: Action::Register,
    };

    /// When the next device is to start.
    fn due(&self) -> Option<Micros> {
        (self.next < self.end)
            .then(|| self.from + (f64::from(self.started) * 1e6 / self.rate) as Micros)
    }
}

/// Whether a device is one of a share of all, which are spread evenly.
pub fn is_chosen(index: u32, share: f64) -> bool {
    (f64::from(index + 1) * share) as u32 > (f64::from(index) * share) as u32
}
