//! What follows from what a device says it has, asked or not.
//!
//! Reports lead forward as they come. That something was lost or did not work is decided only when
//! the device was asked for state and result together: a report may be late, and reports may come in
//! any order.

use super::super::core::Turn;
use super::super::journal::Severity;
use super::results::{is_failure, result_in_words};
use super::state::{Reached, Step, Update};
use super::status::UpdateStatus;
use super::target::{Source, Strategy, UpdateKind};
use crate::proto::time::NEVER;

/// What a decision takes besides the update itself.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Facts {
    /// The device announces the object and the profile maps something of it.
    pub supported: bool,
    /// The device notifies of its state.
    pub observed: bool,
    /// The object of firmware has resources 10 to 13.
    pub version_1_1: bool,
}

impl Update {
    /// The device was asked for state and result: what now?
    pub fn decide(&mut self, facts: Facts, turn: &mut Turn<'_>) {
        if self.ended || self.pausing {
            return;
        }
        let rebooted = std::mem::take(&mut self.rebooted);
        let overdue = std::mem::take(&mut self.overdue);
        if self.withdrawn && self.reached == Reached::Nothing {
            return self.fail("the update was withdrawn", turn);
        }
        let state = match self.device.state {
            Some(state) if facts.supported => state,
            _ => return self.give_up_unsupported(turn),
        };
        if self.withdrawn && self.reached < Reached::Executed {
            self.todo = Some(Step::Cancel);
            return;
        }
        let result = self.device.result;
        let fresh = result.filter(|result| self.stale_result != Some(*result));
        if self.reached == Reached::Nothing {
            return self.begin(state, facts, overdue, turn);
        }
        if let Some(result) = fresh.filter(|result| is_failure(self.kind, *result)) {
            return self.failed_with(result, turn);
        }
        if let Some(refusal) = self.refusal.take() {
            return self.fail(&refusal, turn);
        }
        match self.kind {
            UpdateKind::Firmware => self.firmware(state, fresh, rebooted, overdue, facts, turn),
            UpdateKind::Software => self.software(state, fresh, rebooted, overdue, facts, turn),
        }
    }

    fn give_up_unsupported(&mut self, turn: &mut Turn<'_>) {
        self.unsupported = true;
        let name = self.kind.name();
        let reason = format!("Client does not support {name} update or profile misconfiguration!");
        self.fail(&reason, turn);
    }

    /// The device has nothing of the package.
    fn begin(&mut self, state: u8, facts: Facts, overdue: bool, turn: &mut Turn<'_>) {
        if self.is_installed(state) {
            let kind = self.kind.name();
            turn.out.log(Severity::Info, || {
                format!("info: the device has this {kind} already")
            });
            return self.succeed(turn);
        }
        let result = self.device.result;
        if self.attempts == 1
            && let Some(result) = result.filter(|result| is_failure(self.kind, *result))
        {
            let kind = self.kind.name();
            turn.out.log(Severity::Warn, || {
                let text = result_in_words(self.kind, result);
                format!("Previous update {kind} failed. Result: {text}")
            });
        }
        self.advance_to(UpdateStatus::Initiated, turn);
        let first = match (self.kind, state) {
            (_, 0) => None,
            (UpdateKind::Firmware, 3) if overdue => {
                return self.fail("the device is busy installing something else", turn);
            }
            (UpdateKind::Firmware, 3) => return self.wait(facts.observed, turn),
            (UpdateKind::Software, 4) if self.was_reset => {
                let result = result.filter(|result| self.stale_result != Some(*result));
                return match result.filter(|result| is_failure(self.kind, *result)) {
                    Some(result) => self.failed_with(result, turn),
                    None if overdue => {
                        self.fail("the device did not uninstall what it has", turn);
                    }
                    None => self.wait(facts.observed, turn),
                };
            }
            _ if self.was_reset => None,
            (UpdateKind::Firmware, _) => Some(Step::Reset),
            (UpdateKind::Software, 4) => {
                let active = self.device.active == Some(true);
                let deactivate = active && self.target_says(|target| target.activate);
                Some(if deactivate {
                    Step::Deactivate
                } else {
                    Step::UninstallForUpdate
                })
            }
            (UpdateKind::Software, _) => Some(Step::Uninstall),
        };
        self.deadline = NEVER;
        self.stale_result = result.filter(|result| *result != 0);
        match first {
            Some(step) => self.todo = Some(step),
            None => self.prepare(None, facts, turn),
        }
    }

