//! A service on an engine that a test plays.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt, ready};
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::json;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::engine::endpoint::plan::ProfilePlan;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::model::ObjectModels;
use crate::proto::lwm2m::{LwM2mVersion, Path, Record, Value};
use crate::proto::time::UnixMillis;
use crate::services::devices::Devices;
use crate::services::engine::{
    Admission, Answer, AttributesView, Cursor, DeviceAnswer, DeviceContext, DeviceFilter,
    DeviceOutcome, DeviceRequest, DeviceSummary, Engine, EngineError, EnginePage, Event, LogEntry,
    Measured, Milestone, PendingRequest, ProfileError, ProfileId, ProfileParts, RegistrationView,
    RequestError, Severity, TelemetryView, Trace, TraceError, UpdateKind, UpdateTarget, UpdateView,
};
use crate::services::models::Models;
use crate::services::profiles::{ProfileSettings, Profiles, ServerPorts};
use crate::services::provisioning::{DeviceBody, Provisioning};
use crate::services::rpc::clock::Clock;
use crate::services::rpc::{Rpc, RpcCall};
use crate::services::storage::Store;
use crate::store::MemoryStore;

/// When the tests begin.
pub(super) const START: UnixMillis = 1_800_000_000_000;

/// An engine whose devices answer as the test says.
pub(super) struct Scripted {
    registered: Mutex<BTreeSet<String>>,
    waiting: Mutex<BTreeMap<String, Vec<oneshot::Sender<()>>>>,
    asked: mpsc::UnboundedSender<Asked>,
    tickets: AtomicU64,
    pub(super) cancelled: Mutex<Vec<u64>>,
}

/// A request at the device.
pub(super) struct Asked {
    pub(super) endpoint: String,
    pub(super) ticket: u64,
    pub(super) request: DeviceRequest,
    pub(super) sent: Option<oneshot::Sender<()>>,
    pub(super) done: oneshot::Sender<DeviceOutcome>,
}

/// What a test has in hand.
pub(super) struct Bench {
    pub(super) engine: Arc<Scripted>,
    pub(super) requests: mpsc::UnboundedReceiver<Asked>,
    pub(super) store: MemoryStore,
    pub(super) devices: Arc<Devices>,
    pub(super) clock: Clock,
}

impl Bench {
    /// Provisioned devices `a` and `b`; nobody is registered.
    pub(super) async fn new() -> Self {
        let (asked, requests) = mpsc::unbounded_channel();
        let engine = Arc::new(Scripted {
            registered: Mutex::default(),
            waiting: Mutex::default(),
            asked,
            tickets: AtomicU64::new(1),
            cancelled: Mutex::default(),
        });
        let store = MemoryStore::default();
        let stored: Arc<dyn Store> = Arc::new(store.clone());
        let models = Arc::new(Models::load(stored.clone()).await.unwrap());
        let settings = ProfileSettings {
            ports: ServerPorts::default(),
            of_unnamed: "default".to_owned(),
        };
        let profiles = Profiles::load(stored.clone(), models, None, settings)
            .await
            .unwrap();
        let provisioning = Provisioning::new(stored, profiles, "default");
        let devices = Arc::new(Devices::new(engine.clone(), provisioning));
        for endpoint in ["a", "b"] {
            devices.put(endpoint, DeviceBody::default()).await.unwrap();
        }
        Self {
            engine,
            requests,
            store,
            devices,
            clock: Clock::simulated(START),
        }
    }

    /// The service; a second call is the server after a restart.
    pub(super) async fn rpc(&self) -> Rpc {
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        let models = Arc::new(Models::load(store.clone()).await.unwrap());
        let (engine, devices) = (self.engine.clone(), self.devices.clone());
        Rpc::load_with_clock(engine, devices, models, store, self.clock.clone())
            .await
            .unwrap()
    }

    /// The next request at a device.
    pub(super) async fn asked(&mut self) -> Asked {
        self.requests.recv().await.unwrap()
    }

    /// Whether no device is asked for anything.
    pub(super) async fn nothing_is_asked(&mut self) -> bool {
        settle().await;
        self.requests.try_recv().is_err()
    }
}

impl Asked {
    pub(super) fn send(&mut self) {
        self.sent.take().unwrap().send(()).unwrap();
    }

    pub(super) fn end(self, outcome: DeviceOutcome) {
        // Whoever asked may be gone.
        let _ = self.done.send(outcome);
    }

    pub(super) fn answer(self) {
        self.end(value());
    }
}

/// A device that was asked for its battery level says 42.
pub(super) fn value() -> DeviceOutcome {
    let path = Path::resource(3, 0, 9);
    Ok(DeviceAnswer::Values {
        records: vec![Record {
            path,
            value: Some(Value::Integer(42)),
            time: None,
        }],
        format: 0,
        observing: false,
    })
}

/// The device said nothing.
pub(super) fn unanswered() -> DeviceOutcome {
    Err(RequestError::Unanswered {
        acknowledged: false,
    })
}

pub(super) fn read() -> RpcCall {
    RpcCall {
        method: "Read".to_owned(),
        params: Some(json!({"id": "/3/0/9"})),
    }
}

