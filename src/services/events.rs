//! The feed of events for many readers: one bounded ring, each reader at its own place.
//!
//! The feed listens to the engine only while somebody reads (and a short time after, so that a
//! reader that lost its connection can go on where it was): an idle feed costs the engine nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::engine::Event;

mod event_id;
mod reader;

pub use event_id::EventId;
pub use reader::{EventReader, Step, TooManyReaders};

/// Events moved into the ring under one lock.
const BATCH: usize = 1_024;

/// Events kept for readers that are behind.
const CAPACITY: usize = 8_192;

/// How long the feed goes on after its last reader left.
const LINGER: Duration = Duration::from_secs(30);

/// The feed of events.
#[derive(Clone)]
pub struct EventFeed {
    shared: Arc<Shared>,
}

type Subscribe = dyn Fn() -> broadcast::Receiver<Arc<Event>> + Send + Sync;

struct Shared {
    subscribe: Box<Subscribe>,
    max_readers: usize,
    ring: Mutex<Ring>,
    /// Sequence number of the newest event.
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    /// Tells one run of the feed from the next: sequence numbers mean nothing across runs.
    run: u64,
    pumping: bool,
    readers: usize,
    idle_since: Option<Instant>,
    /// Ascending; a gap is what the engine's own queue lost.
    events: VecDeque<(u64, Arc<Event>)>,
    newest: u64,
}

impl EventFeed {
    /// The feed of what `subscribe` gives for at most `max_readers` readers.
    #[must_use]
    pub fn new(
        subscribe: impl Fn() -> broadcast::Receiver<Arc<Event>> + Send + Sync + 'static,
        max_readers: usize,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                subscribe: Box::new(subscribe),
                max_readers,
                ring: Mutex::default(),
                newest: watch::Sender::new(0),
            }),
        }
    }

    /// Begins to read: after `last` where that is still known, else from now on. `endpoint`
    /// selects the events of one device.
    ///
    /// # Errors
    /// [`TooManyReaders`].
    pub fn read(
        &self,
        endpoint: Option<String>,
        last: Option<EventId>,
    ) -> Result<EventReader, TooManyReaders> {
        let mut ring = self.shared.ring();
        if ring.readers >= self.shared.max_readers {
            return Err(TooManyReaders {
                limit: self.shared.max_readers,
            });
        }
        ring.readers += 1;
        ring.idle_since = None;
        if !ring.pumping {
            ring.pumping = true;
            ring.run = next_run(ring.run);
            ring.events.clear();
            let events = (self.shared.subscribe)();
            tokio::spawn(pump(self.shared.clone(), events));
        }
        Ok(EventReader::new(self.shared.clone(), &ring, endpoint, last))
    }
}

impl Shared {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, event: Arc<Event>) {
        self.newest += 1;
        if self.events.len() == CAPACITY {
            self.events.pop_front();
        }
        self.events.push_back((self.newest, event));
    }
}

/// Moves events from the engine into the ring until nobody reads any more.
async fn pump(shared: Arc<Shared>, mut events: broadcast::Receiver<Arc<Event>>) {
    loop {
        let received = tokio::time::timeout(LINGER, events.recv()).await;
        let mut ring = shared.ring();
        match received {
            Ok(Ok(event)) => {
                ring.push(event);
                for _ in 1..BATCH {
                    match events.try_recv() {
                        Ok(event) => ring.push(event),
                        Err(TryRecvError::Lagged(lost)) => ring.newest += lost,
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
            }
            Ok(Err(RecvError::Lagged(lost))) => ring.newest += lost,
            Ok(Err(RecvError::Closed)) => ring.pumping = false,
            Err(_) => {}
        }
        if ring.idle_since.is_some_and(|idle| idle.elapsed() >= LINGER) {
            ring.pumping = false;
            ring.events = VecDeque::new();
        }
        shared.newest.send_replace(ring.newest);
        if !ring.pumping {
            return;
        }
    }
}

/// Later than every run before, of this process and of earlier ones.
fn next_run(previous: u64) -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_millis() as u64);
    now.max(previous + 1)
}

#[cfg(test)]
mod tests;
