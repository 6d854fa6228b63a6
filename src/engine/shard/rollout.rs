//! Brings changed profiles to the endpoints that live under an earlier version, a few at a time: the
//! network must not be flooded and nobody else delayed.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use crate::engine::directory::Standing;
use crate::engine::endpoint::core::{EndpointCore, Presence};
use crate::engine::endpoint::slot::State;
use crate::proto::time::Tick;

use super::Shard;

/// Slots looked at in one turn.
const SLOTS_PER_TURN: u32 = 4_096;

/// How long a shard sleeps at most while a change is under way.
pub(super) const PERIOD_MILLIS: u64 = 10;

/// A change on its way through the slots of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rollout {
    next_slot: u32,
    /// Whether endpoints may be provisioned with something else than they have.
    readmit: bool,
    /// Thousandths of an endpoint that may be asked something now.
    allowance: u64,
    since: Tick,
}

impl Rollout {
    /// A change that begins now.
    pub(super) const fn new(now: Tick) -> Self {
        Self {
            next_slot: 0,
            readmit: false,
            allowance: 0,
            since: now,
        }
    }
}

impl Shard {
    /// Notices changed profiles; endpoints get them by and by, and at once when they are run for
    /// another reason.
    pub(super) fn take_over_profiles(&mut self) {
        let changed = self.profiles.refresh(&self.shared.profiles);
        let readmissions = self.shared.readmissions.load(Relaxed);
        let readmit = std::mem::replace(&mut self.readmissions, readmissions) != readmissions;
        if changed || readmit {
            let running = self.rollout;
            self.rollout = Some(Rollout {
                next_slot: 0,
                readmit: readmit || running.is_some_and(|running| running.readmit),
                allowance: running.map_or(0, |running| running.allowance),
                since: self.now.tick,
            });
        }
    }

    /// Gives a live endpoint what it is provisioned with now.
    pub(super) fn readmit(&mut self, slot: u32, endpoint: &str) {
        if !self.lives_here(slot, endpoint) {
            return;
        }
        if let Standing::At(_, admitted) = self.shared.directory.standing(endpoint) {
            self.admit(slot, admitted);
            self.bring_up_to_date(slot);
        }
    }

    /// Goes on with a change.
    pub(super) fn roll_out(&mut self) {
        let Some(mut rollout) = self.rollout.take() else {
            return;
        };
        let per_second = u64::from(self.shared.config.profile_changes_per_second);
        let share = (per_second / u64::from(self.count)).max(1);
        let elapsed = self.now.tick.millis_since(rollout.since);
        rollout.since = self.now.tick;
        // What was not used is not saved up: a second's worth at most goes out at once.
        rollout.allowance = (rollout.allowance + elapsed * share).min(share * 1_000);
        let end = self.endpoints.end();
        let last = rollout.next_slot.saturating_add(SLOTS_PER_TURN).min(end);
        while rollout.next_slot < last && rollout.allowance >= 1_000 {
            if rollout.readmit {
                self.look_up(rollout.next_slot);
            }
            if self.bring_up_to_date(rollout.next_slot) {
                rollout.allowance -= 1_000;
            }
            rollout.next_slot += 1;
        }
        self.metrics
            .rollout
            .set(i64::from(end - rollout.next_slot.min(end)));
        if self.rollout.is_some() {
            // Another change came in between: it begins at the first slot again.
            return;
        }
        if rollout.next_slot < end {
            self.rollout = Some(rollout);
        } else {
            // Sleeping devices live under earlier versions until they wake up.
            let census = &self.census;
            self.profiles.forget_old(|version| census.has(version));
        }
    }

    /// Finds out what an endpoint is provisioned with now.
    fn look_up(&mut self, slot: u32) {
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let standing = match &entry.state {
            State::Vacant => return,
            State::Rest(core) => self.shared.directory.standing(core.name()),
            State::Quarantined(core) => self.shared.directory.standing(core.name()),
            State::Active(_, core) => self.shared.directory.standing(core.borrow().name()),
        };
        if let Standing::At(_, admitted) = standing {
            self.admit(slot, admitted);
        }
    }

    /// Gives an endpoint the present version of its profile. Returns whether something is to be
    /// asked of the device for it.
    fn bring_up_to_date(&mut self, slot: u32) -> bool {
        let Some(entry) = self.endpoints.get_mut(slot) else {
            return false;
        };
        let version = self.profiles.plan(entry.head.profile).version();
        if entry.head.in_force == (entry.head.profile, version) {
            return false;
        }
        let sleeps = |core: &EndpointCore| core.presence(self.now.tick) == Presence::Asleep;
        let may_wait = !self.profiles.has_too_many_old();
        match &entry.state {
            State::Vacant | State::Quarantined(_) => false,
            State::Rest(core) if may_wait && sleeps(core) => false,
            State::Active(_, core) => {
                let core = Rc::clone(core);
                self.run_timer(slot, &mut core.borrow_mut());
                true
            }
            State::Rest(_) => {
                let State::Rest(mut core) = std::mem::replace(&mut entry.state, State::Vacant)
                else {
                    return false;
                };
                self.run_timer(slot, &mut core);
                // Whoever follows it is about to ask it, too.
                let asked = core.busy() || self.shared.arrivals.is_followed(core.name());
                self.put_back(slot, core);
                asked
            }
        }
    }
}
