//! Whether the process is ready for traffic.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Phase {
    /// Loading state, binding sockets.
    Starting,
    /// Serving.
    Ready,
    /// Told to stop: finishing what is under way.
    Draining,
}

impl Phase {
    /// Name of the phase.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// The phase, shared by those who report it.
#[derive(Debug, Default)]
pub struct Health(AtomicU8);

impl Health {
    /// Enters `phase`.
    pub fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    /// The present phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_entered_is_the_phase_reported() {
        let health = Health::default();
        assert_eq!(health.phase(), Phase::Starting);
        for phase in [Phase::Ready, Phase::Draining] {
            health.enter(phase);
            assert_eq!(health.phase(), phase);
        }
    }
}
