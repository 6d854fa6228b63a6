//! `observeAttr`: which Resources are observed, read and kept, under which names and conditions.

use std::collections::HashMap;

use crate::engine::endpoint::profile_parts::PlannedPath;
use crate::proto::lwm2m::LwM2mVersion;
use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::lwm2m::operation::{AttributeError, NotificationAttributes};

use super::findings::Findings;
use super::json::{Node, quoted};
use super::members::{Members, unlike};
use super::paths::{self, Depth, Written, always_covers, covers, meet};
use super::types::{Definitions, Types};

/// Most paths of a member.
pub(super) const MAX_PATHS: usize = 2_000;

/// Longest name of a value in bytes.
const MAX_KEY: usize = 255;

const RESOURCE: Depth = 3..=3;
const ANYTHING: Depth = 1..=4;

/// How observations are put together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Strategy {
    #[default]
    Single,
    CompositeAll,
    CompositeByObject,
}

impl Strategy {
    /// By the number ThingsBoard gives it.
    const ALL: [Self; 3] = [Self::Single, Self::CompositeAll, Self::CompositeByObject];
    const NAMES: [&str; 3] = ["SINGLE", "COMPOSITE_ALL", "COMPOSITE_BY_OBJECT"];

    pub(super) const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// `observeAttr`, read. Everything is in the order of the profile.
#[derive(Clone, Debug, Default)]
pub(super) struct ObserveAttr {
    pub(super) keys: Vec<(PlannedPath, String)>,
    pub(super) observe: Vec<PlannedPath>,
    pub(super) attribute: Vec<PlannedPath>,
    pub(super) telemetry: Vec<PlannedPath>,
    pub(super) attributes: Vec<(PlannedPath, NotificationAttributes)>,
    pub(super) reads_composite: bool,
    pub(super) strategy: Strategy,
}

/// A path and the member that names it.
type Placed = (String, PlannedPath);

const MEMBERS: [&str; 7] = [
    "keyName",
    "observe",
    "attribute",
    "telemetry",
    "attributeLwm2m",
    "initAttrTelAsObsStrategy",
    "observeStrategy",
];

pub(super) fn read(
    members: &Members<'_>,
    models: &ObjectModels,
    findings: &mut Findings,
) -> ObserveAttr {
    let keys = keys(members, findings);
    let observe = set(members, "observe", &ANYTHING, findings);
    let attribute = set(members, "attribute", &RESOURCE, findings);
    let telemetry = set(members, "telemetry", &RESOURCE, findings);
    let attributes = attributes(members, models, findings);
    let reads_composite = members.boolean("initAttrTelAsObsStrategy", findings);
    let strategy = strategy(members, findings);
    members.warn_of_unknown(&MEMBERS, findings);

    refuse_overlaps(&observe, findings);
    let mut definitions = Definitions::new(models);
    let named = keys.iter().map(|(placed, _)| placed);
    for (member, path) in named
        .clone()
        .chain(&observe)
        .chain(&attribute)
        .chain(&telemetry)
    {
        definitions.check(member, path, findings);
    }
    for ((member, path), _) in &attributes {
        definitions.check(member, path, findings);
    }
    for (member, path) in observe.iter().chain(&attribute).chain(&telemetry) {
        definitions.check_readable(member, path, findings);
    }
    let kept: Vec<_> = attribute.iter().chain(&telemetry).collect();
    warn_of_unnamed(&kept, &keys, findings);
    warn_of_unused(&keys, &observe, &kept, findings);
    for (member, observed) in &observe {
        if !kept
            .iter()
            .any(|(_, kept)| covers(observed, kept) || covers(kept, observed))
        {
            findings.warn(
                member,
                format!(
                    "is {}, and nothing of it is in `attribute` or `telemetry`: its values are not kept",
                    Written(*observed)
                ),
            );
        }
    }
    for ((member, path), _) in &attributes {
        if !observe
            .iter()
            .any(|(_, o)| covers(path, o) || covers(o, path))
        {
            findings.warn(
                member,
                "has no effect on notifications: nothing of it is in `observe`",
            );
        }
    }

    let bare = |placed: Vec<Placed>| placed.into_iter().map(|(_, path)| path).collect();
    ObserveAttr {
        keys: keys
            .into_iter()
            .map(|((_, path), key)| (path, key))
            .collect(),
        observe: bare(observe),
        attribute: bare(attribute),
        telemetry: bare(telemetry),
        attributes: attributes
            .into_iter()
            .map(|((_, path), attributes)| (path, attributes))
            .collect(),
        reads_composite: reads_composite.unwrap_or_default(),
        strategy,
    }
}

/// Names by path. One name stands for one path; a Resource of two versions of its object may have
/// the same name in both, for a device has one of them.
fn keys(members: &Members<'_>, findings: &mut Findings) -> Vec<(Placed, String)> {
    let Some(named) = members.object("keyName", findings) else {
        return Vec::new();
    };
    refuse_too_many(&members.at("keyName"), named.iter().count(), findings);
    let mut keys: Vec<(Placed, String)> = Vec::new();
    let mut by_key: HashMap<&str, Vec<PlannedPath>> = HashMap::new();
    let mut by_path: HashMap<_, Vec<PlannedPath>> = HashMap::new();
    for (text, node) in named.iter().take(MAX_PATHS) {
        let member = named.at(text);
        let path = match paths::parse(text, &RESOURCE) {
            Ok(path) => path,
            Err(problem) => {
                findings.refuse(&member, problem);
                continue;
            }
        };
        let key = match node {
            Node::String(key) if is_key(key) => key.as_str(),
            other => {
                let accepted = format!("a name of 1 to {MAX_KEY} bytes without control characters");
                findings.refuse(&member, unlike(other, accepted));
                continue;
            }
        };
        let same_key = by_key.entry(key).or_default();
        let same_path = by_path.entry(path.path).or_default();
        if let Some(other) = same_path.iter().find(|other| meet(other, &path)) {
            findings.refuse(
                &member,
                format!(
                    "is the same Resource as {}, which is named too; accepted is one name for it",
                    Written(*other)
                ),
            );
        } else if let Some(other) = same_key.iter().find(|o| o.path != path.path) {
            findings.refuse(
                &member,
                format!(
                    "is {}, which is the name of {} already; accepted is a name for one path only",
                    quoted(key),
                    Written(*other)
                ),
            );
        }
        same_key.push(path);
        same_path.push(path);
        keys.push(((member, path), key.to_owned()));
    }
    keys
}

fn refuse_too_many(member: &str, count: usize, findings: &mut Findings) {
    if count > MAX_PATHS {
        findings.refuse(
            member,
            format!("has {count} entries; accepted are at most {MAX_PATHS}"),
        );
    }
}

fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len()) && !key.chars().any(char::is_control)
}

