//! Telemetry values for a history of them, from the shards to whoever keeps it.
//!
//! Only profiles that keep a history have their values handed over. One batch per shard and turn goes
//! through a bounded queue; what finds it full is dropped and counted.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use crate::proto::time::UnixMillis;

/// Batches the queue holds.
pub const QUEUE: usize = 1_024;

/// A telemetry value of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Endpoint client name.
    pub endpoint: Arc<str>,
    /// Name of the device profile.
    pub profile: Arc<str>,
    /// Name of the value.
    pub key: Arc<str>,
    /// When it was measured, or received where the device states no time.
    pub ts: UnixMillis,
    /// The value.
    pub value: serde_json::Value,
}

/// The way out of the shards.
#[derive(Debug, Default)]
pub struct Outlet {
    batches: OnceLock<mpsc::Sender<Vec<Measured>>>,
}

impl Outlet {
    /// The other end of the queue; `None` when somebody has it already.
    pub fn open(&self) -> Option<mpsc::Receiver<Vec<Measured>>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.batches.set(sender).ok().map(|()| receiver)
    }

    /// Whether anybody has asked for values.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.batches.get().is_some()
    }

    /// Hands a batch over; returns how many values were dropped.
    pub fn hand_over(&self, batch: Vec<Measured>) -> usize {
        match self.batches.get() {
            Some(batches) => match batches.try_send(batch) {
                Ok(()) => 0,
                Err(error) => error.into_inner().len(),
            },
            None => batch.len(),
        }
    }
}
