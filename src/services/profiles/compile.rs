//! From a transport configuration to what the engine does.

use std::collections::{HashMap, HashSet};

use crate::engine::endpoint::plan::{Destination, Mapping};
use crate::engine::endpoint::profile_parts::{PlannedPath, PlannedStep, ProfileParts};
use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::lwm2m::{Path, Version};

use super::configuration::Configuration;
use super::history::History;
use super::observe_attr::{ObserveAttr, Strategy};
use super::paths::always_covers;
use super::types;

/// The parts of the profile `name`. After Register a device is written the attributes first, so that
/// observations start under their conditions, then observed, then read (design 4).
pub(super) fn compile(
    name: &str,
    configuration: &Configuration,
    models: &ObjectModels,
) -> ProfileParts {
    let asked = &configuration.observe_attr;
    let mut parts = ProfileParts {
        name: name.to_owned(),
        mappings: mappings(asked),
        steps: steps(asked),
        power: configuration.power,
        strict_object_versions: configuration.extensions.strict_object_versions,
        transport_log: configuration.extensions.transport_log,
        keeps_history: configuration.extensions.history != History::None,
    };
    set_types(&mut parts, models);
    parts
}

/// Says which types the mapped Resources have by `models`. Returns whether anything changed.
pub(super) fn set_types(parts: &mut ProfileParts, models: &ObjectModels) -> bool {
    let mut changed = false;
    for mapping in &mut parts.mappings {
        let ids = mapping.path.object_id().zip(mapping.path.resource_id());
        let agreed = ids.and_then(|(object, id)| types::agreed(models, object, id));
        changed |= mapping.resource_type != agreed;
        mapping.resource_type = agreed;
    }
    changed
}

/// Every named path, also one that only commands and shared attributes use.
fn mappings(asked: &ObserveAttr) -> Vec<Mapping> {
    let attribute = distinct(&asked.attribute);
    let telemetry = distinct(&asked.telemetry);
    let mapping = |(planned, key): &(PlannedPath, String)| Mapping {
        path: planned.path,
        version: planned.version,
        key: key.as_str().into(),
        destination: Destination {
            attribute: attribute.contains(&identity(planned)),
            telemetry: telemetry.contains(&identity(planned)),
        },
        resource_type: None,
    };
    asked.keys.iter().map(mapping).collect()
}

fn steps(asked: &ObserveAttr) -> Vec<PlannedStep> {
    let attributes = asked
        .attributes
        .iter()
        .map(|(planned, attributes)| PlannedStep::WriteAttributes(*planned, *attributes));
    let observes = grouped(
        &asked.observe,
        asked.strategy,
        PlannedStep::Observe,
        PlannedStep::ObserveComposite,
    );
    let reading = if asked.reads_composite {
        asked.strategy
    } else {
        Strategy::Single
    };
    let reads = grouped(
        &unobserved(asked),
        reading,
        PlannedStep::Read,
        PlannedStep::ReadComposite,
    );
    attributes.chain(observes).chain(reads).collect()
}

/// What is kept and not observed, attributes first.
fn unobserved(asked: &ObserveAttr) -> Vec<PlannedPath> {
    let mut seen = HashSet::new();
    let observed = distinct(&asked.observe);
    let wide: Vec<_> = asked.observe.iter().filter(|o| o.path.len() < 3).collect();
    let any_version = |planned: &PlannedPath| PlannedPath {
        version: None,
        ..*planned
    };
    asked
        .attribute
        .iter()
        .chain(&asked.telemetry)
        .filter(|planned| seen.insert(identity(planned)))
        .filter(|planned| {
            !observed.contains(&identity(planned))
                && !observed.contains(&identity(&any_version(planned)))
                && !wide.iter().any(|observed| always_covers(observed, planned))
        })
        .copied()
        .collect()
}

/// One step for each path, for all of them, or for those of each object, in the order of the paths.
fn grouped(
    paths: &[PlannedPath],
    strategy: Strategy,
    single: impl Fn(PlannedPath) -> PlannedStep,
    composite: impl Fn(Box<[PlannedPath]>) -> PlannedStep,
) -> Vec<PlannedStep> {
    match strategy {
        Strategy::Single => paths.iter().copied().map(single).collect(),
        Strategy::CompositeAll if paths.is_empty() => Vec::new(),
        Strategy::CompositeAll => vec![composite(paths.into())],
        Strategy::CompositeByObject => {
            let mut groups: Vec<Vec<PlannedPath>> = Vec::new();
            let mut group_of = HashMap::new();
            for planned in paths {
                let group = *group_of
                    .entry(planned.path.object_id())
                    .or_insert(groups.len());
                if group == groups.len() {
                    groups.push(Vec::new());
                }
                groups[group].push(*planned);
            }
            groups
                .into_iter()
                .map(|group| composite(group.into()))
                .collect()
        }
    }
}

fn distinct(paths: &[PlannedPath]) -> HashSet<(Path, Option<Version>)> {
    paths.iter().map(identity).collect()
}

const fn identity(planned: &PlannedPath) -> (Path, Option<Version>) {
    (planned.path, planned.version)
}
