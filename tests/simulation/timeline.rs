//! A fake clock: what happens when, in milliseconds.

use std::collections::BTreeMap;

/// A point in time that never comes.
pub const NEVER: u64 = u64::MAX;

/// Things that are going to happen, in order of time; those of one moment in the order they were planned.
#[derive(Debug)]
pub struct Timeline<T> {
    planned: BTreeMap<(u64, u64), T>,
    serial: u64,
}

impl<T> Timeline<T> {
    pub fn new() -> Self {
        Self {
            planned: BTreeMap::new(),
            serial: 0,
        }
    }

    pub fn plan(&mut self, at: u64, what: T) {
        self.serial += 1;
        self.planned.insert((at, self.serial), what);
    }

    /// When the next thing happens.
    pub fn next(&self) -> u64 {
        self.planned
            .first_key_value()
            .map_or(NEVER, |((at, _), _)| *at)
    }

    /// The next thing that happens at or before `now`.
    pub fn due(&mut self, now: u64) -> Option<T> {
        if self.next() > now {
            return None;
        }
        self.planned.pop_first().map(|(_, what)| what)
    }

    /// How many things are planned.
    pub fn len(&self) -> usize {
        self.planned.len()
    }
}
