//! A simulated LwM2M device: a state machine of its own, datagrams and time in, datagrams out.

use std::collections::{BTreeMap, VecDeque};

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

use crate::message::{acknowledgement, encode, message, observe, parse, path};
use crate::timeline::NEVER;

mod log;
mod sending;
mod serving;
mod updating;

pub use log::Log;
use sending::{InFlight, Purpose};
use serving::{Answered, Separate};
pub use updating::{Updater, image};

/// EXCHANGE_LIFETIME (RFC 7252 §4.8.2).
const EXCHANGE_LIFETIME: u64 = 247_000;

/// How long a device in queue mode listens: MAX_TRANSMIT_WAIT.
const AWAKE: u64 = 93_000;

/// How a device behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Lifetime of its registration, in seconds.
    pub lifetime: u64,
    /// After which part of the lifetime it updates.
    pub update_after: f64,
    /// Milliseconds between changes of the observed value.
    pub notify_every: u64,
    /// Share of notifications that are confirmable.
    pub confirmable: f64,
    /// It sleeps between its messages.
    pub queue_mode: bool,
    /// How it answers requests.
    pub answers: Answers,
}

/// How a device answers requests (RFC 7252 §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answers {
    /// In the acknowledgement.
    Piggybacked,
    /// Later, in a confirmable message.
    SeparateConfirmable,
    /// Later, in a non-confirmable message, which may get lost.
    SeparateNonConfirmable,
}

/// A device.
pub struct Device {
    /// Endpoint client name.
    pub name: String,
    pub habits: Habits,
    rng: fastrand::Rng,
    power: Power,
    /// The observed value; it only grows, also over reboots.
    pub value: i64,
    /// Version of its firmware; a reboot brings the next one.
    pub firmware: u32,
    memory: Memory,
    /// Object 5, where it has one.
    pub updater: Option<Updater>,
    /// What the device did, for the rules. No part of the device: it survives reboots.
    pub log: Log,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Power {
    On,
    /// It starts at this time.
    Starting(u64),
    Dead,
}

/// What a reboot loses.
#[derive(Default)]
struct Memory {
    location: Option<String>,
    /// Tokens of its observers of /3/0/9.
    observers: Vec<Vec<u8>>,
    sequence: u32,
    next_mid: u16,
    in_flight: Option<InFlight>,
    waiting: VecDeque<Purpose>,
    answered: BTreeMap<u16, Answered>,
    separate: VecDeque<Separate>,
    /// Message ids of notifications and what they told, to understand a Reset.
    notified: VecDeque<(u16, Vec<u8>)>,
    register_at: u64,
    update_at: u64,
    notify_at: u64,
    awake_until: u64,
    /// It will not come back once it has de-registered.
    gone_for_good: bool,
    /// Registrations that failed in a row.
    failures: u32,
}

impl Device {
    /// A device that starts at `start`.
    pub fn new(name: &str, habits: Habits, seed: u64, start: u64) -> Self {
        Self {
            name: name.to_owned(),
            habits,
            rng: fastrand::Rng::with_seed(seed),
            power: Power::Starting(start),
            value: 0,
            firmware: 0,
            memory: Memory::default(),
            updater: None,
            log: Log::default(),
        }
    }

    /// When [`on_timer`](Self::on_timer) has something to do.
    pub fn deadline(&self) -> u64 {
        match self.power {
            Power::Dead => return NEVER,
            Power::Starting(at) => return at,
            Power::On => {}
        }
        let memory = &self.memory;
        let sending = memory.in_flight.as_ref().map_or(NEVER, |it| it.deadline);
        let separate = memory.separate.front().map_or(NEVER, |it| it.due);
        let own = memory.register_at.min(memory.update_at);
        let updating = self.updater.as_ref().map_or(NEVER, Updater::deadline);
        let own = own.min(memory.notify_at).min(updating);
        own.min(sending).min(separate)
    }

    /// What the device does of its own accord.
    pub fn on_timer(&mut self, now: u64) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        match self.power {
            Power::Starting(at) if at <= now => self.start(now),
            Power::On => {}
            _ => return out,
        }
        self.retransmit(now, &mut out);
        self.answer_separately(now, &mut out);
        self.update_steps(now, &mut out);
        // It may have switched itself off.
        if self.power != Power::On {
            return out;
        }
        if self.memory.register_at <= now {
            self.memory.register_at = NEVER;
            self.register();
        }
        if self.memory.update_at <= now {
            self.memory.update_at = NEVER;
            self.queue(Purpose::Update);
        }
        if self.memory.notify_at <= now {
            self.change(now, &mut out);
        }
        self.transmit_next(now, &mut out);
        self.stay_awake_if(now, !out.is_empty());
        out
    }

