//! Sessions of devices: when they are made, what their end means, and changes of address.

use super::Simulation;
use crate::clock::{Micros, Ticks};
use crate::coap::Exchange;
use crate::device::{Device, Doing, Queued, State};
use crate::dtls::HandshakeError;
use crate::engine::calendar::Due;
use crate::engine::links::Outcome;
use crate::engine::outbox::Outbox;
use crate::engine::worker::is_chosen;
use crate::stats::{Failure, Operation};

impl Simulation {
    /// Device `index` loses its session, if it is registered, and makes a new one as soon as it may.
    pub fn reconnect(&mut self, index: u32, intended: Ticks, now: Micros) {
        let device = &mut self.devices[index as usize];
        if device.state != State::Registered {
            return;
        }
        device.state = State::Reconnecting;
        self.unsettled += 1;
        if device.doing == Doing::Nothing {
            let late = now.saturating_sub(self.clock.begin_of(intended));
            self.begin_handshake(index, intended, late);
        } else {
            device.queued.reconnect = true;
            device.queued_since = intended;
        }
    }

    /// A share of the devices get other addresses.
    pub fn rebind(&mut self, share: f64, out: &mut Outbox) {
        for index in (0..self.count()).filter(|&index| is_chosen(index, share)) {
            out.rebind(index);
            self.stats.counts.rebinds += 1;
        }
    }

    /// When the next handshake may start, if a device waits for one.
    #[must_use]
    pub fn next_handshake(&self) -> Option<Micros> {
        self.links.next_start()
    }

    /// Starts a handshake, if one may start now.
    pub(super) fn start_handshake(&mut self, now: Micros, out: &mut Outbox) -> bool {
        let (fleets, devices, first) = (&self.fleets, &self.devices, self.first);
        let id = |index: u32| {
            let mut name = String::new();
            let fleet = &fleets[usize::from(devices[index as usize].fleet)];
            fleet.identity(first + index, &mut name);
            (name, first + index)
        };
        let Some((index, outcome)) = self.links.start(now, id, out) else {
            return false;
        };
        self.follow(index, outcome, now, out);
        true
    }

    /// Device `index` wants to do something that takes a session first.
    pub(super) fn begin_handshake_for(
        &mut self,
        index: u32,
        doing: Doing,
        intended: Ticks,
        late: Micros,
    ) {
        let device = &mut self.devices[index as usize];
        match doing {
            Doing::Nothing | Doing::Handshake => {}
            Doing::Bootstrap => device.queued.bootstrap = true,
            Doing::Register => device.queued.register = true,
            Doing::Update => device.queued.update = true,
            Doing::Deregister => device.queued.deregister = true,
            Doing::Notify(observation) => device.queued.notify |= 1 << observation,
        }
        self.begin_handshake(index, intended, late);
    }

    /// A reconnection that waited for the end of an exchange.
    pub(super) fn begin_reconnect(&mut self, index: u32, intended: Ticks) {
        self.begin_handshake(index, intended, 0);
    }

    pub(super) fn handshake_time_out(&mut self, index: u32, now: Micros, out: &mut Outbox) {
        let outcome = self.links.poll(index, now, out);
        self.follow(index, outcome, now, out);
    }

    pub(super) fn receive_secured(
        &mut self,
        index: u32,
        datagram: &[u8],
        now: Micros,
        out: &mut Outbox,
    ) {
        let mut messages = std::mem::take(&mut self.messages);
        let counts = &mut self.stats.counts;
        let outcome = self
            .links
            .receive(index, datagram, now, &mut messages, counts, out);
        for message in messages.drain(..) {
            self.receive_message(index, &message, now, out);
        }
        self.messages = messages;
        self.follow(index, outcome, now, out);
    }

    fn begin_handshake(&mut self, index: u32, intended: Ticks, late: Micros) {
        self.stats.started(Operation::Handshake, late);
        let device = &mut self.devices[index as usize];
        device.doing = Doing::Handshake;
        device.exchange = Exchange::NONE;
        device.exchange.intended = intended;
        self.set_awaiting(index, true);
        self.links.want(index);
    }

    fn follow(&mut self, index: u32, outcome: Outcome, now: Micros, out: &mut Outbox) {
        let tick = self.clock.tick(now);
        match outcome {
            Outcome::Nothing => {}
            Outcome::Handshaking(wake) => {
                let deadline = self.clock.tick_from(wake);
                let exchange = &mut self.devices[index as usize].exchange;
                if exchange.deadline != deadline {
                    exchange.deadline = deadline;
                    self.calendar.enter(deadline, index, Due::Timeout);
                }
            }
            Outcome::Up { resumed, early } => {
                let intended = self.devices[index as usize].exchange.intended;
                let took = now.saturating_sub(self.clock.begin_of(intended));
                self.stats.measured(Operation::Handshake, took);
                self.stats.succeeded(Operation::Handshake);
                self.stats.counts.resumed += u64::from(resumed);
                let with_cid = self.links.has_connection_id(index);
                self.stats.counts.with_connection_id += u64::from(with_cid);
                self.settle_handshake(index, State::Registered);
                let device = &mut self.devices[index as usize];
                device.forget_seen();
                device.queued_since = tick;
                self.begin_queued(index, tick, out);
                for message in early {
                    self.receive_message(index, &message, now, out);
                }
            }
            Outcome::Failed(error) => {
                self.stats.failed(Operation::Handshake, failure(&error));
                self.settle_handshake(index, State::Gone);
                self.give_up(index);
            }
            Outcome::Closed => {
                let doing = self.devices[index as usize].doing;
                if !matches!(doing, Doing::Nothing | Doing::Handshake) {
                    self.end(index, Err(Failure::SessionClosed), tick, out);
                }
            }
        }
    }

    /// The handshake has ended; a device that was reconnecting is in `state` now.
    fn settle_handshake(&mut self, index: u32, state: State) {
        self.set_awaiting(index, false);
        let device = &mut self.devices[index as usize];
        device.doing = Doing::Nothing;
        if device.state == State::Reconnecting {
            self.unsettled -= 1;
            device.state = state;
            if state == State::Gone {
                self.stats.counts.registered -= 1;
            }
        }
    }

    /// Without a session nothing goes on.
    fn give_up(&mut self, index: u32) {
        let device = &mut self.devices[index as usize];
        match device.state {
            State::Registering | State::Deregistering => self.unsettled -= 1,
            State::Registered => self.stats.counts.registered -= 1,
            State::New | State::Reconnecting | State::Gone => {}
        }
        abandon(device);
    }
}

fn abandon(device: &mut Device) {
    device.state = State::Gone;
    device.forget_conversation();
    device.queued = Queued::default();
}

const fn failure(error: &HandshakeError) -> Failure {
    match error {
        HandshakeError::TimedOut => Failure::HandshakeTimedOut,
        HandshakeError::Alert(description) => Failure::Alert(*description),
        _ => Failure::HandshakeRefused,
    }
}
