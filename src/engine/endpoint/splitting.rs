//! Composite requests that a device does not take as a whole: they are asked in halves, down to
//! single paths, and what the device takes is remembered for its registration.

use std::ops::Range;

use crate::proto::coap::Code;
use crate::proto::coap::block::ReadError;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::operation::AnswerError;

use super::conversation::{Job, StepRef, Task};
use super::core::{EndpointCore, Turn};
use super::journal::Severity;
use super::observations::Observed;
use super::plan::ProfilePlan;
use super::profile_parts::PlannedStep;
use super::request::RequestError;
use super::steps;

/// Some paths of a composite step, by their places in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// The first.
    pub(super) from: u16,
    /// The one behind the last.
    pub(super) to: u16,
}

impl Part {
    /// One path.
    pub(super) const fn single(at: u16) -> Self {
        Self {
            from: at,
            to: at.saturating_add(1),
        }
    }

    /// The places.
    pub(super) fn range(self) -> Range<usize> {
        self.from.into()..self.to.into()
    }
}

/// Most paths of a composite request that a device takes; `None` as long as it has refused none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CompositeLimits {
    /// Of an Observe-Composite.
    pub observe: Option<u16>,
    /// Of a Read-Composite.
    pub read: Option<u16>,
}

impl CompositeLimits {
    fn of(&mut self, step: &PlannedStep) -> Option<&mut Option<u16>> {
        match step {
            PlannedStep::ObserveComposite(_) => Some(&mut self.observe),
            PlannedStep::ReadComposite(_) => Some(&mut self.read),
            _ => None,
        }
    }
}

/// The parts in which a step is asked of a device that takes composite requests of so many paths;
/// `None` when it is asked as it is.
pub(super) fn parts(
    plan: &ProfilePlan,
    step: StepRef,
    links: &ObjectLinks,
    mut limits: CompositeLimits,
) -> Option<Vec<StepRef>> {
    let planned = plan.steps().get(usize::from(step.index))?;
    let most = usize::from((*limits.of(planned)?)?.max(1));
    let places = places(plan, step, links);
    // A part of one path is no composite request any more.
    let fits = places.len() <= most && (most > 1 || step.part.is_some());
    if fits || places.is_empty() {
        return None;
    }
    let size = places.len().div_ceil(places.len().div_ceil(most));
    let part = |places: &[u16]| StepRef {
        part: places.first().zip(places.last()).map(|(first, last)| Part {
            from: *first,
            to: last.saturating_add(1),
        }),
        ..step
    };
    Some(places.chunks(size).map(part).collect())
}

/// Places of the paths of a step that concern a device.
fn places(plan: &ProfilePlan, step: StepRef, links: &ObjectLinks) -> Vec<u16> {
    let Some(planned) = plan.steps().get(usize::from(step.index)) else {
        return Vec::new();
    };
    let paths = planned.paths();
    let range = step.part.map_or(0..paths.len(), Part::range);
    let within = paths.iter().enumerate().take(range.end).skip(range.start);
    within
        .filter(|(_, path)| steps::applies(plan, path, links))
        .map(|(place, _)| place as u16)
        .collect()
}

/// Paths that the device may be asked for at once after it refused so many.
fn most_after(error: &RequestError, asked: usize) -> Option<usize> {
    let too_much = Some(asked.div_ceil(2));
    match error {
        RequestError::Invalid(_) => Some(1),
        RequestError::AnswerBlocks(ReadError::TooLarge { .. }) => too_much,
        RequestError::Answer(AnswerError::Refused { code, .. }) => match *code {
            Code::REQUEST_ENTITY_TOO_LARGE => too_much,
            Code::METHOD_NOT_ALLOWED | Code::NOT_FOUND | Code::UNSUPPORTED_CONTENT_FORMAT => {
                Some(1)
            }
            _ => None,
        },
        _ => None,
    }
}

impl EndpointCore {
    /// What the device takes of composite requests.
    pub(super) fn composite_limits(&self) -> CompositeLimits {
        let registration = self.registration.as_ref();
        let extras = registration.and_then(|registration| registration.extras.as_deref());
        extras.map_or(CompositeLimits::default(), |extras| extras.composite)
    }

