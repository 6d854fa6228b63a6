//! When each device is due: a ring of buckets, one for each tick.

use crate::clock::Ticks;

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// A registration update.
    Update,
    /// A notification.
    Notify,
    /// Nobody has answered the message under way.
    Timeout,
}

/// Devices by the tick at which they are due. A device may stand in it several times; whether it is really due, it
/// knows itself.
#[derive(Debug)]
pub struct Calendar {
    buckets: Box<[Vec<u32>]>,
    /// The tick that is looked at next.
    next: Ticks,
    /// How much of its bucket has been handed out.
    handed_out: usize,
    /// Emptied buckets, to be filled again.
    spare: Vec<Vec<u32>>,
}

/// Emptied buckets that are kept: enough for a burst, little enough to forget about.
const SPARES: usize = 64;

/// How many devices an entry can tell apart.
pub const MAX_DEVICES: u32 = u32::MAX / 4;

impl Calendar {
    /// A calendar that reaches at least `horizon` ticks ahead; what is further away comes up early.
    #[must_use]
    pub fn new(horizon: Ticks) -> Self {
        Self {
            buckets: vec![Vec::new(); (horizon as usize + 1).next_power_of_two()].into(),
            next: 0,
            handed_out: 0,
            spare: Vec::new(),
        }
    }

    /// Enters a device.
    pub fn enter(&mut self, at: Ticks, device: u32, due: Due) {
        let furthest = self.next.saturating_add(self.buckets.len() as u32 - 1);
        let index = self.index(at.clamp(self.next, furthest));
        if self.buckets[index].capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            self.buckets[index] = spare;
        }
        self.buckets[index].push(device << 2 | due as u32);
    }

    /// The next entry up to `now`.
    pub fn take(&mut self, now: Ticks) -> Option<(u32, Due)> {
        while self.next <= now {
            let index = self.index(self.next);
            if let Some(&entry) = self.buckets[index].get(self.handed_out) {
                self.handed_out += 1;
                let due = match entry & 0b11 {
                    0 => Due::Update,
                    1 => Due::Notify,
                    _ => Due::Timeout,
                };
                return Some((entry >> 2, due));
            }
            let mut emptied = std::mem::take(&mut self.buckets[index]);
            if emptied.capacity() > 0 && self.spare.len() < SPARES {
                emptied.clear();
                self.spare.push(emptied);
            }
            self.handed_out = 0;
            self.next += 1;
        }
        None
    }

    /// The first tick with an entry, looked for up to `limit`.
    #[must_use]
    pub fn first(&self, limit: Ticks) -> Option<Ticks> {
        let length = self.buckets.len() as u32;
        let skip = |tick| {
            if tick == self.next {
                self.handed_out
            } else {
                0
            }
        };
        (self.next..=limit.min(self.next.saturating_add(length - 1)))
            .find(|&tick| self.buckets[self.index(tick)].len() > skip(tick))
    }

    const fn index(&self, tick: Ticks) -> usize {
        tick as usize & (self.buckets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(calendar: &mut Calendar, now: Ticks) -> Vec<(u32, Due)> {
        std::iter::from_fn(|| calendar.take(now)).collect()
    }

    #[test]
    fn entries_come_up_at_their_tick_in_the_order_of_entry() {
        let mut calendar = Calendar::new(100);
        calendar.enter(5, 1, Due::Update);
        calendar.enter(3, 2, Due::Notify);
        calendar.enter(5, 3, Due::Timeout);
        assert_eq!(calendar.first(100), Some(3));
        assert_eq!(take_all(&mut calendar, 4), [(2, Due::Notify)]);
        assert_eq!(calendar.first(4), None);
        assert_eq!(
            take_all(&mut calendar, 9),
            [(1, Due::Update), (3, Due::Timeout)]
        );
    }

    #[test]
    fn what_is_past_comes_up_next_and_what_is_too_far_comes_up_early() {
        let mut calendar = Calendar::new(100);
        assert!(take_all(&mut calendar, 50).is_empty());
        calendar.enter(10, 1, Due::Update);
        calendar.enter(1_000_000, 2, Due::Update);
        assert_eq!(take_all(&mut calendar, 51), [(1, Due::Update)]);
        assert_eq!(take_all(&mut calendar, 500), [(2, Due::Update)]);
    }

    #[test]
    fn an_entry_for_the_tick_that_is_being_handed_out_is_not_lost() {
        let mut calendar = Calendar::new(10);
        calendar.enter(1, 1, Due::Update);
        assert_eq!(calendar.take(1), Some((1, Due::Update)));
        calendar.enter(1, 2, Due::Update);
        assert_eq!(calendar.take(1), Some((2, Due::Update)));
        assert_eq!(calendar.take(1), None);
    }
}
