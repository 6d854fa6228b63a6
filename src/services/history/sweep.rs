//! Removes values that are older than their profile keeps them, a bounded number at a time.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::record;
use crate::services::devices::{Devices, DevicesError};
use crate::services::profiles::{History, Profiles};
use crate::services::rpc::Clock;
use crate::services::storage::{Change, Store, StoreError, Table};

/// Records looked at in one step, and the rest after each.
const STEP: usize = 500;
const REST: Duration = Duration::from_millis(50);

/// How long after a pass over all records the next one begins.
const PERIOD: Duration = Duration::from_secs(600);

/// Removes what is too old, again and again.
pub(super) async fn run(
    devices: Arc<Devices>,
    profiles: Arc<Profiles>,
    store: Arc<dyn Store>,
    clock: Clock,
) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let mut after = None;
        loop {
            match step(&devices, &profiles, store.as_ref(), &clock, after.clone()).await {
                Ok(None) => break,
                Ok(resume) => after = resume,
                Err(error) => {
                    warn!(%error, "old telemetry values cannot be removed yet");
                    break;
                }
            }
            tokio::time::sleep(REST).await;
        }
    }
}

/// Looks at some records; returns where to go on.
pub(super) async fn step(
    devices: &Devices,
    profiles: &Profiles,
    store: &dyn Store,
    clock: &Clock,
    after: Option<String>,
) -> Result<Option<String>, StoreError> {
    let found = store.range(Table::History, after.as_deref(), STEP)?;
    let resume = (found.len() == STEP)
        .then(|| found.last().map(|(key, _)| key.clone()))
        .flatten();
    let now = clock.now();
    let mut of_endpoint: Option<(String, History)> = None;
    let mut gone = Vec::new();
    for (text, bytes) in found {
        let (Some(key), Some(value)) = (record::parse(&text), record::decode(&bytes)) else {
            let table = Table::History;
            gone.push(Change::SetAside { table, key: text });
            continue;
        };
        let known = of_endpoint
            .as_ref()
            .filter(|(endpoint, _)| endpoint == key.endpoint);
        let history = match known {
            Some((_, history)) => *history,
            None => {
                let endpoint = key.endpoint.to_owned();
                let Some(history) = history_of(devices, profiles, &endpoint).await? else {
                    // The engine is busy: the next pass meets the record again.
                    continue;
                };
                of_endpoint = Some((endpoint, history));
                history
            }
        };
        let keeps = match history {
            History::None => false,
            History::Latest => key.is_latest,
            History::For(millis) => value.ts >= now.saturating_sub(millis),
        };
        if !keeps {
            let table = Table::History;
            gone.push(Change::Delete { table, key: text });
        }
    }
    if !gone.is_empty() {
        let removed = gone.len() as u64;
        store.write(gone).await?;
        metrics::counter!("lwm2m_history_removed_total").increment(removed);
    }
    Ok(resume)
}

/// What the profile of a device keeps; `None` when it cannot be told now.
async fn history_of(
    devices: &Devices,
    profiles: &Profiles,
    endpoint: &str,
) -> Result<Option<History>, StoreError> {
    match devices.get(endpoint).await {
        Ok(device) => Ok(Some(profiles.history(&device.summary.profile))),
        // Let in without being provisioned, and not seen since the start: it will have the profile of
        // those that name none.
        Err(DevicesError::NotFound { .. }) => Ok(Some(profiles.history(profiles.of_unnamed()))),
        Err(DevicesError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
