//! What the API shows of an endpoint.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value as Json, json as object};

use crate::engine::view::{
    AttributesView, DeviceState, DeviceSummary, ObjectView, ObservationView, ProblemView,
    RegistrationView, SecurityMode, TelemetryView, TimedValue,
};
use crate::proto::lwm2m::Value;
use crate::proto::time::{NEVER, Now, Tick, UnixMillis};

use super::core::{EndpointCore, Presence};
use super::identity::IdentityKey;
use super::plan::{Mapping, ProfilePlan};
use super::registration::AWAKE_MILLIS;
use super::slot::Head;

/// What the shard knows around an endpoint.
pub struct Surroundings<'a> {
    /// The time of the turn.
    pub now: Now,
    /// Its transport state.
    pub head: &'a Head,
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
    fn wall(&self, tick: Tick) -> UnixMillis {
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
        security: SecurityMode::NoSec,
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
        address: registration.map(|_| SocketAddr::from(around.head.peer).to_string()),
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
        observations: observations(core),
        active: around.active,
        problems: core.problems.iter().map(problem).collect(),
    }
}

/// Latest telemetry by key.
#[must_use]
pub fn telemetry(core: &EndpointCore, plan: &ProfilePlan) -> TelemetryView {
    kept(core, plan, |mapping| mapping.destination.telemetry)
        .map(|(key, value)| (key, vec![value]))
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

fn kept<'a>(
    core: &'a EndpointCore,
    plan: &'a ProfilePlan,
    wanted: impl Fn(&Mapping) -> bool + 'a,
) -> impl Iterator<Item = (String, TimedValue)> + 'a {
    core.values.iter().filter_map(move |(index, ts, value)| {
        let mapping = plan.mapping(index).filter(|mapping| wanted(mapping))?;
        Some((
            mapping.key.to_string(),
            TimedValue {
                ts,
                value: json(&value),
            },
        ))
    })
}

fn observations(core: &EndpointCore) -> Vec<ObservationView> {
    let established = core.observations.iter().map(|observation| ObservationView {
        path: observation.path.to_string(),
        state: "established",
        notifications: observation.notifications,
    });
    let pending = core
        .conversation
        .iter()
        .flat_map(|c| c.pending_observations());
    let pending = pending.map(|path| ObservationView {
        path: path.to_string(),
        state: "pending",
        notifications: 0,
    });
    established.chain(pending).collect()
}

fn problem(problem: &super::problems::Problem) -> ProblemView {
    ProblemView {
        reason: problem.reason,
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
    match (
        registration.queue_mode,
        core.presence(around.now.tick),
        core.reachable,
    ) {
        (true, Presence::Asleep, _) => {
            format!("queue mode, silent for {silent} s: listens again after its next message")
        }
        (true, ..) => {
            let left = (AWAKE_MILLIS / 1000).saturating_sub(silent);
            format!("queue mode, listens for {left} s more")
        }
        (false, _, false) => {
            format!("did not answer the last request, silent for {silent} s")
        }
        (false, ..) => "no queue mode: always listens".to_owned(),
    }
}
