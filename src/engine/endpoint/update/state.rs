//! One update of one device: where it stands, and the transitions both kinds share.

use crate::proto::time::{NEVER, Tick, UnixMillis};

use super::super::core::Turn;
use super::super::journal::Severity;
use super::results::{is_retried, result_in_words};
use super::status::UpdateStatus;
use super::target::{Assignment, Strategy, UpdateKind};

/// Further attempts after results that another attempt may help against.
pub const MAX_RETRIES: u8 = 3;

/// How often an update begins again because the device forgot what it had: reboots, lost power.
pub const MAX_INTERRUPTIONS: u8 = 10;

/// Requests in a row that the device leaves unanswered, each sent as often as CoAP allows.
pub const MAX_UNANSWERED: u8 = 8;

/// How often the device is told to install what it has downloaded, counted over its reboots.
pub const MAX_EXECUTIONS: u8 = 5;

/// How often a device that comes back is given its time anew without progress.
const MAX_GRANTS: u8 = 50;

/// Times a transfer begins again at its first block because the device lost the others (4.08).
pub(super) const MAX_BLOCK_RESTARTS: u8 = 8;

/// Pause before another attempt: the device first goes back to its initial state.
const RETRY_PAUSE_MILLIS: u64 = 2_000;

/// How often a device is asked that notifies of its state anyway.
const POLL_OBSERVED_MILLIS: u64 = 60_000;

/// How often a device is asked that does not, at first and in the long run.
const POLL_MILLIS: (u64, u64) = (5_000, 60_000);

/// How long a user may put an installation off when the target does not say, in seconds.
const MAX_DEFER: u64 = 86_400;

/// What the device is asked next, or is being asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Step {
    /// Read `/5/0` or `/9/0`.
    ReadObject,
    /// Read the state alone: the device does not give the whole instance.
    ReadState,
    /// Read the result alone.
    ReadResult,
    /// Read the version in object 3.
    ReadDevice,
    /// Execute `/9/0/11`.
    Deactivate,
    /// Execute `/9/0/6` with argument 1.
    UninstallForUpdate,
    /// Execute `/9/0/6`: removes a package that is none of ours.
    Uninstall,
    /// Write nothing to `/5/0/1`: the device forgets a package that is none of ours.
    Reset,
    /// Write `/5/0/11`.
    Severity,
    /// Write `/5/0/13`.
    MaxDefer,
    /// Tell object 19 about the package.
    Inform,
    /// Write the next block of the image.
    Push,
    /// Write where the image is.
    Url,
    /// Execute `/5/0/2` or `/9/0/4`.
    Execute,
    /// Execute `/9/0/10`.
    Activate,
    /// Execute `/5/0/10`, or what comes near it.
    Cancel,
}

impl Step {
    pub(super) const fn is_read(self) -> bool {
        matches!(
            self,
            Self::ReadObject | Self::ReadState | Self::ReadResult | Self::ReadDevice
        )
    }

    /// In words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ReadObject | Self::ReadState | Self::ReadResult => "the question for its state",
            Self::ReadDevice => "the question for its version",
            Self::Deactivate => "the order to deactivate",
            Self::UninstallForUpdate | Self::Uninstall => "the order to uninstall",
            Self::Reset => "the order to forget an earlier package",
            Self::Severity => "the severity",
            Self::MaxDefer => "the maximum defer period",
            Self::Inform => "the information for object 19",
            Self::Push => "a block of the package",
            Self::Url => "the URL of the package",
            Self::Execute => "the order to install",
            Self::Activate => "the order to activate",
            Self::Cancel => "the order to cancel",
        }
    }
}

/// How far an attempt got. What follows from a state of the device depends on it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Reached {
    /// The device has nothing of the package.
    Nothing,
    /// It is getting it.
    Sending,
    /// It has all bytes or the URL; it has not said that it downloaded.
    Sent,
    /// It was told to install.
    Executed,
    /// Software: installed, to be activated.
    Installed,
}

/// What the device reported last.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Reported {
    pub state: Option<u8>,
    pub result: Option<u8>,
    pub name: Option<Box<str>>,
    pub version: Option<Box<str>>,
    /// Of object 3.
    pub device_version: Option<Box<str>>,
    /// Firmware: 0 pull, 1 push, 2 both.
    pub delivery: Option<u8>,
    /// Software: whether it is active.
    pub active: Option<bool>,
    /// Firmware: when its state changed last, by its own clock.
    pub changed_at: Option<UnixMillis>,
}

