//! The time of day, by which commands expire.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::proto::time::UnixMillis;

/// The time of day may be set: it is looked at again after this long.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// Tells the time.
#[derive(Clone)]
pub(in crate::services) struct Clock(Arc<dyn Fn() -> UnixMillis + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    pub(in crate::services) fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_millis() as UnixMillis)
        }))
    }

    /// A clock that begins at `from` and goes as tokio's does.
    #[cfg(test)]
    pub(in crate::services) fn simulated(from: UnixMillis) -> Self {
        let begun = tokio::time::Instant::now();
        Self(Arc::new(move || {
            from + begun.elapsed().as_millis() as UnixMillis
        }))
    }

    /// Milliseconds since 1970.
    pub(in crate::services) fn now(&self) -> UnixMillis {
        (self.0)()
    }

    /// Returns at `at`; never when `None`.
    pub(in crate::services) async fn sleep_until(&self, at: Option<UnixMillis>) {
        let Some(at) = at else {
            return std::future::pending().await;
        };
        loop {
            let left = at.saturating_sub(self.now());
            let Ok(left @ 1..) = u64::try_from(left) else {
                return;
            };
            tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
        }
    }
}
