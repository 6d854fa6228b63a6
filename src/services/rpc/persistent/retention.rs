//! Removes finished commands when they have been kept long enough.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::FINISHED_KEPT_MILLIS;
use super::keeper::Keeper;

/// How long a store that failed is left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Begins the task; it ends with the service.
pub(super) fn begin(keeper: &Arc<Keeper>) {
    let keeper = keeper.clone();
    let mut stopped = keeper.stopped.clone();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = stopped.changed() => {}
            () = run(&keeper) => {}
        }
    });
}

async fn run(keeper: &Keeper) {
    loop {
        let oldest = keeper.index().oldest_finished();
        let due = oldest.map(|(ended, _)| ended.saturating_add(FINISHED_KEPT_MILLIS));
        match (oldest, due) {
            (Some((_, id)), Some(due)) if due <= keeper.clock.now() => {
                if let Err(error) = keeper.remove(id).await {
                    warn!(%error, "a finished command cannot be removed yet");
                    tokio::time::sleep(PAUSE).await;
                }
            }
            _ => tokio::select! {
                () = keeper.clock.sleep_until(due) => {}
                () = keeper.retain.notified() => {}
            },
        }
    }
}
