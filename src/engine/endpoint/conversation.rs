//! What is to be asked of the device: one request at a time (NSTART 1, RFC 7252 §4.7), in order,
//! until nothing is left to ask.

use std::collections::VecDeque;

use crate::proto::coap::block::{BlockValue, BodyReader};
use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::operation::{NotificationAttributes, Operation};
use crate::proto::time::Tick;

use super::commands::Command;
use super::core::{EndpointCore, Turn};
use super::exchange::Request;
use super::flights::Flights;
use super::observations::Observed;
use super::snapshot::Pending;
use super::splitting::Part;
use super::steps;
use super::update::UpdateJob;

/// Timeouts after which a request of ours gives way to others until the device updates: a device
/// that never answers one request must not be kept from answering the rest.
pub(super) const MAX_ATTEMPTS: u8 = 3;

/// A device that always listens and did not answer is tried again after this, longer each time.
const RETRY_MILLIS: u64 = 60_000;
const MAX_RETRY_MILLIS: u64 = 600_000;

/// What is being asked and what is left to ask.
#[derive(Debug, Default)]
pub struct Conversation {
    pub(super) flights: Flights,
    jobs: VecDeque<Task>,
    pub(super) commands: VecDeque<Box<Command>>,
    /// Steps that were not answered in [`MAX_ATTEMPTS`]: each Update gives them one more.
    parked: Vec<StepRef>,
    /// Commands and jobs take turns, so that neither waits for the last of the other.
    command_had_turn: bool,
    /// When a device that did not answer is tried again, though it has not spoken.
    retry_at: Option<Tick>,
    /// How often that was so.
    silences: u8,
}

/// A request the engine makes of its own accord.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) job: Job,
    /// Timeouts so far.
    pub(super) attempts: u8,
    /// What is there of the answer already.
    pub(super) partial: Option<Partial>,
}

#[derive(Debug)]
pub(super) enum Job {
    /// A step of the profile.
    Step(StepRef),
    /// The rest of a notification of which the first blocks are there (RFC 7959 §2.6), or a value of
    /// what is observed that nobody wanted before.
    Remainder(Observed),
    /// Tells the device that an observation is over; it carries the observation's token.
    Cancel { observed: Observed, token: u16 },
    /// Takes attributes back that the profile does not set any more.
    Attributes {
        path: Path,
        attributes: NotificationAttributes,
    },
    /// Something of an update of firmware or software. What is left of it the update itself knows.
    Update(UpdateJob),
}

/// What is left to ask of a device of our own accord.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OwnWork {
    /// Nothing.
    None,
    /// Something that can be asked as soon as the device listens.
    Due,
    /// Only what the device left unanswered, until its next Update.
    Parked,
}

/// A step of the profile, or a part of a composite one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StepRef {
    /// Index in the profile.
    pub(super) index: u16,
    /// The paths that are asked for, when the device does not take the step as a whole.
    pub(super) part: Option<Part>,
}

/// A body of which the first blocks are there.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) reader: Box<BodyReader>,
    pub(super) next: BlockValue,
}

/// On whose behalf a request is made.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Ours.
    Task(Task),
    /// Somebody's.
    Command(Box<Command>),
}

impl Conversation {
    /// A conversation about steps of the profile; `None` when there are none.
    pub(super) fn of_steps(steps: impl IntoIterator<Item = StepRef>) -> Option<Box<Self>> {
        let jobs: VecDeque<_> = steps
            .into_iter()
            .map(|step| Task::new(Job::Step(step)))
            .collect();
        (!jobs.is_empty()).then(|| {
            Box::new(Self {
                jobs,
                ..Self::default()
            })
        })
    }

    /// Adds steps that are not waiting already.
    pub(super) fn join(&mut self, steps: impl IntoIterator<Item = StepRef>) {
        for step in steps {
            let same = |task: &Task| matches!(&task.job, Job::Step(known) if *known == step);
            let mut sent = self.flights.requests().filter_map(Request::task);
            if !sent.any(same) && !self.jobs.iter().any(same) {
                self.jobs.push_back(Task::new(Job::Step(step)));
            }
        }
    }

    /// Gives parked steps another attempt, after all others.
    pub(super) fn unpark(&mut self) {
        self.jobs.extend(self.parked.drain(..).map(|step| Task {
            attempts: MAX_ATTEMPTS - 1,
            ..Task::new(Job::Step(step))
        }));
    }

