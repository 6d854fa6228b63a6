//! The engine as services see it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::{broadcast, mpsc, oneshot};

pub use crate::engine::command::DeviceFilter;
pub use crate::engine::endpoint::journal::Severity;
pub use crate::engine::endpoint::observations::Observed;
pub use crate::engine::endpoint::profile_parts::{PowerKind, PowerSettings, ProfileParts};
pub use crate::engine::endpoint::request::{
    DeviceAnswer, DeviceCommand, DeviceOutcome, DeviceRequest, RequestError, Waiting,
};
pub use crate::engine::event::{Event, EventKind};
pub use crate::engine::handle::PendingRequest;
pub use crate::engine::history::Measured;
pub use crate::engine::persistence::{
    Begun, Fate, Read, Renew, Restored, SessionChange, StateBatch, StateError, StateStore,
};
pub use crate::engine::trace::{Trace, TraceError, TracedMessage};
pub use crate::engine::update::{
    Image, Milestone, Passed, Source, Strategy, Timeouts, UpdateKind, UpdateNews, UpdateStatus,
    UpdateTarget, update_values,
};
pub use crate::engine::view::{
    AttributesView, DeviceContext, DeviceState, DeviceSummary, LogEntry, RegistrationView,
    RolloutView, SecurityMode, TelemetryView, TimedValue, UpdateView,
};
pub use crate::engine::{Admission, Cursor, EngineError, ProfileError, ProfileId};
use crate::proto::lwm2m::model::ObjectModels;

/// An answer of the engine.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, EngineError>>;

/// A part of the list of endpoints and where it goes on.
pub type EnginePage = (Vec<DeviceSummary>, Option<Cursor>);

