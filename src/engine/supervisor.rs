//! Starts the shards, watches them, drains them.
//!
//! Supervision of single endpoints is the shard's: it catches their panics and rebuilds them (see
//! `shard/dispatch.rs`). actix's own supervisor is of no use here: it does not survive a panic.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler, Message, System};
use actix_rt::Arbiter;
use sha2::{Digest as _, Sha256};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::net::socket::BindError;
use crate::proto::dtls::{ServerContexts, SetupError};

use sockets::{StartSockets, listen};

use super::bus;
use super::command::Command;
use super::config::EngineConfig;
use super::credentials::{Credentials, Lookups, Waiting};
use super::directory::Directory;
use super::endpoint::identity::IdentityKey;
use super::endpoint::plan::ProfilePlan;
use super::event::Event;
use super::handle::{COMMANDS, EngineHandle, Inner};
use super::handoff;
use super::metrics::{EngineMetrics, ShardMetrics};
use super::persistence::{Persistence, Restored, StateError, StateStore};
use super::profiles::{DEFAULT_PROFILE, Profiles};
use super::shard::run::{Clock, Parts, ShardActor, Sockets};
use super::shard::{Shard, Shared};
use super::update::Updates;

mod sockets;

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be set up.
    #[error("{source}")]
    Bind {
        /// `coap`, `coaps`, `bootstrap_coap` or `bootstrap_coaps`.
        listener: &'static str,
        /// Why.
        source: BindError,
    },
    /// No randomness for keys.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// The endpoints that were kept cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// DTLS cannot be served.
    #[error(transparent)]
    Dtls(#[from] SetupError),
    /// The supervisor ended before it reported.
    #[error("the supervisor thread ended while the engine was starting")]
    Supervisor,
}

/// An engine whose sockets are open: what devices send waits there until it runs.
pub struct PreparedEngine {
    handle: EngineHandle,
    starts: Vec<ShardStart>,
    batches: mpsc::Receiver<Vec<Event>>,
    reports: std::sync::mpsc::Receiver<Report>,
    left_behind: u64,
    /// Passed by the shards and the starter when all endpoints are back: no shard serves before.
    all_restored: Arc<Barrier>,
    store: Option<Arc<dyn StateStore>>,
    lookups: Waiting,
}

/// An engine at work. Dropping it leaves it running until the process ends.
#[derive(Debug)]
pub struct RunningEngine {
    handle: EngineHandle,
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    restored: Restored,
}

/// Opens the sockets and makes everything ready to run.
///
/// # Errors
/// A socket or random keys cannot be had.
pub fn prepare(config: EngineConfig) -> Result<PreparedEngine, StartError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    prepared(config, secret, None, None)
}

/// The same, with endpoints and DTLS sessions that survive a restart in `store`. With `contexts` DTLS
/// is served where the configuration says; see [`PreparedEngine::identify_by`].
///
/// # Errors
/// As [`prepare`], or the store fails.
pub fn prepare_kept(
    config: EngineConfig,
    store: Arc<dyn StateStore>,
    contexts: Option<Arc<ServerContexts>>,
) -> Result<PreparedEngine, StartError> {
    let begun = store.begin(config.shard_count() as u8)?;
    let mut plans = HashMap::new();
    for (number, record) in begun.plans {
        match ProfilePlan::from_record(&record) {
            Ok(plan) => {
                plans.insert(number, plan);
            }
            Err(error) => tracing::warn!(
                %error,
                "a profile under which devices were kept cannot be read: they are set up anew"
            ),
        }
    }
    let keeping = Keeping {
        persistence: Persistence {
            store,
            plans: Arc::new(plans),
            served_until: begun.served_until,
        },
        left_behind: begun.left_behind,
    };
    prepared(config, begun.secret, Some(keeping), contexts)
}