    /// Leaves a step alone until the device updates.
    pub(super) fn park(&mut self, step: StepRef) {
        self.parked.push(step);
    }

    /// Does something before everything else that waits.
    pub(super) fn push_front(&mut self, task: Task) {
        self.jobs.push_front(task);
    }

    /// Does something after everything else that waits.
    pub(super) fn push_back(&mut self, task: Task) {
        self.jobs.push_back(task);
    }

    /// Fetches the rest of a body next. A newer one of the same makes an older one worthless.
    pub(super) fn fetch(&mut self, observed: Observed, partial: Partial) {
        self.jobs
            .retain(|task| !matches!(&task.job, Job::Remainder(waiting) if *waiting == observed));
        self.push_front(Task {
            partial: Some(partial),
            ..Task::new(Job::Remainder(observed))
        });
    }

    /// Whether there is nothing to do before the device updates.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.jobs.is_empty() && self.commands.is_empty()
    }

    /// When something in it wants a timer.
    #[must_use]
    pub(super) fn deadline(&self) -> Tick {
        let waiting = self.commands.iter().map(|command| command.deadline);
        let asked = waiting.fold(self.flights.deadline(), Tick::min);
        self.retry_at.map_or(asked, |at| asked.min(at))
    }

    /// The device did not answer: what is left to ask is asked in a while all the same, since it may
    /// not speak by itself for as long as its registration lives.
    pub(super) fn retry_later(&mut self, now: Tick) {
        if self.has_jobs() && self.retry_at.is_none() {
            let pause = RETRY_MILLIS << self.silences.min(5);
            self.silences = self.silences.saturating_add(1);
            self.retry_at = Some(now.plus_millis(pause.min(MAX_RETRY_MILLIS)));
        }
    }

    /// Requests in flight and waiting.
    #[must_use]
    pub(super) fn pending(&self) -> usize {
        let waiting = self.jobs.len() + self.parked.len() + self.commands.len();
        waiting + self.flights.len()
    }

    /// Steps that are to be made.
    pub(super) fn pending_steps(&self) -> impl Iterator<Item = StepRef> {
        let sent = self.flights.requests().filter_map(Request::task);
        let steps = sent.chain(&self.jobs).filter_map(|task| match task.job {
            Job::Step(step) => Some(step),
            Job::Remainder(_) | Job::Cancel { .. } | Job::Attributes { .. } | Job::Update(_) => {
                None
            }
        });
        steps.chain(self.parked.iter().copied())
    }

    /// What is left to ask of our own accord, what is in flight first. Commands are not ours to keep.
    pub(super) fn pending_work(&self) -> Vec<Pending> {
        let in_flight = self.flights.requests().filter_map(Request::task);
        let jobs = in_flight.chain(&self.jobs);
        let jobs = jobs.filter_map(|task| match &task.job {
            Job::Step(step) => Some(Pending::Step(*step)),
            Job::Remainder(observed) => Some(Pending::Remainder(observed.clone())),
            Job::Cancel { observed, token } => Some(Pending::Cancel {
                observed: observed.clone(),
                token: *token,
            }),
            Job::Attributes { path, attributes } => Some(Pending::Attributes {
                path: *path,
                attributes: *attributes,
            }),
            Job::Update(_) => None,
        });
        jobs.chain(self.parked.iter().copied().map(Pending::Parked))
            .collect()
    }

    /// A conversation that goes on where it was; `None` when nothing is left.
    pub(super) fn resumed(pending: Vec<Pending>) -> Option<Box<Self>> {
        if pending.is_empty() {
            return None;
        }
        let mut resumed = Self::default();
        for pending in pending {
            let job = match pending {
                Pending::Step(step) => Job::Step(step),
                Pending::Parked(step) => {
                    resumed.parked.push(step);
                    continue;
                }
                Pending::Remainder(observed) => Job::Remainder(observed),
                Pending::Cancel { observed, token } => Job::Cancel { observed, token },
                Pending::Attributes { path, attributes } => Job::Attributes { path, attributes },
            };
            resumed.jobs.push_back(Task::new(job));
        }
        Some(Box::new(resumed))
    }

    /// Whether something of ours waits to be asked.
    pub(super) fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Values of what is observed to be read besides.
    pub(super) fn read_besides(&mut self, paths: impl IntoIterator<Item = Path>) {
        for path in paths {
            let job = Job::Remainder(Observed::Single(path));
            self.jobs.push_back(Task::new(job));
        }
    }

    /// Drops reads that wait and that nobody wants any more.
    pub(super) fn drop_reads(&mut self, wanted: impl Fn(&Path) -> bool) {
        self.jobs.retain(|task| match &task.job {
            Job::Remainder(Observed::Single(path)) => task.partial.is_some() || wanted(path),
            _ => true,
        });
    }

    /// How far it is with what the profile and the device itself cause.
    pub(super) fn own_work(&self) -> OwnWork {
        let in_flight = self
            .flights
            .requests()
            .any(|request| request.task().is_some());
        match (in_flight || !self.jobs.is_empty(), self.parked.is_empty()) {
            (true, _) => OwnWork::Due,
            (false, false) => OwnWork::Parked,
            (false, true) => OwnWork::None,
        }
    }

    /// Takes all steps out that are not in flight.
    pub(super) fn take_steps(&mut self) -> Vec<StepRef> {
        let mut steps = std::mem::take(&mut self.parked);
        self.jobs.retain(|task| match task.job {
            Job::Step(step) => {
                steps.push(step);
                false
            }
            Job::Remainder(_) | Job::Cancel { .. } | Job::Attributes { .. } | Job::Update(_) => {
                true
            }
        });
        steps
    }

    /// Whether something waits to be sent.
    fn has_next(&self) -> bool {
        !self.jobs.is_empty() || !self.commands.is_empty() || self.flights.is_resuming()
    }

    fn next(&mut self) -> Option<Purpose> {
        let urgent = self
            .jobs
            .front()
            .is_some_and(|task| !matches!(task.job, Job::Step(_) | Job::Update(_)));
        let jobs_turn = urgent || (self.command_had_turn && !self.jobs.is_empty());
        if !jobs_turn && let Some(command) = self.commands.pop_front() {
            self.command_had_turn = true;
            return Some(Purpose::Command(command));
        }
        self.command_had_turn = false;
        self.jobs.pop_front().map(Purpose::Task)
    }
}

