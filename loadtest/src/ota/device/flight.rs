//! A confirmable message on its way: retransmission with back-off (RFC 7252 §4.2).

use fastrand::Rng;

use super::Peer;
use crate::clock::Micros;

/// ACK_TIMEOUT (RFC 7252 §4.8).
const ACK_TIMEOUT: Micros = 2_000_000;
/// MAX_RETRANSMIT.
const MAX_RETRANSMIT: u8 = 4;
/// How long to wait for a separate response: MAX_TRANSMIT_WAIT.
const RESPONSE_WAIT: Micros = 93_000_000;

/// What a message is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Doing {
    Register,
    Notify,
    /// A separate response.
    Answer,
    /// A block of an image.
    Fetch,
}

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    Nothing,
    Again,
    Over,
}

/// The message.
pub(super) struct Flight {
    pub(super) doing: Doing,
    pub(super) peer: Peer,
    pub(super) mid: u16,
    pub(super) bytes: Box<[u8]>,
    deadline: Micros,
    timeout: Micros,
    retransmissions: u8,
    acknowledged: bool,
}

impl Flight {
    pub(super) fn new(
        doing: Doing,
        peer: Peer,
        mid: u16,
        bytes: Vec<u8>,
        now: Micros,
        rng: &mut Rng,
    ) -> Self {
        let timeout = rng.u64(ACK_TIMEOUT..=ACK_TIMEOUT * 3 / 2);
        Self {
            doing,
            peer,
            mid,
            bytes: bytes.into(),
            deadline: now + timeout,
            timeout,
            retransmissions: 0,
            acknowledged: false,
        }
    }

    pub(super) const fn deadline(&self) -> Micros {
        self.deadline
    }

    pub(super) const fn acknowledge(&mut self, now: Micros) {
        self.acknowledged = true;
        self.deadline = now + RESPONSE_WAIT;
    }

    pub(super) const fn due(&mut self, now: Micros) -> Due {
        if now < self.deadline {
            Due::Nothing
        } else if self.acknowledged || self.retransmissions == MAX_RETRANSMIT {
            Due::Over
        } else {
            self.retransmissions += 1;
            self.timeout *= 2;
            self.deadline = now + self.timeout;
            Due::Again
        }
    }
}
