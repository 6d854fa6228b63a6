//! The values an update that is over is published under. The engine forgets it, its last values stay.

use super::record::{Ended, kind_of};
use super::{Inner, Updates, UpdatesError};
use crate::proto::time::UnixMillis;
use crate::services::devices::TelemetryQuery;
use crate::services::engine::{TelemetryView, TimedValue, UpdateNews, UpdateStatus, update_values};
use crate::services::packages::PackageType;

impl Updates {
    /// Adds to the latest telemetry of a device how its last updates ended: `fw_state` and its kin.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn add_latest(
        &self,
        endpoint: &str,
        query: &TelemetryQuery,
        mut latest: TelemetryView,
    ) -> Result<TelemetryView, UpdatesError> {
        let record = self.inner.read(endpoint).await?;
        let mut last = TelemetryView::new();
        for kind in [PackageType::Firmware, PackageType::Software] {
            let slot = record.of(kind);
            // What the engine holds it publishes itself.
            if slot.given.is_some() {
                continue;
            }
            let news = match (&slot.ended, &slot.own) {
                (Some(ended), _) => self.inner.last_news(kind, ended),
                (None, Some(own)) => self.inner.first_news(kind, &own.package, own.at),
                (None, None) => continue,
            };
            let ts = news.since;
            let values = update_values(&news).into_iter();
            last.extend(values.map(|(key, value)| (key, vec![TimedValue { ts, value }])));
        }
        // The engine may have been killed before it kept the end that is stored here.
        latest.extend(query.select(last));
        Ok(latest)
    }
}

impl Inner {
    /// What there is to tell of an update that waits for its device to register.
    fn first_news(&self, kind: PackageType, id: &str, at: UnixMillis) -> UpdateNews {
        let package = self.packages.get(id).ok();
        let package = package.as_deref();
        let text = |text: &String| Box::from(text.as_str());
        UpdateNews {
            entered: true,
            kind: kind_of(kind),
            package: id.into(),
            title: package.map(|it| text(&it.title)).unwrap_or_default(),
            version: package.map(|it| text(&it.version)).unwrap_or_default(),
            tag: package.and_then(|it| it.tag.as_ref()).map(text),
            status: UpdateStatus::Queued,
            queued_at: at,
            since: at,
            reason: None,
            ended: false,
            bytes_done: 0,
            bytes_total: None,
            percent: None,
            blocks_per_second: None,
            exchanged: None,
            current: (None, None),
        }
    }

    /// What was told last of an update that is over.
    fn last_news(&self, kind: PackageType, ended: &Ended) -> UpdateNews {
        let first = self.first_news(kind, &ended.package, ended.at);
        let details = ended.details.as_ref();
        let text = |member: &str| details?[member].as_str().map(Box::from);
        let time = |member: &str| details?[member].as_i64();
        UpdateNews {
            title: text("title").unwrap_or(first.title),
            version: text("version").unwrap_or(first.version),
            status: match ended.outcome.reason() {
                None => UpdateStatus::Updated,
                Some(_) => UpdateStatus::Failed,
            },
            queued_at: time("queuedAt").unwrap_or(first.queued_at),
            since: time("stateSince").unwrap_or(first.since),
            reason: ended.outcome.reason().map(Into::into),
            ended: true,
            current: (text("currentTitle"), text("currentVersion")),
            ..first
        }
    }
}
