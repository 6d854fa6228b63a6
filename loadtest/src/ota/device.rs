//! A light device that is updated over the air, without sockets and clock.
//!
//! It registers, is read and observed, takes or fetches an image, verifies it, installs it, restarts where firmware
//! does, and reports each state. Of the image it keeps the running hash only.

mod answer;
mod fetch;
mod flight;
mod package;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};
use fastrand::Rng;

use crate::client::formats;
use crate::clock::Micros;
use crate::coap::{Message, Parsed, observe_bytes};
use answer::{Answered, Postponed};
use fetch::Fetch;
use flight::{Doing, Due, Flight};
use package::Package;

pub use terms::{Resource, Terms};

/// One device.
pub struct Device {
    number: u32,
    power: Power,
    package: Package,
    observations: Vec<Observation>,
    /// Resources whose observers have to be told, a bit for each.
    untold: u8,
    /// The message of its own that is under way; there is one at a time (NSTART, RFC 7252 §4.7).
    flight: Option<Flight>,
    fetch: Option<Box<Fetch>>,
    /// Answers already given, newest last, for messages that come again.
    answered: VecDeque<Answered>,
    /// The answer that waits for the flash.
    postponed: Option<Box<Postponed>>,
    /// When the installation is over.
    installed_at: Micros,
    next_mid: u16,
    rng: Rng,
}

/// Whether a device is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Power {
    /// Without power until then.
    Off { until: Micros },
    /// Not registered.
    On,
    /// Registered.
    Registered,
}

/// Whom a message comes from or goes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    /// The server that the device is registered with.
    Server,
    /// Somebody else, without DTLS.
    Other(SocketAddr),
}

/// What a device does.
#[derive(Debug, Default)]
pub struct Output {
    /// Messages, in this order.
    pub messages: Vec<(Peer, Vec<u8>)>,
    /// What happened.
    pub events: Vec<Event>,
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// It is registered.
    Registered,
    /// It has no power any more, and no session.
    Off,
    /// The first block of an image came.
    Began,
    /// A block came that it did not have, of so many bytes.
    Block(u16),
    /// A block came again.
    Repeated,
    /// A message of its own was sent again.
    Retransmitted,
    /// It has the whole image, as it should be, since it [began](Self::Began) so many microseconds ago.
    Verified(Micros),
    /// It has a whole image that is another one.
    Wrong,
    /// Its own flash spoilt the image, which it noticed.
    Spoilt,
    /// Its power was cut.
    Cut,
    /// It has given up with this result.
    Refused(u8),
    /// It runs the new version, and the server knows it.
    Updated,
}

struct Observation {
    token: Vec<u8>,
    resource: Resource,
    sequence: u32,
    last_mid: u16,
}

/// Between two attempts to register, and to go on with a download.
const AGAIN: Micros = 5_000_000;

