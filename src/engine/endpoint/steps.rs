//! What a profile wants of one device after Register, and what follows when the device does not
//! comply.

use std::sync::Arc;

use crate::proto::lwm2m::Path;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::operation::{AnswerError, NotificationAttributes, Operation};

use super::conversation::{Conversation, Job, MAX_ATTEMPTS, StepRef, Task};
use super::core::{EndpointCore, Turn};
use super::observations::Observed;
use super::outputs::DropReason;
use super::plan::ProfilePlan;
use super::profile_parts::{PlannedPath, PlannedStep};
use super::request::RequestError;

/// The operation of a step for a device that registered with `links`; `None` when the device has
/// nothing of it.
pub(super) fn operation(
    plan: &ProfilePlan,
    step: StepRef,
    links: &ObjectLinks,
) -> Option<Operation> {
    let planned = plan.steps().get(usize::from(step.index))?;
    let attributes = NotificationAttributes::default;
    if let Some(part) = step.part {
        let paths = planned.paths().get(part.range())?.iter();
        let paths: Vec<_> = paths
            .filter(|path| applies(plan, path, links))
            .map(|path| path.path)
            .collect();
        let observes = matches!(planned, PlannedStep::ObserveComposite(_));
        let attributes = attributes();
        return Some(match (observes, &paths[..]) {
            (_, []) => return None,
            (true, [path]) => Operation::Observe {
                path: *path,
                attributes,
            },
            (false, [path]) => Operation::Read { path: *path },
            (true, _) => Operation::ObserveComposite { paths, attributes },
            (false, _) => Operation::ReadComposite { paths },
        });
    }
    let single = |planned: &PlannedPath| applies(plan, planned, links).then_some(planned.path);
    let several = || {
        let paths: Vec<_> = planned.paths().iter().filter_map(single).collect();
        (!paths.is_empty()).then_some(paths)
    };
    Some(match planned {
        PlannedStep::WriteAttributes(path, attributes) => Operation::WriteAttributes {
            path: single(path)?,
            attributes: *attributes,
        },
        PlannedStep::Observe(path) => Operation::Observe {
            path: single(path)?,
            attributes: attributes(),
        },
        PlannedStep::Read(path) => Operation::Read {
            path: single(path)?,
        },
        PlannedStep::ObserveComposite(_) => Operation::ObserveComposite {
            paths: several()?,
            attributes: attributes(),
        },
        PlannedStep::ReadComposite(_) => Operation::ReadComposite { paths: several()? },
    })
}

/// The steps of a profile that concern a device and that `wanted` selects.
pub(super) fn due(
    plan: &ProfilePlan,
    links: &ObjectLinks,
    wanted: impl Fn(&PlannedStep) -> bool,
) -> Vec<StepRef> {
    let steps = plan.steps().iter().enumerate();
    let concerned = steps.filter(|(_, step)| {
        wanted(step) && step.paths().iter().any(|path| applies(plan, path, links))
    });
    concerned
        .map(|(index, _)| StepRef {
            index: index as u16,
            part: None,
        })
        .collect()
}

pub(super) fn applies(plan: &ProfilePlan, planned: &PlannedPath, links: &ObjectLinks) -> bool {
    links.announces(&planned.path) && plan.means_version(links, &planned.path, planned.version)
}

/// What an operation asks the device to observe.
pub(super) fn observed(operation: &Operation) -> Option<Observed> {
    match operation {
        Operation::Observe { path, .. } => Some(Observed::Single(*path)),
        Operation::ObserveComposite { paths, .. } => {
            Some(Observed::Composite(paths.as_slice().into()))
        }
        _ => None,
    }
}

impl EndpointCore {
    /// After a wake-up attributes are read again; for newly announced objects the whole plan is due.
    pub(super) fn catch_up(
        &mut self,
        woke: bool,
        before: Option<&ObjectLinks>,
        turn: &mut Turn<'_>,
    ) {
        let Some(registration) = &self.registration else {
            return;
        };
        let links = Arc::clone(&registration.links);
        let plan = turn.plan;
        let new = |path: &PlannedPath| before.is_some_and(|before| !applies(plan, path, before));
        let mut steps = due(plan, &links, |step| {
            let attribute = matches!(step, PlannedStep::Read(_) | PlannedStep::ReadComposite(_));
            step.paths().iter().any(new) || ((woke || before.is_some()) && attribute)
        });
        if let Some(before) = before {
            steps.extend(self.drop_changed_composites(before, &links, turn));
            self.drop_unannounced(&links, turn);
            self.report_unannounced(&links, turn);
        }
        steps.sort_unstable_by_key(|step| step.index);
        steps.dedup();
        match &mut self.conversation {
            Some(running) => running.join(steps),
            idle => *idle = Conversation::of_steps(steps),
        }
    }

    /// Composite observations of the profile that would ask for other paths now end; they are made
    /// anew.
    fn drop_changed_composites(
        &mut self,
        before: &ObjectLinks,
        now: &ObjectLinks,
        turn: &mut Turn<'_>,
    ) -> Vec<StepRef> {
        let mut again = Vec::new();
        let plan = turn.plan;
        for (index, step) in plan.steps().iter().enumerate() {
            if !matches!(step, PlannedStep::ObserveComposite(_)) {
                continue;
            }
            let step = StepRef {
                index: index as u16,
                part: None,
            };
            let (old, new) = (operation(plan, step, before), operation(plan, step, now));
            if old == new {
                continue;
            }
            let known = old.as_ref().and_then(observed);
            let token = known.and_then(|known| self.observations.token_of(&known));
            if let Some(token) = token {
                self.cancel_observation(token, turn);
                again.extend(new.map(|_| step));
            } else if self.composite_limits().observe.is_some() {
                // It is asked in parts: those that stay the same are left alone.
                again.extend(new.map(|_| step));
            }
        }
        again
    }

