//! What the service of updates is told, and no more: who registered, whose update is over.
//!
//! Shards look at one flag per turn; while nobody wants it, nothing is made. One batch per shard and turn
//! goes through a bounded queue. What finds it full is dropped and counted, and the reader is told that it
//! missed something: it then looks at everything that is open.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::{UpdateKind, UpdateStatus};

/// Batches the queue holds.
pub const QUEUE: usize = 1_024;

/// Something about a device that decides what is done about its updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Milestone {
    /// Endpoint client name.
    pub endpoint: Arc<str>,
    /// What it is.
    pub what: Passed,
}

/// What a device has come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Passed {
    /// It registered.
    Registered,
    /// An update of it is over. May be told more than once.
    Ended {
        /// Firmware or software.
        kind: UpdateKind,
        /// Id of the package.
        package: Box<str>,
        /// How: updated or failed.
        status: UpdateStatus,
        /// Why it failed, in words.
        reason: Option<Box<str>>,
    },
}

/// The way out of the shards, for one reader.
#[derive(Debug, Default)]
pub struct Milestones {
    wanted: AtomicBool,
    missed: AtomicBool,
    batches: OnceLock<mpsc::Sender<Vec<Milestone>>>,
}

impl Milestones {
    /// The other end of the queue; `None` when somebody has it already.
    pub fn open(&self) -> Option<mpsc::Receiver<Vec<Milestone>>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.batches.set(sender).ok().map(|()| receiver)
    }

    /// Whether milestones are to be told from the next turn of each shard on.
    pub fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Relaxed);
    }

    /// Whether they are told.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        self.wanted.load(Relaxed)
    }

    /// Hands a batch over; returns how many milestones were dropped.
    pub fn hand_over(&self, batch: Vec<Milestone>) -> usize {
        let dropped = match self.batches.get() {
            Some(batches) => match batches.try_send(batch) {
                Ok(()) => 0,
                Err(error) => error.into_inner().len(),
            },
            None => batch.len(),
        };
        if dropped > 0 {
            self.missed.store(true, Relaxed);
        }
        dropped
    }

    /// Whether something was dropped since the last call.
    pub fn take_missed(&self) -> bool {
        self.missed.load(Relaxed) && self.missed.swap(false, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_the_queue_full_is_counted_and_told_as_missed_once() {
        let milestones = Milestones::default();
        let mut told = milestones.open().unwrap();
        assert!(milestones.open().is_none());
        let batch = || {
            vec![Milestone {
                endpoint: "a".into(),
                what: Passed::Registered,
            }]
        };
        let dropped: usize = (0..=QUEUE).map(|_| milestones.hand_over(batch())).sum();
        assert_eq!(dropped, 1);
        assert!(milestones.take_missed());
        assert!(!milestones.take_missed());
        assert_eq!(told.try_recv().unwrap(), batch());
    }
}