/// Lets everything run that can.
pub(super) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

impl Scripted {
    pub(super) fn register(&self, endpoint: &str) {
        self.registered.lock().unwrap().insert(endpoint.to_owned());
        let waiting = self.waiting.lock().unwrap().remove(endpoint);
        for waiter in waiting.into_iter().flatten() {
            let _ = waiter.send(());
        }
    }

    pub(super) fn deregister(&self, endpoint: &str) {
        self.registered.lock().unwrap().remove(endpoint);
    }
}

impl Engine for Scripted {
    fn shards(&self) -> usize {
        1
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        Vec::new()
    }

    fn list(&self, _: DeviceFilter, _: Cursor, _: usize) -> Answer<'_, EnginePage> {
        ready(Ok((Vec::new(), None))).boxed()
    }

    fn summary<'a>(&'a self, _: &'a str) -> Answer<'a, Option<DeviceSummary>> {
        ready(Ok(None)).boxed()
    }

    fn registration<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Box<RegistrationView>>> {
        ready(Ok(None)).boxed()
    }

    fn context<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceContext>> {
        let registered = self.holds(endpoint);
        let links = ObjectLinks::parse(b"</1/0>,</3/0>", LwM2mVersion::V1_1).unwrap();
        let context = registered.then(|| DeviceContext {
            links: Arc::new(links),
            plan: Arc::new(ProfilePlan::built_in_default()),
        });
        ready(Ok(context)).boxed()
    }

    fn request(
        &self,
        endpoint: &str,
        request: DeviceRequest,
    ) -> Result<Option<PendingRequest>, EngineError> {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let (sent, on_sent) = oneshot::channel();
        let (done, on_done) = oneshot::channel();
        let asked = Asked {
            endpoint: endpoint.to_owned(),
            ticket,
            request,
            sent: Some(sent),
            done,
        };
        self.asked.send(asked).map_err(|_| EngineError::Stopped)?;
        Ok(Some(PendingRequest {
            ticket,
            sent: on_sent,
            done: on_done,
        }))
    }

    fn cancel_request(&self, _: &str, ticket: u64) -> Result<(), EngineError> {
        self.cancelled.lock().unwrap().push(ticket);
        Ok(())
    }

    fn assign_update(&self, _: &str, _: Arc<UpdateTarget>) -> Result<bool, EngineError> {
        Ok(false)
    }

    fn withdraw_update(&self, _: &str, _: UpdateKind) -> Result<bool, EngineError> {
        Ok(false)
    }

    fn updates<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Vec<UpdateView>>> {
        ready(Ok(None)).boxed()
    }

    fn arrival(&self, endpoint: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap();
        waiting.entry(endpoint.to_owned()).or_default().push(sender);
        receiver
    }

    fn follow(&self, _: &str) {}

    fn unfollow(&self, _: &str) {}

    fn arrivals(&self) -> BoxStream<'static, Box<str>> {
        stream::pending().boxed()
    }

    fn measurements(&self) -> Option<mpsc::Receiver<Vec<Measured>>> {
        None
    }

    fn publish(&self, _: Event) {}

    fn use_models(&self, _: Arc<ObjectModels>) {}

    fn telemetry<'a>(&'a self, _: &'a str) -> Answer<'a, Option<TelemetryView>> {
        ready(Ok(None)).boxed()
    }

    fn attributes<'a>(&'a self, _: &'a str) -> Answer<'a, Option<AttributesView>> {
        ready(Ok(None)).boxed()
    }

    fn log<'a>(&'a self, _: &'a str, _: usize) -> Answer<'a, Option<Vec<LogEntry>>> {
        ready(Ok(None)).boxed()
    }

    fn trace<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Trace>, TraceError>> {
        ready(Ok(None)).boxed()
    }

    fn note(&self, _: &str, _: Severity, _: String) {}

    fn remove<'a>(&'a self, _: &'a str) -> Answer<'a, bool> {
        ready(Ok(false)).boxed()
    }

    fn revoke<'a>(&'a self, _: &'a Arc<str>) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }

    fn holds(&self, endpoint: &str) -> bool {
        self.registered.lock().unwrap().contains(endpoint)
    }

    fn admit(&self, _: &str, _: Admission) {}

    fn put_profiles(&self, profiles: Vec<ProfileParts>) -> Result<Vec<ProfileId>, ProfileError> {
        Ok((0..).take(profiles.len()).collect())
    }

    fn remove_profile(&self, _: &str) -> bool {
        false
    }

    fn progress(
        &self,
    ) -> Answer<'_, std::collections::HashMap<ProfileId, crate::services::engine::RolloutView>>
    {
        async { Ok(std::collections::HashMap::new()) }.boxed()
    }

    fn profile_users(&self, _: ProfileId) -> usize {
        0
    }

    fn withdraw(&self, _: &str) {}

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        broadcast::channel(1).1
    }

    fn milestones(&self) -> Option<mpsc::Receiver<Vec<Milestone>>> {
        None
    }

    fn follow_updates(&self, _: bool) {}

    fn missed_milestones(&self) -> bool {
        false
    }
}
