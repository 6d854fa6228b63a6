//! What is asked of a device for its update, and what its answers lead to.

use std::sync::Arc;

use crate::proto::coap::block::BodyWriter;
use crate::proto::coap::content_format;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::operation::{
    AnswerError, ExecuteArguments, InstanceIds, Operation, WriteMode,
};
use crate::proto::lwm2m::{LwM2mVersion, Path, Record, Value};
use crate::proto::time::Tick;

use super::super::conversation::{Purpose, Task};
use super::super::core::{EndpointCore, Turn};
use super::super::exchange::{Body, block_size};
use super::super::journal::Severity;
use super::super::request::{DeviceOutcome, RequestError};
use super::UpdateJob;
use super::decide::Facts;
use super::state::{MAX_BLOCK_RESTARTS, MAX_UNANSWERED, Reached, Step, Update};
use super::status::UpdateStatus;
use super::target::{Strategy, UpdateKind, UpdateTarget};

/// Instances of object 19 for information about firmware and software.
const INFO_INSTANCES: [u16; 2] = [65_533, 65_534];

/// How long a device has to carry out what changes its state, before it is asked for it.
const SETTLE_MILLIS: u64 = 2_000;

/// How often storage is told how far a transfer is. Blocks that a device took since then it is sent
/// again after a restart, or the transfer begins anew.
const NOTE_MILLIS: u64 = 1_000;

/// A device that does not answer is tried again after this, longer each time.
const RETRY_MILLIS: u64 = 30_000;
const MAX_RETRY_MILLIS: u64 = 600_000;

/// A device that has left everything unanswered for so long is given up: a day.
const GONE_MILLIS: u64 = 86_400_000;

impl EndpointCore {
    /// Asks the device for what an update needs next.
    pub(in super::super) fn begin_update(
        &mut self,
        job: UpdateJob,
        task: Task,
        turn: &mut Turn<'_>,
    ) {
        let Some(links) = self.links().cloned() else {
            return;
        };
        let Some(update) = self.updates.get_mut(job.kind) else {
            return;
        };
        if job.epoch != update.epoch {
            update.asked = None;
            return;
        }
        if job.step == Step::Execute {
            update.executions += 1;
        }
        let name = &self.name;
        let operation = match job.step {
            Step::Push => None,
            Step::Inform => {
                let operation = update.inform(&links);
                if operation.is_none() {
                    let instance = INFO_INSTANCES[job.kind as usize];
                    turn.out.log(Severity::Warn, || format!("[{name}], Failed to send Info Ota to objectInstance [/19/{instance}]. The client does not have object 19."));
                    update.asked = None;
                    let facts = self.update_facts(job.kind, turn);
                    if let Some(update) = self.updates.get_mut(job.kind) {
                        update.prepare(Some(Step::Inform), facts, turn);
                    }
                    return self.advance_updates(turn);
                }
                operation
            }
            step => update.operation(step, &links),
        };
        match operation {
            Some(operation) => self.ask(Purpose::Task(task), operation, None, turn),
            None => self.push_block(job, task, &links, turn),
        }
    }

    /// Sends the next block of the image.
    fn push_block(&mut self, job: UpdateJob, task: Task, links: &ObjectLinks, turn: &mut Turn<'_>) {
        let Some(update) = self.updates.get_mut(job.kind) else {
            return;
        };
        let image = update.assignment.as_ref().and_then(|it| it.target.image());
        let Some(image) = image.map(Arc::clone) else {
            update.asked = None;
            return update.fail("the bytes of the package are not here", turn);
        };
        let path = update.package_path(links);
        // The image is not put into the operation: that would copy it.
        let empty = write(path, Value::Opaque(Box::default()));
        let szx = update.szx.min(block_size(turn.allowance));
        let (sent, first) = (update.sent, update.sent == 0);
        let upload = BodyWriter::resumed(Body::Image(image), szx, sent as usize);
        let built = self.build(&empty, Some(content_format::OPAQUE), turn);
        let (parts, upload) = match (built, upload) {
            (Ok((parts, _)), Ok(upload)) => (parts, upload),
            (Err(error), _) => return self.update_answered(job, Err(error), turn),
            (_, Err(error)) => return self.update_answered(job, Err(error.into()), turn),
        };
        let operation = Operation::Write {
            path,
            mode: WriteMode::Replace,
            records: Vec::new(),
        };
        if first {
            turn.out.log_request(&operation);
        }
        self.launch(Purpose::Task(task), operation, parts, upload, None, turn);
    }