impl Task {
    pub(super) const fn new(job: Job) -> Self {
        Self {
            job,
            attempts: 0,
            partial: None,
        }
    }
}

impl EndpointCore {
    /// A device that did not answer may be asked again by now.
    pub(super) fn retry_when_due(&mut self, now: Tick) {
        if let Some(conversation) = &mut self.conversation
            && conversation.retry_at.is_some_and(|at| at <= now)
        {
            conversation.retry_at = None;
            self.reachable |= self.always_listens();
        }
    }

    /// Starts the next request, if the device can be asked and none is outstanding.
    pub(super) fn proceed(&mut self, turn: &mut Turn<'_>) {
        loop {
            let may_ask = self.may_ask();
            let Some(conversation) = &mut self.conversation else {
                return;
            };
            if conversation.pending() == 0 {
                self.conversation = None;
                return;
            }
            if !may_ask || !conversation.has_next() || !conversation.flights.makes_way() {
                return;
            }
            if let Some(request) = conversation.flights.next_resumed() {
                self.transmit(request, turn);
                continue;
            }
            match conversation.next() {
                Some(Purpose::Task(task)) => self.begin_task(task, turn),
                Some(Purpose::Command(command)) => self.begin_command(command, turn),
                None => return,
            }
        }
    }

    fn begin_task(&mut self, mut task: Task, turn: &mut Turn<'_>) {
        // What the device did not take once is asked in parts from the start.
        if let Job::Step(step) = task.job
            && self.ask_in_parts(step, turn)
        {
            return;
        }
        let Some(registration) = &self.registration else {
            return;
        };
        let operation = match &task.job {
            Job::Update(job) => return self.begin_update(*job, task, turn),
            Job::Step(step) => steps::operation(turn.plan, *step, &registration.links),
            Job::Remainder(observed) => Some(match observed {
                Observed::Single(path) => Operation::Read { path: *path },
                Observed::Composite(paths) => Operation::ReadComposite {
                    paths: paths.to_vec(),
                },
            }),
            Job::Attributes { path, attributes } => Some(Operation::WriteAttributes {
                path: *path,
                attributes: *attributes,
            }),
            Job::Cancel { observed, .. } => Some(match observed {
                Observed::Single(path) => Operation::CancelObservation { path: *path },
                Observed::Composite(paths) => Operation::CancelObservationComposite {
                    paths: paths.to_vec(),
                },
            }),
        };
        // The device may have announced other objects since the step was planned.
        if let Some(operation) = operation {
            let partial = task.partial.take();
            self.ask(Purpose::Task(task), operation, partial, turn);
        }
    }
}