/// One update of one device.
#[derive(Clone, Debug)]
pub(in super::super) struct Update {
    pub kind: UpdateKind,
    pub package: Box<str>,
    pub title: Box<str>,
    pub version: Box<str>,
    /// `None` after a restart, until it is assigned again.
    pub assignment: Option<Assignment>,
    /// Assigned while this one cannot be stopped any more.
    pub successor: Option<Box<Assignment>>,
    pub status: UpdateStatus,
    /// When it was assigned.
    pub queued_at: UnixMillis,
    pub since: UnixMillis,
    pub ended: bool,
    pub withdrawn: bool,
    /// Ended because the device lacks what it takes: looked at again when it registers.
    pub unsupported: bool,
    pub reason: Option<Box<str>>,
    pub reached: Reached,
    pub device: Reported,
    /// The result the device had before the attempt: not about it, until another one was seen.
    pub stale_result: Option<u8>,
    /// States seen in this attempt, one bit each.
    pub seen: u8,
    /// What is to be asked next.
    pub todo: Option<Step>,
    /// What is waiting to be asked or in flight.
    pub asked: Option<Step>,
    /// Distinguishes attempts: an answer to a question of an earlier one means nothing.
    pub epoch: u8,
    pub way: Option<Strategy>,
    /// Object 19 does not take its data as a Resource Instance.
    pub whole_resource: bool,
    /// The device does not give its instance as a whole.
    pub singly: bool,
    /// Bytes the device has acknowledged.
    pub sent: u64,
    /// Size exponent of blocks.
    pub szx: u8,
    pub blocks: u32,
    pub block_restarts: u8,
    /// When the transfer began.
    pub begun: Tick,
    /// Blocks fetched from here when last looked at.
    pub fetched: u64,
    /// The order to install may not have arrived.
    pub uncertain: bool,
    /// The device registered since it was last asked.
    pub rebooted: bool,
    /// It was told to forget another package.
    pub was_reset: bool,
    pub deferred: bool,
    /// What the device said when it refused the package.
    pub refusal: Option<Box<str>>,
    /// It refused to install.
    pub order_refused: bool,
    pub attempts: u32,
    pub retries: u8,
    pub interruptions: u8,
    pub unanswered: u8,
    /// Times the device came back since it showed progress.
    pub grants: u8,
    /// Since when requests have been left unanswered.
    pub silent_since: Tick,
    /// When storage was told last how far the transfer is.
    pub noted: Tick,
    /// The version in object 3 was asked for.
    pub asked_version: bool,
    pub executions: u8,
    /// An attempt that failed is followed by a pause.
    pub pausing: bool,
    pub overdue: bool,
    /// When to look at it though nothing arrives.
    pub wake: Tick,
    /// When it is given up.
    pub deadline: Tick,
    pub poll_millis: u64,
    pub exchanged: Option<(UnixMillis, Box<str>)>,
}

impl Update {
    /// An update that begins.
    pub fn new(assignment: Assignment, now: UnixMillis) -> Self {
        let target = &assignment.target;
        let kept = Self::kept(target.kind, &target.package, &target.title, &target.version);
        Self {
            assignment: Some(assignment),
            queued_at: now,
            since: now,
            ..kept
        }
    }

    /// One without what it is about, as after a restart.
    pub fn kept(kind: UpdateKind, package: &str, title: &str, version: &str) -> Self {
        Self {
            kind,
            package: package.into(),
            title: title.into(),
            version: version.into(),
            assignment: None,
            successor: None,
            status: UpdateStatus::Queued,
            queued_at: 0,
            since: 0,
            ended: false,
            withdrawn: false,
            unsupported: false,
            reason: None,
            reached: Reached::Nothing,
            device: Reported::default(),
            stale_result: None,
            seen: 0,
            todo: Some(Step::ReadObject),
            asked: None,
            epoch: 0,
            way: None,
            whole_resource: false,
            singly: false,
            sent: 0,
            szx: 6,
            blocks: 0,
            block_restarts: 0,
            begun: Tick::ZERO,
            fetched: 0,
            uncertain: false,
            rebooted: false,
            was_reset: false,
            deferred: false,
            refusal: None,
            order_refused: false,
            attempts: 1,
            retries: 0,
            interruptions: 0,
            unanswered: 0,
            grants: 0,
            silent_since: Tick::ZERO,
            noted: Tick::ZERO,
            asked_version: false,
            executions: 0,
            pausing: false,
            overdue: false,
            wake: NEVER,
            deadline: NEVER,
            poll_millis: 0,
            exchanged: None,
        }
    }