    /// The device has taken a block and wants the next one.
    pub(in super::super) fn block_taken(
        &mut self,
        job: UpdateJob,
        upload: &BodyWriter<Body>,
        turn: &mut Turn<'_>,
    ) {
        let Some(update) = self.updates.get_mut(job.kind) else {
            return;
        };
        update.asked = None;
        if job.epoch != update.epoch {
            return;
        }
        let taken = upload.acknowledged() as u64;
        update.szx = upload.size_exponent();
        if taken <= update.sent {
            update.block_restarts += 1;
            update.sent = taken;
            if update.block_restarts > MAX_BLOCK_RESTARTS {
                let reason = "the device lost the blocks it had got again and again (4.08)";
                return update.fail(reason, turn);
            }
        } else {
            update.got(taken, turn);
            if turn.now.tick < update.noted.plus_millis(NOTE_MILLIS) {
                turn.out.fleeting = true;
            } else {
                update.noted = turn.now.tick;
            }
        }
        update.todo.get_or_insert(Step::Push);
    }

    /// How a question ended.
    pub(in super::super) fn update_answered(
        &mut self,
        job: UpdateJob,
        outcome: DeviceOutcome,
        turn: &mut Turn<'_>,
    ) {
        let facts = self.update_facts(job.kind, turn);
        let last_seen = self.last_seen;
        let has_version = self
            .links()
            .is_some_and(|links| links.announces(&device_version(job.kind)));
        let Some(update) = self.updates.get_mut(job.kind) else {
            return;
        };
        update.asked = None;
        if job.epoch != update.epoch {
            return;
        }
        let unanswered = matches!(outcome, Err(RequestError::Unanswered { .. }));
        if unanswered {
            return update.unanswered(job.step, facts, last_seen, turn);
        }
        update.unanswered = 0;
        let answer = match &outcome {
            Ok(_) => "answered",
            Err(_) => "refused",
        };
        update.note_exchange(format!("it {answer} {}", job.step.name()), turn);
        if update.ended {
            return;
        }
        let next = match outcome {
            Ok(_) => update.answered(job.step, facts, turn),
            Err(error) => update.refused(job.step, &error, facts, turn),
        };
        // A report of the same answer may have led further.
        let led_on = update.todo.is_some_and(|step| !step.is_read());
        if next == Next::Decide && !led_on {
            update.todo = None;
            if has_version && !std::mem::replace(&mut update.asked_version, true) {
                update.todo = Some(Step::ReadDevice);
            } else {
                update.decide(facts, turn);
            }
        }
    }

    /// What decisions about an update take.
    pub(super) fn update_facts(&self, kind: UpdateKind, turn: &Turn<'_>) -> Facts {
        let object = object(kind);
        let state = state_path(kind);
        let watched = watched(kind);
        let links = self.links();
        let steps = turn.plan.steps().iter().flat_map(|step| step.paths());
        let planned = steps.map(|planned| planned.path);
        let mapped = turn.plan.mappings().iter().map(|mapping| mapping.path);
        let mut mapped = planned.chain(mapped);
        let in_profile = mapped.any(|path| watched.iter().any(|one| one.starts_with(&path)));
        let mut observed = self.observations.iter();
        Facts {
            supported: in_profile && links.is_some_and(|links| links.announces(&state)),
            observed: observed.any(|(_, observed)| {
                let mut paths = observed.paths().iter();
                paths.any(|path| state.starts_with(path))
            }),
            version_1_1: links.is_some_and(|links| {
                let version = links.version_or_default(object);
                (version.major, version.minor) >= (1, 1)
            }),
        }
    }
}

/// What an answer leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// State and result are known: it is to be decided.
    Decide,
    /// It is clear already.
    Clear,
}

