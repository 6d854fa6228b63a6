//! Telemetry values kept in the store, as the profile of a device chooses.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use super::devices::{Devices, TelemetryQuery};
use super::engine::{Engine, TelemetryView, TimedValue};
use super::profiles::Profiles;
use super::rpc::Clock;
use super::storage::{Change, Store, StoreError, Table};

mod record;
mod sweep;
mod writer;

/// Most values that one request may be answered with: number of keys times values per key.
pub const MAX_VALUES: usize = 100_000;

/// Records removed at once with their device.
const CHUNK: usize = 1_000;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The answer would be too large.
    #[error(
        "{keys} keys with up to {limit} values each are asked for; accepted are {MAX_VALUES} values: name fewer keys or lower the limit"
    )]
    TooMany {
        /// Keys of the device, or those asked for.
        keys: usize,
        /// Values per key.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The kept telemetry of all devices. Dropped, it keeps no more values.
pub struct History {
    store: Arc<dyn Store>,
    _alive: watch::Sender<()>,
}

impl History {
    /// Begins to keep what `engine` hands over, and to remove what is too old.
    #[must_use]
    pub fn start(
        engine: &dyn Engine,
        devices: Arc<Devices>,
        profiles: Arc<Profiles>,
        store: Arc<dyn Store>,
    ) -> Self {
        let (alive, stopped) = watch::channel(());
        if let Some(batches) = engine.measurements() {
            let writer = writer::run(batches, profiles.clone(), store.clone());
            spawn(writer, stopped.clone());
        }
        let sweep = sweep::run(devices, profiles, store.clone(), Clock::system());
        spawn(sweep, stopped);
        Self {
            store,
            _alive: alive,
        }
    }

    /// Adds the kept values of a device to the `latest` ones, newest first.
    ///
    /// # Errors
    /// Too many are asked for, or the store failed.
    pub fn add(
        &self,
        endpoint: &str,
        query: &TelemetryQuery,
        latest: TelemetryView,
    ) -> Result<TelemetryView, HistoryError> {
        let keys: BTreeSet<String> = if query.keys.is_empty() {
            let stored = record::keys(self.store.as_ref(), endpoint)?;
            stored.into_iter().chain(latest.keys().cloned()).collect()
        } else {
            query.keys.iter().cloned().collect()
        };
        let (keys_asked, limit) = (keys.len(), query.limit);
        if keys_asked.saturating_mul(limit) > MAX_VALUES {
            let keys = keys_asked;
            return Err(HistoryError::TooMany { keys, limit });
        }
        let mut view = TelemetryView::new();
        for key in keys {
            let mut values = record::read(self.store.as_ref(), endpoint, &key, query)?;
            let newer = latest.get(&key).into_iter().flatten();
            for value in newer {
                insert(&mut values, value);
            }
            values.truncate(limit);
            if !values.is_empty() {
                view.insert(key, values);
            }
        }
        Ok(view)
    }

    /// Removes what is kept of a device that is removed.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn forget(&self, endpoint: &str) -> Result<(), StoreError> {
        loop {
            let after = record::before_all(endpoint);
            let found = self.store.range(Table::History, Some(&after), CHUNK)?;
            let of_device =
                |key: &String| record::parse(key).is_some_and(|k| k.endpoint == endpoint);
            let gone: Vec<_> = found
                .into_iter()
                .map(|(key, _)| key)
                .take_while(of_device)
                .map(|key| Change::Delete {
                    table: Table::History,
                    key,
                })
                .collect();
            if gone.is_empty() {
                return Ok(());
            }
            self.store.write(gone).await?;
        }
    }
}

/// Puts a value among others, newest first; of two at the same time the new one counts.
fn insert(values: &mut Vec<TimedValue>, value: &TimedValue) {
    let at = values.partition_point(|known| known.ts > value.ts);
    match values.get_mut(at).filter(|known| known.ts == value.ts) {
        Some(known) => *known = value.clone(),
        None => values.insert(at, value.clone()),
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static, mut stopped: watch::Receiver<()>) {
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = stopped.changed() => {}
            () = task => {}
        }
    });
}

#[cfg(test)]
mod tests;