impl Device {
    /// A device that has just been switched on. What is random about it follows from `seed`.
    #[must_use]
    pub fn new(number: u32, refuses: Option<u8>, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ u64::from(number) << 24);
        Self {
            number,
            power: Power::On,
            package: Package::new(refuses),
            observations: Vec::new(),
            untold: 0,
            flight: None,
            fetch: None,
            answered: VecDeque::new(),
            postponed: None,
            installed_at: Micros::MAX,
            next_mid: rng.u16(..),
            rng,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whether it runs the new version.
    #[must_use]
    pub const fn is_updated(&self) -> bool {
        self.package.is_current()
    }

    /// Takes a message.
    pub fn receive(
        &mut self,
        terms: &Terms,
        from: Peer,
        bytes: &[u8],
        now: Micros,
        out: &mut Output,
    ) {
        if matches!(self.power, Power::Off { .. }) {
            return;
        }
        let Some(message) = Parsed::from_bytes(bytes) else {
            return;
        };
        let header = &message.packet.header;
        match header.code {
            MessageClass::Request(_) if from == Peer::Server => {
                self.on_request(terms, &message, now, out);
            }
            MessageClass::Response(code) => {
                self.on_response(terms, from, &message, code, now, out);
            }
            MessageClass::Empty => {
                self.on_empty(header.get_type(), header.message_id, from, now, out);
            }
            _ => {}
        }
        self.go_on(terms, now, out);
    }

    /// Does what is due.
    pub fn wake(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        if let Power::Off { until } = self.power {
            if now < until {
                return;
            }
            self.power = Power::On;
        }
        if self.installed_at <= now {
            self.installed_at = Micros::MAX;
            self.install(terms, now, out);
        }
        self.tell_postponed(now, out);
        self.time_out(terms, now, out);
        self.go_on(terms, now, out);
    }

    /// When [`Self::wake`] has something to do; the largest number for never.
    #[must_use]
    pub fn next_wake(&self) -> Micros {
        if let Power::Off { until } = self.power {
            return until;
        }
        let flight = match (&self.flight, self.power) {
            (Some(flight), _) => flight.deadline(),
            (None, Power::Registered) => self.fetch.as_ref().map_or(Micros::MAX, |f| f.next_at()),
            (None, _) => 0,
        };
        let postponed = self.postponed.as_ref().map_or(Micros::MAX, |p| p.due);
        flight.min(postponed).min(self.installed_at)
    }

    /// There is a session now: what was lost for want of one is sent at once.
    pub fn hurry(&mut self, out: &mut Output) {
        if let Some(flight) = &self.flight {
            out.messages.push((flight.peer, flight.bytes.to_vec()));
        }
    }

    /// Sends the next message of its own, if none is under way.
    fn go_on(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        if self.flight.is_some() {
            return;
        }
        match self.power {
            Power::Off { .. } => {}
            Power::On => self.register(terms, now, out),
            Power::Registered => {
                if let Some(answer) = self.take_separate() {
                    let (mid, bytes) = (answer.mid, answer.bytes);
                    return self.launch(Doing::Answer, Peer::Server, mid, bytes, now, out);
                }
                self.notify(terms, now, out);
                let wanted = self
                    .fetch
                    .as_ref()
                    .is_some_and(|fetch| fetch.next_at() <= now);
                if self.flight.is_none() && wanted {
                    self.ask_block(now, out);
                }
            }
        }
    }

    fn register(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        let mid = self.take_mid();
        let code = MessageClass::Request(RequestType::Post);
        let message = Message::new(MessageType::Confirmable, code, mid, &mid.to_be_bytes())
            .option(CoapOption::UriPath, "rd")
            .content_format(formats::LINK_FORMAT)
            .option(
                CoapOption::UriQuery,
                format!("ep={}", terms.name(self.number)),
            )
            .option(CoapOption::UriQuery, "lt=604800")
            .option(CoapOption::UriQuery, "lwm2m=1.1")
            .option(CoapOption::UriQuery, "b=U")
            .payload(terms.links().to_vec());
        self.launch(
            Doing::Register,
            Peer::Server,
            mid,
            message.encode(),
            now,
            out,
        );
    }

    fn notify(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        while self.untold != 0 {
            let resource = Resource::of_bit(self.untold);
            self.untold &= !resource.bit();
            let mid = self.take_mid();
            let mut observations = self.observations.iter_mut();
            let Some(known) = observations.find(|known| known.resource == resource) else {
                continue;
            };
            known.sequence += 1;
            known.last_mid = mid;
            let value = terms.value(resource, &self.package).to_plain_text();
            let code = MessageClass::Response(ResponseType::Content);
            let message = Message::new(MessageType::Confirmable, code, mid, &known.token)
                .option(CoapOption::Observe, observe_bytes(known.sequence))
                .content_format(formats::TEXT)
                .payload(value.into_bytes());
            let doing = Doing::Notify;
            return self.launch(doing, Peer::Server, mid, message.encode(), now, out);
        }
    }

    fn launch(
        &mut self,
        doing: Doing,
        peer: Peer,
        mid: u16,
        bytes: Vec<u8>,
        now: Micros,
        out: &mut Output,
    ) {
        out.messages.push((peer, bytes.clone()));
        self.flight = Some(Flight::new(doing, peer, mid, bytes, now, &mut self.rng));
    }

    fn time_out(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        match flight.due(now) {
            Due::Nothing => {}
            Due::Again => {
                out.messages.push((flight.peer, flight.bytes.to_vec()));
                out.events.push(Event::Retransmitted);
            }
            Due::Over => {
                let doing = flight.doing;
                self.flight = None;
                match doing {
                    Doing::Register => self.power = Power::Off { until: now + AGAIN },
                    // The server asks again, or finds out when it reads.
                    Doing::Answer | Doing::Notify => {}
                    Doing::Fetch => self.fetch_unanswered(terms, now, out),
                }
            }
        }
    }

    fn on_empty(&mut self, kind: MessageType, mid: u16, from: Peer, now: Micros, out: &mut Output) {
        match kind {
            MessageType::Acknowledgement => {
                let Some(flight) = self.flight.as_mut().filter(|flight| flight.mid == mid) else {
                    return;
                };
                match flight.doing {
                    Doing::Notify | Doing::Answer => self.flight = None,
                    Doing::Register | Doing::Fetch => flight.acknowledge(now),
                }
            }
            MessageType::Reset => {
                self.observations.retain(|known| known.last_mid != mid);
                let told = |flight: &mut Flight| {
                    flight.mid == mid && matches!(flight.doing, Doing::Notify | Doing::Answer)
                };
                self.flight.take_if(told);
            }
            MessageType::Confirmable => {
                let empty = MessageClass::Empty;
                let reset = Message::new(MessageType::Reset, empty, mid, &[]);
                out.messages.push((from, reset.encode()));
            }
            MessageType::NonConfirmable => {}
        }
    }

    fn on_response(
        &mut self,
        terms: &Terms,
        from: Peer,
        message: &Parsed,
        code: ResponseType,
        now: Micros,
        out: &mut Output,
    ) {
        let header = &message.packet.header;
        if header.get_type() == MessageType::Confirmable {
            let (kind, empty) = (MessageType::Acknowledgement, MessageClass::Empty);
            let acknowledgement = Message::new(kind, empty, header.message_id, &[]);
            out.messages.push((from, acknowledgement.encode()));
        }
        let token = message.packet.get_token();
        let asked = |flight: &mut Flight| {
            let piggybacked = header.get_type() == MessageType::Acknowledgement;
            flight.peer == from
                && flight.mid.to_be_bytes() == *token
                && (!piggybacked || flight.mid == header.message_id)
        };
        let Some(flight) = self.flight.take_if(asked) else {
            return;
        };
        match flight.doing {
            Doing::Register if code == ResponseType::Created => {
                self.power = Power::Registered;
                out.events.push(Event::Registered);
                if self.package.has_restarted() {
                    out.events.push(Event::Updated);
                }
            }
            Doing::Register => self.power = Power::Off { until: now + AGAIN },
            Doing::Fetch => self.on_block(terms, message, code, now, out),
            Doing::Notify | Doing::Answer => {}
        }
    }

    /// What was not in flash is gone, and the server has to be told that the device is back.
    fn lose_power(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        self.power = Power::Off {
            until: now + terms.off,
        };
        self.observations.clear();
        self.untold = 0;
        self.flight = None;
        self.fetch = None;
        self.answered.clear();
        self.postponed = None;
        self.installed_at = Micros::MAX;
        self.package.restart(terms.package);
        out.messages.clear();
        out.events.push(Event::Off);
    }

    /// The installation is over.
    fn install(&mut self, terms: &Terms, now: Micros, out: &mut Output) {
        let restarts = self.package.install(terms.package, out);
        self.untold |= self.package.take_changed();
        if restarts {
            self.lose_power(terms, now, out);
        }
    }

    const fn take_mid(&mut self) -> u16 {
        self.next_mid = self.next_mid.wrapping_add(1);
        self.next_mid
    }
}