impl Update {
    fn answered(&mut self, step: Step, facts: Facts, turn: &mut Turn<'_>) -> Next {
        match step {
            Step::ReadObject | Step::ReadResult | Step::ReadDevice => return Next::Decide,
            Step::ReadState => self.ask_unless_led_on(Step::ReadResult),
            Step::Deactivate => self.todo = Some(Step::UninstallForUpdate),
            Step::UninstallForUpdate | Step::Uninstall | Step::Reset => {
                self.was_reset = true;
                self.settle(turn);
            }
            Step::Severity | Step::MaxDefer | Step::Inform => {
                self.prepare(Some(step), facts, turn);
            }
            Step::Push | Step::Url => {
                if step == Step::Push {
                    let all = self.bytes_total().unwrap_or(self.sent);
                    self.got(all, turn);
                }
                self.reached = self.reached.max(Reached::Sent);
                self.delivered(facts, turn);
            }
            Step::Execute => {
                self.uncertain = false;
                self.poll_millis = 0;
                self.wait(facts.observed, turn);
            }
            Step::Activate if self.device.active.is_none() => self.succeed(turn),
            Step::Activate => self.settle(turn),
            Step::Cancel => self.fail("the update was withdrawn", turn),
        }
        Next::Clear
    }

    /// The device has all it takes to download. It may have said so before it answered.
    fn delivered(&mut self, facts: Facts, turn: &mut Turn<'_>) {
        if self.reached != Reached::Sent || self.todo.is_some() {
            return;
        }
        self.renew(turn);
        let ready = match self.kind {
            UpdateKind::Firmware => 2,
            UpdateKind::Software => 3,
        };
        if self.device.state == Some(ready) {
            return self.downloaded(turn);
        }
        self.poll_millis = 0;
        self.wait(facts.observed, turn);
    }

    fn refused(
        &mut self,
        step: Step,
        error: &RequestError,
        facts: Facts,
        turn: &mut Turn<'_>,
    ) -> Next {
        match step {
            Step::ReadObject => {
                self.singly = true;
                self.ask_unless_led_on(Step::ReadState);
            }
            Step::ReadState | Step::ReadResult | Step::ReadDevice => return Next::Decide,
            Step::Deactivate => self.todo = Some(Step::UninstallForUpdate),
            Step::UninstallForUpdate => {
                let reason = format!(
                    "the device refused to uninstall what it has: {}",
                    words(error)
                );
                self.fail(&reason, turn);
            }
            Step::Uninstall | Step::Reset => {
                self.was_reset = true;
                self.todo = Some(self.read());
            }
            Step::Severity | Step::MaxDefer | Step::Inform => {
                self.prepare(Some(step), facts, turn);
            }
            Step::Push
                if self.way == Some(Strategy::PushObject19)
                    && self.sent == 0
                    && !self.whole_resource =>
            {
                self.whole_resource = true;
                self.todo = Some(Step::Push);
            }
            Step::Push | Step::Url => {
                let reason = format!("the device refused the package: {}", words(error));
                self.refusal = Some(reason.into());
                self.todo = Some(self.read());
            }
            Step::Execute => self.order_refused(&words(error), facts, turn),
            Step::Activate => {
                let reason = format!(
                    "installed, but the device refused to activate it: {}",
                    words(error)
                );
                self.fail(&reason, turn);
            }
            Step::Cancel => {
                let reason = format!(
                    "the update was withdrawn; the device refused to cancel it: {}",
                    words(error)
                );
                self.fail(&reason, turn);
            }
        }
        Next::Clear
    }

