//! A hashed timing wheel for one deadline per slot of the caller's slab.
//!
//! Two levels: 256 buckets of 64 ms for what is near, 4,096 buckets of 1,024 ms (70 minutes) for the rest. What is
//! further away waits in the furthest bucket and is put back when that comes up, so that a deadline in years costs one
//! look an hour.
//!
//! The deadline lives with the caller. Moving it later, which every registration update does, costs nothing here: the
//! wheel finds out when it next looks at the slot. An entry is a slot number in a bucket, 4.3 bytes.

mod buckets;

use super::tick::Tick;
use buckets::Ring;

/// The deadline of a slot that waits for nothing.
pub const NEVER: Tick = Tick::from_millis(u64::MAX);

const FINE_MS: u64 = 64;
const FINE_BUCKETS: usize = 256;
const COARSE_MS: u64 = 1_024;
const COARSE_BUCKETS: usize = 4_096;

/// Tells the caller which of its slots are due.
#[derive(Debug)]
pub struct Wheel {
    fine: Ring,
    coarse: Ring,
}

/// Where the wheel holds entries for a slot. It lives in the caller's slot; the default means nowhere. Keep it when
/// the slot gets another tenant: entries that the former one left behind then serve the new one.
///
/// One place for each level, because a slot usually has a far deadline (the lifetime) and now and then a near one (a
/// retransmission): without both, each return to the far one would leave an entry behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct WheelSlot {
    fine: Held,
    coarse: Held,
}

/// The caller's slots, as the wheel asks for them.
pub trait Deadlines {
    /// The present deadline of `slot`, and what the wheel left there; `None` when the slot is vacant.
    fn get(&mut self, slot: u32) -> Option<(Tick, &mut WheelSlot)>;
}

/// Number of the bucket that holds the live entry of a slot on one level, in its low 32 bits; 0 for none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Held(u32);

impl Wheel {
    /// An empty wheel that starts at `now`.
    #[must_use]
    pub fn new(now: Tick) -> Self {
        Self {
            fine: Ring::new(FINE_BUCKETS, now.as_millis() / FINE_MS + 1),
            coarse: Ring::new(COARSE_BUCKETS, now.as_millis() / COARSE_MS + 1),
        }
    }

    /// Makes sure that `slot` is looked at when `deadline` comes: not before, at most 64 ms after, [`NEVER`] not at
    /// all. A no-op when the wheel will look at it before that anyway, so moving a deadline later may skip the call;
    /// moving it nearer, or setting one after the slot has fired, may not.
    pub fn arm(&mut self, slot: u32, held: &mut WheelSlot, deadline: Tick) {
        if held.fine == Held::FIRED {
            held.fine = Held::default();
        }
        if deadline == NEVER {
            return;
        }
        let granule = deadline.as_millis().div_ceil(FINE_MS).max(self.fine.next());
        if granule - self.fine.next() < FINE_BUCKETS as u64 {
            self.arm_fine(slot, held, granule);
        } else {
            // Looked at when the bucket begins, before the deadline, and moved to the fine level then.
            let furthest = self.coarse.next() + COARSE_BUCKETS as u64 - 1;
            let bucket = (deadline.as_millis() / COARSE_MS).clamp(self.coarse.next(), furthest);
            if !held.coarse.is_at_or_before(bucket, self.coarse.next()) {
                held.coarse = Held::at(bucket);
                self.coarse.push(bucket, slot);
            }
        }
    }

    /// Looks at what has come up by `now`, at most `budget` entries, and appends the slots whose deadline has passed
    /// to `fired`. A slot that has fired rests until it is armed again. Returns whether more is left for another call.
    pub fn advance(
        &mut self,
        now: Tick,
        budget: usize,
        deadlines: &mut impl Deadlines,
        fired: &mut Vec<u32>,
    ) -> bool {
        // A part is kept for the coarse level, so that neither starves the other.
        let mut left = budget;
        while left > budget / 4
            && let Some((granule, slot)) = self.fine.pop_due(now.as_millis() / FINE_MS)
        {
            self.look(slot, now, deadlines, fired, |held| held.fine.take(granule));
            left -= 1;
        }
        while left > 0
            && let Some((bucket, slot)) = self.coarse.pop_due(now.as_millis() / COARSE_MS)
        {
            self.look(slot, now, deadlines, fired, |held| held.coarse.take(bucket));
            left -= 1;
        }
        self.next_wake().is_some_and(|wake| wake <= now)
    }

    /// The earliest tick at which [`Wheel::advance`] may have work; `None` when the wheel is empty.
    #[must_use]
    pub fn next_wake(&self) -> Option<Tick> {
        let fine = self.fine.first().map(|granule| granule * FINE_MS);
        let coarse = self.coarse.first().map(|bucket| bucket * COARSE_MS);
        let first = fine.into_iter().chain(coarse).min()?;
        Some(Tick::from_millis(first))
    }

    /// Bytes of memory that the wheel holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.fine.memory_bytes() + self.coarse.memory_bytes()
    }

    fn arm_fine(&mut self, slot: u32, held: &mut WheelSlot, granule: u64) {
        let coarse_first = granule * FINE_MS / COARSE_MS;
        let looked_at_in_time = held.fine.is_at_or_before(granule, self.fine.next())
            || held
                .coarse
                .is_at_or_before(coarse_first, self.coarse.next());
        if !looked_at_in_time {
            held.fine = Held::at(granule);
            self.fine.push(granule, slot);
        }
    }

    /// Looks at one entry. `take` clears the slot's note of it, and says false for an entry that an earlier one
    /// replaced, or that a former tenant of the slot left behind.
    fn look(
        &mut self,
        slot: u32,
        now: Tick,
        deadlines: &mut impl Deadlines,
        fired: &mut Vec<u32>,
        take: impl FnOnce(&mut WheelSlot) -> bool,
    ) {
        let Some((deadline, held)) = deadlines.get(slot) else {
            return;
        };
        if !take(held) || held.fine == Held::FIRED {
            return;
        }
        if deadline <= now {
            held.fine = Held::FIRED;
            fired.push(slot);
        } else {
            self.arm(slot, held, deadline);
        }
    }
}

impl Held {
    /// On the fine level: the slot has fired and was not armed since. An entry it may have on the coarse level stays
    /// of use, but must not fire once more.
    const FIRED: Self = Self(u32::MAX);

    const fn at(bucket: u64) -> Self {
        match bucket as u32 {
            // The two numbers with a meaning are their neighbours': at worst, a look comes one bucket late, once in
            // 8 years.
            0 => Self(1),
            u32::MAX => Self(u32::MAX - 1),
            number => Self(number),
        }
    }

    /// Whether there is an entry in one of the buckets from `next` to `bucket`.
    const fn is_at_or_before(self, bucket: u64, next: u64) -> bool {
        self.0 != 0 && bucket >= next && self.0.wrapping_sub(next as u32) as u64 <= bucket - next
    }

    /// Clears it when it is the entry of `bucket`.
    fn take(&mut self, bucket: u64) -> bool {
        let is_this = *self == Self::at(bucket);
        if is_this {
            *self = Self::default();
        }
        is_this
    }
}

#[cfg(test)]
mod tests;
