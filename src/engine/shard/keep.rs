//! Hands endpoints that changed to storage: each at most once per interval, a bounded number per
//! turn, and never waiting. What storage does not take now stays marked.

use std::collections::HashMap;
use std::mem;

use crate::engine::endpoint::core::{EndpointCore, Input, Route};
use crate::engine::endpoint::slot::{Head, State};
use crate::engine::endpoint::snapshot::Whereabouts;
use crate::engine::locals::Locals;
use crate::engine::peer::Peer;
use crate::engine::persistence::{Persistence, StateBatch, plan_number};
use crate::engine::profiles::{KnownProfiles, ProfileId};
use crate::proto::time::{Now, Tick};

use super::Shard;

/// How often changes are handed over. All shards do it at the same ticks, so that one commit takes
/// the changes of all.
const INTERVAL_MILLIS: u64 = 100;

/// Endpoints handed over in one turn: about as long as 50 datagrams take.
const PORTION: usize = 256;

/// Bytes of records after which a portion ends: values may be long.
const PORTION_BYTES: usize = 1 << 20;

/// What of a shard is on its way to storage.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) persistence: Persistence,
    /// Slots that changed in this interval.
    changed: Vec<u32>,
    /// Slots of earlier intervals that wait to be handed over.
    saving: Vec<u32>,
    interval: u64,
    /// The same for DTLS sessions.
    changed_sessions: Vec<u32>,
    saving_sessions: Vec<u32>,
    /// Profiles that storage knows from this shard.
    plans: HashMap<(ProfileId, u16), u64>,
    /// What storage did not take.
    returned: Option<StateBatch>,
}

impl Keeper {
    pub(super) fn new(persistence: Persistence) -> Self {
        Self {
            persistence,
            changed: Vec::new(),
            saving: Vec::new(),
            interval: 0,
            changed_sessions: Vec::new(),
            saving_sessions: Vec::new(),
            plans: HashMap::new(),
            returned: None,
        }
    }

    fn has_work(&self) -> bool {
        !self.changed.is_empty()
            || !self.changed_sessions.is_empty()
            || self.is_saving()
            || self.returned.is_some()
    }

    fn is_saving(&self) -> bool {
        !self.saving.is_empty() || !self.saving_sessions.is_empty()
    }

    /// What changed in this interval is due.
    fn take_changed(&mut self) {
        self.saving = mem::take(&mut self.changed);
        self.saving_sessions = mem::take(&mut self.changed_sessions);
    }

    /// A DTLS session, or that it went, is to be kept.
    pub(super) fn mark_session(&mut self, slot: u32) {
        self.changed_sessions.push(slot);
    }
}