    /// Goes on with what comes after `done` before the transfer.
    pub fn prepare(&mut self, done: Option<Step>, facts: Facts, turn: &mut Turn<'_>) {
        let order = [Step::Severity, Step::MaxDefer, Step::Inform];
        let after = done.and_then(|done| order.iter().position(|step| *step == done));
        let firmware = self.kind == UpdateKind::Firmware && facts.version_1_1;
        let wanted = |step: &&Step| match step {
            Step::Severity => firmware && self.target_says(|target| target.severity.is_some()),
            Step::MaxDefer => firmware && self.target_says(|target| target.max_defer.is_some()),
            _ => self.target_says(|target| target.object_19_info && target.image().is_some()),
        };
        let rest = &order[after.map_or(0, |at| at + 1)..];
        match rest.iter().find(wanted) {
            Some(step) => self.todo = Some(*step),
            None => self.transfer(turn),
        }
    }

    /// Begins to give the device the package.
    fn transfer(&mut self, turn: &mut Turn<'_>) {
        let Some(assignment) = &self.assignment else {
            return;
        };
        let target = &assignment.target;
        let pushed = match target.strategy {
            Strategy::PushObject19 if self.kind == UpdateKind::Firmware => Strategy::PushObject19,
            _ => Strategy::Push,
        };
        let way = match (&target.source, self.device.delivery) {
            (Source::Url(_), _) | (_, Some(0)) => Strategy::Url,
            (_, Some(1)) => pushed,
            _ if target.strategy == Strategy::Url => Strategy::Url,
            _ => pushed,
        };
        let url = assignment.url();
        let too_long = url.as_ref().is_some_and(|url| url.len() > 255);
        let way = match (way, &url, self.device.delivery) {
            (Strategy::Url, None, Some(0)) => {
                let reason = "the device fetches packages itself, and no address is known that it \
                              could fetch this one from: the profile names none";
                return self.fail(reason, turn);
            }
            (Strategy::Url, None, _) => pushed,
            (Strategy::Url, Some(_), _) if too_long => {
                return self.fail("the URL of the package is longer than 255 bytes", turn);
            }
            (way, ..) => way,
        };
        if target.image().is_some_and(|image| image.is_empty()) {
            return self.fail("the package is empty", turn);
        }
        self.way = Some(way);
        self.reached = Reached::Sending;
        self.sent = 0;
        self.blocks = 0;
        self.seen = 0;
        self.refusal = None;
        self.begun = turn.now.tick;
        self.renew(turn);
        self.todo = Some(if way == Strategy::Url {
            Step::Url
        } else {
            Step::Push
        });
    }

    fn firmware(
        &mut self,
        state: u8,
        fresh: Option<u8>,
        rebooted: bool,
        overdue: bool,
        facts: Facts,
        turn: &mut Turn<'_>,
    ) {
        match (self.reached, state) {
            // A device that restarts resets its result (ThingsBoard does the same).
            (Reached::Executed, 0) => {
                let told = !self.uncertain || self.status == UpdateStatus::Updating;
                if fresh == Some(1) || told || self.is_installed(state) {
                    self.succeed(turn);
                } else {
                    self.interrupted("the device forgot the package before installing it", turn);
                }
            }
            (_, 3) => {
                self.reached = Reached::Executed;
                self.uncertain = false;
                self.enter(UpdateStatus::Updating, turn);
                self.stay(overdue, facts, turn);
            }
            (Reached::Executed, 2) if fresh == Some(11) => self.stay(overdue, facts, turn),
            (Reached::Executed, 2) if self.uncertain || rebooted => self.downloaded(turn),
            (Reached::Executed, _) if fresh == Some(1) => self.succeed(turn),
            (Reached::Sent, 2) => self.downloaded(turn),
            (Reached::Sent, 0) if fresh == Some(1) => self.succeed(turn),
            (Reached::Sending, 2) => {
                let detail = "the device says it has the package before it got all of it";
                self.interrupted(detail, turn);
            }
            (Reached::Sending | Reached::Sent, 0) if self.has_forgotten(rebooted) => {
                self.interrupted(forgotten(rebooted), turn);
            }
            (Reached::Sending, _) => self.go_on_sending(),
            _ => self.stay(overdue, facts, turn),
        }
    }