    /// Takes a datagram, unless the device sleeps.
    pub fn on_datagram(&mut self, now: u64, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if !self.listens(now) {
            return out;
        }
        let packet = parse(bytes);
        match (packet.header.get_type(), packet.header.code) {
            (MessageType::Acknowledgement, _) => self.on_acknowledgement(now, &packet),
            (MessageType::Reset, _) => self.on_reset(packet.header.message_id),
            (MessageType::Confirmable, MessageClass::Request(_)) => {
                self.on_request(now, &packet, bytes, &mut out);
            }
            (kind, code) => self.log.complain(format!("got a {kind:?} {code}")),
        }
        self.transmit_next(now, &mut out);
        self.stay_awake_if(now, true);
        out
    }

    /// The device forgets everything and starts again with newer firmware after `pause`.
    pub fn reboot(&mut self, now: u64, pause: u64) {
        if self.power != Power::Dead && !self.memory.gone_for_good {
            self.power = Power::Starting(now + pause);
            self.firmware += 1;
            if let Some(updater) = &mut self.updater {
                updater.restarted();
            }
        }
    }

    /// The device says good-bye; it comes back after `pause`, if ever.
    pub fn leave(&mut self, now: u64, pause: Option<u64>) {
        match self.power {
            Power::Dead => return,
            // It is gone without a word: a device that is off cannot de-register.
            Power::Starting(_) => {
                self.power = pause.map_or(Power::Dead, |pause| Power::Starting(now + pause));
                return;
            }
            Power::On => {}
        }
        self.memory.register_at = pause.map_or(NEVER, |pause| now + pause);
        self.memory.gone_for_good = pause.is_none();
        self.memory.update_at = NEVER;
        self.memory.observers.clear();
        self.memory.waiting.clear();
        self.memory.in_flight = None;
        if self.memory.location.is_some() {
            self.queue(Purpose::Deregister);
        } else if pause.is_none() {
            self.die();
        }
    }

    /// The device is never heard of again.
    pub fn die(&mut self) {
        self.power = Power::Dead;
        self.memory = Memory::default();
    }

    /// The value stays as it is from now on.
    pub fn calm_down(&mut self) {
        self.memory.notify_at = NEVER;
    }

    /// What it says in /3/0/3.
    pub fn firmware_version(&self) -> String {
        let updater = self.updater.as_ref();
        match updater.and_then(|updater| updater.installed.as_ref()) {
            Some(_) => "new".to_owned(),
            None => self.firmware.to_string(),
        }
    }

    /// Registration id and number of observers, as the device knows them.
    pub fn state(&self) -> (Option<&str>, usize) {
        let location = self.memory.location.as_deref();
        (location, self.memory.observers.len())
    }

    /// Whether the device still sends something or waits for an answer.
    pub fn is_busy(&self) -> bool {
        let memory = &self.memory;
        memory.in_flight.is_some() || !memory.waiting.is_empty() || !memory.separate.is_empty()
    }

    fn start(&mut self, now: u64) {
        self.power = Power::On;
        self.log.starts += 1;
        self.memory = Memory {
            next_mid: self.rng.u16(..),
            register_at: now,
            update_at: NEVER,
            notify_at: now + self.rng.u64(1..=self.habits.notify_every),
            ..Memory::default()
        };
    }

    fn listens(&self, now: u64) -> bool {
        let awake = !self.habits.queue_mode
            || now < self.memory.awake_until
            || self.memory.in_flight.is_some();
        self.power == Power::On && awake
    }

    fn stay_awake_if(&mut self, now: u64, active: bool) {
        if active {
            self.memory.awake_until = now + AWAKE;
        }
    }

    /// The observed value changes.
    fn change(&mut self, now: u64, out: &mut Vec<Vec<u8>>) {
        let every = self.habits.notify_every;
        self.memory.notify_at = now + self.rng.u64(every / 2..=every);
        self.value += self.rng.i64(1..=3);
        for token in self.memory.observers.clone() {
            if self.rng.f64() < self.habits.confirmable {
                self.queue(Purpose::Notify(token));
            } else {
                let notification = self.notification(MessageType::NonConfirmable, &token);
                out.push(notification);
            }
        }
    }

    fn notification(&mut self, kind: MessageType, token: &[u8]) -> Vec<u8> {
        let mid = self.next_mid();
        let mut packet = message(
            kind,
            MessageClass::Response(ResponseType::Content),
            mid,
            token,
        );
        self.tell_value(&mut packet);
        self.memory.notified.push_front((mid, token.to_vec()));
        self.memory.notified.truncate(64);
        encode(&packet)
    }

    /// Puts the observed value and its place in the sequence into a message.
    fn tell_value(&mut self, packet: &mut Packet) {
        self.memory.sequence += 1;
        packet.set_observe_value(self.memory.sequence);
        packet.payload = self.value.to_string().into_bytes();
        self.log.told = Some(self.value);
    }

    fn next_mid(&mut self) -> u16 {
        self.memory.next_mid = self.memory.next_mid.wrapping_add(1);
        self.memory.next_mid
    }
}
