//! What the API shows of an endpoint.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value as Json, json as object};

use crate::engine::view::{
    AttributesView, CommandView, DeviceState, DeviceSummary, ObjectView, ObservationView,
    ProblemView, RegistrationView, TelemetryView, TimedValue,
};
use crate::proto::lwm2m::Value;
use crate::proto::lwm2m::operation::Operation;
use crate::proto::time::{NEVER, Now, Tick, UnixMillis};

use super::core::{EndpointCore, Presence};
use super::identity::IdentityKey;
use super::observations::Observed;
use super::plan::{Mapping, ProfilePlan};
use super::slot::Head;
use super::steps;
use super::values::Kept;

pub mod updates;

pub use updates::updates;

/// What the shard knows around an endpoint.
pub struct Surroundings<'a> {
    /// The time of the turn.
    pub now: Now,
    /// Its transport state.
    pub head: &'a Head,
    /// Where the device is, if this shard knows.
    pub address: Option<SocketAddr>,
    /// Its profile.
    pub plan: &'a Arc<ProfilePlan>,
    /// Makes registration ids.
    pub keys: &'a IdentityKey,
    /// Whether an actor runs it.
    pub active: bool,
    /// Whether it is quarantined.
    pub quarantined: bool,
}

impl Surroundings<'_> {
    pub(super) fn wall(&self, tick: Tick) -> UnixMillis {
        let (now, at) = (self.now.tick.as_millis() as i64, tick.as_millis() as i64);
        self.now.wall + (at - now)
    }
}

/// One line of a device list.
#[must_use]
pub fn summary(core: &EndpointCore, around: &Surroundings<'_>) -> DeviceSummary {
    DeviceSummary {
        endpoint: core.name().to_owned(),
        profile: around.plan.name.to_string(),
        security: around.head.peer.security(),
        state: state(core, around),
        last_seen: (core.last_seen > Tick::ZERO).then(|| around.wall(core.last_seen)),
    }
}

/// Everything about a registration.
#[must_use]
pub fn registration(core: &EndpointCore, around: &Surroundings<'_>) -> RegistrationView {
    let summary = summary(core, around);
    let registration = core.registration.as_ref();
    let links = registration.map(|registration| &registration.links);
    let extras = registration.and_then(|registration| registration.extras.as_deref());
    let expires = registration.map_or(NEVER, |registration| registration.expires);
    let expires = (expires != NEVER).then(|| around.wall(expires));
    RegistrationView {
        id: registration.map(|_| around.keys.registration_id(core.place).to_string()),
        endpoint: summary.endpoint,
        profile: summary.profile,
        state: summary.state,
        state_reason: state_reason(core, around),
        address: registration.and(around.address).map(|at| at.to_string()),
        session: registration.and(around.head.peer.session()),
        security: summary.security,
        lwm2m_version: registration.map_or("", |r| r.version.as_str()).to_owned(),
        binding: registration.map_or(String::new(), |r| {
            r.binding
                .map_or("U".to_owned(), |binding| binding.to_string())
        }),
        queue_mode: registration.is_some_and(|r| r.queue_mode),
        sms: extras.and_then(|extras| extras.sms.as_deref().map(str::to_owned)),
        lifetime: registration.and_then(|r| r.lifetime),
        registered_at: registration.map(|r| r.since),
        last_seen: summary.last_seen,
        expires,
        next_expected: expires,
        objects: links
            .map(|links| {
                let view = |object: &crate::proto::lwm2m::link::AnnouncedObject| ObjectView {
                    version: object.version.to_string(),
                    version_stated: object.version_stated,
                    instances: links.instances(object.id).collect(),
                };
                links
                    .objects()
                    .iter()
                    .map(|object| (object.id, view(object)))
                    .collect()
            })
            .unwrap_or_default(),
        alternate_path: links.and_then(|links| links.alternate_path().map(str::to_owned)),
        observe_composite_limit: core.composite_limits().observe,
        read_composite_limit: core.composite_limits().read,
        content_formats: links.map_or(Vec::new(), |links| links.content_formats().to_vec()),
        additional: extras
            .map(|extras| {
                let pairs = extras.additional.iter();
                pairs
                    .map(|(key, value)| (key.to_string(), value.to_string()))
                    .collect()
            })
            .unwrap_or_default(),
        queue_length: core.pending_requests(),
        commands: commands(core, around),
        observations: observations(core, around.plan),
        active: around.active,
        problems: core.problems.iter().map(problem).collect(),
        updates: updates(core, around),
    }
}

/// Latest telemetry by key.
#[must_use]
pub fn telemetry(core: &EndpointCore, plan: &ProfilePlan) -> TelemetryView {
    kept(core, plan, |mapping| mapping.destination.telemetry)
        .map(|(key, value)| (key, vec![value]))
        .chain(updates::telemetry(core))
        .collect()
}

/// Client attributes by key.
#[must_use]
pub fn attributes(core: &EndpointCore, plan: &ProfilePlan) -> AttributesView {
    kept(core, plan, |mapping| mapping.destination.attribute).collect()
}

