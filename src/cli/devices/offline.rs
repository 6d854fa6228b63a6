//! Import into the store of a server that does not run.

use std::sync::Arc;

use rookery::services::models::Models;
use rookery::services::profiles::{ProfileSettings, Profiles};
use rookery::services::provisioning::{CheckedDevice, DeviceBody, Provisioning};
use rookery::store::EmbeddedStore;

use super::report::Report;
use super::source::Source;

/// Devices stored together.
const BATCH: usize = 1_000;

pub(super) async fn import(
    store: Arc<EmbeddedStore>,
    profiles: ProfileSettings,
    mut source: Source,
    report: &mut Report,
) -> anyhow::Result<()> {
    let models = Arc::new(Models::load(store.clone()).await?);
    let of_unnamed = profiles.of_unnamed.clone();
    let profiles = Profiles::load(store.clone(), models, None, profiles).await?;
    let provisioning = Provisioning::new(store, profiles, of_unnamed);
    provisioning.remember_all().await?;
    let mut batch = Vec::new();
    while let Some(line) = source.next()? {
        let checked = match line.content {
            Ok(text) if text.is_empty() => continue,
            Ok(text) => check(&provisioning, &text),
            Err(why) => Err(why),
        };
        match checked {
            Ok(device) => batch.push((line.number, device)),
            Err(why) => report.refused(line.number, &why),
        }
        if batch.len() == BATCH {
            store_batch(&provisioning, &mut batch, report).await?;
        }
    }
    store_batch(&provisioning, &mut batch, report).await
}

fn check(provisioning: &Provisioning, text: &str) -> Result<CheckedDevice, String> {
    let body: DeviceBody = serde_json::from_str(text).map_err(|error| error.to_string())?;
    provisioning
        .check(None, body)
        .map_err(|error| error.to_string())
}

async fn store_batch(
    provisioning: &Provisioning,
    batch: &mut Vec<(u64, CheckedDevice)>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (numbers, devices): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
    for (number, outcome) in numbers.into_iter().zip(provisioning.put(&devices).await?) {
        match outcome {
            Ok(stored) => report.taken(!stored.replaced),
            Err(why) => report.refused(number, &why.to_string()),
        }
    }
    Ok(())
}