fn prepared(
    config: EngineConfig,
    secret: [u8; 32],
    keeping: Option<Keeping>,
    contexts: Option<Arc<ServerContexts>>,
) -> Result<PreparedEngine, StartError> {
    let count = config.shard_count();
    let (sockets, listeners) = listen(&config, count, contexts.is_some())?;
    let keys = (getrandom::u64()?, getrandom::u64()?);
    let unknown = config.allow_unknown.then_some(DEFAULT_PROFILE);
    let shared = Arc::new(Shared {
        directory: Directory::new(unknown, keys),
        keys: IdentityKey::new(secret),
        updates: Updates::new(&secret),
        profiles: Profiles::new(ProfilePlan::built_in_default()),
        models: Default::default(),
        credentials: Default::default(),
        arrivals: Default::default(),
        bootstrap: Default::default(),
        history: Default::default(),
        tracing: Default::default(),
        readmissions: Default::default(),
        listening: AtomicBool::new(false),
        endpoints: AtomicUsize::new(0),
        stalled: AtomicUsize::new(0),
        config,
    });
    let metrics: Vec<_> = (0..count)
        .map(|_| Arc::new(ShardMetrics::default()))
        .collect();
    let (commands, queues): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(COMMANDS)).unzip();
    let (subscribers, _) = broadcast::channel(bus::BEHIND);
    let (event_bus, batches) = mpsc::channel(bus::QUEUE);
    let clock = Clock::start();
    let mut seeds = fastrand::Rng::with_seed(getrandom::u64()?);
    let (restored, reports) = std::sync::mpsc::channel();
    let all_restored = Arc::new(Barrier::new(count + 1));
    let (lookups, waiting) = Lookups::queue();
    let dtls = contexts.map(|contexts| Dtls {
        contexts,
        lookups,
        secret: dtls_secret(&secret, b"rookery dtls 1"),
        bootstrap_secret: dtls_secret(&secret, b"rookery bootstrap dtls 1"),
    });
    let mut dtls: Vec<_> = (0..count).map(|_| dtls.clone()).collect();
    let starts = sockets
        .into_iter()
        .zip(handoff::connect(count as u8))
        .zip(queues)
        .enumerate()
        .map(
            |(index, ((sockets, (inlet, handoffs)), commands))| ShardStart {
                index: index as u8,
                sockets,
                dtls: dtls[index].take(),
                inlet,
                handoffs,
                commands,
                shared: Arc::clone(&shared),
                metrics: Arc::clone(&metrics[index]),
                event_bus: event_bus.clone(),
                clock,
                seed: seeds.u64(..),
                persistence: keeping.as_ref().map(|kept| kept.persistence.clone()),
                restored: restored.clone(),
                all_restored: Arc::clone(&all_restored),
            },
        )
        .collect();
    let metrics = EngineMetrics::new(metrics);
    let inner = Inner {
        shared,
        commands,
        subscribers,
        metrics,
        listeners,
        next_ticket: Default::default(),
    };
    Ok(PreparedEngine {
        handle: EngineHandle {
            inner: Arc::new(inner),
        },
        starts,
        batches,
        reports,
        left_behind: keeping.as_ref().map_or(0, |keeping| keeping.left_behind),
        all_restored,
        lookups: waiting,
        store: keeping.map(|keeping| keeping.persistence.store),
    })
}

/// What endpoints are kept in, and what of it is not taken over.
struct Keeping {
    persistence: Persistence,
    left_behind: u64,
}

/// What each shard says before its first turn.
type Report = Result<(Restored, HashSet<u64>), ShardError>;

/// Why a shard does not start.
enum ShardError {
    State(StateError),
    Dtls(SetupError),
}

impl From<ShardError> for StartError {
    fn from(error: ShardError) -> Self {
        match error {
            ShardError::State(error) => Self::State(error),
            ShardError::Dtls(error) => Self::Dtls(error),
        }
    }
}

/// What a shard needs to serve DTLS.
#[derive(Clone)]
struct Dtls {
    contexts: Arc<ServerContexts>,
    lookups: Lookups,
    secret: [u8; 32],
    bootstrap_secret: [u8; 32],
}

/// The secret of a DTLS layer, the same for as long as that of the names.
fn dtls_secret(secret: &[u8; 32], layer: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(layer);
    hash.chain_update(secret).finalize().into()
}

