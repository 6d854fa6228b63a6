//! An endpoint as a record: what is kept of it over a restart, and the endpoint made of it again.
//!
//! The record is CBOR (RFC 8949): an array that begins with the version of its form. Later forms add
//! members at the end. Times are wall-clock times; ticks mean nothing in another process.

use crate::proto::coap::exchange::MidSequence;
use crate::proto::lwm2m::link::{LinkError, LinkInterner, ObjectLinks};
use crate::proto::lwm2m::operation::NotificationAttributes;
use crate::proto::lwm2m::{Binding, LwM2mVersion, Path};
use crate::proto::time::{NEVER, Now, Tick, UnixMillis};

use super::conversation::{Conversation, StepRef};
use super::core::EndpointCore;
use super::identity::Place;
use super::observations::{Observations, Observed};
use super::problems::{Problem, Problems};
use super::profile_parts::PowerMode;
use super::registration::{Extras, Registration};
use super::splitting::CompositeLimits;
use super::values::LatestValues;

mod read;
pub(super) mod record;
mod update;
mod write;

#[cfg(test)]
mod tests;

/// Version of the form that this build writes; it reads all up to it.
pub const FORM: u8 = 3;

/// Tokens passed over when an endpoint is restored: requests made since its record was written must
/// not share theirs with new ones. A record is written at the latest when half as many were made.
const TOKENS_SKIPPED: u16 = 512;

/// What the shard knows of an endpoint and keeps with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Whereabouts {
    /// Number of the kept profile under which the endpoint lives.
    pub plan: u64,
    /// Address of the device as 16 bytes, IPv4 mapped, and its port; zeros with a session.
    pub peer: ([u8; 16], u16),
    /// The DTLS session of the device: shard, mode, id.
    pub session: Option<(u8, u8, u64)>,
    /// Address of ours that it uses and the index of the interface, where known.
    pub local: Option<([u8; 16], u32)>,
    /// Whether the device has proved to be at its address.
    pub verified: bool,
}

/// A record, read and found to be in order.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// Endpoint client name.
    pub name: &'a str,
    /// What the shard needs.
    pub whereabouts: Whereabouts,
    /// Salt of the registration.
    pub salt: u32,
    next_token: u16,
    last_seen: Option<UnixMillis>,
    reachable: bool,
    registration: Option<KeptRegistration<'a>>,
    observations: Vec<KeptObservation>,
    values: LatestValues,
    problems: Vec<Problem>,
    pending: Vec<Pending>,
    updates: Vec<super::update::state::Update>,
}

#[derive(Clone, Debug)]
struct KeptRegistration<'a> {
    version: LwM2mVersion,
    since: UnixMillis,
    lifetime: Option<u32>,
    binding: Option<Binding>,
    queue_mode: bool,
    sms: Option<&'a str>,
    additional: Vec<(&'a str, &'a str)>,
    links: &'a str,
    composite: CompositeLimits,
}

#[derive(Clone, Debug)]
struct KeptObservation {
    observed: Observed,
    token: u16,
    notifications: u32,
    /// Sequence number of the newest notification and when it came.
    newest: Option<(u32, UnixMillis)>,
}

