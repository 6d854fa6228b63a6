//! Starts the shards, watches them, drains them.
//!
//! Supervision of single endpoints is the shard's: it catches their panics and rebuilds them (see
//! `shard/dispatch.rs`). actix's own supervisor is of no use here: it does not survive a panic.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler, Message, System};
use actix_rt::Arbiter;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::net::socket::{BindError, ShardSocket, SocketGroup, SocketOptions};
use crate::net::steer::{self, Program, Steering};

use super::bus;
use super::command::Command;
use super::config::EngineConfig;
use super::directory::Directory;
use super::endpoint::identity::IdentityKey;
use super::endpoint::plan::ProfilePlan;
use super::event::Event;
use super::handle::{COMMANDS, EngineHandle, Inner};
use super::handoff;
use super::metrics::{EngineMetrics, ShardMetrics};
use super::profiles::{DEFAULT_PROFILE, Profiles};
use super::shard::run::{Clock, Parts, ShardActor};
use super::shard::{Shard, Shared};

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be set up.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No randomness for keys.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// The supervisor ended before it reported.
    #[error("the supervisor thread ended while the engine was starting")]
    Supervisor,
}

/// An engine whose sockets are open: what devices send waits there until it runs.
pub struct PreparedEngine {
    handle: EngineHandle,
    starts: Vec<ShardStart>,
    batches: mpsc::Receiver<Vec<Event>>,
}

/// An engine at work. Dropping it leaves it running until the process ends.
#[derive(Debug)]
pub struct RunningEngine {
    handle: EngineHandle,
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// Opens the sockets and makes everything ready to run.
///
/// # Errors
/// A socket or random keys cannot be had.
pub fn prepare(config: EngineConfig) -> Result<PreparedEngine, StartError> {
    let count = config.shard_count();
    let (sockets, listeners) = listen(&config, count)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let keys = (getrandom::u64()?, getrandom::u64()?);
    let unknown = config.allow_unknown.then_some(DEFAULT_PROFILE);
    let shared = Arc::new(Shared {
        directory: Directory::new(unknown, keys),
        keys: IdentityKey::new(secret),
        profiles: Profiles::new(ProfilePlan::built_in_default()),
        models: Default::default(),
        arrivals: Default::default(),
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
    let starts = sockets
        .into_iter()
        .zip(handoff::connect(count as u8))
        .zip(queues)
        .enumerate()
        .map(
            |(index, ((socket, (inlet, handoffs)), commands))| ShardStart {
                index: index as u8,
                socket,
                inlet,
                handoffs,
                commands,
                shared: Arc::clone(&shared),
                metrics: Arc::clone(&metrics[index]),
                event_bus: event_bus.clone(),
                clock,
                seed: seeds.u64(..),
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
    })
}

/// Opens a socket for each shard, or none at all.
fn listen(config: &EngineConfig, count: usize) -> Result<(Sockets, Listeners), StartError> {
    let Some(address) = config.coap else {
        return Ok(((0..count).map(|_| None).collect(), Vec::new()));
    };
    let options = SocketOptions {
        recv_buffer: config.recv_buffer,
        send_buffer: config.send_buffer,
    };
    let sockets = SocketGroup::bind(address, count, &options)?;
    report_buffers(&sockets, &options);
    if let Steering::KernelHash(reason) = steer::attach(&sockets, &Program::by_source(count as u32))
    {
        tracing::warn!(%reason, "cannot steer datagrams to shards; the kernel spreads them");
    }
    let listeners = sockets.first().map(|socket| ("coap", socket.local_addr()));
    Ok((
        sockets.into_iter().map(Some).collect(),
        listeners.into_iter().collect(),
    ))
}

type Sockets = Vec<Option<ShardSocket>>;
type Listeners = Vec<(&'static str, SocketAddr)>;

impl PreparedEngine {
    /// The way in; commands are answered once the engine runs.
    #[must_use]
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
    }

    /// Starts the shards.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn run(self) -> Result<RunningEngine, StartError> {
        let Self {
            handle,
            starts,
            batches,
        } = self;
        let shared = Arc::clone(&handle.inner.shared);
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
            Ok(true) => Ok(RunningEngine {
                handle,
                thread,
                stop,
            }),
            _ => Err(StartError::Supervisor),
        }
    }
}

impl RunningEngine {
    /// The way in.
    #[must_use]
    pub fn handle(&self) -> &EngineHandle {
        &self.handle
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
    socket: Option<ShardSocket>,
    inlet: handoff::Inlet,
    handoffs: handoff::Handoffs,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    metrics: Arc<ShardMetrics>,
    event_bus: mpsc::Sender<Vec<Event>>,
    clock: Clock,
    seed: u64,
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
        let shard = Shard::new(
            self.index,
            self.shared,
            self.metrics,
            self.handoffs,
            self.event_bus,
            self.seed,
        );
        ShardActor::new(Parts {
            shard: Rc::new(RefCell::new(shard)),
            socket: self.socket.map(Rc::new),
            inlet: self.inlet,
            commands: self.commands,
            metrics,
            clock: self.clock,
        })
        .start();
    }
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

fn report_buffers(sockets: &[ShardSocket], wanted: &SocketOptions) {
    let Some(socket) = sockets.first() else {
        return;
    };
    let granted = socket.buffers();
    if granted.recv_buffer < wanted.recv_buffer || granted.send_buffer < wanted.send_buffer {
        tracing::warn!(
            receive = granted.recv_buffer,
            send = granted.send_buffer,
            wanted_receive = wanted.recv_buffer,
            wanted_send = wanted.send_buffer,
            "the kernel grants smaller socket buffers; raise net.core.rmem_max and net.core.wmem_max"
        );
    }
}
