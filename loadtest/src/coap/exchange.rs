//! One confirmable message of a device on its way: retransmission with back-off (RFC 7252 §4.2).

use fastrand::Rng;

use crate::clock::{Clock, Ticks};

/// ACK_TIMEOUT, in milliseconds (RFC 7252 §4.8).
const ACK_TIMEOUT_MS: u64 = 2_000;
/// ACK_RANDOM_FACTOR, in thousandths.
const ACK_RANDOM_FACTOR: u64 = 1_500;
/// MAX_RETRANSMIT.
const MAX_RETRANSMIT: u8 = 4;
/// How long to wait for a separate response after the empty acknowledgement: MAX_TRANSMIT_WAIT.
const RESPONSE_WAIT_MS: u64 = 93_000;

/// Transmission parameters in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    shortest: Ticks,
    longest: Ticks,
    response_wait: Ticks,
}

/// What of a pending message has to be remembered; its bytes are made anew from the device's state.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// When the schedule meant it to start.
    pub intended: Ticks,
    /// When to do something about it.
    pub deadline: Ticks,
    timeout: Ticks,
    /// Its message id.
    pub mid: u16,
    retransmissions: u8,
    acknowledged: bool,
}

/// What to do when the deadline has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnTimeout {
    /// Send the same message again.
    Retransmit,
    /// Nobody acknowledged it.
    NotAcknowledged,
    /// It was acknowledged, but no response came.
    NoResponse,
}

impl Timing {
    /// The defaults of RFC 7252 §4.8 in ticks of `clock`.
    #[must_use]
    pub const fn new(clock: &Clock) -> Self {
        Self {
            shortest: clock.ticks_in_millis(ACK_TIMEOUT_MS),
            longest: clock.ticks_in_millis(ACK_TIMEOUT_MS * ACK_RANDOM_FACTOR / 1_000),
            response_wait: clock.ticks_in_millis(RESPONSE_WAIT_MS),
        }
    }

    /// The longest time between two deadlines of an exchange.
    #[must_use]
    pub const fn horizon(&self) -> Ticks {
        let last = self.longest << MAX_RETRANSMIT;
        if last > self.response_wait {
            last
        } else {
            self.response_wait
        }
    }
}

impl Exchange {
    /// Of a device that has nothing under way.
    pub const NONE: Self = Self {
        intended: 0,
        deadline: Ticks::MAX,
        timeout: 0,
        mid: 0,
        retransmissions: 0,
        acknowledged: false,
    };

    /// Of a message that is sent for the first time at `now`.
    #[must_use]
    pub fn start(mid: u16, intended: Ticks, now: Ticks, timing: &Timing, rng: &mut Rng) -> Self {
        let timeout = rng.u32(timing.shortest..=timing.longest);
        Self {
            intended,
            deadline: now + timeout,
            timeout,
            mid,
            retransmissions: 0,
            acknowledged: false,
        }
    }

    /// An empty acknowledgement came: the response will follow by itself.
    pub const fn acknowledge(&mut self, now: Ticks, timing: &Timing) {
        if !self.acknowledged {
            self.acknowledged = true;
            self.deadline = now + timing.response_wait;
        }
    }

    /// The other side has begun to do what was asked for, and is given as long once more.
    pub const fn postpone(&mut self, now: Ticks, timing: &Timing) {
        self.acknowledged = true;
        self.deadline = now + timing.response_wait;
    }

    /// The deadline has come. After [`OnTimeout::Retransmit`] there is a new one, twice as far.
    pub const fn time_out(&mut self, now: Ticks) -> OnTimeout {
        if self.acknowledged {
            return OnTimeout::NoResponse;
        }
        if self.retransmissions == MAX_RETRANSMIT {
            return OnTimeout::NotAcknowledged;
        }
        self.retransmissions += 1;
        self.timeout *= 2;
        self.deadline = now + self.timeout;
        OnTimeout::Retransmit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(seed: u64) -> (Exchange, Timing) {
        let timing = Timing::new(&Clock::start(1_000));
        (
            Exchange::start(7, 0, 0, &timing, &mut Rng::with_seed(seed)),
            timing,
        )
    }

    #[test]
    fn four_retransmissions_with_doubled_time_outs_then_it_gives_up() {
        for seed in 0..100 {
            let (mut exchange, timing) = started(seed);
            let first = exchange.deadline;
            assert!((2_000..=3_000).contains(&first), "{first}");
            let mut last = 0;
            for n in 0..4 {
                let now = exchange.deadline;
                assert_eq!(now - last, first << n);
                last = now;
                assert_eq!(exchange.time_out(now), OnTimeout::Retransmit);
                assert!(exchange.deadline - now <= timing.horizon());
            }
            assert_eq!(
                exchange.time_out(exchange.deadline),
                OnTimeout::NotAcknowledged
            );
        }
    }

    #[test]
    fn the_first_time_out_is_random() {
        assert_ne!(started(1).0.deadline, started(2).0.deadline);
    }

    #[test]
    fn an_acknowledged_request_is_not_sent_again() {
        let (mut exchange, timing) = started(3);
        exchange.acknowledge(500, &timing);
        exchange.acknowledge(600, &timing);
        assert_eq!(exchange.deadline, 93_500);
        assert_eq!(exchange.time_out(93_500), OnTimeout::NoResponse);
    }
}
