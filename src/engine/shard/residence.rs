//! Which endpoints live in the shard, where their devices are, and who is quarantined.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::directory::{Admitted, Home};
use crate::engine::endpoint::core::{EndpointCore, Presence};
use crate::engine::endpoint::identity::{MAX_SLOTS, Place};
use crate::engine::endpoint::slot::{Head, Progress, Slot, State};
use crate::engine::peer::Peer;
use crate::net::{LocalAddr, steer};
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
        self.stand(slot, None);
        self.metrics
            .observe(core.observation_counts().map(|count| -count));
        self.metrics
            .updates(core.running_updates(), Default::default());
        self.drop_commands(core);
        self.logs.forget(slot);
        self.end_traces(slot);
        if let Some(before) = self.superseded.remove(&slot) {
            self.end_session(before, None);
        }
        if let Some(entry) = self.endpoints.get(slot) {
            let peer = entry.head.peer;
            self.endpoints.remove(slot);
            self.mark(slot);
            self.abandon(&peer);
            self.shared.endpoints.fetch_sub(1, Relaxed);
        }
    }

    /// Forgets that datagrams from `peer` are for this shard when no endpoint of it is there any more.
    fn abandon(&self, peer: &Peer) {
        if let Peer::Plain(address) = peer
            && self.endpoints.at_address(peer).next().is_none()
        {
            self.shared.directory.unstray(address, self.index);
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
            let absent = core.presence(self.now.tick) == Presence::Absent;
            entry.state = State::Quarantined(Box::new(core));
            entry.head.panics = 0;
            let deadline = self.now.tick.plus_millis(QUARANTINE_MILLIS);
            entry.head.deadline = deadline;
            self.wheel.arm(slot, &mut entry.head.held, deadline);
            if !absent {
                self.stand(slot, Some(Progress::Failed));
            }
        }
    }

    /// Counts how far the endpoint is with its profile; `None` when it goes.
    pub(super) fn stand(&mut self, slot: u32, progress: Option<Progress>) {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let now = progress.map(|progress| (entry.head.in_force, progress));
        let before = std::mem::replace(&mut entry.head.census, now);
        if before != now {
            self.census.count(before, now);
        }
    }

    /// The device spoke from another address, or in another session: it is there from now on.
    pub(super) fn adopt(&mut self, slot: u32, sender: Sender) {
        // What was still on its way in the session before must not bring it back there.
        if self.is_superseded(slot, &sender.peer) {
            return;
        }
        let before = self.endpoints.get(slot).and_then(|e| e.head.peer.session());
        self.move_registration(slot, sender.peer, sender.local, sender.datagram_len);
        for session in before.into_iter().chain(self.superseded.remove(&slot)) {
            self.end_session(session, None);
        }
    }

    /// The endpoint is reached through another peer from now on.
    /// `received` bytes came from there by now.
    pub(super) fn move_registration(
        &mut self,
        slot: u32,
        peer: Peer,
        local: Option<LocalAddr>,
        received: usize,
    ) {
        let local = self.locals.number(local);
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return;
        };
        let before = entry.head.peer;
        entry.head.local = local;
        // A new address is unproven; a handshake proves one.
        entry.head.budget = Default::default();
        entry.head.budget.received(received);
        if peer.session().is_some() {
            entry.head.budget.verify();
        }
        let counted = entry.head.counted;
        self.count(counted, &before, -1);
        self.count(counted, &peer, 1);
        self.endpoints.move_to(slot, peer);
        self.mark(slot);
        self.abandon(&before);
        self.claim(&peer);
    }

    /// The endpoint that came last to an address is here: what names no endpoint is for this shard,
    /// whichever the kernel brings it to.
    pub(super) fn claim(&self, peer: &Peer) {
        // What comes in a session is for the endpoint of its identity, which the directory knows.
        let Peer::Plain(peer) = peer else {
            return;
        };
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
        let peer = entry.head.peer;
        if presence == Presence::Absent {
            self.endpoints.take_out(slot);
        }
        self.count(before, &peer, -1);
        self.count(presence, &peer, 1);
    }

    fn count(&self, presence: Presence, peer: &Peer, step: i64) {
        let security = peer.security();
        match presence {
            Presence::Absent => {}
            Presence::Awake => self.metrics.registered(security).add(step),
            Presence::Asleep => self.metrics.asleep(security).add(step),
        }
    }
}