    /// The device did not answer: it is asked again, unless that has gone on for too long.
    fn unanswered(&mut self, step: Step, facts: Facts, last_seen: Tick, turn: &mut Turn<'_>) {
        let now = turn.now.tick;
        turn.out.changed = true;
        if self.ended {
            return;
        }
        // It installs, or it is away for another reason: the deadline counts.
        if step.is_read() && self.reached >= Reached::Sent {
            if now < self.deadline {
                return self.wait(facts.observed, turn);
            }
            let reason = format!(
                "the device does not answer since it {}",
                match self.reached {
                    Reached::Sent => "got the package",
                    _ => "was told to install",
                }
            );
            return self.fail(&reason, turn);
        }
        if self.unanswered == 0 {
            self.silent_since = now;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        let spoke = last_seen > self.silent_since;
        let silent = now.millis_since(self.silent_since);
        if (spoke && self.unanswered >= MAX_UNANSWERED) || silent > GONE_MILLIS {
            let reason = format!(
                "the device left {} unanswered {} times",
                step.name(),
                self.unanswered
            );
            return self.fail(&reason, turn);
        }
        let again = if step == Step::Execute {
            self.read()
        } else {
            step
        };
        self.todo.get_or_insert(again);
        let pause = RETRY_MILLIS << self.unanswered.min(5);
        self.wake = now.plus_millis(pause.min(MAX_RETRY_MILLIS));
    }

    /// The device has got so many bytes.
    fn got(&mut self, bytes: u64, turn: &mut Turn<'_>) {
        let more = bytes.saturating_sub(self.sent);
        turn.out.tally.updates.pushed[self.kind as usize] += more;
        let tenth = |bytes: u64| (bytes * 10).checked_div(self.bytes_total().unwrap_or(0));
        let (before, after) = (tenth(self.sent), tenth(bytes));
        self.sent = bytes;
        self.blocks += 1;
        self.unanswered = 0;
        self.grants = 0;
        self.renew(turn);
        self.exchanged = Some((turn.now.wall, "it took a block".into()));
        if (self.status as u8) < UpdateStatus::Downloading as u8
            || self.status == UpdateStatus::Failed
        {
            self.enter(UpdateStatus::Downloading, turn);
        } else if before != after {
            self.tell_progress(turn);
        }
    }

    /// The device carries something out: it is asked what came of it after a short time.
    fn settle(&mut self, turn: &Turn<'_>) {
        self.pausing = true;
        self.wake = turn.now.tick.plus_millis(SETTLE_MILLIS);
    }

    fn ask_unless_led_on(&mut self, step: Step) {
        if self.todo.is_none_or(Step::is_read) {
            self.todo = Some(step);
        }
    }

    /// The question for state and result.
    pub(super) fn read(&self) -> Step {
        if self.singly {
            Step::ReadState
        } else {
            Step::ReadObject
        }
    }

    /// Where the bytes of the package go.
    fn package_path(&self, links: &ObjectLinks) -> Path {
        let whole = self.whole_resource || links.lwm2m() == LwM2mVersion::V1_0;
        match (self.kind, self.way) {
            (UpdateKind::Firmware, Some(Strategy::PushObject19)) if whole => {
                Path::resource(19, 0, 0)
            }
            (UpdateKind::Firmware, Some(Strategy::PushObject19)) => {
                Path::resource_instance(19, 0, 0, 0)
            }
            (UpdateKind::Firmware, _) => Path::resource(5, 0, 0),
            (UpdateKind::Software, _) => Path::resource(9, 0, 2),
        }
    }

    /// The request of a step; `None` of one that is not made of values.
    fn operation(&self, step: Step, links: &ObjectLinks) -> Option<Operation> {
        let firmware = self.kind == UpdateKind::Firmware;
        let target = self.assignment.as_ref().map(|it| &*it.target);
        let read = |path| Operation::Read { path };
        Some(match step {
            Step::ReadObject => read(Path::instance(object(self.kind), 0)),
            Step::ReadState => read(state_path(self.kind)),
            Step::ReadResult if firmware => read(Path::resource(5, 0, 5)),
            Step::ReadResult => read(Path::resource(9, 0, 9)),
            Step::ReadDevice => read(device_version(self.kind)),
            Step::Deactivate => execute(Path::resource(9, 0, 11), ""),
            Step::UninstallForUpdate => execute(Path::resource(9, 0, 6), "1"),
            Step::Uninstall => execute(Path::resource(9, 0, 6), ""),
            Step::Reset => write(Path::resource(5, 0, 1), Value::String("".into())),
            Step::Severity => {
                let severity = target?.severity?;
                write(Path::resource(5, 0, 11), Value::Integer(severity.into()))
            }
            Step::MaxDefer => {
                let seconds = target?.max_defer?;
                write(Path::resource(5, 0, 13), Value::Unsigned(seconds.into()))
            }
            Step::Url => {
                let path = if firmware {
                    Path::resource(5, 0, 1)
                } else {
                    Path::resource(9, 0, 3)
                };
                write(path, Value::String(self.assignment.as_ref()?.url()?))
            }
            Step::Execute if firmware => execute(Path::resource(5, 0, 2), ""),
            Step::Execute => execute(Path::resource(9, 0, 4), ""),
            Step::Activate => execute(Path::resource(9, 0, 10), ""),
            Step::Cancel if firmware => {
                let version = links.version_or_default(5);
                if (version.major, version.minor) >= (1, 1) {
                    execute(Path::resource(5, 0, 10), "")
                } else {
                    write(Path::resource(5, 0, 1), Value::String("".into()))
                }
            }
            Step::Cancel => execute(Path::resource(9, 0, 6), ""),
            Step::Push | Step::Inform => return None,
        })
    }

    /// The information for object 19; `None` for a device without it.
    fn inform(&self, links: &ObjectLinks) -> Option<Operation> {
        let target = &self.assignment.as_ref()?.target;
        let instance = INFO_INSTANCES[self.kind as usize];
        links.object(19)?;
        let path = Path::resource(19, instance, 0);
        let record = Record {
            path: Path::resource_instance(19, instance, 0, 0),
            time: None,
            value: Some(Value::Opaque(information(target).into_bytes().into())),
        };
        if !links.instances(19).any(|known| known == instance) {
            return Some(Operation::Create {
                object: 19,
                ids: InstanceIds::Stated,
                records: vec![record],
            });
        }
        let path = if links.lwm2m() == LwM2mVersion::V1_0 {
            path
        } else {
            record.path
        };
        Some(Operation::Write {
            path,
            mode: WriteMode::Replace,
            records: vec![record],
        })
    }
}

/// What object 19 is told about a package: members in ThingsBoard's order.
fn information(target: &UpdateTarget) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let sha256 = target.image().map(|image| image.sha256());
    let checksum = target.checksum.as_deref().or(sha256.as_deref());
    let size = target.bytes().unwrap_or(0);
    format!(
        r#"{{"title":{},"version":{},"checksum":{},"dataSize":{size},"fileName":{}}}"#,
        text(&target.title),
        text(&target.version),
        text(checksum.unwrap_or_default()),
        text(target.file_name.as_deref().unwrap_or_default()),
    )
}

