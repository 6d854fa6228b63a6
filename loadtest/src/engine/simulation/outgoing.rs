//! Messages that devices send by themselves: their beginning, their repetition, their end.

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType};

use super::{Simulation, operation};
use crate::clock::{Micros, Ticks};
use crate::coap::{Exchange, Message, append};
use crate::device::{Device, Doing, Queued, State, observe_notification};
use crate::engine::calendar::Due;
use crate::engine::outbox::Outbox;
use crate::stats::{Failure, Operation};

impl Simulation {
    /// Sends a confirmable message for the first time.
    pub(super) fn begin(
        &mut self,
        index: u32,
        doing: Doing,
        intended: Ticks,
        now: Micros,
        out: &mut Outbox,
    ) {
        let late = now.saturating_sub(self.clock.begin_of(intended));
        self.begin_late_by(index, doing, intended, now, late, out);
    }

    /// Sends a notification that nobody acknowledges.
    pub(super) fn notify_unconfirmed(
        &mut self,
        index: u32,
        observation: usize,
        intended: Ticks,
        now: Micros,
        out: &mut Outbox,
    ) {
        self.stats.started(
            Operation::Notify,
            now.saturating_sub(self.clock.begin_of(intended)),
        );
        self.stats.succeeded(Operation::Notify);
        let mid = self.devices[index as usize].take_mid();
        self.devices[index as usize].notified(observation, mid);
        self.write_notification(index, observation, MessageType::NonConfirmable, mid, out);
    }

    /// Sends the message under way, again or for the first time.
    pub(super) fn write_current(&mut self, index: u32, out: &mut Outbox) {
        let number = self.first + index;
        let device = &self.devices[index as usize];
        let mid = device.exchange.mid;
        match device.doing {
            Doing::Nothing | Doing::Handshake => {}
            Doing::Bootstrap => self.write_bootstrap_request(index, mid, out),
            Doing::Register => {
                let fleet = &self.fleets[usize::from(device.fleet)];
                let told = self.bootstrap.as_mut();
                let told = told.and_then(|b| b.register(index, device.fleet, fleet));
                self.links.put(index, out, |arena| match told {
                    Some(register) => fleet.write(register, number, mid, arena),
                    None => fleet.write_register(number, mid, arena),
                });
            }
            Doing::Update => {
                let message = at_location(device, RequestType::Post);
                self.links.put(index, out, |arena| append(&message, arena));
            }
            Doing::Deregister => {
                let message = at_location(device, RequestType::Delete);
                self.links.put(index, out, |arena| append(&message, arena));
            }
            Doing::Notify(observation) => {
                self.write_notification(
                    index,
                    usize::from(observation),
                    MessageType::Confirmable,
                    mid,
                    out,
                );
            }
        }
    }

    /// The message under way has come to its end, with the code of a response or without one.
    pub(super) fn end(
        &mut self,
        index: u32,
        outcome: Result<(), Failure>,
        tick: Ticks,
        out: &mut Outbox,
    ) {
        let device = &mut self.devices[index as usize];
        let doing = std::mem::replace(&mut device.doing, Doing::Nothing);
        let Some(operation) = operation(doing) else {
            return;
        };
        self.set_awaiting(index, false);
        match outcome {
            Ok(()) => self.stats.succeeded(operation),
            Err(failure) => self.stats.failed(operation, failure),
        }
        if outcome == Err(Failure::NotAcknowledged) {
            // The session may have gone deaf, as without an identifier after a change of address.
            self.links.drop_link(index);
        }
        match (doing, outcome) {
            (Doing::Bootstrap, _) => self.bootstrap_ended(index, outcome, tick, out),
            (Doing::Register, Ok(())) => self.registered(index, tick),
            (Doing::Register, Err(_)) => {
                self.unsettled -= 1;
                self.devices[index as usize].state = State::Gone;
            }
            (Doing::Deregister, _) => {
                self.unsettled -= 1;
                self.links.close(index, out);
                let device = &mut self.devices[index as usize];
                device.state = State::Gone;
                device.forget_conversation();
            }
            // The server does not know the registration (any more): a device registers anew.
            (Doing::Update, Err(Failure::Code(0x84))) => {
                let device = &mut self.devices[index as usize];
                if device.state == State::Registered {
                    device.state = State::Registering;
                    device.forget_conversation();
                    self.unsettled += 1;
                    self.stats.counts.registered -= 1;
                    return self.begin_late_by(
                        index,
                        Doing::Register,
                        tick,
                        self.clock.begin_of(tick),
                        0,
                        out,
                    );
                }
            }
            // RFC 7641 §4.5: who does not acknowledge, or resets, is no observer any more.
            (Doing::Notify(observation), Err(_)) => {
                self.devices[index as usize].cancel(usize::from(observation));
            }
            _ => {}
        }
        self.begin_queued(index, tick, out);
    }