    /// Bytes the device has, pushed or fetched.
    pub fn bytes_done(&self) -> u64 {
        let fetched = self
            .assignment
            .as_ref()
            .map_or(0, |it| it.fetched.reached());
        match self.way {
            Some(Strategy::Url) => fetched,
            _ => self.sent,
        }
    }

    /// Bytes of the package, where known.
    pub fn bytes_total(&self) -> Option<u64> {
        self.assignment.as_ref()?.target.bytes()
    }

    /// What the device runs, as far as it told: title and version.
    pub fn current(&self) -> (Option<Box<str>>, Option<Box<str>>) {
        if self.status == UpdateStatus::Updated {
            return (Some(self.title.clone()), Some(self.version.clone()));
        }
        let known = &self.device;
        let (first, second) = match self.kind {
            UpdateKind::Firmware => (&known.device_version, &known.version),
            UpdateKind::Software => (&known.version, &known.device_version),
        };
        (
            known.name.clone(),
            first.as_ref().or(second.as_ref()).cloned(),
        )
    }

    /// Whether it has the image or the URL it is about.
    pub fn is_supplied(&self) -> bool {
        self.assignment.is_some()
    }

    /// Enters a status and tells of it.
    pub fn enter(&mut self, status: UpdateStatus, turn: &mut Turn<'_>) {
        if self.status != status {
            self.status = status;
            self.since = turn.now.wall;
            turn.out.log(Severity::Info, || {
                format!("Firmware Update State: {}", status.name())
            });
            self.tell_entered(turn);
        }
    }

    /// Enters a status that belongs before others: a late report does not lead back.
    pub fn advance_to(&mut self, status: UpdateStatus, turn: &mut Turn<'_>) {
        if (self.status as u8) < status as u8 || self.status == UpdateStatus::Failed {
            self.enter(status, turn);
        }
    }

    /// It is over, well.
    pub fn succeed(&mut self, turn: &mut Turn<'_>) {
        self.end();
        self.reason = None;
        turn.out.tally.updates.ends[self.kind as usize][0] += 1;
        self.enter(UpdateStatus::Updated, turn);
    }

    /// It is over, and did not work.
    pub fn fail(&mut self, reason: &str, turn: &mut Turn<'_>) {
        self.end();
        turn.out.tally.updates.ends[self.kind as usize][1] += 1;
        self.failed(reason, turn);
    }

    fn end(&mut self) {
        self.ended = true;
        self.todo = None;
        self.pausing = false;
        self.overdue = false;
        self.wake = NEVER;
        self.deadline = NEVER;
    }

    fn failed(&mut self, reason: &str, turn: &mut Turn<'_>) {
        self.reason = Some(reason.into());
        turn.out.changed = true;
        let kind = self.kind;
        turn.out.log(Severity::Error, || {
            let name = match kind {
                UpdateKind::Firmware => "Firmware",
                UpdateKind::Software => "Software",
            };
            format!("{name} update failed: {reason}")
        });
        if self.status == UpdateStatus::Failed {
            // The reason is another one.
            return self.tell_entered(turn);
        }
        self.enter(UpdateStatus::Failed, turn);
    }

    /// The device reported a result that says it did not work.
    pub fn failed_with(&mut self, result: u8, turn: &mut Turn<'_>) {
        let mut reason = result_in_words(self.kind, result);
        if let Some(refusal) = self.refusal.take() {
            reason = format!("{reason} ({refusal})");
        }
        if self.withdrawn || !is_retried(self.kind, result) {
            return self.fail(&reason, turn);
        }
        if self.retries == MAX_RETRIES {
            let reason = format!("{reason}; tried {} times", self.retries + 1);
            return self.fail(&reason, turn);
        }
        self.retries += 1;
        turn.out.tally.updates.again[self.kind as usize] += 1;
        let reason = format!("{reason}; tried again");
        self.begin_again();
        self.pausing = true;
        self.wake = turn.now.tick.plus_millis(RETRY_PAUSE_MILLIS);
        self.failed(&reason, turn);
    }