impl PreparedEngine {
    /// The way in; commands are answered once the engine runs.
    #[must_use]
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// Says who knows the credentials of devices. Without it none has any, and nobody gets through a
    /// handshake. The first call counts.
    pub fn identify_by(&self, credentials: Arc<dyn Credentials>) {
        let _ = self.handle.inner.shared.credentials.set(credentials);
    }

    /// Starts the shards, and waits until each has taken back the endpoints it had.
    ///
    /// # Errors
    /// A thread cannot be started, or the kept endpoints cannot be read.
    pub fn run(self) -> Result<RunningEngine, StartError> {
        let Self {
            handle,
            starts,
            batches,
            reports,
            left_behind,
            all_restored,
            store,
            lookups,
        } = self;
        let shared = Arc::clone(&handle.inner.shared);
        if let Some(credentials) = shared.credentials.get() {
            lookups.serve(Arc::clone(credentials), handle.inner.commands.clone())?;
        }
        let metrics = handle.inner.metrics.shards().to_vec();
        let subscribers = handle.inner.subscribers.clone();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("rookery-supervisor".into())
            .spawn(move || {
                System::new().block_on(async move {
                    actix_rt::spawn(bus::fan_out(batches, subscribers, Arc::clone(&shared)));
                    let supervisor = Supervisor {
                        arbiters: Vec::new(),
                        shared,
                        metrics,
                        turns: Vec::new(),
                    };
                    let all = supervisor.start().send(StartShards(starts)).await.is_ok();
                    // The starter waits for this or for the thread's end.
                    let _ = ready.send(all);
                    let _ = stopped.await;
                    System::current().stop();
                });
            })?;
        match started.recv() {
            Ok(true) => {}
            _ => return Err(StartError::Supervisor),
        }
        let mut restored = Restored {
            left_behind,
            ..Restored::default()
        };
        let mut used = HashSet::new();
        let mut failure = None;
        for _ in 0..handle.shards() {
            match reports.recv().map_err(|_| StartError::Supervisor)? {
                Ok((report, plans)) => {
                    restored += report;
                    used.extend(plans);
                }
                Err(error) => failure = Some(error),
            }
        }
        // Shards hand profiles over in their turns, which begin after this.
        if let (Some(store), None) = (&store, &failure) {
            failure = store.keep_plans(&used).err().map(ShardError::State);
        }
        all_restored.wait();
        if let Some(error) = failure {
            return Err(error.into());
        }
        Ok(RunningEngine {
            handle,
            thread,
            stop,
            restored,
        })
    }
}

impl RunningEngine {
    /// The way in.
    #[must_use]
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// What became of the endpoints that were kept.
    #[must_use]
    pub fn restored(&self) -> Restored {
        self.restored
    }

    /// Drains the shards and ends their threads, within `limit`. Returns whether all were drained.
    pub async fn shutdown(self, limit: Duration) -> bool {
        let drain = async {
            let mut drained = true;
            for shard in &self.handle.inner.commands {
                let (reply, done) = oneshot::channel();
                drained &= shard.send(Command::Drain { reply }).await.is_ok() && done.await.is_ok();
            }
            drained
        };
        let drained = tokio::time::timeout(limit, drain).await.unwrap_or(false);
        // A supervisor that is gone needs no stopping.
        let _ = self.stop.send(());
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok());
        drained && tokio::time::timeout(limit, joined).await.is_ok()
    }
}

/// The supervisor actor: owns the shards' threads and looks at their pulse.
struct Supervisor {
    arbiters: Vec<Arbiter>,
    shared: Arc<Shared>,
    metrics: Vec<Arc<ShardMetrics>>,
    turns: Vec<(u64, u32)>,
}

/// How often the shards' pulse is looked at, and how often it may be missing.
const PULSE: Duration = Duration::from_secs(2);
const MISSED_PULSES: u32 = 3;

