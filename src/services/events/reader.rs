//! One reader of the feed.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::event_id::EventId;
use super::{Ring, Shared};
use crate::services::engine::Event;

/// Events handed out under one lock of the ring.
const BATCH: usize = 256;

/// There are as many readers as there may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there are {limit} readers of events already")]
pub struct TooManyReaders {
    /// How many there may be.
    pub limit: usize,
}

/// What a reader meets next.
#[derive(Clone, Debug)]
pub enum Step {
    /// An event.
    Event(EventId, Arc<Event>),
    /// Events the reader did not get: it was too slow, or away for too long. `count` is an upper
    /// bound where the reader selects one device, `None` where it is not known.
    Lost {
        /// The place to go on from.
        at: EventId,
        /// How many.
        count: Option<u64>,
    },
}

/// Reads the feed. Dropping it ends the reading.
pub struct EventReader {
    shared: Arc<Shared>,
    endpoint: Option<String>,
    run: u64,
    /// Sequence number of the last event this reader has passed.
    passed: u64,
    forgotten: bool,
    newest: watch::Receiver<u64>,
}

impl EventReader {
    pub(super) fn new(
        shared: Arc<Shared>,
        ring: &Ring,
        endpoint: Option<String>,
        last: Option<EventId>,
    ) -> Self {
        let resumes = last.filter(|last| last.run == ring.run && last.sequence <= ring.newest);
        let newest = shared.newest.subscribe();
        Self {
            endpoint,
            run: ring.run,
            passed: resumes.map_or(ring.newest, |last| last.sequence),
            forgotten: last.is_some() && resumes.is_none(),
            newest,
            shared,
        }
    }

    /// Waits for what comes next; at least one step. `None` once the feed has ended.
    pub async fn next(&mut self) -> Option<Vec<Step>> {
        loop {
            self.newest.mark_unchanged();
            let (steps, ended) = self.take();
            if !steps.is_empty() {
                return Some(steps);
            }
            if ended {
                return None;
            }
            self.newest.changed().await.ok()?;
        }
    }

    /// What is there now, and whether the feed has ended.
    fn take(&mut self) -> (Vec<Step>, bool) {
        let mut steps = Vec::new();
        if std::mem::take(&mut self.forgotten) {
            steps.push(self.lost(None));
        }
        let shared = self.shared.clone();
        let ring = shared.ring();
        let begin = ring
            .events
            .partition_point(|(sequence, _)| *sequence <= self.passed);
        // A reader of one device passes the events of others without handing them out.
        for (sequence, event) in ring.events.range(begin..) {
            if steps.len() >= BATCH {
                break;
            }
            self.pass_gap(sequence - 1, &mut steps);
            self.passed = *sequence;
            if self.selects(event) {
                steps.push(Step::Event(self.id(), event.clone()));
            }
        }
        if ring
            .events
            .back()
            .is_none_or(|(last, _)| *last == self.passed)
        {
            self.pass_gap(ring.newest, &mut steps);
        }
        (steps, !ring.pumping)
    }

    /// Moves on to `sequence`, saying that everything up to there was lost.
    fn pass_gap(&mut self, sequence: u64, steps: &mut Vec<Step>) {
        let lost = sequence.saturating_sub(self.passed);
        if lost > 0 {
            metrics::counter!("lwm2m_events_lost_total").increment(lost);
            self.passed = sequence;
            steps.push(self.lost(Some(lost)));
        }
    }

    fn lost(&self, count: Option<u64>) -> Step {
        Step::Lost {
            at: self.id(),
            count,
        }
    }

    fn id(&self) -> EventId {
        EventId {
            run: self.run,
            sequence: self.passed,
        }
    }

    fn selects(&self, event: &Event) -> bool {
        self.endpoint
            .as_deref()
            .is_none_or(|endpoint| endpoint == &*event.endpoint)
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        let mut ring = self.shared.ring();
        ring.readers -= 1;
        if ring.readers == 0 {
            ring.idle_since = Some(Instant::now());
        }
    }
}
