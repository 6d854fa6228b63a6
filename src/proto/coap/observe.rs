//! Observation from the client's side: which notifications are news (RFC 7641).

use crate::proto::time::Tick;

/// The value of Observe in a GET or FETCH that asks for an observation (RFC 7641 §2).
pub const REGISTER: u32 = 0;
/// The value of Observe in a GET or FETCH that ends an observation (RFC 7641 §2).
pub const DEREGISTER: u32 = 1;

/// Sequence numbers have 24 bits.
const SEQUENCE_MASK: u32 = 0x00ff_ffff;
/// Half of their range: differences up to this mean "later".
const HALF_RANGE: u32 = 1 << 23;
/// After this many seconds every notification is news, for the sequence may have gone round.
const ROUND_S: u32 = 128;
/// `last` before the first notification.
const NOTHING_YET: u32 = u32::MAX;

/// The newest notification of one observation, for telling late ones from new ones.
///
/// Notifications may overtake each other. [`accept`](Self::accept) is the rule of RFC 7641 §3.4.
/// A new registration with the same token starts with a new `Freshness`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Freshness {
    last: u32,
    at: u32,
}

impl Default for Freshness {
    fn default() -> Self {
        Self::new()
    }
}

impl Freshness {
    /// Before the first notification: whatever comes is news.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            last: NOTHING_YET,
            at: 0,
        }
    }

    /// Whether the notification with this sequence number, arriving now, is newer than all
    /// before; it is then the newest. Only the lower 24 bits of `sequence` count.
    pub fn accept(&mut self, sequence: u32, now: Tick) -> bool {
        let sequence = sequence & SEQUENCE_MASK;
        let now = u32::try_from(now.as_millis() / 1_000).unwrap_or(u32::MAX);
        let news = self.last == NOTHING_YET
            || is_later(self.last, sequence)
            || now.saturating_sub(self.at) > ROUND_S;
        if news {
            *self = Self {
                last: sequence,
                at: now,
            };
        }
        news
    }

    /// Sequence number of the newest notification and when it came, in whole seconds; `None` before
    /// the first.
    #[must_use]
    pub fn newest(&self) -> Option<(u32, Tick)> {
        let at = Tick::from_millis(u64::from(self.at) * 1_000);
        (self.last != NOTHING_YET).then_some((self.last, at))
    }

    /// As after the notification with this sequence number at this time.
    #[must_use]
    pub fn after(sequence: u32, at: Tick) -> Self {
        let mut freshness = Self::new();
        freshness.accept(sequence, at);
        freshness
    }

    /// Forgets what came before, as on a new registration of the same observation.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

/// The circular comparison of RFC 7641 §3.4, first two lines.
const fn is_later(v1: u32, v2: u32) -> bool {
    (v1 < v2 && v2 - v1 < HALF_RANGE) || (v1 > v2 && v1 - v2 > HALF_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1_000)
    }

    fn after(first: u32) -> Freshness {
        let mut freshness = Freshness::new();
        assert!(freshness.accept(first, at(0)));
        freshness
    }

    #[test]
    fn a_larger_number_is_news_a_smaller_or_equal_one_is_late() {
        let mut freshness = after(10);
        assert!(freshness.accept(11, at(1)));
        assert!(!freshness.accept(11, at(1)));
        assert!(!freshness.accept(10, at(2)));
        assert!(freshness.accept(20, at(3)));
    }

    #[test]
    fn the_number_goes_round_at_24_bits() {
        let mut freshness = after(SEQUENCE_MASK);
        assert!(freshness.accept(0, at(1)));
        assert!(!freshness.accept(SEQUENCE_MASK, at(2)));
    }

    #[test]
    fn half_the_range_ahead_is_not_later() {
        assert!(after(0).accept(HALF_RANGE - 1, at(1)));
        assert!(!after(0).accept(HALF_RANGE, at(1)));
        assert!(!after(HALF_RANGE).accept(0, at(1)));
        assert!(after(HALF_RANGE + 1).accept(0, at(1)));
    }

    #[test]
    fn after_128_seconds_everything_is_news() {
        assert!(!after(10).accept(5, at(128)));
        assert!(after(10).accept(5, at(129)));
    }

    #[test]
    fn a_new_registration_starts_afresh() {
        let mut freshness = after(10);
        freshness.reset();
        assert!(freshness.accept(0, at(1)));
    }

    #[test]
    fn an_observation_pays_eight_bytes_for_it() {
        assert_eq!(size_of::<Freshness>(), 8);
    }
}