    /// What is announced no more is observed no more.
    fn drop_unannounced(&mut self, links: &ObjectLinks, turn: &mut Turn<'_>) {
        let gone: Vec<_> = self
            .observations
            .iter()
            .filter(|(_, target)| !target.paths().iter().any(|path| links.announces(path)))
            .map(|(observation, _)| observation.token)
            .collect();
        for token in gone {
            // A late notification is reset.
            if let Some(target) = self.observations.remove(token) {
                turn.out.tally.observations[target.kind() as usize] -= 1;
            }
        }
    }

    /// Ends an observation here and on the device.
    pub(super) fn cancel_observation(&mut self, token: u16, turn: &mut Turn<'_>) {
        if let Some(observed) = self.observations.remove(token) {
            turn.out.tally.observations[observed.kind() as usize] -= 1;
            self.tell_cancelled(observed, token);
        }
    }

    /// Notes what the profile wants and the device did not announce.
    pub(super) fn report_unannounced(&mut self, links: &ObjectLinks, turn: &mut Turn<'_>) {
        self.problems.clear("not_announced");
        self.problems.clear("other_version");
        let plan = turn.plan;
        for planned in plan.steps().iter().flat_map(PlannedStep::paths) {
            if applies(plan, planned, links) {
                continue;
            }
            let announced = links.announces(&planned.path);
            turn.out.tally.not_announced += 1;
            let (reason, detail) = match (announced, planned.version) {
                (true, Some(version)) => (
                    "other_version",
                    format!("the profile maps version {version}, the device has another"),
                ),
                (true, None) => (
                    "other_version",
                    "the profile maps the version called like that of LwM2M, the device has another"
                        .to_owned(),
                ),
                (false, _) => (
                    "not_announced",
                    "the profile maps this resource, the device did not announce it".to_owned(),
                ),
            };
            let path = Some(planned.path);
            self.problems
                .note(turn.now.wall, reason, path, detail, turn.out);
        }
    }

    /// A request of ours did not succeed: it is noted, and asked again where that may help.
    pub(super) fn task_failed(
        &mut self,
        task: Task,
        operation: &Operation,
        error: RequestError,
        turn: &mut Turn<'_>,
    ) {
        // That an observation is over the device learns by the reset of its next notification.
        if matches!(task.job, Job::Cancel { .. }) {
            return;
        }
        let name = operation.name();
        let path = operation.asked_paths().first().copied();
        if let RequestError::Unanswered { acknowledged } = error {
            return self.try_again(task, name, path, acknowledged, turn);
        }
        let (reason, detail) = match &error {
            RequestError::Answer(AnswerError::Refused { code, diagnostic }) => {
                let said = diagnostic.as_deref().unwrap_or_default();
                let colon = if said.is_empty() { "" } else { ": " };
                let detail = format!("{name} answered {code} {}{colon}{said}", code.name());
                ("request_refused", detail)
            }
            RequestError::Answer(error) => {
                let reason = match error {
                    AnswerError::UnexpectedFormat { .. } => DropReason::UnsupportedFormat,
                    _ => DropReason::Undecodable,
                };
                turn.out.tally.dropped[reason as usize] += 1;
                (reason.discriminant(), error.to_string())
            }
            RequestError::Reset => (
                "request_reset",
                "the device answered the request with a Reset".to_owned(),
            ),
            RequestError::AnswerBlocks(blocks) => {
                turn.out.tally.dropped[DropReason::Undecodable as usize] += 1;
                (blocks.discriminant(), error.to_string())
            }
            _ => (error.discriminant(), format!("{name}: {error}")),
        };
        self.problems
            .note(turn.now.wall, reason, path, detail, turn.out);
        if let Job::Step(step) = task.job {
            self.split(step, &error, turn);
        }
    }

    /// No answer in time: it is asked again a few times, at once when the device acknowledged and else
    /// after its next message, or before that where it always listens; then it waits for the device's
    /// next Update.
    fn try_again(
        &mut self,
        task: Task,
        name: &str,
        path: Option<Path>,
        acknowledged: bool,
        turn: &mut Turn<'_>,
    ) {
        let attempts = task.attempts + 1;
        let what = if acknowledged {
            "acknowledged, but not answered"
        } else {
            "not answered"
        };
        let next = match (attempts < MAX_ATTEMPTS, acknowledged) {
            (true, true) => "tried again",
            (true, false) if self.always_listens() => "tried again later",
            (true, false) => "tried again when the device speaks",
            (false, _) => "tried again when the device updates",
        };
        let detail = format!("{name} {what} in time; {next}");
        self.problems
            .note(turn.now.wall, "request_timeout", path, detail, turn.out);
        let conversation = self.conversation.get_or_insert_default();
        if attempts < MAX_ATTEMPTS {
            conversation.push_front(Task { attempts, ..task });
        } else if let Job::Step(step) = task.job {
            conversation.park(step);
        }
    }
}

impl PlannedStep {
    /// The paths it is about.
    #[must_use]
    pub fn paths(&self) -> &[PlannedPath] {
        match self {
            Self::WriteAttributes(path, _) | Self::Observe(path) | Self::Read(path) => {
                std::slice::from_ref(path)
            }
            Self::ObserveComposite(paths) | Self::ReadComposite(paths) => paths,
        }
    }
}
