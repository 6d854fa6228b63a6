//! Shards by themselves, without sockets and threads: for tests and benches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use tokio::sync::mpsc;

use crate::engine::config::EngineConfig;
use crate::engine::credentials::{Credentials, Lookups, Waiting};
use crate::engine::directory::Directory;
use crate::engine::endpoint::identity::IdentityKey;
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::event::Event;
use crate::engine::handoff::{self, Handoffs, Inlet};
use crate::engine::metrics::ShardMetrics;
use crate::engine::profiles::{DEFAULT_PROFILE, Profiles};
use crate::engine::update::Updates;

use crate::proto::dtls::{ServerContexts, SetupError};

use super::{Shard, Shared};

/// Batches of events a shard keeps until somebody takes them.
const EVENT_BATCHES: usize = 1_024;

/// A shard and what an engine would give it.
pub struct Standalone {
    /// The shard.
    pub shard: Shard,
    /// What it would share with others.
    pub shared: Arc<Shared>,
    /// Its counters.
    pub metrics: Arc<ShardMetrics>,
    /// Where its events go.
    pub events: mpsc::Receiver<Vec<Event>>,
    /// What other shards hand over, for [`Shard::on_handoff`].
    pub inlet: Inlet,
}

impl Standalone {
    /// The only shard of an engine with one profile; everything it draws at random follows from `seed`.
    #[must_use]
    pub fn new(config: EngineConfig, plan: ProfilePlan, seed: u64) -> Self {
        let shared = share(config, plan, seed);
        Self::member(0, shared, handoff::alone(), seed)
    }

    /// The `shards` shards of one engine, by index. Each has events of its own; what they draw at
    /// random follows from `seed`.
    #[must_use]
    pub fn group(config: EngineConfig, plan: ProfilePlan, shards: u8, seed: u64) -> Vec<Self> {
        let shared = share(config, plan, seed);
        let queues = (0..).zip(handoff::connect(shards));
        queues
            .map(|(index, queue)| {
                let seed = seed.wrapping_add(u64::from(index));
                Self::member(index, Arc::clone(&shared), queue, seed)
            })
            .collect()
    }

    /// The same with devices that have credentials, and DTLS. What is to be looked up off the shards
    /// waits in the second.
    ///
    /// # Errors
    /// A setting of DTLS is out of range, or OpenSSL lacks a cipher.
    pub fn secured(
        config: EngineConfig,
        plan: ProfilePlan,
        shards: u8,
        seed: u64,
        credentials: Arc<dyn Credentials>,
        contexts: &Arc<ServerContexts>,
    ) -> Result<(Vec<Self>, Waiting), SetupError> {
        let shared = share(config, plan, seed);
        let _ = shared.credentials.set(credentials);
        let (lookups, waiting) = Lookups::queue();
        let mut secret = [0; 32];
        fastrand::Rng::with_seed(!seed).fill(&mut secret);
        let queues = (0..).zip(handoff::connect(shards));
        let members = queues.map(|(index, queue)| {
            let seed = seed.wrapping_add(u64::from(index));
            let mut member = Self::member(index, Arc::clone(&shared), queue, seed);
            let (contexts, lookups) = (Arc::clone(contexts), lookups.clone());
            member.shard.serve_dtls(secret, contexts, lookups)?;
            Ok::<Self, SetupError>(member)
        });
        Ok((members.collect::<Result<_, _>>()?, waiting))
    }

    fn member(index: u8, shared: Arc<Shared>, queue: (Inlet, Handoffs), seed: u64) -> Self {
        let (inlet, handoffs) = queue;
        let metrics = Arc::new(ShardMetrics::default());
        let (event_bus, events) = mpsc::channel(EVENT_BATCHES);
        let shard = Shard::new(
            index,
            Arc::clone(&shared),
            Arc::clone(&metrics),
            handoffs,
            event_bus,
            seed,
        );
        Self {
            shard,
            shared,
            metrics,
            events,
            inlet,
        }
    }
}

fn share(config: EngineConfig, plan: ProfilePlan, seed: u64) -> Arc<Shared> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut secret = [0; 32];
    rng.fill(&mut secret);
    let unknown = config.allow_unknown.then_some(DEFAULT_PROFILE);
    Arc::new(Shared {
        directory: Directory::new(unknown, (rng.u64(..), rng.u64(..))),
        keys: IdentityKey::new(secret),
        updates: Updates::new(&secret),
        profiles: Profiles::new(plan),
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
    })
}
