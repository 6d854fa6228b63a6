//! A profile that changes while its devices live: the smallest set of requests that follows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::operation::{NotificationAttributes, Operation};
use crate::proto::lwm2m::{Path, Version};

use super::conversation::{Conversation, Job, StepRef, Task};
use super::core::{EndpointCore, Turn};
use super::exchange::Request;
use super::observations::Observed;
use super::plan::{Mapping, ProfilePlan};
use super::request::RequestError;
use super::{splitting, steps};

impl EndpointCore {
    /// The device had the profile `old`, and has that of the turn now. A sleeping device is asked for
    /// the difference when it wakes up: what earlier changes left to ask is weighed anew.
    pub(super) fn on_new_plan(&mut self, old: &ProfilePlan, turn: &mut Turn<'_>) {
        #[cfg(test)]
        assert!(!self.fault, "injected fault");
        self.move_values(old, turn.plan);
        let Some(registration) = &mut self.registration else {
            return;
        };
        registration.listen(turn.power);
        let links = Arc::clone(&registration.links);
        let pending = self.take_back_steps(turn);
        let before = operations(old, &links);
        let now = operations(turn.plan, &links);
        self.cancel_unwanted(&before, &now, turn);
        self.unset_attributes(&before, &now);
        let waits = |operation: &Operation| {
            let whole = pending.iter().filter(|step| step.part.is_none());
            let mut operations = whole.filter_map(|step| steps::operation(old, *step, &links));
            operations.any(|waiting| waiting == *operation)
        };
        let mut due: Vec<_> = now
            .iter()
            .filter(|(_, operation)| {
                let done = before.iter().any(|(_, known)| known == operation);
                let asked = done && !waits(operation);
                !asked && !self.is_observed(operation)
            })
            .map(|(step, _)| *step)
            .collect();
        due.extend(parts_left(&pending, old, &before, turn.plan, &now));
        due.sort_unstable_by_key(|step| (step.index, step.part.map(|part| part.from)));
        match &mut self.conversation {
            Some(running) => running.join(due),
            idle => *idle = Conversation::of_steps(due),
        }
        self.read_newly_mapped(old, &links, turn.plan);
        self.report_unannounced(&links, turn);
    }

    /// Steps of the old profile that are not done; one in flight is given up.
    fn take_back_steps(&mut self, turn: &mut Turn<'_>) -> Vec<StepRef> {
        let Some(conversation) = &mut self.conversation else {
            return Vec::new();
        };
        let mut pending = conversation.take_steps();
        let step_of = |request: &Request| match request.task()?.job {
            Job::Step(step) => Some(step),
            _ => None,
        };
        let mut given_up = Vec::new();
        let is_step = |request: &Request| step_of(request).is_some();
        while let Some(request) = conversation.flights.take_if(is_step) {
            pending.extend(step_of(&request));
            given_up.push(request);
        }
        for request in given_up {
            self.count_end(&request, &Err(RequestError::Cancelled), turn);
        }
        pending
    }

    /// What is observed already and has no value, since nobody wanted one, is read once.
    fn read_newly_mapped(&mut self, old: &ProfilePlan, links: &ObjectLinks, new: &ProfilePlan) {
        let concerns = |mapping: &Mapping| {
            links.announces(&mapping.path)
                && new.means_version(links, &mapping.path, mapping.version)
        };
        let known = old.mappings().iter().map(meaning).collect::<HashSet<_>>();
        let mut unread: Vec<_> = new
            .mappings()
            .iter()
            .filter(|mapping| mapping.destination.attribute || mapping.destination.telemetry)
            .filter(|mapping| !known.contains(&meaning(mapping)) && concerns(mapping))
            .map(|mapping| mapping.path)
            .collect();
        unread.retain(|path| {
            let mut observed = self.observations.iter();
            observed.any(|(_, known)| known.paths().iter().any(|known| path.starts_with(known)))
        });
        if !unread.is_empty() || self.conversation.is_some() {
            let conversation = self.conversation.get_or_insert_default();
            conversation.drop_reads(|path| {
                let mut mappings = new.mappings().iter();
                mappings.any(|mapping| {
                    mapping.path.starts_with(path) || path.starts_with(&mapping.path)
                })
            });
            conversation.read_besides(unread);
        }
    }

    /// Ends observations that the old profile wanted and the new one does not.
    fn cancel_unwanted(
        &mut self,
        before: &[(StepRef, Operation)],
        now: &[(StepRef, Operation)],
        turn: &mut Turn<'_>,
    ) {
        let limits = self.composite_limits();
        let Some(links) = self.links().map(Arc::clone) else {
            return;
        };
        let wants = |(step, operation): &(StepRef, Operation), observed: &Observed| {
            if before.iter().any(|(_, known)| known == operation) {
                return made(operation, observed);
            }
            // It is another one: only what it would make just so is as good as made.
            match splitting::parts(turn.plan, *step, &links, limits) {
                None => steps::observed(operation).as_ref() == Some(observed),
                Some(parts) => parts.into_iter().any(|part| {
                    let operation = steps::operation(turn.plan, part, &links);
                    operation.as_ref().and_then(steps::observed).as_ref() == Some(observed)
                }),
            }
        };
        let unwanted: Vec<_> = self
            .observations
            .iter()
            .filter(|(_, observed)| before.iter().any(|(_, known)| made(known, observed)))
            .filter(|(_, observed)| !now.iter().any(|asked| wants(asked, observed)))
            .map(|(observation, _)| observation.token)
            .collect();
        for token in unwanted {
            self.cancel_observation(token, turn);
        }
    }