/// Everything a shard is made of that can cross a thread.
struct ShardStart {
    index: u8,
    sockets: StartSockets,
    dtls: Option<Dtls>,
    inlet: handoff::Inlet,
    handoffs: handoff::Handoffs,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    metrics: Arc<ShardMetrics>,
    event_bus: mpsc::Sender<Vec<Event>>,
    clock: Clock,
    seed: u64,
    persistence: Option<Persistence>,
    restored: std::sync::mpsc::Sender<Report>,
    all_restored: Arc<Barrier>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct StartShards(Vec<ShardStart>);

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.turns = vec![(0, 0); self.metrics.len()];
        context.run_interval(PULSE, |supervisor, _| supervisor.feel_pulses());
    }
}

impl Handler<StartShards> for Supervisor {
    type Result = ();

    fn handle(&mut self, StartShards(starts): StartShards, _: &mut Self::Context) {
        for start in starts {
            let arbiter = Arbiter::new();
            arbiter.spawn_fn(move || start.run());
            self.arbiters.push(arbiter);
        }
    }
}

impl Supervisor {
    /// A shard whose turns stand still hangs: the engine is not ready any more.
    fn feel_pulses(&mut self) {
        let mut stalled = 0;
        for (shard, (seen, missed)) in self.turns.iter_mut().enumerate() {
            let turns = self.metrics[shard].turns.get();
            *missed = if turns == *seen { *missed + 1 } else { 0 };
            *seen = turns;
            if *missed >= MISSED_PULSES {
                stalled += 1;
                tracing::error!(shard, "the shard takes no turns any more");
            }
        }
        self.shared.stalled.store(stalled, Relaxed);
    }
}

impl ShardStart {
    fn run(self) {
        if self.shared.config.pin {
            pin(self.index);
        }
        let metrics = Arc::clone(&self.metrics);
        let mut shard = Shard::new(
            self.index,
            self.shared,
            self.metrics,
            self.handoffs,
            self.event_bus,
            self.seed,
        );
        let served = serve(&mut shard, &self.sockets, self.dtls);
        let report = match (served, self.persistence) {
            (Err(error), _) => Err(ShardError::Dtls(error)),
            (Ok(()), Some(persistence)) => {
                let restored = shard.restore(self.clock.now(), persistence);
                restored.map_err(ShardError::State)
            }
            (Ok(()), None) => Ok(Default::default()),
        };
        let failed = report.is_err();
        // Nobody waits when another shard has failed.
        let _ = self.restored.send(report);
        self.all_restored.wait();
        if failed {
            return;
        }
        ShardActor::new(Parts {
            shard: Rc::new(RefCell::new(shard)),
            sockets: Sockets {
                plain: self.sockets.plain.map(Rc::new),
                secured: self.sockets.secured.map(Rc::new),
                bootstrap: self.sockets.bootstrap.map(Rc::new),
                bootstrap_secured: self.sockets.bootstrap_secured.map(Rc::new),
            },
            inlet: self.inlet,
            commands: self.commands,
            metrics,
            clock: self.clock,
        })
        .start();
    }
}

/// Makes the shard serve what it has sockets for.
fn serve(shard: &mut Shard, sockets: &StartSockets, dtls: Option<Dtls>) -> Result<(), SetupError> {
    if sockets.bootstrap.is_some() || sockets.bootstrap_secured.is_some() {
        let dtls = dtls.clone().filter(|_| sockets.bootstrap_secured.is_some());
        let parts = dtls.map(|dtls| (dtls.bootstrap_secret, dtls.contexts, dtls.lookups));
        shard.serve_bootstrap(parts)?;
    }
    dtls.map_or(Ok(()), |dtls| {
        shard.serve_dtls(dtls.secret, dtls.contexts, dtls.lookups)
    })
}

/// Binds the thread to a core; a system that refuses it costs some cache misses, no more.
fn pin(shard: u8) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if cores.is_empty() {
        return;
    }
    let core = cores[usize::from(shard) % cores.len()];
    if !core_affinity::set_for_current(core) {
        tracing::debug!(shard, core = core.id, "cannot pin the shard to its core");
    }
}
