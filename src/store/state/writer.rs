//! The writer thread: takes what shards hand over, commits it as one group, and goes on trying while
//! the disk refuses. What it has no room for stays with the shards.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{error, info};

use super::numbers::NumberLog;
use super::tables::{Shared, failed};
use crate::services::engine::{StateBatch, StateError};

/// Batches that may wait, and their bytes. When they do, further ones are given back.
const QUEUE: usize = 256;
const QUEUE_BYTES: usize = 32 << 20;

/// Bytes committed together, about.
const GROUP_BYTES: usize = 16 << 20;

/// How long others are waited for after the first batch: shards hand over at the same time.
const GATHER: Duration = Duration::from_millis(5);

/// How often it is noted that devices are being served, when nothing else is written.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long it takes from a failure to the next attempt.
const RETRY: Duration = Duration::from_millis(500);

/// Attempts made for what is left when the process ends.
const LAST_ATTEMPTS: u32 = 4;

/// Handle on the writer thread; dropping it waits until everything submitted is committed.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<StateBatch>>,
    thread: Option<JoinHandle<()>>,
    load: Arc<Load>,
}

#[derive(Debug, Default)]
struct Load {
    /// Bytes of batches that wait.
    bytes: AtomicUsize,
    /// Devices are served, which is noted from time to time.
    serving: AtomicBool,
    /// The process ends.
    closing: AtomicBool,
}

impl Writer {
    pub(super) fn start(tables: Arc<Shared>, numbers: NumberLog) -> io::Result<Self> {
        let (queue, batches) = sync_channel(QUEUE);
        let load = Arc::new(Load::default());
        let run = Run {
            tables,
            numbers,
            batches,
            load: Arc::clone(&load),
            failing: false,
        };
        let thread = thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || run.run())?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            load,
        })
    }

    /// Devices are served from now on.
    pub(super) fn serve(&self) {
        self.load.serving.store(true, Relaxed);
    }

    pub(super) fn submit(&self, batch: StateBatch) -> Result<(), StateBatch> {
        let Some(queue) = &self.queue else {
            return Err(batch);
        };
        // One batch is taken however long it is, or it would never be.
        if self.load.bytes.load(Relaxed) > QUEUE_BYTES {
            return Err(batch);
        }
        let bytes = batch.bytes.len();
        self.load.bytes.fetch_add(bytes, Relaxed);
        queue.try_send(batch).map_err(|error| {
            self.load.bytes.fetch_sub(bytes, Relaxed);
            match error {
                TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
            }
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.load.closing.store(true, Relaxed);
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the writer of the state of devices had panicked");
        }
    }
}

struct Run {
    tables: Arc<Shared>,
    numbers: NumberLog,
    batches: Receiver<StateBatch>,
    load: Arc<Load>,
    failing: bool,
}

impl Run {
    fn run(mut self) {
        metrics::gauge!("lwm2m_state_failing").set(0.0);
        loop {
            match self.batches.recv_timeout(HEARTBEAT) {
                Ok(first) => {
                    thread::sleep(GATHER);
                    let group = self.group(first);
                    self.write(&group);
                }
                Err(RecvTimeoutError::Timeout) => self.note_the_time(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // A clean end: what was served is known to the second.
        self.note_the_time();
    }

    fn note_the_time(&mut self) {
        if self.load.serving.load(Relaxed) {
            self.write(&[]);
        }
    }

    fn group(&self, first: StateBatch) -> Vec<StateBatch> {
        let mut bytes = first.bytes.len();
        let mut group = vec![first];
        while bytes < GROUP_BYTES
            && let Ok(next) = self.batches.try_recv()
        {
            bytes += next.bytes.len();
            group.push(next);
        }
        self.load.bytes.fetch_sub(bytes, Relaxed);
        group
    }

    /// Commits a group, however often it takes.
    fn write(&mut self, group: &[StateBatch]) {
        let bytes: usize = group.iter().map(|batch| batch.bytes.len()).sum();
        let mut last_attempts = LAST_ATTEMPTS;
        while let Err(error) = self.attempt(group) {
            metrics::counter!("lwm2m_state_failures_total").increment(1);
            if !mem::replace(&mut self.failing, true) {
                metrics::gauge!("lwm2m_state_failing").set(1.0);
                error!(%error, "devices are served from memory until it can be stored");
            }
            if self.load.closing.load(Relaxed) {
                last_attempts -= 1;
                if last_attempts == 0 {
                    let records: usize = group.iter().map(|batch| batch.records.len()).sum();
                    error!(records, "the last changes of devices were not stored");
                    return;
                }
            }
            thread::sleep(RETRY);
            // It may fail as well, and then the next attempt does.
            let _ = self.tables.reopen();
        }
        metrics::counter!("lwm2m_state_bytes_total").increment(bytes as u64);
        if mem::replace(&mut self.failing, false) {
            metrics::gauge!("lwm2m_state_failing").set(0.0);
            info!("the state of devices is stored again");
        }
    }

    fn attempt(&mut self, group: &[StateBatch]) -> Result<(), StateError> {
        let started = Instant::now();
        let tables = self.tables.get()?;
        tables
            .commit(group, &mut self.numbers, now())
            .map_err(failed("written"))?;
        let seconds = started.elapsed().as_secs_f64();
        metrics::histogram!("lwm2m_state_commit_seconds").record(seconds);
        Ok(())
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