/// Something left to ask of a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pending {
    /// A step of the profile.
    Step(StepRef),
    /// A step that waits for the device's next Update.
    Parked(StepRef),
    /// What a notification was too long for.
    Remainder(Observed),
    /// The end of an observation.
    Cancel {
        /// What was observed.
        observed: Observed,
        /// The observation's token.
        token: u16,
    },
    /// Attributes taken back.
    Attributes {
        /// Where.
        path: Path,
        /// Which.
        attributes: NotificationAttributes,
    },
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not CBOR, or not of the right shape.
    #[error("the record is damaged: {0}")]
    Damaged(#[from] minicbor::decode::Error),
    /// A member does not mean anything.
    #[error("the record is damaged: {0} cannot be read")]
    Member(&'static str),
    /// The object list of the registration is none.
    #[error("the record is damaged: {0}")]
    Links(#[from] LinkError),
    /// It was written by a later version.
    #[error("the record has form {0}, this version reads up to {FORM}")]
    Form(u8),
}

impl EndpointCore {
    /// Whether a restart would lose something.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.registration.is_some() || !self.values.is_empty() || !self.updates.is_empty()
    }

    /// Appends the record of the endpoint.
    pub fn write_snapshot(&self, whereabouts: &Whereabouts, now: Now, out: &mut Vec<u8>) {
        write::endpoint(self, whereabouts, now, out);
    }

    /// The endpoint of a record. Its lifetime begins anew; what is left to ask is asked.
    ///
    /// # Errors
    /// The object list cannot be read.
    pub fn restored(
        snapshot: Snapshot<'_>,
        place: Place,
        mids: MidSequence,
        now: Now,
        power: PowerMode,
        links: &mut LinkInterner,
    ) -> Result<Self, SnapshotError> {
        let tick = |wall| tick_of(now, wall);
        let registration = snapshot.registration.map(|kept| -> Result<_, LinkError> {
            let list = links.intern(kept.links.as_bytes(), kept.version)?;
            Ok(kept.into_registration(list, now, power))
        });
        let mut core = Self::new(snapshot.name, place, mids);
        core.registration = registration.transpose()?;
        core.next_token = snapshot.next_token.wrapping_add(TOKENS_SKIPPED);
        core.last_seen = snapshot.last_seen.map_or(Tick::ZERO, tick);
        core.reachable = snapshot.reachable;
        core.values = snapshot.values;
        core.problems = Problems::of(snapshot.problems);
        if core.registration.is_some() {
            core.observations = Observations::of(snapshot.observations.into_iter().map(|kept| {
                let newest = kept.newest.map(|(sequence, wall)| (sequence, tick(wall)));
                (kept.observed, kept.token, kept.notifications, newest)
            }));
            core.conversation = Conversation::resumed(snapshot.pending);
            if !core.reachable
                && core.always_listens()
                && let Some(conversation) = &mut core.conversation
            {
                conversation.retry_later(now.tick);
            }
        }
        for update in snapshot.updates {
            core.updates.put_back(update, now.tick);
        }
        Ok(core)
    }

    /// Gives the values of a restored endpoint the mappings of another arrangement of its profile.
    pub fn relocate_values(&mut self, place: impl Fn(u16) -> Option<u16>) {
        self.values.relocate(place);
    }

    /// Whether something is left to ask that nothing in flight will lead to.
    #[must_use]
    pub fn wants_to_ask(&self) -> bool {
        self.registration.is_some()
            && self
                .conversation
                .as_ref()
                .is_some_and(|conversation| conversation.has_jobs())
    }

    /// Whether enough tokens were given out since `before` for the record to be written again.
    #[must_use]
    pub fn tokens_ran_on(&self, before: u16) -> bool {
        self.next_token / (TOKENS_SKIPPED / 2) != before / (TOKENS_SKIPPED / 2)
    }

    /// The next token to be given out.
    #[must_use]
    pub fn next_token(&self) -> u16 {
        self.next_token
    }
}

impl<'a> Snapshot<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn parse(record: &'a [u8]) -> Result<Self, SnapshotError> {
        read::endpoint(record)
    }

    /// Whether the registration ended while nobody served: the device could not have kept it alive.
    #[must_use]
    pub fn expired(&self, now: UnixMillis, served_until: UnixMillis) -> bool {
        let lifetime = self.registration.as_ref().and_then(|kept| kept.lifetime);
        lifetime.is_some_and(|seconds| {
            now.saturating_sub(served_until) > i64::from(seconds).saturating_mul(1_000)
        })
    }

    /// Whether the device was registered.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.is_some()
    }

    /// The same device after its registration ended.
    #[must_use]
    pub fn unregistered(self) -> Self {
        Self {
            registration: None,
            ..self
        }
    }
}

impl KeptRegistration<'_> {
    fn into_registration(
        self,
        links: std::sync::Arc<ObjectLinks>,
        now: Now,
        power: PowerMode,
    ) -> Registration {
        let additional: Vec<(Box<str>, Box<str>)> = self
            .additional
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        let composite = self.composite;
        let told = self.sms.is_some() || !additional.is_empty();
        let extras = (told || composite != CompositeLimits::default()).then(|| {
            Box::new(Extras {
                paging_cycle: None,
                composite,
                sms: self.sms.map(Into::into),
                additional,
            })
        });
        let mut registration = Registration {
            links,
            since: self.since,
            expires: NEVER,
            lifetime: self.lifetime,
            version: self.version,
            binding: self.binding,
            queue_mode: self.queue_mode,
            awake_millis: None,
            extras,
        };
        registration.listen(power);
        registration.refresh(now.tick);
        registration
    }
}

/// When something was, by the clock of this process; at its beginning what was longer ago.
fn tick_of(now: Now, wall: UnixMillis) -> Tick {
    let age = u64::try_from(now.wall.saturating_sub(wall)).unwrap_or(0);
    Tick::from_millis(now.tick.as_millis().saturating_sub(age).max(1))
}

/// When something was, by the wall clock.
fn wall_of(now: Now, tick: Tick) -> UnixMillis {
    let age = i64::try_from(now.tick.millis_since(tick)).unwrap_or(i64::MAX);
    now.wall.saturating_sub(age)
}
