//! An engine that holds what a test puts into it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{BoxStream, StreamExt};
use rookery::engine::endpoint::plan::ProfilePlan;
use rookery::proto::lwm2m::LwM2mVersion;
use rookery::proto::lwm2m::link::ObjectLinks;
use rookery::proto::lwm2m::model::ObjectModels;
use rookery::services::engine::{
    Admission, Answer, AttributesView, Cursor, DeviceContext, DeviceFilter, DeviceOutcome,
    DeviceRequest, DeviceState, DeviceSummary, Engine, EngineError, EnginePage, Event, LogEntry,
    Measured, Milestone, PendingRequest, ProfileError, ProfileId, ProfileParts, RegistrationView,
    RolloutView, SecurityMode, Severity, TelemetryView, Trace, TraceError, TracedMessage,
    UpdateKind, UpdateTarget, UpdateView,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// Shards, and endpoints looked at per `list`.
const SHARDS: u16 = 2;
const LOOKED_AT: usize = 3;

#[derive(Clone)]
pub struct Held {
    pub summary: DeviceSummary,
    pub registration: Option<RegistrationView>,
    pub telemetry: TelemetryView,
    pub attributes: AttributesView,
}

pub struct FakeEngine {
    shards: Mutex<[Vec<Held>; SHARDS as usize]>,
    admitted: Mutex<BTreeMap<String, Admission>>,
    profiles: Mutex<Vec<Option<ProfileParts>>>,
    progress: Mutex<HashMap<ProfileId, RolloutView>>,
    pub events: broadcast::Sender<Arc<Event>>,
    /// Tells who registered and whose update is over.
    pub milestones: mpsc::Sender<Vec<Milestone>>,
    milestones_told: Mutex<Option<mpsc::Receiver<Vec<Milestone>>>>,
    /// Whether milestones are wanted.
    pub follows_updates: AtomicBool,
    pub busy: AtomicBool,
    /// What devices were asked, in order.
    pub asked: Mutex<Vec<DeviceRequest>>,
    /// How requests end, in order; without one a request stays unanswered.
    pub outcomes: Mutex<VecDeque<DeviceOutcome>>,
    unanswered: Mutex<Vec<(oneshot::Sender<()>, oneshot::Sender<DeviceOutcome>)>>,
    waiting: Mutex<Vec<(String, oneshot::Sender<()>)>>,
    /// Hands values over for the history.
    pub measured: Mutex<Option<mpsc::Sender<Vec<Measured>>>>,
    /// The transport log of all devices.
    pub noted: Mutex<Vec<(String, LogEntry)>>,
    /// The one trace there can be.
    pub traced: Mutex<Option<mpsc::Sender<TracedMessage>>>,
    /// Updates assigned, in order.
    pub assigned_updates: Mutex<Vec<(String, Arc<UpdateTarget>)>>,
    /// Updates under way, by endpoint and kind.
    pub updates: Mutex<BTreeMap<(String, &'static str), UpdateView>>,
    /// Updates withdrawn, in order.
    pub withdrawn_updates: Mutex<Vec<(String, UpdateKind)>>,
    followed: Mutex<BTreeSet<String>>,
    arrivals: Mutex<Option<mpsc::UnboundedSender<Box<str>>>>,
}

impl FakeEngine {
    pub fn new(event_queue: usize) -> Self {
        let (milestones, told) = mpsc::channel(64);
        Self {
            shards: Mutex::default(),
            admitted: Mutex::default(),
            profiles: Mutex::default(),
            progress: Mutex::default(),
            events: broadcast::Sender::new(event_queue),
            milestones,
            milestones_told: Mutex::new(Some(told)),
            follows_updates: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            asked: Mutex::default(),
            outcomes: Mutex::default(),
            unanswered: Mutex::default(),
            waiting: Mutex::default(),
            measured: Mutex::default(),
            noted: Mutex::default(),
            traced: Mutex::default(),
            assigned_updates: Mutex::default(),
            updates: Mutex::default(),
            withdrawn_updates: Mutex::default(),
            followed: Mutex::default(),
            arrivals: Mutex::default(),
        }
    }

    /// Makes the engine hold `held`, in the shorter shard.
    pub fn hold(&self, held: Held) {
        let mut shards = self.shards.lock().unwrap();
        let shorter = usize::from(shards[1].len() < shards[0].len());
        let endpoint = held.summary.endpoint.clone();
        shards[shorter].push(held);
        drop(shards);
        let mut waiting = self.waiting.lock().unwrap();
        while let Some(at) = waiting.iter().position(|(name, _)| *name == endpoint) {
            let _ = waiting.swap_remove(at).1.send(());
        }
        if self.followed.lock().unwrap().contains(&endpoint)
            && let Some(arrivals) = &*self.arrivals.lock().unwrap()
        {
            arrivals.send(endpoint.into()).unwrap();
        }
    }

    pub fn register(&self, endpoint: &str, state: DeviceState) {
        self.hold(Held {
            summary: summary(endpoint, state),
            registration: None,
            telemetry: TelemetryView::new(),
            attributes: AttributesView::new(),
        });
    }

    pub fn is_admitted(&self, endpoint: &str) -> bool {
        self.admitted.lock().unwrap().contains_key(endpoint)
    }

    pub fn admission(&self, endpoint: &str) -> Option<Admission> {
        self.admitted.lock().unwrap().get(endpoint).copied()
    }

    /// The profile in force under a name.
    pub fn profile(&self, name: &str) -> Option<ProfileParts> {
        let profiles = self.profiles.lock().unwrap();
        let mut all = profiles.iter().flatten();
        all.find(|profile| profile.name == name).cloned()
    }

    /// The number of the profile in force under a name.
    pub fn profile_id(&self, name: &str) -> Option<ProfileId> {
        let profiles = self.profiles.lock().unwrap();
        let named = |known: &Option<ProfileParts>| known.as_ref().is_some_and(|p| p.name == name);
        profiles.iter().position(named).map(|id| id as ProfileId)
    }

    /// Says that devices of a profile are so far.
    pub fn show_progress(&self, profile: ProfileId, progress: RolloutView) {
        self.progress.lock().unwrap().insert(profile, progress);
    }

    pub fn admitted(&self) -> usize {
        self.admitted.lock().unwrap().len()
    }

    fn answer<T: Send + 'static>(&self, value: T) -> Answer<'static, T> {
        let answer = if self.busy.load(Ordering::Relaxed) {
            Err(EngineError::Busy)
        } else {
            Ok(value)
        };
        ready(answer).boxed()
    }

    fn find(&self, endpoint: &str) -> Option<Held> {
        let shards = self.shards.lock().unwrap();
        let mut all = shards.iter().flatten();
        all.find(|held| held.summary.endpoint == endpoint).cloned()
    }
}

fn update(target: &UpdateTarget) -> UpdateView {
    UpdateView {
        kind: target.kind.name(),
        package: target.package.to_string(),
        title: target.title.to_string(),
        version: target.version.to_string(),
        state: "INITIATED",
        queued_at: 0,
        state_since: 0,
        ended: false,
        waiting_for: "the device".to_owned(),
        reason: None,
        strategy: None,
        bytes_done: 2,
        bytes_total: target.bytes(),
        percent: Some(40),
        blocks_per_second: Some(1.5),
        attempts: 1,
        deadline: None,
        last_exchange_at: Some(1_700_000_000_000),
        last_exchange: Some("2.31 to block 1".to_owned()),
        device_state: None,
        device_state_since: None,
        device_result: None,
        current_title: None,
        current_version: None,
    }
}

pub fn summary(endpoint: &str, state: DeviceState) -> DeviceSummary {
    DeviceSummary {
        endpoint: endpoint.to_owned(),
        profile: "default".to_owned(),
        security: SecurityMode::NoSec,
        state,
        last_seen: Some(1_700_000_000_000),
    }
}

impl Engine for FakeEngine {
    fn shards(&self) -> usize {
        SHARDS.into()
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![("coap", "127.0.0.1:5685".parse().unwrap())]
    }

    fn list(&self, filter: DeviceFilter, from: Cursor, limit: usize) -> Answer<'_, EnginePage> {
        let shards = self.shards.lock().unwrap();
        let shard = &shards[usize::from(from.shard)];
        let begin = from.slot as usize;
        let mut items = Vec::new();
        let mut slot = begin;
        while slot < shard.len() && slot < begin + LOOKED_AT && items.len() < limit {
            let summary = &shard[slot].summary;
            if filter.state.is_none_or(|state| state == summary.state)
                && filter
                    .contains
                    .as_ref()
                    .is_none_or(|text| summary.endpoint.contains(text.as_str()))
                && filter
                    .profile
                    .as_ref()
                    .is_none_or(|p| *p == summary.profile)
            {
                items.push(summary.clone());
            }
            slot += 1;
        }
        let next = if slot < shard.len() {
            Some(Cursor {
                shard: from.shard,
                slot: slot as u32,
            })
        } else if from.shard + 1 < SHARDS {
            Some(Cursor {
                shard: from.shard + 1,
                slot: 0,
            })
        } else {
            None
        };
        drop(shards);
        self.answer((items, next))
    }

    fn summary<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceSummary>> {
        self.answer(self.find(endpoint).map(|held| held.summary))
    }

    fn registration<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<Box<RegistrationView>>> {
        self.answer(
            self.find(endpoint)
                .and_then(|held| held.registration)
                .map(Box::new),
        )
    }

    fn context<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<DeviceContext>> {
        let held = self.find(endpoint);
        let registered = held.filter(|held| held.summary.state == DeviceState::Registered);
        self.answer(registered.map(|_| DeviceContext {
            links: Arc::new(ObjectLinks::parse(b"</3/0>", LwM2mVersion::V1_1).unwrap()),
            plan: Arc::new(ProfilePlan::built_in_default()),
        }))
    }

    fn request(
        &self,
        _endpoint: &str,
        request: DeviceRequest,
    ) -> Result<Option<PendingRequest>, EngineError> {
        let (sent, on_sent) = oneshot::channel();
        let (done, on_done) = oneshot::channel();
        let mut asked = self.asked.lock().unwrap();
        asked.push(request);
        match self.outcomes.lock().unwrap().pop_front() {
            Some(outcome) => done.send(outcome).unwrap(),
            None => self.unanswered.lock().unwrap().push((sent, done)),
        }
        Ok(Some(PendingRequest {
            ticket: asked.len() as u64,
            sent: on_sent,
            done: on_done,
        }))
    }

    fn cancel_request(&self, _endpoint: &str, _ticket: u64) -> Result<(), EngineError> {
        Ok(())
    }

    fn assign_update(
        &self,
        endpoint: &str,
        target: Arc<UpdateTarget>,
    ) -> Result<bool, EngineError> {
        let mut assigned = self.assigned_updates.lock().unwrap();
        let key = (endpoint.to_owned(), target.kind.name());
        self.updates.lock().unwrap().insert(key, update(&target));
        assigned.push((endpoint.to_owned(), target));
        Ok(self.find(endpoint).is_some())
    }

    fn withdraw_update(&self, endpoint: &str, kind: UpdateKind) -> Result<bool, EngineError> {
        let mut withdrawn = self.withdrawn_updates.lock().unwrap();
        let key = (endpoint.to_owned(), kind.name());
        self.updates.lock().unwrap().remove(&key);
        withdrawn.push((endpoint.to_owned(), kind));
        Ok(self.find(endpoint).is_some())
    }

    fn updates<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<Vec<UpdateView>>> {
        let updates = self.updates.lock().unwrap();
        let of_it = updates.iter().filter(|((name, _), _)| name == endpoint);
        let of_it = of_it.map(|(_, update)| update.clone()).collect();
        self.answer(self.find(endpoint).map(|_| of_it))
    }

    fn arrival(&self, endpoint: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap();
        waiting.push((endpoint.to_owned(), sender));
        receiver
    }

    fn follow(&self, endpoint: &str) {
        self.followed.lock().unwrap().insert(endpoint.to_owned());
    }

    fn unfollow(&self, endpoint: &str) {
        self.followed.lock().unwrap().remove(endpoint);
    }

    fn arrivals(&self) -> BoxStream<'static, Box<str>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.arrivals.lock().unwrap() = Some(sender);
        UnboundedReceiverStream::new(receiver).boxed()
    }

    fn measurements(&self) -> Option<mpsc::Receiver<Vec<Measured>>> {
        let (sender, receiver) = mpsc::channel(16);
        *self.measured.lock().unwrap() = Some(sender);
        Some(receiver)
    }

    fn publish(&self, event: Event) {
        let _ = self.events.send(Arc::new(event));
    }

    fn use_models(&self, _models: Arc<ObjectModels>) {}

    fn telemetry<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<TelemetryView>> {
        self.answer(self.find(endpoint).map(|held| held.telemetry))
    }

    fn attributes<'a>(&'a self, endpoint: &'a str) -> Answer<'a, Option<AttributesView>> {
        self.answer(self.find(endpoint).map(|held| held.attributes))
    }

    fn log<'a>(&'a self, endpoint: &'a str, limit: usize) -> Answer<'a, Option<Vec<LogEntry>>> {
        let noted = self.noted.lock().unwrap();
        let of_device = noted.iter().rev().filter(|(name, _)| name == endpoint);
        let log = of_device.map(|(_, entry)| entry.clone()).take(limit);
        self.answer(self.find(endpoint).map(|_| log.collect()))
    }

    fn trace<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<Trace>, TraceError>> {
        let mut traced = self.traced.lock().unwrap();
        if self.find(endpoint).is_none() {
            return ready(Ok(None)).boxed();
        }
        if traced.is_some() {
            return ready(Err(TraceError::TooMany)).boxed();
        }
        let (sender, messages) = mpsc::channel(16);
        *traced = Some(sender);
        ready(Ok(Some(Trace::of(messages)))).boxed()
    }

    fn note(&self, endpoint: &str, severity: Severity, text: String) {
        let mut noted = self.noted.lock().unwrap();
        let entry = LogEntry {
            ts: noted.len() as i64,
            level: severity.name(),
            text: text.into(),
        };
        noted.push((endpoint.to_owned(), entry));
    }

    fn revoke<'a>(&'a self, _: &'a Arc<str>) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }

    fn remove<'a>(&'a self, endpoint: &'a str) -> Answer<'a, bool> {
        let mut removed = false;
        for shard in self.shards.lock().unwrap().iter_mut() {
            let before = shard.len();
            shard.retain(|held| held.summary.endpoint != endpoint);
            removed |= shard.len() < before;
        }
        self.answer(removed)
    }

    fn holds(&self, endpoint: &str) -> bool {
        self.find(endpoint).is_some()
    }

    fn put_profiles(&self, profiles: Vec<ProfileParts>) -> Result<Vec<ProfileId>, ProfileError> {
        let mut known = self.profiles.lock().unwrap();
        let put = profiles.into_iter().map(|parts| {
            let same =
                |old: &Option<ProfileParts>| old.as_ref().is_some_and(|old| old.name == parts.name);
            let id = known.iter().position(same).unwrap_or(known.len());
            if id == known.len() {
                known.push(None);
            }
            known[id] = Some(parts);
            id as ProfileId
        });
        Ok(put.collect())
    }

    fn remove_profile(&self, name: &str) -> bool {
        let mut known = self.profiles.lock().unwrap();
        let named = |profile: &&mut Option<ProfileParts>| {
            profile.as_ref().is_some_and(|profile| profile.name == name)
        };
        known
            .iter_mut()
            .find(named)
            .and_then(Option::take)
            .is_some()
    }

    fn progress(&self) -> Answer<'_, HashMap<ProfileId, RolloutView>> {
        let progress = self.progress.lock().unwrap().clone();
        Box::pin(async move { Ok(progress) })
    }

    fn profile_users(&self, profile: ProfileId) -> usize {
        let admitted = self.admitted.lock().unwrap();
        admitted.values().filter(|a| a.profile == profile).count()
    }

    fn admit(&self, endpoint: &str, admission: Admission) {
        let mut admitted = self.admitted.lock().unwrap();
        admitted.insert(endpoint.to_owned(), admission);
    }

    fn withdraw(&self, endpoint: &str) {
        self.admitted.lock().unwrap().remove(endpoint);
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    fn milestones(&self) -> Option<mpsc::Receiver<Vec<Milestone>>> {
        self.milestones_told.lock().unwrap().take()
    }

    fn follow_updates(&self, wanted: bool) {
        self.follows_updates.store(wanted, Ordering::Relaxed);
    }

    fn missed_milestones(&self) -> bool {
        false
    }
}
