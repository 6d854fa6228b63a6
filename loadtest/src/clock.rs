//! Time of a run: microseconds since it began, and the ticks that its schedule counts in.

use std::time::Instant;

/// Microseconds since the run began.
pub type Micros = u64;

/// Ticks of the schedule since the run began. 32 bits last 49 days at 1 ms.
pub type Ticks = u32;

/// The clock of a run, the same for all its threads.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    tick_us: u64,
}

impl Clock {
    /// Starts now. Everything that is scheduled happens at a multiple of `tick_us`.
    #[must_use]
    pub fn start(tick_us: u32) -> Self {
        Self {
            start: Instant::now(),
            tick_us: u64::from(tick_us.max(1)),
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.start.elapsed().as_micros() as u64
    }

    /// The last tick that has begun at `at`.
    #[must_use]
    pub const fn tick(&self, at: Micros) -> Ticks {
        (at / self.tick_us) as u32
    }

    /// The first tick that begins at or after `at`.
    #[must_use]
    pub const fn tick_from(&self, at: Micros) -> Ticks {
        at.div_ceil(self.tick_us) as u32
    }

    /// When `tick` begins.
    #[must_use]
    pub const fn begin_of(&self, tick: Ticks) -> Micros {
        tick as u64 * self.tick_us
    }

    /// How many ticks `millis` milliseconds are, at least one.
    #[must_use]
    pub const fn ticks_in_millis(&self, millis: u64) -> Ticks {
        match millis.saturating_mul(1_000) / self.tick_us {
            0 => 1,
            ticks if ticks > Ticks::MAX as u64 => Ticks::MAX,
            ticks => ticks as Ticks,
        }
    }

    /// Microseconds of a tick.
    #[must_use]
    pub const fn tick_us(&self) -> u64 {
        self.tick_us
    }
}