    /// Takes attributes back that the new profile does not set.
    fn unset_attributes(&mut self, before: &[(StepRef, Operation)], now: &[(StepRef, Operation)]) {
        let written = |operations: &[(StepRef, Operation)], wanted: &Path| {
            operations
                .iter()
                .find_map(|(_, operation)| match operation {
                    Operation::WriteAttributes { path, attributes } if path == wanted => {
                        Some(*attributes)
                    }
                    _ => None,
                })
        };
        for (_, operation) in before {
            let Operation::WriteAttributes { path, attributes } = operation else {
                continue;
            };
            let kept = written(now, path).unwrap_or_default();
            let gone = unset(attributes, &kept);
            if !gone.is_empty() {
                let conversation = self.conversation.get_or_insert_default();
                conversation.push_front(Task::new(Job::Attributes {
                    path: *path,
                    attributes: gone,
                }));
            }
        }
    }

    fn is_observed(&self, operation: &Operation) -> bool {
        steps::observed(operation)
            .is_some_and(|observed| self.observations.token_of(&observed).is_some())
    }

    /// Values go where the new profile maps their resource.
    fn move_values(&mut self, old: &ProfilePlan, new: &ProfilePlan) {
        let relocation = Relocation::new(old, new);
        self.values.relocate(|index| relocation.place(index));
    }
}

/// What makes values of two mappings the same, but for their key.
type Meaning = (Path, Option<Version>);

const fn meaning(mapping: &Mapping) -> Meaning {
    (mapping.path, mapping.version)
}

/// Where values of one profile belong in another: with the mapping of the same Resource in the same
/// version, if there are several, with that of the same key.
pub(super) struct Relocation<'a> {
    old: &'a ProfilePlan,
    places: HashMap<Meaning, Vec<(u16, &'a Mapping)>>,
}

impl<'a> Relocation<'a> {
    pub(super) fn new(old: &'a ProfilePlan, new: &'a ProfilePlan) -> Self {
        let mut places: HashMap<_, Vec<_>> = HashMap::new();
        for (place, mapping) in (0..).zip(new.mappings()) {
            places
                .entry((mapping.path, mapping.version))
                .or_default()
                .push((place, mapping));
        }
        Self { old, places }
    }

    /// The new index of the mapping with this old one.
    pub(super) fn place(&self, index: u16) -> Option<u16> {
        let before = self.old.mapping(index)?;
        let candidates = self.places.get(&(before.path, before.version))?;
        let same_key = candidates
            .iter()
            .find(|(_, mapping)| mapping.key == before.key);
        same_key.or(candidates.first()).map(|(place, _)| *place)
    }
}

/// What a profile asks of a device.
fn operations(plan: &ProfilePlan, links: &ObjectLinks) -> Vec<(StepRef, Operation)> {
    steps::due(plan, links, |_| true)
        .into_iter()
        .filter_map(|step| Some((step, steps::operation(plan, step, links)?)))
        .collect()
}

/// Whether an operation may have made the device observe this: a composite one may have been split.
fn made(operation: &Operation, observed: &Observed) -> bool {
    match operation {
        Operation::Observe { path, .. } => *observed == Observed::Single(*path),
        Operation::ObserveComposite { paths, .. } => {
            observed.paths().iter().all(|path| paths.contains(path))
        }
        _ => false,
    }
}

/// Parts of steps that wait, of steps that both profiles have.
fn parts_left<'a>(
    pending: &'a [StepRef],
    old: &'a ProfilePlan,
    before: &'a [(StepRef, Operation)],
    new: &'a ProfilePlan,
    now: &'a [(StepRef, Operation)],
) -> impl Iterator<Item = StepRef> + 'a {
    pending.iter().filter_map(move |step| {
        step.part?;
        let planned = old.steps().get(usize::from(step.index))?;
        let operation = |(known, operation): &'a (StepRef, Operation)| {
            (known.index == step.index).then_some(operation)
        };
        let operation = before.iter().find_map(operation)?;
        let (whole, _) = now.iter().find(|(whole, wanted)| {
            wanted == operation && new.steps().get(usize::from(whole.index)) == Some(planned)
        })?;
        Some(StepRef {
            index: whole.index,
            ..*step
        })
    })
}

/// Removes the attributes of `old` that `new` does not mention.
fn unset(old: &NotificationAttributes, new: &NotificationAttributes) -> NotificationAttributes {
    let name = |query: &str| query.split('=').next().unwrap_or_default().to_owned();
    let kept: Vec<_> = new.queries().iter().map(|query| name(query)).collect();
    let mut gone = NotificationAttributes::default();
    for name in old.queries().iter().map(|query| name(query)) {
        if !kept.contains(&name) {
            // The name comes from attributes: it is one.
            let _ = gone.set(&name, None);
        }
    }
    gone
}
