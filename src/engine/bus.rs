//! Events from the shards to whoever listens.
//!
//! Shards hand over one batch per turn through a bounded queue; one task fans them out. A slow
//! subscriber loses the oldest events and is told how many.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{broadcast, mpsc};

use super::event::Event;
use super::shard::Shared;

/// Batches the queue from the shards holds; more are dropped and counted by the shard.
pub const QUEUE: usize = 1_024;

/// Events a subscriber may be behind.
pub const BEHIND: usize = 8_192;

/// Fans batches out until all shards are gone.
pub async fn fan_out(
    mut batches: mpsc::Receiver<Vec<Event>>,
    subscribers: broadcast::Sender<Arc<Event>>,
    shared: Arc<Shared>,
) {
    while let Some(batch) = batches.recv().await {
        for event in batch {
            if subscribers.send(Arc::new(event)).is_err() {
                // The last subscriber left: the shards need not make events any more.
                shared.listening.store(false, Relaxed);
                if subscribers.receiver_count() > 0 {
                    shared.listening.store(true, Relaxed);
                }
                break;
            }
        }
    }
}
