//! A light device for the benchmark: registers, answers Read, Observe, their composite forms and Write-Attributes, and
//! notifies by change, pmin and pmax. Without sockets and clock.

mod answer;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType, ResponseType};

use super::changes::Resources;
use super::settings::Settings;
use crate::client::{Path, Record, Value, formats};
use crate::clock::Micros;
use crate::coap::{Message, Parsed, observe_bytes};

/// What all devices of a fleet have in common.
pub struct Kind {
    /// Their resources.
    pub paths: Vec<Path>,
    /// What they announce.
    links: Vec<u8>,
    /// Content format of composite answers when the server does not say.
    composite_format: u16,
    /// Microseconds of the clock in a second of device time.
    second: f64,
}

/// One device.
pub struct Device {
    state: State,
    /// How often each value has changed.
    counts: Box<[u32]>,
    observations: Vec<Observation>,
    /// Resources that have been observed or read since the registration.
    covered: Resources,
    periods: Box<[Periods]>,
    next_mid: u16,
}

/// Where a device stands with its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Not registered.
    New,
    /// A Register is under way; it was sent so many times.
    Registering { mid: u16, sent: u8, again: Micros },
    /// Registered.
    Registered,
    /// It gave up.
    Failed,
}

/// What came of a datagram.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What to send.
    pub reply: Option<Vec<u8>>,
    /// Resources whose values the reply carries.
    pub told: Resources,
    /// Whether it was a request of the server that could not be met.
    pub refused: bool,
}

/// Notification attributes of a resource, in seconds of device time.
#[derive(Clone, Copy, Debug, Default)]
struct Periods {
    least: Option<u32>,
    most: Option<u32>,
}

struct Observation {
    token: Vec<u8>,
    /// What was asked for.
    paths: Vec<Path>,
    resources: Resources,
    format: u16,
    composite: bool,
    sequence: u32,
    told_at: Micros,
    changed: bool,
    last_mid: u16,
}

/// ACK_TIMEOUT (RFC 7252 §4.8), without the random part: the devices are many.
const ACK_TIMEOUT_US: Micros = 2_500_000;
/// MAX_RETRANSMIT, and the first time.
const TRANSMISSIONS: u8 = 5;
/// A day of the clock, or more for longer runs: nobody updates the registration meanwhile.
const LIFETIME: u32 = 7 * 86_400;

impl Kind {
    /// The devices of `settings`.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let format = settings.composite_format;
        let mut links = format!("</>;rt=\"oma.lwm2m\";ct=\"0 {format}\",</1/0>,</3/0>");
        for object in settings.object_ids() {
            links.push_str(&format!(",</{object}>;ver=1.1,</{object}/0>"));
        }
        Self {
            paths: settings.paths(),
            links: links.into(),
            composite_format: format,
            second: 1e6 / settings.speed,
        }
    }

    /// The value of a resource that has changed so many times. Each is another one, and exact as a float.
    #[must_use]
    pub fn value(count: u32) -> f64 {
        20.0 + f64::from(count) / 4.0
    }

    /// How many times a resource with this value has changed.
    #[must_use]
    pub fn count(value: f64) -> Option<u32> {
        let count = (value - 20.0) * 4.0;
        (count >= 0.0 && count.fract() == 0.0 && count <= f64::from(u32::MAX))
            .then_some(count as u32)
    }

    fn covered(&self, asked: &[Path]) -> Resources {
        let known = self.paths.iter().enumerate();
        known
            .filter(|(_, path)| asked.iter().any(|asked| asked.contains(path)))
            .fold(0, |all, (resource, _)| all | 1 << resource)
    }

    fn micros(&self, seconds: u32) -> Micros {
        (f64::from(seconds) * self.second) as Micros
    }
}