impl Shard {
    /// The endpoint in this slot, or that it went, is to be kept.
    pub(super) fn mark(&mut self, slot: u32) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        if let Some(entry) = self.endpoints.get_mut(slot)
            && !mem::replace(&mut entry.head.changed, true)
        {
            keeper.changed.push(slot);
        }
    }

    /// When changes are to be handed over next.
    pub(super) fn next_save(&self) -> Option<Tick> {
        let keeper = self.keeper.as_ref().filter(|keeper| keeper.has_work())?;
        Some(if !keeper.is_saving() && keeper.returned.is_none() {
            Tick::from_millis((self.now.tick.as_millis() / INTERVAL_MILLIS + 1) * INTERVAL_MILLIS)
        } else {
            self.now.tick.plus_millis(1)
        })
    }

    /// Hands over what is due.
    pub(super) fn save(&mut self) {
        let now = self.now.tick.as_millis() / INTERVAL_MILLIS;
        if let Some(keeper) = &mut self.keeper
            && !keeper.is_saving()
            && keeper.interval != now
        {
            keeper.interval = now;
            keeper.take_changed();
        }
        self.save_portion();
    }

    /// How far transfers are is to be kept, which storage is told from time to time only.
    pub(super) fn mark_transfers(&mut self) {
        for slot in 0..self.endpoints.end() {
            let updates = match self.endpoints.get(slot).map(|entry| &entry.state) {
                Some(State::Rest(core)) => core.running_updates(),
                Some(State::Active(_, core)) => match core.try_borrow() {
                    Ok(core) => core.running_updates(),
                    Err(_) => continue,
                },
                _ => continue,
            };
            if updates != [None; 2] {
                self.mark(slot);
            }
        }
    }

    /// Hands over everything that changed. Returns whether storage took it all.
    pub(super) fn save_all(&mut self) -> bool {
        while self.save_portion() {
            let Some(keeper) = &mut self.keeper else {
                break;
            };
            if !keeper.is_saving() {
                keeper.take_changed();
            }
            if !keeper.has_work() {
                return true;
            }
        }
        self.keeper.as_ref().is_none_or(|keeper| !keeper.has_work())
    }

    /// Returns whether storage takes more.
    fn save_portion(&mut self) -> bool {
        let Some(mut keeper) = self.keeper.take() else {
            return true;
        };
        let batch = match keeper.returned.take() {
            Some(batch) => Some(batch),
            None => self.batch(&mut keeper),
        };
        if let Some(batch) = batch {
            let records = (batch.records.len() + batch.sessions.len()) as u64;
            match keeper.persistence.store.submit(batch) {
                Ok(()) => self.metrics.state_records.add(records),
                Err(batch) => {
                    self.metrics.state_deferred.add(1);
                    keeper.returned = Some(batch);
                }
            }
        }
        let waiting = keeper.changed.len() + keeper.saving.len();
        let returned = keeper.returned.as_ref().map_or(0, |b| b.records.len());
        self.metrics.state_waiting.set((waiting + returned) as i64);
        let takes = keeper.returned.is_none();
        self.keeper = Some(keeper);
        takes
    }

    fn batch(&mut self, keeper: &mut Keeper) -> Option<StateBatch> {
        if !keeper.is_saving() {
            return None;
        }
        let mut batch = StateBatch {
            shard: self.index,
            ..StateBatch::default()
        };
        let mut wait = Vec::new();
        while batch.records.len() < PORTION
            && batch.bytes.len() < PORTION_BYTES
            && let Some(slot) = keeper.saving.pop()
        {
            let Some(entry) = self.endpoints.get_mut(slot) else {
                continue;
            };
            let head = &mut entry.head;
            let start = batch.bytes.len();
            let mut kept = Writer {
                now: self.now,
                locals: &self.locals,
                profiles: &self.profiles,
                plans: &mut keeper.plans,
                batch: &mut batch,
            };
            let is_kept = match &entry.state {
                State::Vacant => false,
                State::Rest(core) => kept.write(core, head),
                State::Quarantined(core) => kept.write(core, head),
                State::Active(_, core) => match core.try_borrow() {
                    Ok(core) => kept.write(&core, head),
                    Err(_) => {
                        wait.push(slot);
                        continue;
                    }
                },
            };
            head.changed = false;
            if is_kept {
                head.stored = true;
                let record = start..batch.bytes.len();
                batch.records.push((slot, Some(record)));
            } else if mem::take(&mut head.stored) {
                batch.records.push((slot, None));
            }
        }
        keeper.changed.append(&mut wait);
        while batch.sessions.len() < PORTION
            && let Some(slot) = keeper.saving_sessions.pop()
        {
            self.store_session(slot, &mut batch);
        }
        (!batch.records.is_empty() || !batch.sessions.is_empty()).then_some(batch)
    }
}

/// Whether an input of this kind changes what is kept, unless it is refused. Of the others the state
/// machine says so: an Update or a deadline mostly moves a deadline alone.
pub(super) fn changes(input: &Input<'_>) -> bool {
    match input {
        Input::Message(message) => match message.route {
            Route::Register | Route::Deregister | Route::Send | Route::Response | Route::Reset => {
                true
            }
            Route::Update | Route::Acknowledgement => false,
        },
        Input::Command { .. }
        | Input::NewPlan { .. }
        | Input::Revoked
        | Input::Assigned(_)
        | Input::Withdrawn(_)
        | Input::Unassigned => true,
        Input::Trouble { .. } | Input::Timer | Input::CancelCommand { .. } => false,
    }
}

/// Writes records of a batch.
struct Writer<'a> {
    now: Now,
    locals: &'a Locals,
    profiles: &'a KnownProfiles,
    plans: &'a mut HashMap<(ProfileId, u16), u64>,
    batch: &'a mut StateBatch,
}

impl Writer<'_> {
    /// Appends the record of an endpoint. Returns whether there is something to keep.
    fn write(&mut self, core: &EndpointCore, head: &Head) -> bool {
        if !core.is_worth_keeping() {
            return false;
        }
        let local = self.locals.address(head.local);
        let (peer, session) = match head.peer {
            Peer::Plain(address) => ((*address.octets(), address.port()), None),
            Peer::Secured(session) => (([0; 16], 0), Some(session.as_kept())),
        };
        let whereabouts = Whereabouts {
            plan: self.plan(head),
            peer,
            session,
            local: local.map(|local| (*local.octets(), local.interface())),
            verified: head.budget.is_verified(),
        };
        core.write_snapshot(&whereabouts, self.now, &mut self.batch.bytes);
        true
    }

    /// The number of the profile that an endpoint lives under.
    fn plan(&mut self, head: &Head) -> u64 {
        if let Some(number) = self.plans.get(&head.in_force) {
            return *number;
        }
        let lived_under = self.profiles.version(head.in_force);
        let plan = lived_under.unwrap_or_else(|| self.profiles.plan(head.profile));
        let record = plan.to_record();
        let number = plan_number(&record);
        self.plans.insert(head.in_force, number);
        self.batch.plans.push((number, record));
        number
    }
}
