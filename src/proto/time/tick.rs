//! Points in time handed in by the caller.

use std::fmt;

/// Milliseconds since the Unix epoch, UTC. Used for timestamps that people and other systems see.
pub type UnixMillis = i64;

/// Monotonic milliseconds since an arbitrary epoch chosen by the owner of the clock.
///
/// Only differences between two ticks mean anything; the wall clock may jump, a tick never does.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tick(u64);

impl Tick {
    /// The epoch.
    pub const ZERO: Self = Self(0);

    /// `millis` after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This tick plus `millis`, saturating at the end of time.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this tick, or zero when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Both clocks at one moment, read once per turn of a shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Monotonic time: deadlines and ages.
    pub tick: Tick,
    /// Wall-clock time: timestamps of values.
    pub wall: UnixMillis,
}