    /// The device forgot what it had: it begins again at the first byte.
    pub fn interrupted(&mut self, what: &str, turn: &mut Turn<'_>) {
        if self.withdrawn {
            return self.fail("the update was withdrawn", turn);
        }
        if self.interruptions == MAX_INTERRUPTIONS {
            let reason = format!("{what}; given up after {} times", self.interruptions + 1);
            return self.fail(&reason, turn);
        }
        self.interruptions += 1;
        turn.out.tally.updates.again[self.kind as usize] += 1;
        self.reason = Some(format!("{what}; begun again").into());
        turn.out.log(Severity::Warn, || {
            format!("warn: {what}: the update begins again")
        });
        self.begin_again();
        self.pausing = true;
        self.wake = turn.now.tick.plus_millis(RETRY_PAUSE_MILLIS);
        self.tell(turn);
    }

    fn begin_again(&mut self) {
        self.reached = Reached::Nothing;
        self.epoch = self.epoch.wrapping_add(1);
        self.attempts += 1;
        self.todo = None;
        self.sent = 0;
        self.block_restarts = 0;
        self.seen = 0;
        self.uncertain = false;
        self.deferred = false;
        self.was_reset = false;
        self.overdue = false;
        self.order_refused = false;
        self.executions = 0;
        self.deadline = NEVER;
    }

    /// The device has the package: it is told to install it, once.
    pub fn downloaded(&mut self, turn: &mut Turn<'_>) {
        self.enter(UpdateStatus::Downloaded, turn);
        if self.withdrawn {
            self.todo = Some(Step::Cancel);
            return;
        }
        if self.executions == MAX_EXECUTIONS {
            let reason = "the device was told to install five times and did not";
            return self.fail(reason, turn);
        }
        self.reached = Reached::Executed;
        self.uncertain = true;
        self.todo = Some(Step::Execute);
        self.renew(turn);
    }

    /// Nothing is to be asked: it looks again after a while, unless the device reports before.
    pub fn wait(&mut self, observed: bool, turn: &Turn<'_>) {
        let now = turn.now.tick;
        if self.deadline == NEVER {
            self.renew(turn);
        }
        self.poll_millis = if observed {
            POLL_OBSERVED_MILLIS
        } else {
            (self.poll_millis * 3 / 2).clamp(POLL_MILLIS.0, POLL_MILLIS.1)
        };
        self.wake = now.plus_millis(self.poll_millis).min(self.deadline);
    }

    /// The device showed progress: its time begins anew.
    pub fn renew(&mut self, turn: &Turn<'_>) {
        let timeouts = self.assignment.as_ref().map(|it| it.target.timeouts);
        let timeouts = timeouts.unwrap_or_default();
        let mut seconds = u64::from(match self.reached {
            Reached::Sending | Reached::Sent => timeouts.download,
            Reached::Nothing | Reached::Executed | Reached::Installed => timeouts.install,
        });
        if self.deferred {
            let target = self.assignment.as_ref();
            let defer = target.and_then(|it| it.target.max_defer);
            seconds += defer.map_or(MAX_DEFER, u64::from);
        }
        self.deadline = turn.now.tick.plus_millis(seconds * 1_000);
        self.overdue = false;
        self.wake = self.wake.min(self.deadline);
    }

    /// The device is there again: what it had no time for while it was away it has time for now. Not
    /// for ever: one that comes again and again and gets no further is given up.
    pub fn grant_time(&mut self, turn: &Turn<'_>) {
        if self.deadline != NEVER && self.grants < MAX_GRANTS {
            self.grants += 1;
            self.renew(turn);
        }
    }

    /// Something of the device arrived.
    pub fn note_exchange(&mut self, what: impl Into<Box<str>>, turn: &Turn<'_>) {
        self.exchanged = Some((turn.now.wall, what.into()));
    }

    /// The connection to the device is new: it is asked what it has before anything else.
    pub fn look_again(&mut self) {
        self.asked = None;
        if !self.ended {
            self.epoch = self.epoch.wrapping_add(1);
            self.pausing = false;
            self.unanswered = 0;
            self.todo = Some(Step::ReadObject);
            self.wake = NEVER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_takes_less_than_a_kilobyte_besides_the_message_in_flight() {
        assert!(size_of::<Update>() <= 640, "{}", size_of::<Update>());
    }
}