/// The different paths of an array.
fn set(members: &Members<'_>, name: &str, depth: &Depth, findings: &mut Findings) -> Vec<Placed> {
    let mut paths: Vec<Placed> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let values = members.array(name, findings);
    refuse_too_many(&members.at(name), values.len(), findings);
    for (member, node) in values.into_iter().take(MAX_PATHS) {
        let parsed = match node {
            Node::String(text) => paths::parse(text, depth),
            other => Err(unlike(other, "a path such as \"/3_1.2/0/9\"")),
        };
        match parsed {
            Ok(path) if seen.insert((path.path, path.version)) => paths.push((member, path)),
            Ok(_) => {}
            Err(problem) => findings.refuse(&member, problem),
        }
    }
    paths
}

fn attributes(
    members: &Members<'_>,
    models: &ObjectModels,
    findings: &mut Findings,
) -> Vec<(Placed, NotificationAttributes)> {
    let Some(written) = members.object("attributeLwm2m", findings) else {
        return Vec::new();
    };
    refuse_too_many(
        &members.at("attributeLwm2m"),
        written.iter().count(),
        findings,
    );
    let mut all: Vec<(Placed, NotificationAttributes)> = Vec::new();
    for (text, _) in written.iter().take(MAX_PATHS) {
        let member = written.at(text);
        let path = match paths::parse(text, &ANYTHING) {
            Ok(path) => path,
            Err(problem) => {
                findings.refuse(&member, problem);
                continue;
            }
        };
        let Some(values) = written.object(text, findings) else {
            continue;
        };
        let attributes = attributes_of(&values, findings);
        let types = Types {
            models,
            version: path.version,
        };
        if let Err(error) = attributes.validate(&path.path, LwM2mVersion::V1_2, Some(&types)) {
            refuse_attributes(&member, &error, findings);
        }
        let same = |((_, other), _): &&(Placed, _)| other.path == path.path && meet(other, &path);
        if let Some(((other, _), _)) = all.iter().find(same) {
            let problem = format!("is the same path as `{other}`; accepted is one of them");
            findings.refuse(&member, problem);
        }
        if !attributes.is_empty() {
            all.push(((member, path), attributes));
        }
    }
    refuse_inherited(&all, findings);
    all
}

