//! A simulated LwM2M device: its state, small enough for a million of them, and how it answers its server.

mod answer;
mod encode;
mod resources;
mod target;

pub use answer::{Answer, Asked, Identity, answer, observe_notification, repeat};
pub use target::Target;

use crate::clock::Ticks;
use crate::coap::Exchange;

/// Observations that a device has room for.
pub const OBSERVATIONS: usize = 4;
/// Requests of the server that a device remembers, to answer their repetitions.
const REMEMBERED: usize = 4;
/// EXCHANGE_LIFETIME in seconds (RFC 7252 §4.8.2): how long a message id stays taken.
const EXCHANGE_LIFETIME_S: u16 = 247;

/// Everything a device remembers. Its name, address and resource values follow from its number.
#[derive(Clone, Debug)]
pub struct Device {
    /// Where it stands.
    pub state: State,
    /// Which fleet it belongs to.
    pub fleet: u8,
    /// What it has to do next, once the exchange under way has ended (NSTART is 1).
    pub queued: Queued,
    /// What the message under way is.
    pub doing: Doing,
    /// The message under way, when `doing` says that there is one.
    pub exchange: Exchange,
    /// When the queued operation should have started.
    pub queued_since: Ticks,
    /// When the next registration update is due; the largest number for never.
    pub next_update: Ticks,
    /// When the next notification is due.
    pub next_notify: Ticks,
    /// When the registration was answered.
    pub registered_at: Ticks,
    /// Changes with each notification: the values follow from it, and it is the Observe option's sequence number.
    pub sequence: u32,
    next_mid: u16,
    next_seen: u8,
    /// Resources that were read since the registration, one bit for each that is known.
    pub first_reads: u8,
    location: Location,
    observations: [Observation; OBSERVATIONS],
    seen: [Seen; REMEMBERED],
}

/// Where a device stands with its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Not started yet.
    New,
    /// Its Register is under way.
    Registering,
    /// Registered.
    Registered,
    /// Registered, and about to make a new DTLS session.
    Reconnecting,
    /// Its De-register is under way.
    Deregistering,
    /// Done, or given up.
    Gone,
}

/// The confirmable message that a device has under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doing {
    /// None.
    Nothing,
    /// No message but a DTLS handshake, or the wait for one.
    Handshake,
    /// Bootstrap-Request, and what the bootstrap server does then.
    Bootstrap,
    /// Register.
    Register,
    /// Registration update.
    Update,
    /// De-register.
    Deregister,
    /// A confirmable notification of this observation.
    Notify(u8),
}

/// Operations that wait for the exchange under way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Queued {
    /// Bootstrap, after the handshake.
    pub bootstrap: bool,
    /// Register, after the handshake or the bootstrap.
    pub register: bool,
    /// A new DTLS session.
    pub reconnect: bool,
    /// Registration update.
    pub update: bool,
    /// De-register.
    pub deregister: bool,
    /// Notifications, one bit for each observation.
    pub notify: u8,
}

/// A resource that the server observes.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    token: [u8; 8],
    /// Above 8: no observation.
    token_length: u8,
    /// What is observed.
    pub target: Target,
    /// In which content format.
    pub format: u16,
    /// Message id of the last notification, which a Reset would name.
    pub last_mid: u16,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: u16,
    mid: u16,
    answer: Answer,
}

/// The path that the server gave a registration: each segment behind its length.
#[derive(Clone, Debug)]
enum Location {
    Short { length: u8, bytes: [u8; 30] },
    Long(Box<[u8]>),
}

impl Device {
    /// A device that has not started. `first_mid` is its first message id.
    #[must_use]
    pub fn new(fleet: u8, first_mid: u16) -> Self {
        Self {
            state: State::New,
            fleet,
            queued: Queued::default(),
            doing: Doing::Nothing,
            exchange: Exchange::NONE,
            queued_since: 0,
            next_update: Ticks::MAX,
            next_notify: Ticks::MAX,
            registered_at: 0,
            sequence: 0,
            next_mid: first_mid,
            next_seen: 0,
            first_reads: 0,
            location: Location::Short {
                length: 0,
                bytes: [0; 30],
            },
            observations: [Observation::NONE; OBSERVATIONS],
            seen: [Seen::NONE; REMEMBERED],
        }
    }

    /// Message ids count anew: they are those of a DTLS session and its epoch (RFC 7252 §9.1.1).
    pub const fn forget_seen(&mut self) {
        self.seen = [Seen::NONE; REMEMBERED];
    }

    /// A message id not used for the last 65,535 messages.
    pub const fn take_mid(&mut self) -> u16 {
        let mid = self.next_mid;
        self.next_mid = mid.wrapping_add(1);
        mid
    }