impl Device {
    /// A device that is not registered.
    #[must_use]
    pub fn new(kind: &Kind, first_mid: u16) -> Self {
        Self {
            state: State::New,
            counts: vec![0; kind.paths.len()].into(),
            observations: Vec::new(),
            covered: 0,
            periods: vec![Periods::default(); kind.paths.len()].into(),
            next_mid: first_mid,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// How often each value has changed.
    #[must_use]
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// How many observations there are.
    #[must_use]
    pub fn observations(&self) -> usize {
        self.observations.len()
    }

    /// Whether every resource has been observed, or read, since the registration.
    #[must_use]
    pub fn is_covered(&self, kind: &Kind) -> bool {
        self.covered.count_ones() as usize == kind.paths.len()
    }

    /// Whether every resource is observed.
    #[must_use]
    pub fn is_observed(&self, kind: &Kind) -> bool {
        let all = self
            .observations
            .iter()
            .fold(0, |all, observation| all | observation.resources);
        all.count_ones() as usize == kind.paths.len()
    }

    /// The Register to send: for the first time, or again once its time is over. `None` when there is none to send.
    pub fn register(&mut self, kind: &Kind, name: &str, now: Micros) -> Option<Vec<u8>> {
        let (mid, sent) = match self.state {
            State::New => (self.take_mid(), 0),
            State::Registering { mid, sent, again } if again <= now => (mid, sent),
            _ => return None,
        };
        if sent == TRANSMISSIONS {
            self.state = State::Failed;
            return None;
        }
        self.state = State::Registering {
            mid,
            sent: sent + 1,
            again: now + (ACK_TIMEOUT_US << sent),
        };
        let code = MessageClass::Request(RequestType::Post);
        let message = Message::new(MessageType::Confirmable, code, mid, &mid.to_be_bytes())
            .option(CoapOption::UriPath, "rd")
            .content_format(formats::LINK_FORMAT)
            .option(CoapOption::UriQuery, format!("ep={name}"))
            .option(CoapOption::UriQuery, format!("lt={LIFETIME}"))
            .option(CoapOption::UriQuery, "lwm2m=1.1")
            .option(CoapOption::UriQuery, "b=U")
            .payload(kind.links.clone());
        Some(message.encode())
    }

    /// A datagram of the server.
    pub fn receive(&mut self, kind: &Kind, bytes: &[u8], now: Micros) -> Outcome {
        let Some(message) = Parsed::from_bytes(bytes) else {
            return Outcome::default();
        };
        let header = &message.packet.header;
        match header.code {
            MessageClass::Request(_) => self.answer(kind, &message, now),
            MessageClass::Empty if header.get_type() == MessageType::Reset => {
                self.observations
                    .retain(|known| known.last_mid != header.message_id);
                Outcome::default()
            }
            MessageClass::Response(code) => self.settle(header.message_id, code),
            _ => Outcome::default(),
        }
    }

    fn settle(&mut self, answered: u16, code: ResponseType) -> Outcome {
        let State::Registering { mid, .. } = self.state else {
            return Outcome::default();
        };
        if mid != answered {
            return Outcome::default();
        }
        self.state = if code == ResponseType::Created {
            State::Registered
        } else {
            State::Failed
        };
        self.observations.clear();
        Outcome::default()
    }

    /// Values change. Which notifications that brings about, [`Device::notify`] says.
    pub fn change(&mut self, resources: Resources) {
        for (resource, count) in self.counts.iter_mut().enumerate() {
            *count += u32::from(resources & 1 << resource != 0);
        }
        for known in &mut self.observations {
            known.changed |= known.resources & resources != 0;
        }
    }

    /// The next notification that is due, and the resources whose values it carries.
    pub fn notify(&mut self, kind: &Kind, now: Micros) -> Option<(Vec<u8>, Resources)> {
        let at = (0..self.observations.len())
            .find(|&at| self.due(kind, &self.observations[at]) <= now)?;
        let mid = self.take_mid();
        let known = &mut self.observations[at];
        known.sequence += 1;
        known.told_at = now;
        known.changed = false;
        known.last_mid = mid;
        let known = &self.observations[at];
        let code = MessageClass::Response(ResponseType::Content);
        let message = Message::new(MessageType::NonConfirmable, code, mid, &known.token)
            .option(CoapOption::Observe, observe_bytes(known.sequence))
            .content_format(known.format)
            .payload(self.payload(kind, known.format, known.composite, &known.paths)?);
        Some((message.encode(), known.resources))
    }

    /// When [`Device::notify`] has something again; the largest number for never.
    #[must_use]
    pub fn next_notification(&self, kind: &Kind) -> Micros {
        let due = self.observations.iter().map(|known| self.due(kind, known));
        due.min().unwrap_or(Micros::MAX)
    }

    /// A composite observation waits for the greatest pmin of its resources, and no longer than the smallest pmax.
    fn due(&self, kind: &Kind, known: &Observation) -> Micros {
        let periods = self.periods.iter().enumerate();
        let (mut least, mut most) = (0, None);
        for (_, period) in periods.filter(|(resource, _)| known.resources & 1 << resource != 0) {
            least = least.max(period.least.unwrap_or(0));
            most = [most, period.most].into_iter().flatten().min();
        }
        let earliest = if known.changed {
            known.told_at + kind.micros(least)
        } else {
            Micros::MAX
        };
        let latest = most.map_or(Micros::MAX, |most| known.told_at + kind.micros(most));
        earliest.min(latest)
    }

    /// The values at `paths`. `None` when the format cannot hold them.
    fn payload(
        &self,
        kind: &Kind,
        format: u16,
        composite: bool,
        paths: &[Path],
    ) -> Option<Vec<u8>> {
        let covered = kind.covered(paths);
        let known = kind.paths.iter().zip(&self.counts).enumerate();
        let records: Vec<_> = known
            .filter(|(resource, _)| covered & 1 << resource != 0)
            .map(|(_, (path, count))| Record::new(*path, Value::Float(Kind::value(*count))))
            .collect();
        let base = if composite { Path::ROOT } else { paths[0] };
        formats::encode(format, &base, &records).ok()
    }

    const fn take_mid(&mut self) -> u16 {
        let mid = self.next_mid;
        self.next_mid = mid.wrapping_add(1);
        mid
    }
}

#[cfg(test)]
mod tests;
