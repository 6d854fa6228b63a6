//! A profile that changes while its devices live: the smallest set of requests that follows.

use std::collections::HashMap;
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
use super::steps;

impl EndpointCore {
    /// The device had the profile `old`, and has that of the turn now. A sleeping device is asked for
    /// the difference when it wakes up: what earlier changes left to ask is weighed anew.
    pub(super) fn on_new_plan(&mut self, old: &ProfilePlan, turn: &mut Turn<'_>) {
        self.move_values(old, turn.plan);
        let Some(registration) = &mut self.registration else {
            return;
        };
        registration.listen(turn.power);
        let links = Arc::clone(&registration.links);
        let pending = self.take_back_steps(old, &links, turn);
        let before = operations(old, &links);
        let now = operations(turn.plan, &links);
        self.cancel_unwanted(&before, &now, turn);
        self.unset_attributes(&before, &now);
        let due: Vec<_> = now
            .into_iter()
            .filter(|(_, operation)| {
                let done = before.iter().any(|(_, known)| known == operation);
                let asked = done && !pending.contains(operation);
                !asked && !self.is_observed(operation)
            })
            .map(|(step, _)| step)
            .collect();
        match &mut self.conversation {
            Some(running) => running.join(due),
            idle => *idle = Conversation::of_steps(due),
        }
        self.report_unannounced(&links, turn);
    }

    /// Steps of the old profile that are not done; one in flight is given up.
    fn take_back_steps(
        &mut self,
        old: &ProfilePlan,
        links: &ObjectLinks,
        turn: &mut Turn<'_>,
    ) -> Vec<Operation> {
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
            .into_iter()
            .filter_map(|step| steps::operation(old, step, links))
            .collect()
    }

    /// Ends observations that the old profile wanted and the new one does not.
    fn cancel_unwanted(
        &mut self,
        before: &[(StepRef, Operation)],
        now: &[(StepRef, Operation)],
        turn: &mut Turn<'_>,
    ) {
        let unchanged = |operation| before.iter().any(|(_, known)| known == operation);
        let wanted: Vec<_> = now
            .iter()
            .flat_map(|(_, operation)| {
                if unchanged(operation) {
                    targets(operation)
                } else {
                    steps::observed(operation).into_iter().collect()
                }
            })
            .collect();
        let unwanted = before.iter().flat_map(|(_, operation)| targets(operation));
        for observed in unwanted.filter(|observed| !wanted.contains(observed)) {
            if let Some(token) = self.observations.token_of(&observed) {
                self.cancel_observation(token, turn);
            }
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

/// What an operation may have made the device observe: a composite one may have been split.
fn targets(operation: &Operation) -> Vec<Observed> {
    let Some(observed) = steps::observed(operation) else {
        return Vec::new();
    };
    let singles = match &observed {
        Observed::Single(_) => Vec::new(),
        Observed::Composite(paths) => paths.iter().copied().map(Observed::Single).collect(),
    };
    std::iter::once(observed).chain(singles).collect()
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