    fn software(
        &mut self,
        state: u8,
        fresh: Option<u8>,
        rebooted: bool,
        overdue: bool,
        facts: Facts,
        turn: &mut Turn<'_>,
    ) {
        match (self.reached, state) {
            (Reached::Installed, 4) if self.device.active == Some(true) => self.succeed(turn),
            (Reached::Installed, _) => self.stay(overdue, facts, turn),
            (_, 4) => self.installed(turn),
            (Reached::Executed, _) if fresh == Some(2) => self.installed(turn),
            (Reached::Executed, 3) if self.uncertain || rebooted => self.downloaded(turn),
            // It said that it was installed, and has gone on since.
            (Reached::Executed, 0) if self.seen & 1 << 4 != 0 || self.is_installed(4) => {
                self.installed(turn);
            }
            (Reached::Executed, 0) => {
                let detail = "the device went back to its initial state instead of installing";
                self.interrupted(detail, turn);
            }
            (Reached::Sent, 3) => {
                if fresh == Some(3) {
                    self.enter(UpdateStatus::Verified, turn);
                }
                self.downloaded(turn);
            }
            (Reached::Sending, 3) => {
                let detail = "the device says it has the package before it got all of it";
                self.interrupted(detail, turn);
            }
            (Reached::Sending | Reached::Sent, 0) if self.has_forgotten(rebooted) => {
                self.interrupted(forgotten(rebooted), turn);
            }
            (Reached::Sending, _) => self.go_on_sending(),
            _ => self.stay(overdue, facts, turn),
        }
    }

    /// Software is installed: that is all, or it is to be activated.
    pub fn installed(&mut self, turn: &mut Turn<'_>) {
        let activate = self.target_says(|target| target.activate);
        if !activate || self.withdrawn || self.device.active == Some(true) {
            return self.succeed(turn);
        }
        if self.reached != Reached::Installed {
            self.reached = Reached::Installed;
            self.renew(turn);
            self.enter(UpdateStatus::Updating, turn);
            self.todo = Some(Step::Activate);
        }
    }

    /// Whether a device in its initial state has been further than that in this attempt.
    fn has_forgotten(&self, rebooted: bool) -> bool {
        self.seen & !1 != 0 || (rebooted && self.bytes_done() > 0)
    }

    fn go_on_sending(&mut self) {
        self.todo = Some(match self.way {
            Some(Strategy::Url) => Step::Url,
            _ => Step::Push,
        });
    }

    /// Waits on, or gives up.
    fn stay(&mut self, overdue: bool, facts: Facts, turn: &mut Turn<'_>) {
        if !overdue {
            return self.wait(facts.observed, turn);
        }
        let timeouts = self.assignment.as_ref().map(|it| it.target.timeouts);
        let timeouts = timeouts.unwrap_or_default();
        let state = self.state_in_words();
        let reason = match self.reached {
            Reached::Sending | Reached::Sent => format!(
                "the download made no progress for {} s; the device's state is {state}",
                timeouts.download
            ),
            Reached::Installed => format!(
                "installed, but the device did not say within {} s that it is active",
                timeouts.install
            ),
            _ => format!(
                "the device did not report a result within {} s after the order to install; its \
                 state is {state}",
                timeouts.install
            ),
        };
        self.fail(&reason, turn);
    }

    /// Whether the device runs what it should: equal, not similar, names.
    pub fn is_installed(&self, state: u8) -> bool {
        let tag = self
            .assignment
            .as_ref()
            .and_then(|it| it.target.tag.as_deref());
        let id = format!("{}{}", self.title, self.version);
        if let Some(version) = self.device.device_version.as_deref() {
            if version == &*self.version || Some(version) == tag || version == id {
                return true;
            }
            if self.kind == UpdateKind::Firmware {
                return false;
            }
        }
        let (Some(name), Some(version)) = (&self.device.name, &self.device.version) else {
            return false;
        };
        let same = *name == self.title && *version == self.version;
        let tagged = tag.is_some_and(|tag| tag == format!("{name}{version}"));
        (same || tagged) && (self.kind == UpdateKind::Firmware || state == 4)
    }

    fn target_says(&self, what: impl Fn(&super::target::UpdateTarget) -> bool) -> bool {
        self.assignment.as_ref().is_some_and(|it| what(&it.target))
    }

    /// The device's state in words.
    pub fn state_in_words(&self) -> String {
        let state = self.device.state;
        let text = state.and_then(|state| super::results::state_text(self.kind, state));
        match (text, state) {
            (Some(text), _) => text.to_owned(),
            (None, Some(state)) => format!("{state}, which the object does not define"),
            (None, None) => "not known".to_owned(),
        }
    }
}

fn forgotten(rebooted: bool) -> &'static str {
    if rebooted {
        "the device restarted and has lost what it had of the package"
    } else {
        "the device has dropped what it had of the package"
    }
}