/// A value as ThingsBoard stores it: Opaque in hexadecimal, Time in milliseconds, links as text.
#[must_use]
pub fn json(value: &Value) -> Json {
    match value {
        Value::String(text) | Value::Corelnk(text) => object!(&**text),
        Value::Integer(n) => object!(n),
        Value::Unsigned(n) => object!(n),
        // JSON has no number for these.
        Value::Float(x) if !x.is_finite() => object!(x.to_string()),
        Value::Float(x) => object!(x),
        Value::Boolean(b) => object!(b),
        Value::Opaque(bytes) => object!(data_encoding::HEXLOWER.encode(bytes)),
        Value::Time(seconds) => object!(seconds.saturating_mul(1000)),
        Value::Objlnk(object, instance) => object!(format!("{object}:{instance}")),
    }
}

/// The values of a multiple Resource by Resource Instance id.
#[must_use]
pub fn instances<'a>(values: impl Iterator<Item = (u16, &'a Value)>) -> Json {
    let members = values.map(|(id, value)| (id.to_string(), json(value)));
    Json::Object(members.collect())
}

fn kept<'a>(
    core: &'a EndpointCore,
    plan: &'a ProfilePlan,
    wanted: impl Fn(&Mapping) -> bool + 'a,
) -> impl Iterator<Item = (String, TimedValue)> + 'a {
    let mut all: Vec<Kept> = core.values.iter().collect();
    // Resource Instances of one mapping side by side, in order.
    all.sort_by_key(|kept| (kept.mapping, kept.instance));
    let mut all = all.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = all.next()?;
        let (mapping, mut ts) = (first.mapping, first.time);
        let value = match first.instance {
            None => json(&first.value),
            Some(id) => {
                let mut values = vec![(id, first.value)];
                while let Some(next) = all.next_if(|next| next.mapping == mapping) {
                    ts = ts.max(next.time);
                    values.extend(next.instance.map(|id| (id, next.value)));
                }
                instances(values.iter().map(|(id, value)| (*id, value)))
            }
        };
        Some((mapping, TimedValue { ts, value }))
    })
    .filter_map(move |(mapping, value)| {
        let mapping = plan.mapping(mapping).filter(|mapping| wanted(mapping))?;
        Some((mapping.key.to_string(), value))
    })
}

fn observations(core: &EndpointCore, plan: &ProfilePlan) -> Vec<ObservationView> {
    let view = |observed: &Observed, state, notifications| ObservationView {
        path: observed.to_string(),
        state,
        notifications,
    };
    let established = core
        .observations
        .iter()
        .map(|(observation, observed)| view(&observed, "established", observation.notifications));
    let links = core.links();
    let steps = core.conversation.iter().flat_map(|c| c.pending_steps());
    let pending = steps.filter_map(|step| {
        let observed = steps::operation(plan, step, links?)?;
        let observed = match observed {
            Operation::Observe { path, .. } => Observed::Single(path),
            Operation::ObserveComposite { paths, .. } => Observed::Composite(paths.into()),
            _ => return None,
        };
        Some(view(&observed, "pending", 0))
    });
    established.chain(pending).collect()
}

fn commands(core: &EndpointCore, around: &Surroundings<'_>) -> Vec<CommandView> {
    let queue = core.queue(around.now.tick).into_iter();
    queue
        .map(|command| CommandView {
            operation: command.operation.name(),
            paths: command.paths.iter().map(ToString::to_string).collect(),
            waiting_for: command
                .waiting
                .map_or("the answer of the device", |waiting| waiting.reason()),
            deadline: around.wall(command.deadline),
        })
        .collect()
}

fn problem(problem: &super::problems::Problem) -> ProblemView {
    ProblemView {
        reason: problem.reason.to_string(),
        path: problem.path.map(|path| path.to_string()),
        count: problem.count,
        last: problem.last,
        detail: problem.detail.to_string(),
    }
}

fn state(core: &EndpointCore, around: &Surroundings<'_>) -> DeviceState {
    match core.presence(around.now.tick) {
        Presence::Awake => DeviceState::Registered,
        Presence::Asleep => DeviceState::Asleep,
        Presence::Absent => DeviceState::Expired,
    }
}

fn state_reason(core: &EndpointCore, around: &Surroundings<'_>) -> String {
    if around.quarantined {
        return "quarantined: handling its messages failed repeatedly".to_owned();
    }
    let Some(registration) = &core.registration else {
        return "the registration ended: de-registered or lifetime over".to_owned();
    };
    let silent = around.now.tick.millis_since(core.last_seen) / 1000;
    let mode = match (registration.queue_mode, registration.paging_cycle()) {
        (_, Some(_)) => "extended discontinuous reception",
        (true, None) => "queue mode",
        (false, None) => "power saving mode",
    };
    match (registration.awake_millis, core.presence(around.now.tick)) {
        (Some(_), Presence::Asleep) => {
            format!("{mode}, silent for {silent} s: listens again after its next message")
        }
        (Some(awake), _) => {
            let left = u64::from(awake / 1000).saturating_sub(silent);
            format!("{mode}, listens for {left} s more")
        }
        (None, _) if !core.reachable => {
            format!("did not answer the last request, silent for {silent} s")
        }
        (None, _) => "no queue mode: always listens".to_owned(),
    }
}