fn attributes_of(values: &Members<'_>, findings: &mut Findings) -> NotificationAttributes {
    let mut attributes = NotificationAttributes::default();
    for (name, node) in values.iter() {
        let text = match node {
            Node::Null => continue,
            Node::Number(number) => number.to_string(),
            Node::String(text) => text.clone(),
            Node::Boolean(value) => u8::from(*value).to_string(),
            other => {
                findings.refuse(&values.at(name), unlike(other, "a number"));
                continue;
            }
        };
        if let Err(error) = attributes.set(name, Some(&text)) {
            refuse_attributes(&values.at(name), &error, findings);
        }
    }
    attributes
}

fn refuse_attributes(member: &str, error: &AttributeError, findings: &mut Findings) {
    findings.refuse(member, format!("is not accepted: {error}"));
}

/// Attributes of a path hold below it, where they are not set again (LwM2M Core §5.1.2): those that
/// come together must not contradict each other.
fn refuse_inherited(all: &[(Placed, NotificationAttributes)], findings: &mut Findings) {
    for ((member, path), own) in all {
        let mut above: Vec<_> = all
            .iter()
            .filter(|((_, other), _)| other.path != path.path && covers(other, path))
            .collect();
        above.sort_by_key(|((_, other), _)| std::cmp::Reverse(other.path.len()));
        let mut together = *own;
        for (_, inherited) in above {
            together.pmin = together.pmin.or(inherited.pmin);
            together.pmax = together.pmax.or(inherited.pmax);
            together.epmin = together.epmin.or(inherited.epmin);
            together.epmax = together.epmax.or(inherited.epmax);
        }
        let fits = |attributes: &NotificationAttributes| {
            attributes.validate(&path.path, LwM2mVersion::V1_2, None)
        };
        if let (Ok(()), Err(error)) = (fits(own), fits(&together)) {
            let problem = format!("with what it inherits from the levels above, {error}");
            findings.refuse(member, problem);
        }
    }
}

/// By name, or by the number ThingsBoard gives it.
fn strategy(members: &Members<'_>, findings: &mut Findings) -> Strategy {
    const MEMBER: &str = "observeStrategy";
    let chosen = match members.get(MEMBER) {
        None => return Strategy::default(),
        Some(Node::String(text)) => Strategy::NAMES.iter().position(|name| name == text),
        Some(Node::Number(number)) => number.as_u64().map(|number| number as usize),
        Some(_) => None,
    };
    let strategy = chosen.and_then(|index| Strategy::ALL.get(index).copied());
    strategy.unwrap_or_else(|| {
        if let Some(node) = members.get(MEMBER) {
            let names = Strategy::NAMES.join(", ");
            findings.refuse(
                &members.at(MEMBER),
                unlike(node, format!("one of {names}, or its number 0, 1, 2")),
            );
        }
        Strategy::default()
    })
}

/// A device cannot observe a path and one below it at once.
fn refuse_overlaps(observe: &[Placed], findings: &mut Findings) {
    for (at, (member, path)) in observe.iter().enumerate() {
        let others = observe.iter().enumerate().filter(|(other, _)| *other != at);
        let mut above = others.filter(|(place, (_, other))| {
            covers(other, path) && (other.path != path.path || *place < at)
        });
        if let Some((_, (above_member, above))) = above.next() {
            findings.refuse(
                member,
                format!(
                    "is {}, which `{above_member}`, {}, contains; accepted are paths of which none contains another",
                    Written(*path),
                    Written(*above)
                ),
            );
        }
    }
}

fn warn_of_unnamed(kept: &[&Placed], keys: &[(Placed, String)], findings: &mut Findings) {
    let named: std::collections::HashSet<_> = keys
        .iter()
        .map(|((_, path), _)| (path.path, path.version))
        .collect();
    for (member, path) in kept {
        if !named.contains(&(path.path, path.version)) {
            findings.warn(
                member,
                format!(
                    "is {}, which has no name in `keyName`: its values are not kept",
                    Written(*path)
                ),
            );
        }
    }
}

fn warn_of_unused(
    keys: &[(Placed, String)],
    observe: &[Placed],
    kept: &[&Placed],
    findings: &mut Findings,
) {
    let used: std::collections::HashSet<_> = kept
        .iter()
        .map(|(_, path)| (path.path, path.version))
        .collect();
    for ((member, path), _) in keys {
        let observed = || observe.iter().any(|(_, o)| always_covers(o, path));
        if !used.contains(&(path.path, path.version)) && !observed() {
            findings.warn(
                member,
                "is in none of `observe`, `attribute`, `telemetry`: it names the Resource in commands and shared attributes only",
            );
        }
    }
}