/// What services ask of the engine. Methods that look at an endpoint answer `None` when the engine
/// does not hold it: it is unknown, or provisioned and has not registered since the start.
pub trait Engine: Send + Sync + 'static {
    /// Number of shards.
    fn shards(&self) -> usize;

    /// Name and address of each UDP listener.
    fn listeners(&self) -> Vec<(&'static str, SocketAddr)>;

    /// Endpoints shard by shard in slot order, and where to go on. May return fewer than `limit`
    /// although there are more: it looks at a bounded number of endpoints per call.
    fn list(&self, filter: DeviceFilter, from: Cursor, limit: usize) -> Answer<'_, EnginePage>;

    /// One line about an endpoint.
    fn summary<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceSummary>>;

    /// The registration of an endpoint.
    fn registration<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<Box<RegistrationView>>>;

    /// What commands for an endpoint need to know; `None` as well while it is not registered.
    fn context<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceContext>>;

    /// Asks a device for something; it is told how it goes.
    ///
    /// # Errors
    /// The shard is busy or the engine stops.
    fn request(
        &self,
        endpoint: &str,
        request: DeviceRequest,
    ) -> Result<Option<PendingRequest>, EngineError>;

    /// Takes a request back.
    ///
    /// # Errors
    /// The shard is busy or the engine stops.
    fn cancel_request(&self, endpoint: &str, ticket: u64) -> Result<(), EngineError>;

    /// Has a device updated, now or when it registers next; stays assigned until it is withdrawn.
    /// `false` when the engine does not hold the endpoint yet. Assigned again after a restart, best
    /// before the engine runs: running updates go on.
    ///
    /// # Errors
    /// The shard is busy or the engine stops. The target is assigned nevertheless and taken up when
    /// the device registers next; assigning it again does no harm.
    fn assign_update(&self, endpoint: &str, target: Arc<UpdateTarget>)
    -> Result<bool, EngineError>;

    /// Takes an update back; one that runs is cancelled where that is possible.
    ///
    /// # Errors
    /// As [`Self::assign_update`].
    fn withdraw_update(&self, endpoint: &str, kind: UpdateKind) -> Result<bool, EngineError>;

    /// Updates of an endpoint and how far they are.
    fn updates<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<Vec<UpdateView>>>;

    /// Resolves when the device registers next.
    fn arrival(&self, endpoint: &str) -> oneshot::Receiver<()>;

    /// Has every Register of an endpoint told through [`Self::arrivals`].
    fn follow(&self, endpoint: &str);

    /// Takes [`Self::follow`] back.
    fn unfollow(&self, endpoint: &str);

    /// Followed endpoints that registered, each once until it is taken out. For one reader.
    fn arrivals(&self) -> BoxStream<'static, Box<str>>;

    /// Telemetry values of profiles that keep a history; bounded, what finds it full is dropped and
    /// counted. For one reader: `None` when there is one.
    fn measurements(&self) -> Option<mpsc::Receiver<Vec<Measured>>>;

    /// Tells subscribers of something that services did with a device.
    fn publish(&self, event: Event);

    /// Puts object definitions in force.
    fn use_models(&self, models: Arc<ObjectModels>);

    /// Latest values of an endpoint.
    fn telemetry<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<TelemetryView>>;

    /// Client attributes of an endpoint.
    fn attributes<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<AttributesView>>;

    /// The newest entries of the transport log of an endpoint, newest first.
    fn log<'a>(&'a self, endpoint: &'a str, limit: usize) -> Answer<'a, Option<Vec<LogEntry>>>;

    /// Every message to and from an endpoint, from now on.
    fn trace<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<Trace>, TraceError>>;

    /// Adds to the transport log of an endpoint, if its profile wants it and the engine has time.
    fn note(&self, endpoint: &str, severity: Severity, text: String);

    /// Forgets an endpoint; `false` when the engine did not hold it.
    fn remove<'a>(&'a self, endpoint: &'a str) -> Answer<'a, bool>;

    /// Ends the registration of an endpoint, and its session: what proved who it is does not hold
    /// any more. What it reported stays.
    fn revoke<'a>(&'a self, endpoint: &'a Arc<str>) -> BoxFuture<'a, ()>;

    /// Whether the engine holds an endpoint.
    fn holds(&self, endpoint: &str) -> bool;

    /// Puts profiles in force, all of them or none; their numbers in the same order. A profile of
    /// the same name keeps its number.
    ///
    /// # Errors
    /// See [`ProfileError`].
    fn put_profiles(&self, profiles: Vec<ProfileParts>) -> Result<Vec<ProfileId>, ProfileError>;

    /// Takes a profile out of force; `false` when there is none of that name, or it is the default.
    fn remove_profile(&self, name: &str) -> bool;

    /// How far the registered devices of each profile are with its present version; profiles
    /// without any are left out.
    fn progress(&self) -> Answer<'_, HashMap<ProfileId, RolloutView>>;

    /// How many endpoints are admitted under a profile.
    fn profile_users(&self, profile: ProfileId) -> usize;

    /// Lets an endpoint register.
    fn admit(&self, endpoint: &str, admission: Admission);

    /// Takes back [`Self::admit`].
    fn withdraw(&self, endpoint: &str);

    /// What happens from now on; bounded, the receiver is told how many events it missed.
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>>;

    /// Who registers and whose update is over, while that is [wanted](Self::follow_updates); bounded,
    /// what finds it full is dropped and counted. For one reader: `None` when there is one.
    fn milestones(&self) -> Option<mpsc::Receiver<Vec<Milestone>>>;

    /// Whether [`Self::milestones`] are told from now on.
    fn follow_updates(&self, wanted: bool);

    /// Whether milestones were dropped since the last call.
    fn missed_milestones(&self) -> bool;
}

impl Engine for crate::engine::EngineHandle {
    fn shards(&self) -> usize {
        self.shards()
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        self.listeners().to_vec()
    }

