//! Deduplication for peers that have no state of their own yet.

use super::dedup::{Answer, seconds};
use super::params::EXCHANGE_LIFETIME_S;
use crate::proto::time::Tick;

/// Places that compete for the answers of one set.
const WAYS: usize = 4;

/// The last answers given to peers that are not (yet) endpoints: a repeated Register, or a
/// request that was refused (RFC 7252 §4.5).
///
/// Memory is fixed at creation. Entries are looked up in a set of four chosen by peer and message
/// id; a new one takes the place of the oldest of its set, so that a flood costs others at most
/// their deduplication.
#[derive(Debug)]
pub struct AnswerCache {
    sets: Box<[[Entry; WAYS]]>,
    /// Shift that leaves the index of a set.
    shift: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    peer: u64,
    extra: u64,
    /// Second of arrival plus one; zero in a vacant entry.
    when: u32,
    mid: u16,
    answer: Answer,
}

impl AnswerCache {
    /// Room for `capacity` answers, rounded up to a power of two of at least 8; 24 bytes each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).next_power_of_two().max(2);
        Self {
            sets: vec![[Entry::VACANT; WAYS]; sets].into_boxed_slice(),
            shift: u64::BITS - sets.trailing_zeros(),
        }
    }

    /// Answers that fit.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// The answer given to this message of this peer, and what was stored with it, if it arrived
    /// within EXCHANGE_LIFETIME. `peer` is a hash of the peer's address that a stranger cannot
    /// predict.
    #[must_use]
    pub fn check(&self, peer: u64, mid: u16, now: Tick) -> Option<(Answer, u64)> {
        let now = seconds(now);
        self.sets
            .get(self.set_of(peer, mid))?
            .iter()
            .find(|entry| entry.is_of(peer, mid) && entry.is_current(now))
            .map(|entry| (entry.answer, entry.extra))
    }

    /// Remembers the answer to a message; `extra` is whatever 64 bits the owner needs to write
    /// it again.
    ///
    /// `true` when another answer was forgotten for it before EXCHANGE_LIFETIME was over.
    pub fn record(&mut self, peer: u64, mid: u16, now: Tick, answer: Answer, extra: u64) -> bool {
        let now = seconds(now);
        let index = self.set_of(peer, mid);
        let Some(set) = self.sets.get_mut(index) else {
            return false;
        };
        let earlier = set.iter().position(|entry| entry.is_of(peer, mid));
        let place = earlier.unwrap_or(WAYS - 1);
        let forgotten = earlier.is_none() && set[WAYS - 1].is_current(now);
        set.copy_within(..place, 1);
        set[0] = Entry {
            peer,
            extra,
            when: now + 1,
            mid,
            answer,
        };
        forgotten
    }

    fn set_of(&self, peer: u64, mid: u16) -> usize {
        // Fibonacci hashing: the high bits of the product depend on all bits of both.
        let mixed = (peer ^ u64::from(mid) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> self.shift) as usize
    }
}

impl Entry {
    const VACANT: Self = Self {
        peer: 0,
        extra: 0,
        when: 0,
        mid: 0,
        answer: Answer::of(super::super::code::Code::EMPTY),
    };

    const fn is_of(&self, peer: u64, mid: u16) -> bool {
        self.when != 0 && self.peer == peer && self.mid == mid
    }

    const fn is_current(&self, now: u32) -> bool {
        self.when != 0 && now.saturating_sub(self.when - 1) <= EXCHANGE_LIFETIME_S
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::code::Code;
    use super::*;

    const CREATED: Answer = Answer::of(Code::CREATED);

    fn at(seconds: u64) -> Tick {
        Tick::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_answer_is_found_by_peer_and_message_id() {
        let mut cache = AnswerCache::new(64);
        cache.record(11, 1, at(0), CREATED, 99);
        assert_eq!(cache.check(11, 1, at(247)), Some((CREATED, 99)));
        assert_eq!(cache.check(11, 2, at(0)), None);
        assert_eq!(cache.check(12, 1, at(0)), None);
        assert_eq!(cache.check(11, 1, at(248)), None);
    }

    #[test]
    fn a_second_answer_to_the_same_message_replaces_the_first() {
        let mut cache = AnswerCache::new(8);
        cache.record(11, 1, at(0), Answer::of(Code::EMPTY), 0);
        assert!(!cache.record(11, 1, at(1), CREATED, 5));
        assert_eq!(cache.check(11, 1, at(1)), Some((CREATED, 5)));
    }

    #[test]
    fn a_flood_forgets_old_answers_tells_so_and_grows_nothing() {
        let mut cache = AnswerCache::new(100);
        assert_eq!(cache.capacity(), 128);
        let mut forgotten = 0;
        for peer in 0..10_000_u64 {
            forgotten += usize::from(cache.record(peer, 1, at(0), CREATED, peer));
        }
        let kept = (0..10_000)
            .filter(|peer| cache.check(*peer, 1, at(0)).is_some())
            .count();
        assert_eq!(kept, 128);
        assert_eq!(forgotten, 10_000 - 128);
        assert_eq!(cache.check(9_999, 1, at(0)), Some((CREATED, 9_999)));
    }

    #[test]
    fn an_answer_costs_24_bytes() {
        assert_eq!(size_of::<Entry>(), 24);
    }
}
