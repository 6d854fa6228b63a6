//! Does what the plans say, in one task.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::plan::Standing;
use super::record::{DeviceRecord, device_key};
use super::{CampaignError, Inner, Live, Order, Outcome};
use crate::proto::time::UnixMillis;
use crate::services::engine::{DeviceState, EngineError};
use crate::services::packages::PackageType;
use crate::services::storage::{self, Change, StoreError, Table};
use crate::services::updates::{Begun, News, UpdatesError};

/// Devices whose turn comes in one step: between steps what happened is heard.
const TURNS: usize = 64;

/// Devices begun with at the same time.
const AT_ONCE: usize = 16;

/// Pause when the engine or the store has too much to do.
const BUSY: Duration = Duration::from_secs(1);

/// What there is to do next.
enum Next {
    /// More, at once.
    Now,
    /// More, when the engine or the store may have time again.
    WhenNotBusy,
    /// Nothing before this time.
    At(Option<UnixMillis>),
}

/// Drives all campaigns until nobody wants it.
pub(super) async fn run(
    inner: Arc<Inner>,
    news: UnboundedReceiver<News>,
    mut stopped: watch::Receiver<()>,
) {
    tokio::select! {
        biased;
        _ = stopped.changed() => {}
        () = inner.drive(news) => {}
    }
}

impl Inner {
    async fn drive(&self, mut news: UnboundedReceiver<News>) {
        loop {
            let wake_at = match self.step_all().await {
                Next::At(at) => at,
                next => {
                    if matches!(next, Next::WhenNotBusy) {
                        tokio::time::sleep(BUSY).await;
                    }
                    while let Ok(news) = news.try_recv() {
                        self.hear(news).await;
                    }
                    continue;
                }
            };
            tokio::select! {
                told = news.recv() => match told {
                    Some(told) => {
                        self.hear(told).await;
                        while let Ok(told) = news.try_recv() {
                            self.hear(told).await;
                        }
                    }
                    None => return,
                },
                () = self.wake.notified() => {}
                () = self.clock.sleep_until(wake_at) => {}
            }
        }
    }

    async fn step_all(&self) -> Next {
        let ids: Vec<String> = self.known().live.keys().cloned().collect();
        let mut earliest: Option<UnixMillis> = None;
        let (mut more, mut busy) = (false, false);
        for id in ids {
            match self.step(&id).await {
                Next::Now => more = true,
                Next::WhenNotBusy => busy = true,
                Next::At(Some(at)) => earliest = Some(earliest.map_or(at, |known| known.min(at))),
                Next::At(None) => {}
            }
        }
        match (busy, more) {
            (true, _) => Next::WhenNotBusy,
            (false, true) => Next::Now,
            (false, false) => Next::At(earliest),
        }
    }

    async fn step(&self, id: &str) -> Next {
        let now = self.clock.now();
        let overdue = self.with(id, |live| live.plan.overdue(now));
        for number in overdue.unwrap_or_default() {
            self.give_up(id, number).await;
        }
        let turns = self.with(id, |live| {
            live.plan.expire(now);
            live.plan.next(now, TURNS)
        });
        let turns = turns.unwrap_or_default();
        let more = turns.len() == TURNS;
        let begins = turns.into_iter().map(|number| self.begin(id, number));
        let begins = stream::iter(begins).buffer_unordered(AT_ONCE);
        let later = begins
            .filter(|begun| std::future::ready(!begun))
            .count()
            .await;
        if let Err(error) = self.keep(id).await {
            tracing::warn!(id, %error, "the state of a campaign is stored later");
            return Next::WhenNotBusy;
        }
        if later > 0 {
            return Next::WhenNotBusy;
        }
        if more {
            return Next::Now;
        }
        Next::At(self.with(id, |live| live.plan.wake_at(now)).flatten())
    }

