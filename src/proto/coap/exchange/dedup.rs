//! Deduplication of received messages at a fixed price per peer (RFC 7252 §4.5).

use super::super::code::Code;
use super::params::EXCHANGE_LIFETIME_S;
use crate::proto::time::Tick;

/// What was answered to a message: enough to answer its repetition with the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Code of the response; [`Code::EMPTY`] for a bare ACK or for no answer yet.
    pub code: Code,
    /// Whatever else the owner needs to write the same response again. In a [`DedupRing`] it tells
    /// messages apart that share an id without being repetitions.
    pub detail: u32,
}

impl Answer {
    /// An answer that its code describes completely.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        Self { code, detail: 0 }
    }
}

/// The last `N` messages of one peer by message id, with the answers given: requests and
/// notifications, CON and NON.
///
/// A CON found here is answered again and not processed; a NON is dropped. The price is 12 bytes
/// per message remembered. A peer that has more than `N` messages on the way at once may get one
/// processed twice; [`record`](Self::record) tells when that became possible.
#[derive(Clone, Copy, Debug)]
pub struct DedupRing<const N: usize> {
    /// Newest first.
    seen: [Seen; N],
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Second of arrival plus one; zero in a vacant entry.
    when: u32,
    detail: u32,
    mid: u16,
    code: Code,
}

impl<const N: usize> DedupRing<N> {
    /// A ring that remembers nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a ring without entries remembers nothing") };
        Self {
            seen: [Seen::VACANT; N],
        }
    }

    /// The answer given to the message with this id and detail, if it arrived within
    /// EXCHANGE_LIFETIME.
    #[inline]
    #[must_use]
    pub fn check(&self, mid: u16, detail: u32, now: Tick) -> Option<Answer> {
        let now = seconds(now);
        self.seen
            .iter()
            .find(|seen| seen.is_of(mid, detail) && seen.is_current(now))
            .map(|seen| Answer {
                code: seen.code,
                detail: seen.detail,
            })
    }

    /// Remembers the answer given to a message, in place of an earlier answer to the same
    /// message or else of the oldest message.
    ///
    /// `true` when that oldest message was still within EXCHANGE_LIFETIME, so that a repetition
    /// of it would no longer be noticed.
    #[inline]
    pub fn record(&mut self, mid: u16, now: Tick, answer: Answer) -> bool {
        let now = seconds(now);
        let earlier = self
            .seen
            .iter()
            .position(|seen| seen.is_of(mid, answer.detail));
        let place = earlier.unwrap_or(N - 1);
        let Some(replaced) = self.seen.get(place).copied() else {
            return false;
        };
        let current = replaced.is_current(now);
        // A message answered late is as old as its arrival.
        let when = match earlier {
            Some(_) if current => replaced.when,
            _ => now + 1,
        };
        self.seen.copy_within(..place, 1);
        let Answer { code, detail } = answer;
        self.seen[0] = Seen {
            when,
            detail,
            mid,
            code,
        };
        earlier.is_none() && current
    }
}

impl<const N: usize> Default for DedupRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl Seen {
    const VACANT: Self = Self {
        when: 0,
        detail: 0,
        mid: 0,
        code: Code::EMPTY,
    };

    #[inline]
    const fn is_of(&self, mid: u16, detail: u32) -> bool {
        self.mid == mid && self.detail == detail
    }

    #[inline]
    const fn is_current(&self, now: u32) -> bool {
        self.when != 0 && now.saturating_sub(self.when - 1) <= EXCHANGE_LIFETIME_S
    }
}

/// Seconds since the epoch of the ticks; 136 years fit, less one for the mark of vacancy.
#[inline]
const fn seconds(tick: Tick) -> u32 {
    let seconds = tick.as_millis() / 1_000;
    if seconds < u32::MAX as u64 {
        seconds as u32
    } else {
        u32::MAX - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: Answer = Answer::of(Code::CHANGED);

    fn at(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_repeated_message_gets_the_answer_it_got() {
        let mut ring = DedupRing::<4>::new();
        assert_eq!(ring.check(0, 0, at(0)), None);
        let answer = Answer {
            code: Code::CREATED,
            detail: 3,
        };
        ring.record(7, at(0), answer);
        assert_eq!(ring.check(7, 3, at(0)), Some(answer));
        assert_eq!(ring.check(8, 3, at(0)), None);
    }

    #[test]
    fn messages_that_share_an_id_are_told_apart_by_their_detail() {
        let mut ring = DedupRing::<2>::new();
        let answers =
            [(Code::CREATED, 1), (Code::CHANGED, 2)].map(|(code, detail)| Answer { code, detail });
        for answer in answers {
            ring.record(7, at(0), answer);
        }
        for answer in answers {
            assert_eq!(ring.check(7, answer.detail, at(1)), Some(answer));
        }
        assert_eq!(ring.check(7, 3, at(1)), None);
    }

    #[test]
    fn a_message_id_is_new_again_after_exchange_lifetime() {
        let mut ring = DedupRing::<4>::new();
        ring.record(7, at(100), CHANGED);
        assert_eq!(ring.check(7, 0, at(347)), Some(CHANGED));
        assert_eq!(ring.check(7, 0, at(348)), None);
        ring.record(7, at(348), Answer::of(Code::DELETED));
        assert_eq!(ring.check(7, 0, at(500)), Some(Answer::of(Code::DELETED)));
    }

    #[test]
    fn the_oldest_is_overwritten_and_told_while_it_matters() {
        let mut ring = DedupRing::<2>::new();
        assert!(!ring.record(1, at(0), CHANGED));
        assert!(!ring.record(2, at(1), CHANGED));
        assert!(ring.record(3, at(2), CHANGED));
        assert_eq!(ring.check(1, 0, at(2)), None);
        assert_eq!(ring.check(2, 0, at(2)), Some(CHANGED));
        assert!(!ring.record(4, at(300), CHANGED));
    }

    #[test]
    fn a_late_answer_replaces_the_pending_one_and_keeps_the_time_of_arrival() {
        let mut ring = DedupRing::<2>::new();
        ring.record(1, at(0), Answer::of(Code::EMPTY));
        ring.record(2, at(1), CHANGED);
        assert!(!ring.record(1, at(100), CHANGED));
        assert_eq!(ring.check(1, 0, at(247)), Some(CHANGED));
        assert_eq!(ring.check(1, 0, at(248)), None);
        assert_eq!(ring.check(2, 0, at(248)), Some(CHANGED));
    }

    #[test]
    fn a_remembered_message_costs_twelve_bytes() {
        assert_eq!(size_of::<DedupRing<1>>(), 12);
        assert_eq!(size_of::<DedupRing<4>>(), 48);
        assert_eq!(size_of::<DedupRing<8>>(), 96);
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let mut ring = DedupRing::<2>::new();
        let end = Tick::from_millis(u64::MAX);
        ring.record(1, end, CHANGED);
        assert_eq!(ring.check(1, 0, end), Some(CHANGED));
    }
}
