//! The writer thread: takes what waits, commits it as one group, answers.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use redb::{Database, WriteTransaction};
use tokio::sync::oneshot;
use tracing::error;

use super::opened::Opened;
use super::{SET_ASIDE, definition, failed};
use crate::services::storage::{Change, StoreError};

/// Submissions that may wait. When they do, further ones are refused with [`StoreError::Busy`].
const QUEUE: usize = 1_024;

/// Submissions committed together at most.
const GROUP: usize = 256;

type Reply = Result<Vec<bool>, StoreError>;

struct Submission {
    changes: Vec<Change>,
    reply: oneshot::Sender<Reply>,
}

/// Handle on the writer thread; dropping it waits until everything submitted is committed.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Submission>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(database: Arc<Opened>) -> io::Result<Self> {
        let (queue, submissions) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&database, &submissions))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues `changes` to be applied together.
    pub(super) fn submit(
        &self,
        changes: Vec<Change>,
    ) -> Result<oneshot::Receiver<Reply>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        match queue.try_send(Submission { changes, reply }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => {
                metrics::counter!("lwm2m_store_refused_total").increment(1);
                Err(StoreError::Busy)
            }
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the store writer had panicked");
        }
    }
}

fn run(database: &Opened, submissions: &Receiver<Submission>) {
    while let Ok(first) = submissions.recv() {
        let mut group = vec![first];
        group.extend(submissions.try_iter().take(GROUP - 1));
        commit(database, group);
    }
}

fn commit(database: &Opened, group: Vec<Submission>) {
    let started = Instant::now();
    let outcome = attempt(database, &group);
    metrics::histogram!("lwm2m_store_commit_seconds").record(started.elapsed().as_secs_f64());
    match outcome {
        Ok(existed) => {
            for (submission, existed) in group.into_iter().zip(existed) {
                // Nobody waits any longer: the change is made all the same.
                let _ = submission.reply.send(Ok(existed));
            }
        }
        Err(failure) => {
            metrics::counter!("lwm2m_store_failures_total").increment(1);
            error!(error = %failure, submissions = group.len(), "changes were not stored");
            for submission in group {
                let _ = submission.reply.send(Err(failure.clone()));
            }
        }
    }
}

/// Applies a group, in the database opened anew where its disk refused something before.
fn attempt(opened: &Opened, group: &[Submission]) -> Result<Vec<Vec<bool>>, StoreError> {
    let mut database = opened.get().or_else(|_| opened.reopen())?;
    let mut outcome = apply(&database, group);
    if let Err(error) = &outcome
        && is_refused_for_an_earlier_failure(error)
    {
        drop(database);
        database = opened.reopen()?;
        outcome = apply(&database, group);
    }
    outcome.map_err(failed)
}

fn is_refused_for_an_earlier_failure(error: &redb::Error) -> bool {
    matches!(error, redb::Error::PreviousIo)
}

fn apply(database: &Database, group: &[Submission]) -> Result<Vec<Vec<bool>>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut existed = Vec::with_capacity(group.len());
    for submission in group {
        let changes = submission.changes.iter();
        existed.push(
            changes
                .map(|change| apply_one(&transaction, change))
                .collect::<Result<Vec<bool>, redb::Error>>()?,
        );
    }
    transaction.commit()?;
    Ok(existed)
}

fn apply_one(transaction: &WriteTransaction, change: &Change) -> Result<bool, redb::Error> {
    match change {
        Change::Put { table, key, value } => {
            let mut records = transaction.open_table(definition(*table))?;
            let before = records.insert(key.as_str(), value.as_slice())?;
            Ok(before.is_some())
        }
        Change::Delete { table, key } => {
            let mut records = transaction.open_table(definition(*table))?;
            let before = records.remove(key.as_str())?;
            Ok(before.is_some())
        }
        Change::SetAside { table, key } => {
            let mut records = transaction.open_table(definition(*table))?;
            let Some(bytes) = records.remove(key.as_str())?.map(|v| v.value().to_vec()) else {
                return Ok(false);
            };
            let mut aside = transaction.open_table(SET_ASIDE)?;
            aside.insert(format!("{}/{key}", table.name()).as_str(), bytes.as_slice())?;
            Ok(true)
        }
    }
}