    /// Begins with a device; `false` when that has to wait.
    async fn begin(&self, id: &str, number: u32) -> bool {
        let Some((endpoint, attempts)) = self
            .with(id, |live| {
                let endpoint = live.endpoints.get(number as usize)?.clone();
                Some((endpoint, live.plan.attempts(number)))
            })
            .flatten()
        else {
            return true;
        };
        let Some((kind, package)) = self.package_of(id) else {
            return true;
        };
        match self.is_here(&endpoint).await {
            Ok(true) => {}
            Ok(false) => {
                // Watched first: it may register at this moment.
                self.updates.watch(&endpoint);
                self.with(id, |live| live.plan.absent(number));
                if matches!(self.is_here(&endpoint).await, Ok(true)) {
                    self.updates.unwatch(&endpoint);
                    self.with(id, |live| live.plan.arrived(number));
                }
                return true;
            }
            Err(_) => return self.begin_later(id, number),
        }
        let record = DeviceRecord {
            standing: Standing::Running,
            attempts,
            began: Some(self.clock.now()),
            ..DeviceRecord::waiting(&endpoint)
        };
        if self.note(id, number, &record).await.is_err() {
            return self.begin_later(id, number);
        }
        match self.updates.assign_for(id, &endpoint, kind, &package).await {
            Ok(Begun::Yes) => true,
            Ok(Begun::Taken { by }) => {
                self.with(id, |live| live.plan.skip(number));
                let mut record = record;
                let reason = Outcome::Failed(by.map_or_else(
                    || "a package that was assigned by hand is being installed".to_owned(),
                    |by| format!("campaign {by} is updating it"),
                ));
                record.end(Standing::Skipped, &reason, self.clock.now());
                self.note_somehow(id, number, &record).await;
                true
            }
            Err(UpdatesError::Engine(_) | UpdatesError::Store(StoreError::Busy)) => {
                self.begin_later(id, number)
            }
            Err(error) => {
                let failed = Outcome::Failed(error.to_string());
                self.finish(id, number, &failed).await;
                true
            }
        }
    }

    fn begin_later(&self, id: &str, number: u32) -> bool {
        self.with(id, |live| live.plan.begin_again(number));
        false
    }

    async fn is_here(&self, endpoint: &str) -> Result<bool, EngineError> {
        let summary = self.engine.summary(endpoint).await?;
        Ok(summary.is_some_and(|device| {
            matches!(device.state, DeviceState::Registered | DeviceState::Asleep)
        }))
    }

    /// A device has had its time.
    async fn give_up(&self, id: &str, number: u32) {
        let endpoint = self.with(id, |live| live.endpoints.get(number as usize).cloned());
        let (Some(endpoint), Some((kind, _))) = (endpoint.flatten(), self.package_of(id)) else {
            return;
        };
        if let Err(error) = self.updates.take_back_for(id, &endpoint, kind).await {
            tracing::warn!(%endpoint, %error, "an update that is given up may go on");
        }
        let minutes = self.rules_minutes(id);
        let failed = Outcome::Failed(format!("there was no result within {minutes} minutes"));
        self.finish(id, number, &failed).await;
    }

    /// Takes note of how the update of a device ended.
    pub(super) async fn finish(&self, id: &str, number: u32, outcome: &Outcome) {
        let updated = *outcome == Outcome::Updated;
        let standing = self
            .with(id, |live| live.plan.ended(number, updated))
            .flatten();
        let Some(standing) = standing else {
            return;
        };
        let key = device_key(id, number);
        let stored = storage::read::<DeviceRecord>(&*self.store, Table::CampaignDevices, &key);
        if let Ok(Some(mut record)) = stored.await {
            record.end(standing, outcome, self.clock.now());
            self.note_somehow(id, number, &record).await;
        }
    }

    async fn hear(&self, news: News) {
        match news {
            News::Ended {
                campaign,
                endpoint,
                outcome,
            } => {
                let number = |live: &mut Live| live.numbers.get(&endpoint).copied();
                if let Some(number) = self.with(&campaign, number).flatten() {
                    self.finish(&campaign, number, &outcome).await;
                }
            }
            News::Registered(endpoint) => {
                for live in self.known().live.values_mut() {
                    if let Some(number) = live.numbers.get(&endpoint) {
                        live.plan.arrived(*number);
                    }
                }
            }
            News::Missed => {
                for live in self.known().live.values_mut() {
                    live.plan.may_have_arrived();
                }
            }
        }
    }