    /// Remembers where the registration is to be updated. False when the path is too long to be sent back.
    pub fn set_location<'a>(&mut self, segments: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut path = Vec::new();
        for segment in segments {
            let Ok(length) = u8::try_from(segment.len()) else {
                return false;
            };
            path.push(length);
            path.extend_from_slice(segment);
        }
        let mut bytes = [0; 30];
        self.location = match bytes.get_mut(..path.len()) {
            Some(inline) => {
                inline.copy_from_slice(&path);
                Location::Short {
                    length: path.len() as u8,
                    bytes,
                }
            }
            None => Location::Long(path.into()),
        };
        true
    }

    /// The segments of the registration's path.
    pub fn location(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = match &self.location {
            Location::Short { length, bytes } => &bytes[..usize::from(*length)],
            Location::Long(path) => path,
        };
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (segment, after) = after.split_at(usize::from(length));
            rest = after;
            Some(segment)
        })
    }

    /// A registration has ended, and with it its observations (LwM2M 1.1 core §6.2.1). The schedule goes on: who
    /// registers anew keeps to it.
    pub fn forget_conversation(&mut self) {
        self.observations = [Observation::NONE; OBSERVATIONS];
        self.queued = Queued::default();
        self.first_reads = 0;
    }

    /// The observation at `index`, if there is one.
    #[must_use]
    pub fn observation(&self, index: usize) -> Option<&Observation> {
        self.observations
            .get(index)
            .filter(|observation| observation.is_some())
    }

    /// Notes the message id of a notification that is being sent.
    pub const fn notified(&mut self, index: usize, mid: u16) {
        self.observations[index].last_mid = mid;
    }

    /// The observations' indices.
    pub fn observed(&self) -> impl Iterator<Item = usize> + use<> {
        let present = self.observations.each_ref().map(Observation::is_some);
        (0..OBSERVATIONS).filter(move |&index| present[index])
    }

    /// Ends the observation at `index`.
    pub const fn cancel(&mut self, index: usize) {
        self.observations[index] = Observation::NONE;
    }

    /// Ends the observation whose last notification had this message id, after a Reset. False when there is none.
    pub fn cancel_by_mid(&mut self, mid: u16) -> bool {
        let found = self
            .observations
            .iter()
            .position(|o| o.is_some() && o.last_mid == mid);
        if let Some(index) = found {
            self.cancel(index);
        }
        found.is_some()
    }

    /// Starts an observation, in place of one with the same token or target. False when all places are taken.
    fn observe(&mut self, token: &[u8], target: Target, format: u16) -> bool {
        let same = |o: &Observation| o.is_some() && (o.token() == token || o.target == target);
        let place = self.observations.iter().position(same).or_else(|| {
            self.observations
                .iter()
                .position(|observation| !observation.is_some())
        });
        let Some(place) = place else { return false };
        let mut bytes = [0; 8];
        bytes[..token.len()].copy_from_slice(token);
        self.observations[place] = Observation {
            token: bytes,
            token_length: token.len() as u8,
            target,
            format,
            last_mid: 0,
        };
        true
    }

    fn cancel_by_token_or_target(&mut self, token: &[u8], target: Target) {
        for observation in &mut self.observations {
            if observation.is_some()
                && (observation.token() == token || observation.target == target)
            {
                *observation = Observation::NONE;
            }
        }
    }

    /// The answer that the request with this message id got, if it was answered lately.
    #[must_use]
    pub fn seen(&self, mid: u16, now_s: u16) -> Option<Answer> {
        let fresh = |seen: &&Seen| {
            seen.mid == mid
                && seen.answer.code != 0
                && now_s.wrapping_sub(seen.at) < EXCHANGE_LIFETIME_S
        };
        self.seen.iter().find(fresh).map(|seen| seen.answer)
    }

    /// Remembers an answer, in place of the oldest.
    pub fn remember(&mut self, mid: u16, now_s: u16, answer: Answer) {
        self.seen[usize::from(self.next_seen)] = Seen {
            at: now_s,
            mid,
            answer,
        };
        self.next_seen = (self.next_seen + 1) % REMEMBERED as u8;
    }
}

impl Seen {
    const NONE: Self = Self {
        at: 0,
        mid: 0,
        answer: Answer::NONE,
    };
}

impl Observation {
    const NONE: Self = Self {
        token: [0; 8],
        token_length: u8::MAX,
        target: Target::ROOT,
        format: 0,
        last_mid: 0,
    };

    /// The token that its notifications carry.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        self.token
            .get(..usize::from(self.token_length))
            .unwrap_or_default()
    }

    const fn is_some(&self) -> bool {
        self.token_length <= 8
    }
}

impl Queued {
    /// Whether something waits.
    #[must_use]
    pub const fn any(self) -> bool {
        self.bootstrap
            || self.register
            || self.reconnect
            || self.update
            || self.deregister
            || self.notify != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_takes_at_most_300_bytes() {
        assert!(size_of::<Device>() <= 300, "{} bytes", size_of::<Device>());
    }

    #[test]
    fn a_location_comes_back_by_segments() {
        let long = [b'x'; 40];
        for path in [&[&b"rd"[..], b"a1"][..], &[b"rd", &long], &[], &[b""]] {
            let mut device = Device::new(0, 1);
            assert!(device.set_location(path.iter().copied()));
            assert_eq!(device.location().collect::<Vec<_>>(), path);
        }
        assert!(!Device::new(0, 1).set_location(std::iter::once(&[0; 256][..])));
    }

    #[test]
    fn a_message_id_is_forgotten_after_its_lifetime_or_four_newer_ones() {
        let mut device = Device::new(0, 1);
        let mut answer = Answer::NONE;
        answer.code = 0x45;
        device.remember(9, 65_500, answer);
        assert_eq!(device.seen(9, 65_535), Some(answer));
        assert_eq!(
            device.seen(9, 200),
            Some(answer),
            "across the wrap of the clock"
        );
        assert_eq!(device.seen(9, 211), None);
        assert_eq!(device.seen(8, 65_535), None);
        (10..14).for_each(|mid| device.remember(mid, 65_535, answer));
        assert_eq!(device.seen(9, 65_535), None);
    }

    #[test]
    fn a_fifth_observation_is_refused_and_the_same_target_takes_its_old_place() {
        let mut device = Device::new(0, 1);
        for resource in 0..4 {
            assert!(device.observe(&[resource as u8], Target::resource(3, 0, resource), 0));
        }
        assert!(!device.observe(&[9], Target::resource(3, 0, 9), 0));
        assert!(device.observe(&[8], Target::resource(3, 0, 2), 0));
        assert_eq!(
            device.observation(2).map(Observation::token),
            Some(&[8][..])
        );
    }
}
