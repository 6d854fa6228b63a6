//! Which device of a campaign is updated when: a state machine. Time and what happened go in,
//! devices whose turn it is come out. No step looks at all devices but those that people ask for.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::rules::Rules;
use crate::proto::time::UnixMillis;

/// Devices that must have finished before their failures count against all: fewer say little.
const LEAST_FINISHED: u32 = 10;

const MINUTE: f64 = 60_000.0;

/// What a campaign is doing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Devices are updated, or will be when the time comes.
    Running,
    /// Somebody paused it: no further device is begun with.
    Paused,
    /// Too many devices failed: no further device is begun with until somebody resumes it.
    Stopped,
    /// No device is left, or its time is over.
    Completed,
    /// Somebody cancelled it.
    Cancelled,
}

/// How a device of a campaign stands.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// Its turn came, but it was not registered: it is next when it registers.
    Absent,
    /// It is being updated.
    Running,
    /// It has the package.
    Updated,
    /// It has not.
    Failed,
    /// It was being updated for another campaign, or by hand.
    Skipped,
    /// The campaign was cancelled or over before its turn came.
    Cancelled,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Absent,
        Self::Running,
        Self::Updated,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];
}

/// How many devices stand how.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Their turn has not come.
    pub waiting: u32,
    /// Their turn came, but they were not registered.
    pub absent: u32,
    /// They are being updated.
    pub running: u32,
    /// They have the package.
    pub updated: u32,
    /// They have not.
    pub failed: u32,
    /// Another campaign was updating them.
    pub skipped: u32,
    /// The campaign was cancelled or over before.
    pub cancelled: u32,
}

impl Counts {
    const fn of(&mut self, standing: Standing) -> &mut u32 {
        match standing {
            Standing::Waiting => &mut self.waiting,
            Standing::Absent => &mut self.absent,
            Standing::Running => &mut self.running,
            Standing::Updated => &mut self.updated,
            Standing::Failed => &mut self.failed,
            Standing::Skipped => &mut self.skipped,
            Standing::Cancelled => &mut self.cancelled,
        }
    }

    const fn finished(&self) -> u32 {
        self.updated + self.failed
    }
}

/// What is kept of a plan besides its devices.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub(super) phase: Phase,
    /// The first devices did well enough, or somebody decided so.
    pub(super) canary_passed: bool,
    /// Updated and failed devices that somebody has already judged.
    pub(super) judged: (u32, u32),
}

/// A device as it is restored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Device {
    pub(super) standing: Standing,
    /// Updates begun.
    pub(super) attempts: u8,
    /// When the last began.
    pub(super) began: UnixMillis,
}

/// A campaign's plan. Devices are numbers from 0.
#[derive(Debug)]
pub(super) struct Plan {
    rules: Rules,
    kept: Kept,
    devices: Vec<(Standing, u8)>,
    counts: Counts,
    waiting: VecDeque<u32>,
    /// Running devices by when they are given up.
    deadlines: BTreeSet<(UnixMillis, u32)>,
    deadline_of: HashMap<u32, UnixMillis>,
    absent: HashSet<u32>,
    /// The first devices; the others wait for how they do.
    canary: HashSet<u32>,
    /// Devices that may be begun with now, by the rate.
    allowance: f64,
    refilled: UnixMillis,
}

impl Plan {
    /// A plan for so many devices, none begun with.
    pub(super) fn new(rules: Rules, devices: u32, now: UnixMillis) -> Self {
        let kept = Kept {
            phase: Phase::Running,
            canary_passed: rules.canary_of(devices) == 0,
            judged: (0, 0),
        };
        let devices = std::iter::repeat_n(Device::default(), devices as usize);
        Self::restored(rules, kept, devices, now)
    }

