//! Which endpoints live in the shard, where their devices are, and who is quarantined.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::directory::{Admitted, Home};
use crate::engine::endpoint::core::{EndpointCore, Presence};
use crate::engine::endpoint::identity::{MAX_SLOTS, Place};
use crate::engine::endpoint::slot::{Head, Slot, State};
use crate::net::{PeerAddr, steer};
use crate::proto::coap::exchange::MidSequence;

use super::dispatch::Sender;
use super::{Datagram, Shard};

/// Panics within [`PANIC_PERIOD_MILLIS`] after which an endpoint is quarantined.
const MAX_PANICS: u8 = 3;
const PANIC_PERIOD_MILLIS: u64 = 60_000;
const QUARANTINE_MILLIS: u64 = 300_000;

impl Shard {
    /// Gives a new endpoint a slot, or finds that another shard was faster.
    pub(super) fn settle(
        &mut self,
        datagram: &Datagram<'_>,
        endpoint: &str,
        admitted: Admitted,
    ) -> Option<Home> {
        let slot = self.endpoints.next_slot();
        let limit = self.shared.config.max_endpoints;
        if slot >= MAX_SLOTS || self.shared.endpoints.load(Relaxed) >= limit {
            return None;
        }
        let wanted = Home {
            shard: self.index,
            slot,
        };
        let home = self.shared.directory.settle(endpoint, wanted);
        if home != wanted {
            return Some(home);
        }
        self.shared.endpoints.fetch_add(1, Relaxed);
        let place = Place {
            shard: self.index,
            slot,
            salt: self.rng.u32(..),
        };
        let mids = MidSequence::new(
            self.rng.u16(..),
            u16::from(self.count),
            u16::from(self.index),
        );
        let local = self.locals.number(datagram.local);
        let mut head = Head::new(datagram.peer, local, admitted.profile);
        head.salt = place.salt;
        let core = EndpointCore::new(endpoint, place, mids);
        self.endpoints.insert(Slot {
            head,
            state: State::Rest(core),
        });
        Some(home)
    }

    /// Takes over what the directory says of an endpoint that registers.
    pub(super) fn admit(&mut self, slot: u32, admitted: Admitted) {
        // The profile may have been made in this turn.
        self.take_over_profiles();
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        entry.head.power = admitted.power;
        entry.head.profile = admitted.profile;
    }

    /// Forgets an endpoint.
    pub fn forget(&mut self, slot: u32, core: &EndpointCore) {
        self.shared.directory.leave(core.name());
        self.recount(slot, Presence::Absent, 0);
        self.metrics
            .observe(core.observation_counts().map(|count| -count));
        self.metrics
            .updates(core.running_updates(), Default::default());
        self.drop_commands(core);
        self.logs.forget(slot);
        self.end_traces(slot);
        if let Some(entry) = self.endpoints.get(slot) {
            let peer = entry.head.peer;
            self.endpoints.remove(slot);
            self.mark(slot);
            self.abandon(&peer);
            self.shared.endpoints.fetch_sub(1, Relaxed);
        }
    }

    /// Forgets that datagrams from `peer` are for this shard when no endpoint of it is there any more.
    fn abandon(&self, peer: &PeerAddr) {
        if self.endpoints.at_address(peer).next().is_none() {
            self.shared.directory.unstray(peer, self.index);
        }
    }

    pub(super) fn count_panic(&mut self, slot: u32) {
        let now = self.now.tick;
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let head = &mut entry.head;
        if now.millis_since(head.first_panic) > PANIC_PERIOD_MILLIS {
            head.first_panic = now;
            head.panics = 0;
        }
        head.panics = head.panics.saturating_add(1);
    }

    pub(super) fn quarantine_is_due(&self, slot: u32) -> bool {
        let entry = self.endpoints.get(slot);
        entry.is_some_and(|entry| entry.head.panics >= MAX_PANICS)
    }

    pub(super) fn quarantine_if_due(&mut self, slot: u32) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        if entry.head.panics < MAX_PANICS {
            return;
        }
        // An actor lets go of it when its mailbox is empty.
        if let State::Rest(_) = entry.state
            && let State::Rest(core) = std::mem::replace(&mut entry.state, State::Vacant)
        {
            entry.state = State::Quarantined(Box::new(core));
            entry.head.panics = 0;
            let deadline = self.now.tick.plus_millis(QUARANTINE_MILLIS);
            entry.head.deadline = deadline;
            self.wheel.arm(slot, &mut entry.head.held, deadline);
        }
    }

    /// The device is at another address from now on.
    pub(super) fn adopt(&mut self, slot: u32, sender: Sender) {
        let local = self.locals.number(sender.local);
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let before = entry.head.peer;
        entry.head.local = local;
        // The new address is unproven.
        entry.head.budget = Default::default();
        entry.head.budget.received(sender.datagram_len);
        self.endpoints.move_to(slot, sender.peer);
        self.mark(slot);
        self.abandon(&before);
        self.claim(&sender.peer);
    }

    /// The endpoint that came last to an address is here: what names no endpoint is for this shard,
    /// whichever the kernel brings it to.
    pub(super) fn claim(&self, peer: &PeerAddr) {
        if steer::shard_of(peer, usize::from(self.count)) == usize::from(self.index) {
            self.shared.directory.steered(peer);
        } else {
            self.shared.directory.stray(*peer, self.index);
        }
    }

    pub(super) fn recount(&mut self, slot: u32, presence: Presence, queued: usize) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let queued = queued.min(usize::from(u16::MAX)) as u16;
        let known = std::mem::replace(&mut entry.head.queued, queued);
        if known != queued {
            self.metrics
                .queued
                .add(i64::from(queued) - i64::from(known));
        }
        let before = std::mem::replace(&mut entry.head.counted, presence);
        if before == presence {
            return;
        }
        if presence == Presence::Absent {
            self.endpoints.take_out(slot);
        }
        for (state, step) in [(before, -1), (presence, 1)] {
            match state {
                Presence::Absent => {}
                Presence::Awake => self.metrics.registered.add(step),
                Presence::Asleep => self.metrics.asleep.add(step),
            }
        }
    }
}
