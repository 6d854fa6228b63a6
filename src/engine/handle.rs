//! The way into the engine for services and the API: finds the shard that owns an endpoint and asks it.

mod profiles;
mod updates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::stream::{self, Stream};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::bootstrap::desk::{Directive, Order, Ticket, Told};
use super::command::{Command, DeviceFilter, Inspect, RequestReply};
use super::directory::{Admitted, Home};
use super::endpoint::journal::Severity;
use super::endpoint::profile_parts::PowerSettings;
use super::endpoint::request::{DeviceOutcome, DeviceRequest};
use super::event::Event;
use super::history::Measured;
use super::metrics::EngineMetrics;
use super::profiles::ProfileId;
use super::shard::Shared;
use super::trace::{Trace, TraceError};
use super::view::{
    AttributesView, DeviceContext, DeviceSummary, LogEntry, RegistrationView, TelemetryView,
};
use crate::proto::dtls::ServerContexts;
use crate::proto::lwm2m::model::ObjectModels;

/// Commands that may wait for a shard; more are refused with [`EngineError::Busy`].
pub const COMMANDS: usize = 1_024;

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// The shard's command queue is full.
    #[error("the engine is busy: the command queue of the shard is full")]
    Busy,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    Stopped,
}

/// How a device is let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admission {
    /// Number of its profile.
    pub profile: ProfileId,
    /// What it says itself of when it listens; the rest is its profile's.
    pub power: Option<PowerSettings>,
}

/// Where a device list goes on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    /// Index of the shard.
    pub shard: u16,
    /// Slot in the shard.
    pub slot: u32,
}

/// A handle on a running engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub shared: Arc<Shared>,
    pub commands: Vec<mpsc::Sender<Command>>,
    pub subscribers: broadcast::Sender<Arc<Event>>,
    pub metrics: EngineMetrics,
    pub listeners: Vec<(&'static str, SocketAddr)>,
    pub next_ticket: AtomicU64,
}

/// A request on its way.
#[derive(Debug)]
pub struct PendingRequest {
    /// Its name for [`EngineHandle::cancel_request`].
    pub ticket: u64,
    /// Resolves when the request is sent to the device for the first time; fails when it never is.
    pub sent: oneshot::Receiver<()>,
    /// Resolves when it is over; fails when the engine stops or forgets the endpoint.
    pub done: oneshot::Receiver<DeviceOutcome>,
}

