//! What time brings: deadlines, flights sent again, silent sessions.

use std::net::SocketAddr;

use crate::proto::dtls::{CloseReason, DtlsEndpoint, Fingerprint, SessionId};
use crate::proto::time::Tick;

use super::Output;

/// Slots looked at per step of the sweep: about 0.1 ms when none is in the cache.
const STEP: u32 = 1_024;
const STEP_EVERY_MS: u64 = 100;
/// A peer that did not ask for our last flight by then has it.
const LAST_FLIGHT_MS: u64 = 120_000;
/// Handshakes looked at per poll.
const TIMERS_PER_POLL: usize = 256;

/// Goes round all slots, a step at a time.
#[derive(Default)]
pub(super) struct Sweep {
    next_slot: u32,
    due: Tick,
    /// Identities whose sessions are to end, and how many slots are still to be looked at.
    closing: Vec<(Fingerprint, u32)>,
}

impl Sweep {
    pub(super) fn close(&mut self, identity: Fingerprint) {
        self.closing.retain(|(closing, _)| *closing != identity);
        self.closing.push((identity, u32::MAX));
    }
}

impl DtlsEndpoint {
    /// Runs deadlines, repetitions of flights and the sweep over sessions.
    pub fn poll(&mut self, now: Tick, out: &mut Output) {
        for _ in 0..TIMERS_PER_POLL {
            match self.timers.first() {
                Some(&(due, peer)) if due <= now => self.wake(now, due, peer, out),
                _ => break,
            }
        }
        if self.sweep.due <= now {
            self.partial_hellos.retain(|_, partial| partial.until > now);
        }
        if self.sweep.due <= now || !self.sweep.closing.is_empty() {
            self.sweep.due = now.plus_millis(STEP_EVERY_MS);
            self.sweep(now, out);
        }
    }

    /// When [`poll`](Self::poll) has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Tick> {
        let timer = self.timers.first().map(|&(due, _)| due);
        if !self.sweep.closing.is_empty() {
            return Some(Tick::ZERO);
        }
        let sweeps = self.sessions() > 0 || !self.partial_hellos.is_empty();
        let sweep = sweeps.then_some(self.sweep.due);
        timer.into_iter().chain(sweep).min()
    }

    fn wake(&mut self, now: Tick, due: Tick, peer: SocketAddr, out: &mut Output) {
        let Some(handshake) = self.handshakes.get_mut(&peer) else {
            self.timers.remove(&(due, peer));
            return;
        };
        if let Some(reason) = handshake.expired(now) {
            return self.abandon(peer, reason, out);
        }
        self.counters.flights_repeated += u64::from(handshake.retransmit(now, out));
        self.set_timer(peer, due);
    }

    fn sweep(&mut self, now: Tick, out: &mut Output) {
        let slots = self.table.slots();
        let idle_limit = self.config.limits.session_idle_ms;
        for (_, left) in &mut self.sweep.closing {
            *left = (*left).min(slots);
        }
        let step = STEP.min(slots);
        for _ in 0..step {
            let slot = self.sweep.next_slot % slots;
            self.sweep.next_slot = (slot + 1) % slots;
            let Some((id, _)) = self.table.at(slot) else {
                continue;
            };
            if let Some(reason) = self.look_at(now, id, idle_limit) {
                self.end(id, reason, reason == CloseReason::Revoked, out);
            }
        }
        self.sweep.closing.retain_mut(|(_, left)| {
            *left = left.saturating_sub(step);
            *left > 0
        });
    }

    /// Whether a session is to end, and why.
    fn look_at(&mut self, now: Tick, id: SessionId, idle_limit: u64) -> Option<CloseReason> {
        let session = self.table.get_mut(id)?;
        let silent = session.silent_for(now);
        if silent >= LAST_FLIGHT_MS {
            session.forget_last_flight();
        }
        let identity = session.identity;
        if self
            .sweep
            .closing
            .iter()
            .any(|(closing, _)| *closing == identity)
        {
            return Some(CloseReason::Revoked);
        }
        (idle_limit > 0 && silent > idle_limit).then_some(CloseReason::Idle)
    }
}