    fn list(&self, filter: DeviceFilter, from: Cursor, limit: usize) -> Answer<'_, EnginePage> {
        self.list(filter, from, limit).boxed()
    }

    fn summary<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceSummary>> {
        self.summary(endpoint).boxed()
    }

    fn registration<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<Box<RegistrationView>>> {
        self.registration(endpoint).boxed()
    }

    fn context<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceContext>> {
        self.context(endpoint).boxed()
    }

    fn request(
        &self,
        endpoint: &str,
        request: DeviceRequest,
    ) -> Result<Option<PendingRequest>, EngineError> {
        self.request(endpoint, request)
    }

    fn cancel_request(&self, endpoint: &str, ticket: u64) -> Result<(), EngineError> {
        self.cancel_request(endpoint, ticket)
    }

    fn assign_update(
        &self,
        endpoint: &str,
        target: Arc<UpdateTarget>,
    ) -> Result<bool, EngineError> {
        self.assign_update(endpoint, target)
    }

    fn withdraw_update(&self, endpoint: &str, kind: UpdateKind) -> Result<bool, EngineError> {
        self.withdraw_update(endpoint, kind)
    }

    fn updates<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<Vec<UpdateView>>> {
        self.updates(endpoint).boxed()
    }

    fn arrival(&self, endpoint: &str) -> oneshot::Receiver<()> {
        self.arrival(endpoint)
    }

    fn follow(&self, endpoint: &str) {
        self.follow(endpoint);
    }

    fn unfollow(&self, endpoint: &str) {
        self.unfollow(endpoint);
    }

    fn arrivals(&self) -> BoxStream<'static, Box<str>> {
        self.arrivals().boxed()
    }

    fn measurements(&self) -> Option<mpsc::Receiver<Vec<Measured>>> {
        self.measurements()
    }

    fn publish(&self, event: Event) {
        self.publish(event);
    }

    fn use_models(&self, models: Arc<ObjectModels>) {
        self.use_models(models);
    }

    fn telemetry<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<TelemetryView>> {
        self.telemetry(endpoint).boxed()
    }

    fn attributes<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<AttributesView>> {
        self.attributes(endpoint).boxed()
    }

    fn log<'a>(&'a self, endpoint: &'a str, limit: usize) -> Answer<'a, Option<Vec<LogEntry>>> {
        self.log(endpoint, limit).boxed()
    }

    fn trace<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<Trace>, TraceError>> {
        self.trace(endpoint).boxed()
    }

    fn note(&self, endpoint: &str, severity: Severity, text: String) {
        self.note(endpoint, severity, text);
    }

    fn remove<'a>(&'a self, endpoint: &'a str) -> Answer<'a, bool> {
        self.remove(endpoint).boxed()
    }

    fn revoke<'a>(&'a self, endpoint: &'a Arc<str>) -> BoxFuture<'a, ()> {
        self.revoke(endpoint, None, true).boxed()
    }

    fn holds(&self, endpoint: &str) -> bool {
        self.holds(endpoint)
    }

    fn put_profiles(&self, profiles: Vec<ProfileParts>) -> Result<Vec<ProfileId>, ProfileError> {
        self.put_profiles(profiles)
    }

    fn remove_profile(&self, name: &str) -> bool {
        self.remove_profile(name)
    }

    fn progress(&self) -> Answer<'_, HashMap<ProfileId, RolloutView>> {
        self.progress().boxed()
    }

    fn profile_users(&self, profile: ProfileId) -> usize {
        self.profile_users(profile)
    }

    fn admit(&self, endpoint: &str, admission: Admission) {
        self.admit(endpoint, admission);
    }

    fn withdraw(&self, endpoint: &str) {
        self.withdraw(endpoint);
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.subscribe()
    }

    fn milestones(&self) -> Option<mpsc::Receiver<Vec<Milestone>>> {
        self.milestones()
    }

    fn follow_updates(&self, wanted: bool) {
        self.follow_updates(wanted);
    }

    fn missed_milestones(&self) -> bool {
        self.missed_milestones()
    }
}
