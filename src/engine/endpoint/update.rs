//! Updates of firmware (object 5) and software (object 9): the state machine of one device.
//!
//! An update asks one thing at a time: `state` says what is to be asked next, `ask` asks it and takes
//! the answer, `report` takes what the device says of its state by whatever way, and `decide` says
//! what follows once state and result are known together. The questions are jobs of the device's
//! conversation and take turns with everything else that is asked.
//!
//! Nothing waits for ever: a request that is not answered, a download without progress and an
//! installation without result each have their time, after which the device is asked once more what
//! it has, and then the update ends with a reason in words. A device that sleeps is waited for.

use crate::proto::time::{NEVER, Tick};

use super::conversation::{Job, Task};
use super::core::{EndpointCore, Turn};

mod ask;
mod decide;
pub mod news;
mod report;
pub mod results;
pub mod state;
pub mod status;
pub mod target;

use state::{Reached, Step, Update};
use status::UpdateStatus;
use target::{Assignment, UpdateKind};

/// The updates of one device. Costs one pointer as long as there are none.
#[derive(Debug, Default)]
pub struct Updates {
    of: Option<Box<[Option<Box<Update>>; 2]>>,
}

/// A question of an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct UpdateJob {
    pub kind: UpdateKind,
    pub step: Step,
    /// The attempt it belongs to.
    pub epoch: u8,
}

/// What endpoints counted about updates.
#[derive(Clone, Debug, Default)]
pub struct UpdateTally {
    /// Updates that ended, by kind: well, and not.
    pub ends: [[u64; 2]; 2],
    /// Attempts begun again, by kind.
    pub again: [u64; 2],
    /// Bytes pushed and acknowledged, by kind.
    pub pushed: [u64; 2],
}