impl EngineHandle {
    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inner.commands.len()
    }

    /// What is served where.
    #[must_use]
    pub fn listeners(&self) -> &[(&'static str, SocketAddr)] {
        &self.inner.listeners
    }

    /// Endpoints the engine holds, shard by shard in slot order, from a cursor on. Fewer than `limit`
    /// may come though there are more: the cursor says so.
    ///
    /// # Errors
    /// The shard is busy or the engine stops.
    pub async fn list(
        &self,
        filter: DeviceFilter,
        from: Cursor,
        limit: usize,
    ) -> Result<(Vec<DeviceSummary>, Option<Cursor>), EngineError> {
        let shard = usize::from(from.shard);
        if shard >= self.shards() {
            return Ok((Vec::new(), None));
        }
        let page = self
            .ask(shard, |reply| Command::List {
                filter,
                slot: from.slot,
                limit,
                reply,
            })
            .await?;
        let next = match page.next_slot {
            Some(slot) => Some(Cursor { slot, ..from }),
            None if shard + 1 < self.shards() => Some(Cursor {
                shard: from.shard + 1,
                slot: 0,
            }),
            None => None,
        };
        Ok((page.items, next))
    }

    /// One line about an endpoint; `None` when the engine does not hold it.
    ///
    /// # Errors
    /// The shard is busy or the engine stops; so below.
    pub async fn summary(&self, endpoint: &str) -> Result<Option<DeviceSummary>, EngineError> {
        self.inspect(endpoint, Inspect::Summary).await
    }

    /// The registration of an endpoint.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn registration(
        &self,
        endpoint: &str,
    ) -> Result<Option<Box<RegistrationView>>, EngineError> {
        let mut found = self.inspect(endpoint, Inspect::Registration).await?;
        if let Some(view) = &mut found
            && view.address.is_none()
            && let Some(session) = view.session
            && usize::from(session.shard()) < self.shards()
        {
            let locate = |reply| Command::Locate { session, reply };
            let address = self.ask(session.shard().into(), locate).await?;
            view.address = address.map(|address| address.to_string());
        }
        Ok(found)
    }

    /// What commands for an endpoint need to know; `None` while it is not registered.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn context(&self, endpoint: &str) -> Result<Option<DeviceContext>, EngineError> {
        self.inspect(endpoint, Inspect::Context).await
    }

    /// Asks a device for something. `None` when the engine does not hold the endpoint.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub fn request(
        &self,
        endpoint: &str,
        request: DeviceRequest,
    ) -> Result<Option<PendingRequest>, EngineError> {
        let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) else {
            return Ok(None);
        };
        let ticket = self.inner.next_ticket.fetch_add(1, Relaxed);
        let (sent, on_sent) = oneshot::channel();
        let (done, on_done) = oneshot::channel();
        let reply = RequestReply {
            sent: Some(sent),
            done,
        };
        self.send(
            shard.into(),
            Command::Request {
                slot,
                endpoint: endpoint.to_owned(),
                ticket,
                request,
                reply,
            },
        )?;
        Ok(Some(PendingRequest {
            ticket,
            sent: on_sent,
            done: on_done,
        }))
    }

    /// Takes a request back; it ends with [`RequestError::Cancelled`] unless it ended before.
    ///
    /// [`RequestError::Cancelled`]: super::endpoint::request::RequestError::Cancelled
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub fn cancel_request(&self, endpoint: &str, ticket: u64) -> Result<(), EngineError> {
        let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) else {
            return Ok(());
        };
        let endpoint = endpoint.to_owned();
        self.send(
            shard.into(),
            Command::CancelRequest {
                slot,
                endpoint,
                ticket,
            },
        )
    }

    /// Resolves when the device registers next.
    #[must_use]
    pub fn arrival(&self, endpoint: &str) -> oneshot::Receiver<()> {
        self.inner.shared.arrivals.wait(endpoint)
    }

    /// Has every Register of an endpoint told through [`arrivals`](Self::arrivals).
    pub fn follow(&self, endpoint: &str) {
        self.inner.shared.arrivals.follow(endpoint);
    }

    /// Takes [`follow`](Self::follow) back.
    pub fn unfollow(&self, endpoint: &str) {
        self.inner.shared.arrivals.unfollow(endpoint);
    }

    /// Followed endpoints that registered, each once until it is taken out. Whoever asks first gets
    /// them; a stream asked for later is empty.
    pub fn arrivals(&self) -> impl Stream<Item = Box<str>> + Send + use<> {
        let shared = Arc::clone(&self.inner.shared);
        let told = shared.arrivals.followed();
        stream::unfold((told, shared), |(told, shared)| async move {
            let mut told = told?;
            let endpoint = told.recv().await?;
            shared.arrivals.taken(&endpoint);
            Some((endpoint, (Some(told), shared)))
        })
    }

    /// What the bootstrap server asks and tells, from now on. Whoever asks first gets it; `None` later.
    #[must_use]
    pub fn bootstraps(&self) -> Option<mpsc::Receiver<Told>> {
        self.inner.shared.bootstrap.open()
    }

    /// Says what is to become of a bootstrap session. Waits while its shard is busy.
    pub async fn direct(&self, ticket: Ticket, what: Order) {
        let number = ticket.number;
        let directive = Command::Bootstrap(Directive { number, what });
        if let Some(shard) = self.inner.commands.get(usize::from(ticket.shard)) {
            // A shard that is gone has no sessions.
            let _ = shard.send(directive).await;
        }
    }

    /// Telemetry values of profiles that keep a history, from now on. Whoever asks first gets them;
    /// `None` later.
    #[must_use]
    pub fn measurements(&self) -> Option<mpsc::Receiver<Vec<Measured>>> {
        self.inner.shared.history.open()
    }

    /// Tells subscribers of something that services did with a device.
    pub fn publish(&self, event: Event) {
        // Without subscribers there is nobody to be told.
        let _ = self.inner.subscribers.send(Arc::new(event));
    }

    /// Puts object definitions in force.
    pub fn use_models(&self, models: Arc<ObjectModels>) {
        self.inner.shared.models.store(models);
    }

    /// Latest telemetry of an endpoint.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn telemetry(&self, endpoint: &str) -> Result<Option<TelemetryView>, EngineError> {
        self.inspect(endpoint, Inspect::Telemetry).await
    }

    /// Client attributes of an endpoint.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn attributes(&self, endpoint: &str) -> Result<Option<AttributesView>, EngineError> {
        self.inspect(endpoint, Inspect::Attributes).await
    }

    /// The newest entries of the transport log of an endpoint, newest first.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn log(
        &self,
        endpoint: &str,
        limit: usize,
    ) -> Result<Option<Vec<LogEntry>>, EngineError> {
        self.inspect(endpoint, |reply| Inspect::Log(limit, reply))
            .await
    }

    /// Every message to and from an endpoint, from now on; `None` when the engine does not hold it.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub async fn trace(&self, endpoint: &str) -> Result<Option<Trace>, TraceError> {
        let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) else {
            return Ok(None);
        };
        let (messages, trace) = self.inner.shared.tracing.begin()?;
        let endpoint = endpoint.to_owned();
        let begun = self.ask(shard.into(), |reply| Command::Trace {
            slot,
            endpoint,
            messages,
            reply,
        });
        Ok(begun.await?.then_some(trace))
    }

    /// Adds to the transport log of an endpoint, if its profile wants it and its shard has time.
    pub fn note(&self, endpoint: &str, severity: Severity, text: String) {
        if let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) {
            let endpoint = endpoint.to_owned();
            // A shard too busy for this has more important things to do.
            let _ = self.send(
                shard.into(),
                Command::Note {
                    slot,
                    endpoint,
                    severity,
                    text,
                },
            );
        }
    }

    /// Forgets an endpoint: registration, observations, values, updates and what could be fetched for
    /// them. `false` when the engine does not hold it.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn remove(&self, endpoint: &str) -> Result<bool, EngineError> {
        self.inner.shared.updates.forget(endpoint);
        let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) else {
            return Ok(false);
        };
        let endpoint = endpoint.to_owned();
        self.ask(shard.into(), |reply| Command::Remove {
            slot,
            endpoint,
            reply,
        })
        .await
    }

    /// Whether the engine holds an endpoint, registered or not.
    #[must_use]
    pub fn holds(&self, endpoint: &str) -> bool {
        self.inner.shared.directory.home(endpoint).is_some()
    }

    /// Lets a device register.
    ///
    /// Where devices have more different power modes of their own than the engine has numbers for,
    /// further ones get that of their profile, with a warning.
    pub fn admit(&self, endpoint: &str, admission: Admission) {
        let shared = &self.inner.shared;
        let power = admission.power.map_or(0, |mode| {
            let id = shared.profiles.power_id(mode);
            if id == 0 {
                tracing::warn!(
                    endpoint,
                    "there are too many different power modes: that of the profile is used"
                );
            }
            id
        });
        let profile = admission.profile;
        shared
            .directory
            .admit(endpoint, Admitted { profile, power });
        let Some(Home { shard, slot }) = shared.directory.home(endpoint) else {
            return;
        };
        let endpoint = endpoint.to_owned();
        if self
            .send(shard.into(), Command::Readmit { slot, endpoint })
            .is_err()
        {
            // The shard is too busy to be told of this one: it will look at all.
            shared.readmissions.fetch_add(1, Relaxed);
        }
    }

    /// Takes credentials back: the registration of the endpoint ends, and the sessions of the identity
    /// with it. Waits while shards are busy, for as long as they are.
    pub async fn revoke(&self, endpoint: &Arc<str>, identity: Option<u64>) {
        for shard in &self.inner.commands {
            let endpoint = Arc::clone(endpoint);
            // A shard that is gone has no sessions.
            let _ = shard.send(Command::Revoke { endpoint, identity }).await;
        }
    }

    /// Has every session looked at whether its identity still holds.
    pub async fn revoke_unknown(&self) {
        for shard in &self.inner.commands {
            let _ = shard.send(Command::RevokeUnknown).await;
        }
    }

    /// What the server shows in handshakes from now on.
    pub async fn show(&self, contexts: Arc<ServerContexts>) {
        for shard in &self.inner.commands {
            let _ = shard.send(Command::Show(Arc::clone(&contexts))).await;
        }
    }

    /// Takes that back. A registration that exists goes on until [`remove`](Self::remove).
    pub fn withdraw(&self, endpoint: &str) {
        self.inner.shared.directory.withdraw(endpoint);
    }

    /// Whether a device was admitted.
    #[must_use]
    pub fn is_admitted(&self, endpoint: &str) -> bool {
        self.inner.shared.directory.is_admitted(endpoint)
    }

    /// Events from now on. A subscriber that is too slow is told how many it lost.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        let receiver = self.inner.subscribers.subscribe();
        self.inner.shared.listening.store(true, Relaxed);
        receiver
    }

    /// Number of shards that hang; the engine is not ready while there is one.
    #[must_use]
    pub fn stalled_shards(&self) -> usize {
        self.inner.shared.stalled.load(Relaxed)
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &EngineMetrics {
        &self.inner.metrics
    }

    async fn inspect<T>(
        &self,
        endpoint: &str,
        what: impl FnOnce(oneshot::Sender<Option<T>>) -> Inspect,
    ) -> Result<Option<T>, EngineError> {
        let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) else {
            return Ok(None);
        };
        let endpoint = endpoint.to_owned();
        let command = |reply| Command::Inspect {
            slot,
            endpoint,
            what: what(reply),
        };
        self.ask(shard.into(), command).await
    }

    async fn ask<T>(
        &self,
        shard: usize,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.send(shard, command(reply))?;
        answer.await.map_err(|_| EngineError::Stopped)
    }

    /// Wakes the shards. One whose queue is full is awake.
    fn look_at_profiles(&self) {
        for shard in 0..self.shards() {
            let _ = self.send(shard, Command::LookAtProfiles);
        }
    }

    fn send(&self, shard: usize, command: Command) -> Result<(), EngineError> {
        self.inner.commands[shard]
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => EngineError::Busy,
                mpsc::error::TrySendError::Closed(_) => EngineError::Stopped,
            })
    }
}
