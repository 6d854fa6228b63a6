//! Follows devices while something is assigned: who registered, whose update is over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::record::{Outcome, kind_of};
use super::{AT_ONCE, Inner, News, locked};
use crate::services::engine::{Milestone, Passed, UpdateStatus, UpdateView};
use crate::services::packages::PackageType;

/// All open updates are looked at this often, whatever was told: an engine that was busy is told
/// again.
const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// Least time between two looks at all of them because something was missed.
const PAUSE: Duration = Duration::from_secs(10);

/// Follows until nobody wants it.
pub(super) async fn run(inner: Arc<Inner>, mut stopped: watch::Receiver<()>) {
    tokio::select! {
        biased;
        _ = stopped.changed() => {}
        () = follow(inner) => {}
    }
}

async fn follow(inner: Arc<Inner>) {
    let Some(mut milestones) = inner.engine.milestones() else {
        tracing::error!("updates are followed twice");
        return;
    };
    let looking = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        if !inner.is_wanted() {
            // Shards tell nothing while there is nothing to follow.
            inner.engine.follow_updates(false);
            inner.wanted.notified().await;
            continue;
        }
        inner.engine.follow_updates(true);
        let mut swept = Instant::now();
        let mut next_sweep = swept;
        while inner.is_wanted() {
            tokio::select! {
                batch = milestones.recv() => {
                    // The engine has ended.
                    let Some(batch) = batch else { return };
                    for milestone in batch {
                        take(&inner, milestone, &looking).await;
                    }
                    if inner.engine.missed_milestones() {
                        next_sweep = next_sweep.min(swept + PAUSE);
                    }
                }
                // Perhaps nothing is left to follow.
                () = inner.wanted.notified() => {}
                () = sleep_until(next_sweep) => {
                    swept = Instant::now();
                    next_sweep = swept + SWEEP_EVERY;
                    sweep(&inner).await;
                }
            }
        }
    }
}

impl Inner {
    fn is_wanted(&self) -> bool {
        self.has_open() || self.has_profiles() || !locked(&self.watched).is_empty()
    }
}

/// Has what a milestone is about looked at, some devices at the same time.
async fn take(inner: &Arc<Inner>, milestone: Milestone, looking: &Arc<Semaphore>) {
    let Milestone { endpoint, what } = milestone;
    if what == Passed::Registered {
        if locked(&inner.watched).remove(&*endpoint) {
            inner.tell(News::Registered(endpoint.clone()));
        }
        if !inner.is_open(&endpoint) && !inner.has_profiles() {
            return;
        }
    }
    let Ok(permit) = looking.clone().acquire_owned().await else {
        return;
    };
    let inner = inner.clone();
    tokio::spawn(async move {
        match what {
            Passed::Registered => look(&inner, &endpoint).await,
            Passed::Ended {
                kind,
                package,
                status,
                reason,
            } => {
                let (kind, state) = (kind.name(), status.name());
                end(&inner, &endpoint, kind, &package, state, reason.as_deref()).await;
            }
        }
        drop(permit);
    });
}

async fn look(inner: &Arc<Inner>, endpoint: &str) {
    if let Err(error) = inner.look_at(endpoint).await {
        tracing::debug!(endpoint, %error, "an assignment is looked at again later");
    }
}

async fn end(
    inner: &Arc<Inner>,
    endpoint: &str,
    kind: &str,
    package: &str,
    state: &str,
    reason: Option<&str>,
) {
    let both = [PackageType::Firmware, PackageType::Software];
    let Some(kind) = both.into_iter().find(|one| kind_of(*one).name() == kind) else {
        return;
    };
    let outcome = if state == UpdateStatus::Updated.name() {
        Outcome::Updated
    } else {
        Outcome::failed(reason.unwrap_or("the device gave no reason"))
    };
    if let Err(error) = inner.end_told(endpoint, kind, package, outcome).await {
        tracing::warn!(endpoint, %error, "the end of an update is noted later");
    }
}

/// Looks at everything that is open: what events were about may have been missed.
async fn sweep(inner: &Arc<Inner>) {
    let looks = inner.all_open().into_iter().map(|endpoint| async move {
        let shown = inner.engine.updates(&endpoint).await.ok().flatten();
        let shown = shown.unwrap_or_default();
        for update in shown.iter().filter(|update| update.ended) {
            let UpdateView {
                kind,
                package,
                state,
                reason,
                ..
            } = update;
            end(inner, &endpoint, kind, package, state, reason.as_deref()).await;
        }
        inner.give_what_is_missing(&endpoint, &shown).await;
        look(inner, &endpoint).await;
    });
    stream::iter(looks).buffer_unordered(AT_ONCE).count().await;
    for profile in inner.assigned_profiles() {
        inner.look_at_profile(&profile).await;
    }
    if !locked(&inner.watched).is_empty() {
        inner.tell(News::Missed);
    }
}