    /// A plan that was under way. Absent devices wait again.
    pub(super) fn restored(
        rules: Rules,
        kept: Kept,
        devices: impl Iterator<Item = Device>,
        now: UnixMillis,
    ) -> Self {
        let mut plan = Self {
            allowance: rules.burst(),
            rules,
            kept,
            devices: Vec::new(),
            counts: Counts::default(),
            waiting: VecDeque::new(),
            deadlines: BTreeSet::new(),
            deadline_of: HashMap::new(),
            absent: HashSet::new(),
            canary: HashSet::new(),
            refilled: now,
        };
        for (number, device) in (0..).zip(devices) {
            let standing = match device.standing {
                Standing::Absent | Standing::Cancelled => Standing::Waiting,
                standing => standing,
            };
            plan.devices.push((standing, device.attempts));
            *plan.counts.of(standing) += 1;
            match standing {
                Standing::Running => plan.set_deadline(number, device.began),
                Standing::Waiting => plan.waiting.push_back(number),
                _ => {}
            }
            if !kept.canary_passed && device.attempts > 0 && standing != Standing::Skipped {
                plan.canary.insert(number);
            }
        }
        plan
    }

    pub(super) const fn kept(&self) -> Kept {
        self.kept
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn standing(&self, device: u32) -> Option<Standing> {
        Some(self.devices.get(device as usize)?.0)
    }

    pub(super) fn attempts(&self, device: u32) -> u8 {
        self.devices
            .get(device as usize)
            .map_or(0, |device| device.1)
    }

    /// Devices whose turn it is, at most `limit`. They are running from now on.
    pub(super) fn next(&mut self, now: UnixMillis, limit: usize) -> Vec<u32> {
        let mut turns = Vec::new();
        self.refill(now);
        while turns.len() < limit && self.may_begin(now) && self.allowance >= 1.0 {
            let Some(&device) = self.waiting.front() else {
                break;
            };
            if !self.kept.canary_passed && !self.canary.contains(&device) {
                if self.canary.len() >= self.canary_size() {
                    break;
                }
                self.canary.insert(device);
            }
            self.waiting.pop_front();
            self.allowance -= 1.0;
            self.set(device, Standing::Running);
            self.devices[device as usize].1 = self.attempts(device).saturating_add(1);
            self.set_deadline(device, now);
            turns.push(device);
        }
        turns
    }

    /// The device was not there when its turn came: another has it.
    pub(super) fn absent(&mut self, device: u32) {
        if !self.leaves(device, Standing::Absent) {
            return;
        }
        self.devices[device as usize].1 = self.attempts(device).saturating_sub(1);
        self.allowance = (self.allowance + 1.0).min(self.rules.burst());
        self.canary.remove(&device);
        self.absent.insert(device);
    }

    /// A device registered: if it was absent, it is next.
    pub(super) fn arrived(&mut self, device: u32) {
        if self.absent.remove(&device) {
            self.set(device, Standing::Waiting);
            self.waiting.push_front(device);
        }
    }

    /// Any absent device may have registered. They have their turn after all others.
    pub(super) fn may_have_arrived(&mut self) {
        for device in std::mem::take(&mut self.absent) {
            self.set(device, Standing::Waiting);
            self.waiting.push_back(device);
        }
    }

    /// The update of a device is over. Where it stands now; `None` when it was not running.
    pub(super) fn ended(&mut self, device: u32, updated: bool) -> Option<Standing> {
        let again = !updated
            && self.attempts(device) <= self.rules.retries
            && self.kept.phase != Phase::Cancelled;
        let standing = match (updated, again) {
            (true, _) => Standing::Updated,
            (false, true) => Standing::Waiting,
            (false, false) => Standing::Failed,
        };
        if !self.leaves(device, standing) {
            return None;
        }
        if again {
            // A device of the first ones: the others wait for it.
            if self.canary.contains(&device) {
                self.waiting.push_front(device);
            } else {
                self.waiting.push_back(device);
            }
        } else {
            self.judge();
            self.complete();
        }
        Some(standing)
    }

    /// Another campaign has the device.
    pub(super) fn skip(&mut self, device: u32) {
        if self.leaves(device, Standing::Skipped) {
            self.canary.remove(&device);
            self.judge();
            self.complete();
        }
    }

    /// The device was begun with, but that is not known any more: it waits again.
    pub(super) fn begin_again(&mut self, device: u32) {
        if self.leaves(device, Standing::Waiting) {
            self.waiting.push_front(device);
        }
    }

    /// Running devices that have had their time; each is to be [`ended`](Self::ended).
    pub(super) fn overdue(&self, now: UnixMillis) -> Vec<u32> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, device)| *device).collect()
    }

    /// Ends the campaign when its time is over; `true` when it has just ended.
    pub(super) fn expire(&mut self, now: UnixMillis) -> bool {
        let over = self.rules.not_after.is_some_and(|end| end <= now);
        if over && self.is_active() && self.counts.running == 0 {
            self.kept.phase = Phase::Completed;
            self.drop_waiting();
            return true;
        }
        false
    }

    /// No further device is begun with. `false` when it does not run.
    pub(super) fn pause(&mut self) -> bool {
        let runs = self.kept.phase == Phase::Running;
        if runs {
            self.kept.phase = Phase::Paused;
        }
        runs
    }

    /// Goes on, also when too many failed: those that have are judged. `false` when it is neither
    /// paused nor stopped.
    pub(super) fn resume(&mut self, now: UnixMillis) -> bool {
        if !matches!(self.kept.phase, Phase::Paused | Phase::Stopped) {
            return false;
        }
        if self.kept.phase == Phase::Stopped {
            self.kept.canary_passed = true;
            self.kept.judged = (self.counts.updated, self.counts.failed);
        }
        self.go(now);
        true
    }

    /// Ends it; the devices that were running. `None` when it has ended already.
    pub(super) fn cancel(&mut self) -> Option<Vec<u32>> {
        if !self.is_active() {
            return None;
        }
        self.kept.phase = Phase::Cancelled;
        self.drop_waiting();
        let running: Vec<_> = self.deadline_of.keys().copied().collect();
        for device in &running {
            self.leaves(*device, Standing::Cancelled);
        }
        Some(running)
    }

    /// Devices that failed or were skipped wait again, and those that never had their turn; the
    /// former.
    pub(super) fn retry(&mut self, now: UnixMillis) -> Vec<u32> {
        let mut again = Vec::new();
        for device in 0..self.devices.len() as u32 {
            let (standing, attempts) = self.devices[device as usize];
            if !matches!(
                standing,
                Standing::Failed | Standing::Skipped | Standing::Cancelled
            ) {
                continue;
            }
            if attempts > 0 || standing != Standing::Cancelled {
                again.push(device);
            }
            self.set(device, Standing::Waiting);
            self.devices[device as usize].1 = 0;
            self.waiting.push_back(device);
        }
        self.kept.judged = (self.counts.updated, self.counts.failed);
        if !self.waiting.is_empty() && self.kept.phase != Phase::Paused {
            self.go(now);
        }
        again
    }

    /// When there may be something to do without anything happening.
    pub(super) fn wake_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        if !self.is_active() {
            return None;
        }
        let overdue = self.deadlines.first().map(|(at, _)| *at);
        let end = self.rules.not_after.filter(|_| self.counts.running == 0);
        [overdue, end, self.next_turn(now)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether it goes on or can.
    pub(super) const fn is_active(&self) -> bool {
        !matches!(self.kept.phase, Phase::Completed | Phase::Cancelled)
    }

    fn next_turn(&self, now: UnixMillis) -> Option<UnixMillis> {
        let front = self.waiting.front()?;
        let held = !self.kept.canary_passed
            && !self.canary.contains(front)
            && self.canary.len() >= self.canary_size();
        let full = self.counts.running >= self.rules.concurrency;
        if held || full || self.kept.phase != Phase::Running {
            return None;
        }
        let opens = self.rules.opens(now)?;
        let missing = (1.0 - self.allowance).max(0.0);
        let refilled = match self.rules.per_minute {
            Some(rate) if missing > 0.0 => {
                self.refilled + (missing * MINUTE / f64::from(rate)).ceil() as UnixMillis
            }
            _ => now,
        };
        Some(opens.max(refilled))
    }

    fn may_begin(&self, now: UnixMillis) -> bool {
        self.kept.phase == Phase::Running
            && self.counts.running < self.rules.concurrency
            && self.rules.opens(now) == Some(now)
    }

    fn refill(&mut self, now: UnixMillis) {
        let burst = self.rules.burst();
        self.allowance = match self.rules.per_minute {
            None => burst,
            Some(rate) => {
                let passed = (now - self.refilled).max(0) as f64;
                (self.allowance + passed * f64::from(rate) / MINUTE).min(burst)
            }
        };
        self.refilled = now.max(self.refilled);
    }

    /// Stops when too many failed.
    fn judge(&mut self) {
        if !self.kept.canary_passed {
            let open = |device: &u32| {
                matches!(
                    self.standing(*device),
                    Some(Standing::Running | Standing::Waiting)
                )
            };
            if self.canary.len() < self.canary_size() || self.canary.iter().any(open) {
                return;
            }
            if self.is_too_bad(0, 0) {
                self.stop();
            } else {
                self.kept.canary_passed = true;
            }
            return;
        }
        let (updated, failed) = self.kept.judged;
        let finished = self.counts.finished().saturating_sub(updated + failed);
        if finished >= LEAST_FINISHED && self.is_too_bad(updated, failed) {
            self.stop();
        }
    }

    /// Whether too many failed since so many were judged.
    fn is_too_bad(&self, updated: u32, failed: u32) -> bool {
        let failed = u64::from(self.counts.failed.saturating_sub(failed));
        let updated = u64::from(self.counts.updated.saturating_sub(updated));
        failed * 100 > u64::from(self.rules.max_failure_percent) * (failed + updated)
    }

    fn stop(&mut self) {
        if self.kept.phase == Phase::Running {
            self.kept.phase = Phase::Stopped;
        }
    }

    fn go(&mut self, now: UnixMillis) {
        self.kept.phase = Phase::Running;
        // Time in which nothing was begun with gives no extra turns.
        (self.allowance, self.refilled) = (self.rules.burst(), now);
        self.complete();
    }

    fn complete(&mut self) {
        let left = self.counts.waiting + self.counts.absent + self.counts.running;
        if left == 0 && self.is_active() {
            self.kept.phase = Phase::Completed;
        }
    }

    /// Devices whose turn has not come never get it.
    fn drop_waiting(&mut self) {
        let absent = std::mem::take(&mut self.absent);
        for device in std::mem::take(&mut self.waiting).into_iter().chain(absent) {
            self.set(device, Standing::Cancelled);
        }
    }

    /// A running device runs no more; `false` when it did not.
    fn leaves(&mut self, device: u32, standing: Standing) -> bool {
        let Some(deadline) = self.deadline_of.remove(&device) else {
            return false;
        };
        self.deadlines.remove(&(deadline, device));
        self.set(device, standing);
        true
    }

    fn set_deadline(&mut self, device: u32, began: UnixMillis) {
        let deadline = began.saturating_add(self.rules.device_timeout_millis());
        self.deadlines.insert((deadline, device));
        self.deadline_of.insert(device, deadline);
    }

    fn set(&mut self, device: u32, standing: Standing) {
        let known = &mut self.devices[device as usize].0;
        *self.counts.of(*known) -= 1;
        *known = standing;
        *self.counts.of(standing) += 1;
    }

    fn canary_size(&self) -> usize {
        self.rules.canary_of(self.devices.len() as u32) as usize
    }
}

#[cfg(test)]
mod tests;
