//! A shard by itself, without sockets and threads: for tests and benches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use tokio::sync::mpsc;

use crate::engine::config::EngineConfig;
use crate::engine::directory::{DEFAULT_PROFILE, Directory};
use crate::engine::endpoint::identity::IdentityKey;
use crate::engine::endpoint::plan::ProfilePlan;
use crate::engine::event::Event;
use crate::engine::handoff;
use crate::engine::metrics::ShardMetrics;

use super::{Shard, Shared};

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
}

impl Standalone {
    /// The only shard of an engine with one profile; everything it draws at random follows from `seed`.
    #[must_use]
    pub fn new(config: EngineConfig, plan: ProfilePlan, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let unknown = config.allow_unknown.then_some(DEFAULT_PROFILE);
        let shared = Arc::new(Shared {
            directory: Directory::new(unknown, (rng.u64(..), rng.u64(..))),
            keys: IdentityKey::new(secret),
            profiles: vec![Arc::new(plan)],
            listening: AtomicBool::new(false),
            endpoints: AtomicUsize::new(0),
            stalled: AtomicUsize::new(0),
            config,
        });
        let metrics = Arc::new(ShardMetrics::default());
        let (event_bus, events) = mpsc::channel(1_024);
        let handoffs = handoff::alone();
        let shard = Shard::new(
            0,
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
        }
    }
}