    fn registered(&mut self, index: u32, tick: Ticks) {
        self.unsettled -= 1;
        self.stats.counts.registered += 1;
        let settings = &self.fleet(index).settings;
        let (updates, notifies) = (settings.update_every > 0.0, settings.notify_every > 0.0);
        let next_update = self.first_update(index, tick);
        let next_notify = self.first_due(index, tick, self.notify_period(index), true);
        let device = &mut self.devices[index as usize];
        device.state = State::Registered;
        device.registered_at = tick;
        if updates && device.next_update == Ticks::MAX {
            device.next_update = next_update;
            self.calendar.enter(next_update, index, Due::Update);
        }
        if notifies && device.next_notify == Ticks::MAX {
            device.next_notify = next_notify;
            self.calendar.enter(next_notify, index, Due::Notify);
        }
    }

    /// Starts what waited for the exchange that has ended.
    pub(super) fn begin_queued(&mut self, index: u32, tick: Ticks, out: &mut Outbox) {
        let device = &mut self.devices[index as usize];
        if !device.queued.any() || device.doing != Doing::Nothing {
            return;
        }
        if device.queued.reconnect {
            device.queued.reconnect = false;
            let since = device.queued_since;
            return self.begin_reconnect(index, since);
        }
        let doing = if device.queued.deregister {
            device.queued = Queued::default();
            Doing::Deregister
        } else if device.queued.bootstrap {
            device.queued.bootstrap = false;
            Doing::Bootstrap
        } else if device.queued.register {
            device.queued.register = false;
            Doing::Register
        } else if device.queued.update {
            device.queued.update = false;
            Doing::Update
        } else {
            let observation = device.queued.notify.trailing_zeros() as u8;
            device.queued.notify &= device.queued.notify - 1;
            if device.observation(usize::from(observation)).is_none() {
                return self.begin_queued(index, tick, out);
            }
            Doing::Notify(observation)
        };
        // It waited for its turn (NSTART), not for the generator: its latency counts from then, its start is not late.
        let intended = device.queued_since;
        self.begin_late_by(index, doing, intended, self.clock.begin_of(tick), 0, out);
    }

    pub(super) fn begin_late_by(
        &mut self,
        index: u32,
        doing: Doing,
        intended: Ticks,
        now: Micros,
        late: Micros,
        out: &mut Outbox,
    ) {
        if !self.links.is_up(index) {
            return self.begin_handshake_for(index, doing, intended, late);
        }
        if let Some(operation) = operation(doing) {
            self.stats.started(operation, late);
        }
        let tick = self.clock.tick(now);
        let device = &mut self.devices[index as usize];
        let mid = device.take_mid();
        device.doing = doing;
        device.exchange = Exchange::start(mid, intended, tick, &self.timing, &mut self.rng);
        if let Doing::Notify(observation) = doing {
            device.notified(usize::from(observation), mid);
        }
        self.calendar
            .enter(device.exchange.deadline, index, Due::Timeout);
        self.set_awaiting(index, true);
        self.write_current(index, out);
    }

    fn write_notification(
        &mut self,
        index: u32,
        observation: usize,
        kind: MessageType,
        mid: u16,
        out: &mut Outbox,
    ) {
        let device = &self.devices[index as usize];
        let Some(&observation) = device.observation(observation) else {
            return;
        };
        let sequence = device.sequence;
        let identity = self.identity(index);
        let message = observe_notification(&observation, kind, mid, sequence, &identity);
        self.links.put(index, out, |arena| append(&message, arena));
    }
}

/// A confirmable request to the path of the registration.
fn at_location(device: &Device, request: RequestType) -> Message {
    let mid = device.exchange.mid;
    let message = Message::new(
        MessageType::Confirmable,
        MessageClass::Request(request),
        mid,
        &mid.to_be_bytes(),
    );
    device.location().fold(message, |message, segment| {
        message.option(CoapOption::UriPath, segment)
    })
}