    /// A device that does not take a composite request is asked for less at once.
    pub(super) fn split(&mut self, step: StepRef, error: &RequestError, turn: &mut Turn<'_>) {
        let plan = turn.plan;
        let mut limits = self.composite_limits();
        let Some(registration) = &mut self.registration else {
            return;
        };
        let places = places(plan, step, &registration.links);
        let planned = plan.steps().get(usize::from(step.index));
        let limit = planned.and_then(|planned| Some((planned, limits.of(planned)?)));
        let (Some((planned, limit)), Some(most)) = (limit, most_after(error, places.len())) else {
            return;
        };
        if step.part.is_some() && places.len() == 1 {
            return;
        }
        let most = most.min(limit.map_or(usize::MAX, usize::from)).max(1);
        *limit = Some(most as u16);
        registration.extras.get_or_insert_default().composite = limits;
        turn.out.changed = true;
        let detail = match most {
            1 => "the device takes no composite request: its paths are asked for one by one"
                .to_owned(),
            _ => format!(
                "the device does not take a composite request of {} paths: {most} are asked for at once",
                places.len()
            ),
        };
        turn.out.log(Severity::Warn, || format!("warn: {detail}"));
        let path = planned.paths().first().map(|planned| planned.path);
        self.problems
            .note(turn.now.wall, "composite_refused", path, detail, turn.out);
        self.ask_in_parts(step, turn);
    }

    /// Puts the parts of a step in its place, if it must be asked in parts; `false` if not. What is
    /// observed already is not asked again.
    pub(super) fn ask_in_parts(&mut self, step: StepRef, turn: &mut Turn<'_>) -> bool {
        let Some(registration) = &self.registration else {
            return false;
        };
        let links = std::sync::Arc::clone(&registration.links);
        let plan = turn.plan;
        let Some(parts) = parts(plan, step, &links, self.composite_limits()) else {
            return false;
        };
        let target = |part: &StepRef| {
            let operation = steps::operation(plan, *part, &links)?;
            steps::observed(&operation)
        };
        let targets: Vec<_> = parts.iter().map(target).collect();
        // An earlier observation of a part of these paths would tell them twice.
        let asked: Vec<_> = targets.iter().flatten().flat_map(Observed::paths).collect();
        let stale: Vec<_> = self
            .observations
            .iter()
            .filter(|(_, known)| !targets.iter().flatten().any(|target| target == known))
            .filter(|(_, known)| known.paths().iter().any(|path| asked.contains(&path)))
            .map(|(observation, _)| observation.token)
            .collect();
        let known = |target: &Option<Observed>| {
            let target = target.as_ref();
            target.is_some_and(|target| self.observations.token_of(target).is_some())
        };
        let new = parts.iter().zip(&targets);
        let new = new.filter(|(_, target)| !known(target));
        let new: Vec<_> = new.map(|(part, _)| *part).collect();
        let conversation = self.conversation.get_or_insert_default();
        for part in new.into_iter().rev() {
            conversation.push_front(Task::new(Job::Step(part)));
        }
        for token in stale {
            self.cancel_observation(token, turn);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::endpoint::profile_parts::{PlannedPath, ProfileParts};
    use crate::proto::lwm2m::{LwM2mVersion, Path};

    #[test]
    fn parts_are_even_and_cover_what_the_device_announced_in_order() {
        let raw = b"</3/0>,</3303/0>";
        let links = ObjectLinks::parse(raw, LwM2mVersion::V1_1).unwrap();
        let path = |object, resource| PlannedPath {
            path: Path::resource(object, 0, resource),
            version: None,
        };
        let paths = vec![
            path(3, 0),
            path(5, 0),
            path(3, 1),
            path(3, 2),
            path(3303, 0),
        ];
        let plan = ProfilePlan::compile(ProfileParts {
            steps: vec![PlannedStep::ReadComposite(paths.into())],
            ..ProfileParts::default()
        });
        let whole = StepRef {
            index: 0,
            part: None,
        };
        let split = |read| {
            let limits = CompositeLimits {
                read,
                observe: Some(1),
            };
            let parts = parts(&plan, whole, &links, limits)?;
            let part = |part: StepRef| part.part.map(|part| (part.from, part.to));
            Some(parts.into_iter().filter_map(part).collect::<Vec<_>>())
        };
        assert_eq!(split(None), None);
        assert_eq!(split(Some(4)), None);
        assert_eq!(split(Some(3)), Some(vec![(0, 3), (3, 5)]));
        assert_eq!(split(Some(2)), Some(vec![(0, 3), (3, 5)]));
        assert_eq!(split(Some(1)), Some(vec![(0, 1), (2, 3), (3, 4), (4, 5)]));
    }
}