fn words(error: &RequestError) -> String {
    match error {
        RequestError::Answer(AnswerError::Refused { code, diagnostic }) => {
            let said = diagnostic.as_deref().unwrap_or_default();
            let colon = if said.is_empty() { "" } else { ": " };
            format!("{code} {}{colon}{said}", code.name())
        }
        error => error.to_string(),
    }
}

fn write(path: Path, value: Value) -> Operation {
    Operation::Write {
        path,
        mode: WriteMode::Replace,
        records: vec![Record {
            path,
            time: None,
            value: Some(value),
        }],
    }
}

fn execute(path: Path, arguments: &str) -> Operation {
    let arguments = arguments.parse().unwrap_or(ExecuteArguments::NONE);
    Operation::Execute { path, arguments }
}

fn object(kind: UpdateKind) -> u16 {
    match kind {
        UpdateKind::Firmware => 5,
        UpdateKind::Software => 9,
    }
}

/// Where the state is.
fn state_path(kind: UpdateKind) -> Path {
    match kind {
        UpdateKind::Firmware => Path::resource(5, 0, 3),
        UpdateKind::Software => Path::resource(9, 0, 7),
    }
}

fn device_version(kind: UpdateKind) -> Path {
    match kind {
        UpdateKind::Firmware => Path::resource(3, 0, 3),
        UpdateKind::Software => Path::resource(3, 0, 19),
    }
}

/// What a profile must map something of, for its devices to be updated: ThingsBoard's condition.
fn watched(kind: UpdateKind) -> [Path; 5] {
    let of = |object, resource| Path::resource(object, 0, resource);
    match kind {
        UpdateKind::Firmware => [of(5, 3), of(5, 5), of(5, 6), of(5, 7), of(3, 3)],
        UpdateKind::Software => [of(9, 7), of(9, 9), of(9, 0), of(9, 1), of(3, 19)],
    }
}