    /// Does what somebody ordered.
    pub(super) async fn order(&self, id: &str, order: Order) -> Result<(), CampaignError> {
        let now = self.clock.now();
        if order == Order::Retry {
            return self.retry(id, now).await;
        }
        let done = self.with(id, |live| match order {
            Order::Pause => live.plan.pause().then(Vec::new),
            Order::Resume => live.plan.resume(now).then(Vec::new),
            Order::Cancel | Order::Retry => live.plan.cancel(),
        });
        let Some(running) = done.flatten() else {
            let phase = self.phase(id)?;
            let possible = match order {
                Order::Pause => "one that is running can be paused",
                Order::Resume => "one that is paused or stopped can be resumed",
                Order::Cancel | Order::Retry => "one that is not over can be cancelled",
            };
            return Err(CampaignError::NotNow { phase, possible });
        };
        let endpoints: Vec<_> = running
            .into_iter()
            .filter_map(|number| {
                let endpoint = self.with(id, |live| live.endpoints.get(number as usize).cloned());
                Some((number, endpoint.flatten()?))
            })
            .collect();
        let kind = self.package_of(id).map(|(kind, _)| kind);
        for (number, endpoint) in endpoints {
            if let Some(kind) = kind {
                self.updates.take_back_for(id, &endpoint, kind).await?;
            }
            let mut record = DeviceRecord::waiting(&endpoint);
            let cancelled = Outcome::Failed("the campaign was cancelled".to_owned());
            record.end(Standing::Cancelled, &cancelled, now);
            self.note(id, number, &record).await?;
        }
        Ok(self.keep(id).await?)
    }

    async fn retry(&self, id: &str, now: UnixMillis) -> Result<(), CampaignError> {
        let record = self.known().records.get(id).cloned();
        let record = record.ok_or_else(|| super::not_found(id))?;
        if !record.is_active() {
            self.updates.package(&record.package_id, None)?;
            self.revive(id, record).await?;
        }
        let again = self.with(id, |live| {
            let again = live.plan.retry(now);
            let named = again.iter().filter_map(|number| {
                Some((*number, live.endpoints.get(*number as usize)?.clone()))
            });
            named.collect::<Vec<_>>()
        });
        for chunk in again.unwrap_or_default().chunks(super::CHUNK) {
            let changes = chunk.iter().map(|(number, endpoint)| {
                let record = DeviceRecord::waiting(endpoint);
                Change::put(Table::CampaignDevices, device_key(id, *number), &record)
            });
            let changes = changes.collect::<Result<Vec<_>, _>>()?;
            self.store.write(changes).await?;
        }
        self.keep(id).await?;
        Ok(())
    }

    /// Stores the state of a campaign if it has changed; lets go of one that is over.
    async fn keep(&self, id: &str) -> Result<(), StoreError> {
        let changed = {
            let mut known = self.known();
            let known = &mut *known;
            let (Some(live), Some(record)) = (known.live.get(id), known.records.get_mut(id)) else {
                return Ok(());
            };
            let changed = record.kept != live.plan.kept();
            record.kept = live.plan.kept();
            record.counts = live.plan.counts();
            if !changed && record.is_active() {
                return Ok(());
            }
            record.clone()
        };
        self.write(&changed).await?;
        if !changed.is_active() && self.known().live.remove(id).is_some() {
            self.updates.release(&changed.package_id);
        }
        Ok(())
    }

    fn package_of(&self, id: &str) -> Option<(PackageType, String)> {
        let known = self.known();
        let record = known.records.get(id)?;
        Some((record.package_type, record.package_id.clone()))
    }

    fn rules_minutes(&self, id: &str) -> u32 {
        let known = self.known();
        let record = known.records.get(id);
        record.map_or(0, |record| record.rules.device_timeout_minutes)
    }

    fn phase(&self, id: &str) -> Result<super::Phase, CampaignError> {
        let known = self.known();
        let record = known.records.get(id).ok_or_else(|| super::not_found(id))?;
        Ok(known.view(record).phase)
    }

    async fn note(&self, id: &str, number: u32, record: &DeviceRecord) -> Result<(), StoreError> {
        let change = Change::put(Table::CampaignDevices, device_key(id, number), record)?;
        self.store.write(vec![change]).await.map(drop)
    }

    /// A store that is too busy is tried again; what it does not take is found out at the next start,
    /// from how the update of the device stands.
    async fn note_somehow(&self, id: &str, number: u32, record: &DeviceRecord) {
        for _ in 0..3 {
            match self.note(id, number, record).await {
                Ok(()) => return,
                Err(StoreError::Busy) => tokio::time::sleep(BUSY).await,
                Err(error) => {
                    tracing::warn!(id, number, %error, "a device of a campaign is not up to date");
                    return;
                }
            }
        }
    }
}