impl Updates {
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_none()
    }

    pub(super) fn get(&self, kind: UpdateKind) -> Option<&Update> {
        self.of.as_ref()?[kind as usize].as_deref()
    }

    pub(super) fn get_mut(&mut self, kind: UpdateKind) -> Option<&mut Update> {
        self.of.as_mut()?[kind as usize].as_deref_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Update> {
        self.of
            .iter()
            .flat_map(|of| of.iter().flatten())
            .map(|update| &**update)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Update> {
        let all = self.of.iter_mut().flat_map(|of| of.iter_mut().flatten());
        all.map(|update| &mut **update)
    }

    /// Puts an update in place of that of its kind.
    pub(super) fn put(&mut self, update: Update) {
        let kind = update.kind as usize;
        self.of.get_or_insert_default()[kind] = Some(Box::new(update));
    }

    /// Puts an update back after a restart: it goes on when it is assigned again.
    pub(super) fn put_back(&mut self, mut update: Update, now: Tick) {
        if !update.ended {
            update.look_again();
            update.wake = now;
        }
        self.put(update);
    }

    fn remove(&mut self, kind: UpdateKind) {
        if let Some(of) = &mut self.of {
            of[kind as usize] = None;
            if of.iter().all(Option::is_none) {
                self.of = None;
            }
        }
    }

    /// When one of them wants a timer.
    pub(super) fn deadline(&self) -> Tick {
        let wakes = self.iter().map(|update| update.wake);
        wakes.fold(NEVER, Tick::min)
    }

    /// Nothing that was asked will be answered: everything is looked at anew.
    pub(super) fn look_again(&mut self) {
        for update in self.iter_mut() {
            update.look_again();
        }
    }

    /// The states of those that have not ended.
    #[must_use]
    pub fn running(&self) -> [Option<UpdateStatus>; 2] {
        UpdateKind::ALL.map(|kind| {
            let update = self.get(kind).filter(|update| !update.ended);
            update.map(|update| update.status)
        })
    }
}

impl EndpointCore {
    /// The states of updates that have not ended: firmware, software.
    #[must_use]
    pub fn running_updates(&self) -> [Option<UpdateStatus>; 2] {
        self.updates.running()
    }

    /// Whether an update waits for what it is about: services have not assigned it since a restart.
    #[must_use]
    pub fn lacks_update(&self) -> bool {
        let mut all = self.updates.iter();
        all.any(|update| !update.ended && !update.is_supplied())
    }

    /// Whether it holds an update, over or not, that services did not assign since a restart.
    #[must_use]
    pub fn lacks_assignment(&self) -> bool {
        !self.updates.iter().all(Update::is_supplied)
    }

    /// Services assigned nothing else, and the device is here: what is left was over for them before the
    /// restart.
    pub(super) fn on_unassigned(&mut self, turn: &mut Turn<'_>) {
        for kind in UpdateKind::ALL {
            if self
                .updates
                .get(kind)
                .is_some_and(|update| !update.is_supplied())
            {
                self.updates.remove(kind);
                turn.out.changed = true;
            }
        }
    }

    /// The device is to be updated.
    pub(super) fn on_assigned(&mut self, assignment: Assignment, turn: &mut Turn<'_>) {
        let kind = assignment.target.kind;
        let Some(update) = self.updates.get_mut(kind) else {
            return self.begin_anew(assignment, turn);
        };
        if update.package == assignment.target.package && !update.withdrawn {
            // The same, perhaps after a restart or with its bytes elsewhere.
            let lacked = update.assignment.replace(assignment).is_none();
            if update.ended && update.unsupported {
                return self.start_over(kind, turn);
            }
            if lacked && !update.ended {
                update.look_again();
                self.reachable |= self.always_listens();
            }
            return;
        }
        if !update.ended && update.reached >= Reached::Executed {
            update.successor = Some(Box::new(assignment));
            return;
        }
        self.begin_anew(assignment, turn);
    }

    fn begin_anew(&mut self, assignment: Assignment, turn: &mut Turn<'_>) {
        let kind = assignment.target.kind;
        let mut update = Update::new(assignment, turn.now.wall);
        if let Some(before) = self.updates.get_mut(kind) {
            update.epoch = before.epoch.wrapping_add(1);
            // Its question is answered before the next one is asked.
            update.asked = before.asked;
            update.device = std::mem::take(&mut before.device);
        }
        update.tell_entered(turn);
        self.updates.put(update);
        // A device that did not answer the last time may do so now.
        self.reachable |= self.always_listens();
    }

    fn start_over(&mut self, kind: UpdateKind, turn: &mut Turn<'_>) {
        let update = self.updates.get_mut(kind);
        if let Some(assignment) = update.and_then(|update| update.assignment.take()) {
            self.begin_anew(assignment, turn);
        }
    }

    /// The device is not to be updated any more.
    pub(super) fn on_withdrawn(&mut self, kind: UpdateKind, turn: &mut Turn<'_>) {
        let Some(update) = self.updates.get_mut(kind) else {
            return;
        };
        turn.out.changed = true;
        update.successor = None;
        update.withdrawn = true;
        if update.ended || update.reached >= Reached::Executed {
            return;
        }
        update.epoch = update.epoch.wrapping_add(1);
        update.pausing = false;
        if update.reached == Reached::Nothing {
            update.fail("the update was withdrawn", turn);
        } else {
            update.todo = Some(Step::Cancel);
        }
    }

    /// The device registered: what it has is asked before anything else.
    pub(super) fn updates_registered(&mut self, turn: &mut Turn<'_>) {
        if self.updates.is_empty() {
            return;
        }
        self.updates.look_again();
        for kind in UpdateKind::ALL {
            let Some(update) = self.updates.get_mut(kind) else {
                continue;
            };
            update.rebooted = true;
            update.grant_time(turn);
            if update.ended && update.unsupported {
                self.start_over(kind, turn);
            }
        }
    }

    /// The device woke up or has other objects: an update that waits is looked at.
    pub(super) fn updates_woken(&mut self, turn: &Turn<'_>) {
        for update in self.updates.iter_mut().filter(|update| !update.ended) {
            update.grant_time(turn);
            let waits = update.todo.is_none() && update.asked.is_none();
            if waits && !update.pausing {
                update.todo = Some(update.read());
            }
        }
    }

    /// The time of an update may have come.
    pub(super) fn updates_due(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.tick;
        let listens = self.always_listens();
        for update in self.updates.iter_mut() {
            if update.wake > now {
                continue;
            }
            update.wake = NEVER;
            if update.ended {
                continue;
            }
            update.note_fetched(turn);
            if std::mem::take(&mut update.pausing) || update.asked.is_none() {
                update.overdue |= update.deadline <= now;
                let read = update.read();
                update.todo.get_or_insert(read);
            }
            // It is asked though it did not answer the last time.
            self.reachable |= listens;
        }
    }

    /// Asks what updates want to know next.
    pub(super) fn advance_updates(&mut self, turn: &mut Turn<'_>) {
        if self.updates.is_empty() {
            return;
        }
        for kind in UpdateKind::ALL {
            self.settle_update(kind, turn);
            let first = self.updates.get(UpdateKind::Firmware);
            let comes_second = kind == UpdateKind::Software
                && first.is_some_and(|first| !first.ended && first.is_supplied());
            let Some(update) = self.updates.get_mut(kind) else {
                continue;
            };
            let may_ask = update.asked.is_none()
                && !update.pausing
                && (update.is_supplied() || update.withdrawn);
            if self.registration.is_none() || update.ended || comes_second || !may_ask {
                continue;
            }
            let Some(step) = update.todo.take() else {
                continue;
            };
            update.asked = Some(step);
            let job = UpdateJob {
                kind,
                step,
                epoch: update.epoch,
            };
            let conversation = self.conversation.get_or_insert_default();
            conversation.push_back(Task::new(Job::Update(job)));
        }
    }

    /// One that ended makes room for the next.
    fn settle_update(&mut self, kind: UpdateKind, turn: &mut Turn<'_>) {
        let Some(update) = self.updates.get_mut(kind).filter(|update| update.ended) else {
            return;
        };
        match update.successor.take() {
            Some(successor) => self.begin_anew(*successor, turn),
            None if update.withdrawn => self.updates.remove(kind),
            None => {}
        }
    }
}

impl Update {
    /// What the device has fetched from here since is progress.
    fn note_fetched(&mut self, turn: &mut Turn<'_>) {
        let Some(blocks) = self.assignment.as_ref().map(|it| it.fetched.blocks()) else {
            return;
        };
        if self.reached == Reached::Sent && blocks > self.fetched {
            self.blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
            self.exchanged = Some((turn.now.wall, "it fetched a block".into()));
            self.renew(turn);
            self.advance_to(UpdateStatus::Downloading, turn);
            self.tell_progress(turn);
        }
        self.fetched = blocks;
    }
}
