//! Writes values into the store, many at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;

use super::record;
use crate::services::engine::{Measured, TimedValue};
use crate::services::profiles::{History, Profiles};
use crate::services::storage::{Change, Store, StoreError};

/// Values written in one transaction.
const BATCH: usize = 4_096;

/// How long values are gathered for one transaction.
const GATHER: Duration = Duration::from_millis(100);

/// How long a store that is busy or failed is left alone; meanwhile the queue holds what arrives.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of values.
#[derive(Clone, Copy, Debug)]
enum Kept {
    Stored,
    /// A later one is there, or the profile keeps no history any more.
    Unwanted,
    Failed,
}

impl Kept {
    const fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Unwanted => "unwanted",
            Self::Failed => "failed",
        }
    }
}

/// Keeps what comes until there is no more.
pub(super) async fn run(
    mut batches: mpsc::Receiver<Vec<Measured>>,
    profiles: Arc<Profiles>,
    store: Arc<dyn Store>,
) {
    while let Some(mut values) = batches.recv().await {
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        while values.len() < BATCH {
            tokio::select! {
                more = batches.recv() => match more {
                    Some(more) => values.extend(more),
                    None => break,
                },
                () = &mut gathered => break,
            }
        }
        keep(&values, &profiles, store.as_ref()).await;
    }
}

async fn keep(values: &[Measured], profiles: &Profiles, store: &dyn Store) {
    let changes = match changes(values, profiles, store) {
        Ok(changes) => changes,
        Err(error) => return failed(values.len(), &error).await,
    };
    let unwanted = values.len() - changes.len();
    count(Kept::Unwanted, unwanted);
    if changes.is_empty() {
        return;
    }
    let number = changes.len();
    loop {
        match store.write(changes.clone()).await {
            Ok(_) => return count(Kept::Stored, number),
            Err(StoreError::Busy) => tokio::time::sleep(PAUSE).await,
            Err(error) => return failed(number, &error).await,
        }
    }
}

async fn failed(values: usize, error: &StoreError) {
    count(Kept::Failed, values);
    warn!(%error, values, "telemetry values cannot be kept");
    tokio::time::sleep(PAUSE).await;
}

fn changes(
    values: &[Measured],
    profiles: &Profiles,
    store: &dyn Store,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::with_capacity(values.len());
    let mut latest: HashMap<(&str, &str), &Measured> = HashMap::new();
    let mut chosen: HashMap<&str, History> = HashMap::new();
    for value in values {
        let profile = &*value.profile;
        let history = *chosen
            .entry(profile)
            .or_insert_with(|| profiles.history(profile));
        match history {
            History::None => {}
            History::Latest => {
                let known = latest.entry((&value.endpoint, &value.key)).or_insert(value);
                if known.ts <= value.ts {
                    *known = value;
                }
            }
            History::For(_) => {
                changes.push(record::keep(&value.endpoint, &value.key, &timed(value))?);
            }
        }
    }
    for ((endpoint, key), value) in latest {
        changes.extend(record::keep_latest(store, endpoint, key, &timed(value))?);
    }
    Ok(changes)
}

fn timed(value: &Measured) -> TimedValue {
    TimedValue {
        ts: value.ts,
        value: value.value.clone(),
    }
}

fn count(kept: Kept, values: usize) {
    if values > 0 {
        metrics::counter!("lwm2m_history_values_total", "result" => kept.label())
            .increment(values as u64);
    }
}
