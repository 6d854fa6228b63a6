//! What arrived at one shard and belongs to another: datagrams on their way in, and on their way out
//! messages to be sealed in a session of the other.
//!
//! One bounded queue per receiving shard, one batch per turn and sender. When a queue is full the
//! batch is dropped and counted: the peers send again, as if the network had lost it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::net::{LocalAddr, PeerAddr};

use super::metrics::{Rejection, ShardMetrics};
use super::peer::{Peer, Session};
use super::shard::Sender;
use crate::proto::dtls::SessionId;

/// Batches a shard's queue holds.
const QUEUE: usize = 64;

/// Entries of a batch.
const BATCH: usize = 256;

/// Something on its way between shards.
#[derive(Clone, Debug)]
pub enum HandedOff {
    /// A message for an endpoint of the other shard.
    Message {
        /// Its bytes.
        bytes: Box<[u8]>,
        /// Who sent it.
        peer: Peer,
        /// From where.
        address: PeerAddr,
        /// The endpoint that the identity proven in its session belongs to.
        owner: Option<Arc<str>>,
        /// Which address of ours it came to.
        local: Option<LocalAddr>,
    },
    /// A datagram whose connection identifier names the other shard.
    Record {
        /// Its bytes.
        bytes: Box<[u8]>,
        /// From where.
        address: PeerAddr,
        /// Which address of ours it came to.
        local: Option<LocalAddr>,
    },
    /// A message to be sent in a session of the other shard.
    ToSeal {
        /// The session.
        session: SessionId,
        /// The message.
        plaintext: Box<[u8]>,
    },
    /// A session stands whose identity belongs to an endpoint of the other shard.
    Bind {
        /// Its slot.
        slot: u32,
        /// Its name.
        endpoint: Arc<str>,
        /// The peer of the session.
        sender: Sender,
    },
    /// A session only fetches a package: the endpoint of the other shard stays where it was before.
    GiveBack {
        /// Its slot.
        slot: u32,
        /// Its name.
        endpoint: Arc<str>,
        /// The session that fetches.
        session: Session,
    },
    /// A session of the other shard is of no use any more.
    Close {
        /// The session.
        session: SessionId,
        /// Only if it is of this identity.
        identity: Option<u64>,
    },
    /// A handshake failed whose identity belongs to an endpoint of the other shard.
    Trouble {
        /// Its slot.
        slot: u32,
        /// Its name.
        endpoint: Arc<str>,
        /// What happened.
        detail: String,
    },
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

    /// Hands something over at the end of the turn. Returns whether there was room for it.
    pub fn push(&mut self, shard: u8, handed: HandedOff) -> bool {
        match self.outlets.get_mut(usize::from(shard)) {
            Some((_, batch)) if batch.len() < BATCH => {
                batch.push(handed);
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
