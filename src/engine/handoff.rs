//! Datagrams that arrived at one shard and belong to another.
//!
//! One bounded queue per receiving shard, one batch per turn and sender. When a queue is full the
//! batch is dropped and counted: the peers send again, as if the network had lost it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::net::{LocalAddr, PeerAddr};

use super::metrics::{Rejection, ShardMetrics};
use super::peer::Peer;

/// Batches a shard's queue holds.
const QUEUE: usize = 64;

/// Datagrams in a batch.
const BATCH: usize = 256;

/// A datagram on its way between shards.
#[derive(Clone, Debug)]
pub struct HandedOff {
    /// Its payload.
    pub bytes: Box<[u8]>,
    /// Who sent it.
    pub peer: Peer,
    /// From where.
    pub address: PeerAddr,
    /// The endpoint that the identity proven in its session belongs to.
    pub owner: Option<Arc<str>>,
    /// Which address of ours it came to.
    pub local: Option<LocalAddr>,
}

/// The receiving end of a shard's queue.
pub type Inlet = mpsc::Receiver<Vec<HandedOff>>;

/// The sending ends of all shards' queues, with what this turn has for each.
#[derive(Debug)]
pub struct Handoffs {
    outlets: Vec<(mpsc::Sender<Vec<HandedOff>>, Vec<HandedOff>)>,
}

/// Queues between `shards` shards: for each one its inlet and its outlets.
#[must_use]
pub fn connect(shards: u8) -> Vec<(Inlet, Handoffs)> {
    let (senders, inlets): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(QUEUE)).unzip();
    let outlets = || {
        senders
            .iter()
            .map(|sender| (sender.clone(), Vec::new()))
            .collect()
    };
    inlets
        .into_iter()
        .map(|inlet| (inlet, Handoffs { outlets: outlets() }))
        .collect()
}

impl Handoffs {
    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> u8 {
        self.outlets.len() as u8
    }

    /// Hands a datagram over at the end of the turn. Returns whether there was room for it.
    pub fn push(&mut self, shard: u8, datagram: HandedOff) -> bool {
        match self.outlets.get_mut(usize::from(shard)) {
            Some((_, batch)) if batch.len() < BATCH => {
                batch.push(datagram);
                true
            }
            _ => false,
        }
    }

    /// Sends this turn's batches.
    pub fn flush(&mut self, metrics: &ShardMetrics) {
        for (outlet, batch) in &mut self.outlets {
            if batch.is_empty() {
                continue;
            }
            let batch = std::mem::take(batch);
            metrics.handoffs.add(batch.len() as u64);
            if let Err(error) = outlet.try_send(batch) {
                for _ in error.into_inner() {
                    metrics.reject(Rejection::Handoff);
                }
            }
        }
    }
}

/// The queue of a shard that has no others beside it.
#[must_use]
pub fn alone() -> (Inlet, Handoffs) {
    let (outlet, inlet) = mpsc::channel(1);
    let outlets = vec![(outlet, Vec::new())];
    (inlet, Handoffs { outlets })
}
