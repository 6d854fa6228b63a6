//! What endpoints are to be updated to.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{EngineError, EngineHandle};
use crate::engine::command::{Command, Inspect};
use crate::engine::directory::Home;
use crate::engine::update::{Milestone, UpdateKind, UpdateTarget};
use crate::engine::view::UpdateView;

impl EngineHandle {
    /// Has a device updated, now or when it registers next. Assigning what is assigned already changes
    /// nothing but where the bytes are. `false` when the engine does not hold the endpoint yet.
    ///
    /// # Errors
    /// See [`summary`](Self::summary); the target is assigned nevertheless, and taken up at the next
    /// Register.
    pub fn assign_update(
        &self,
        endpoint: &str,
        target: Arc<UpdateTarget>,
    ) -> Result<bool, EngineError> {
        self.inner.shared.updates.assign(endpoint, target);
        self.look_at_updates(endpoint, None)
    }

    /// Takes an update back. One that runs is cancelled on the device where that is possible; an
    /// installation that has begun goes on. `false` when the engine does not hold the endpoint.
    ///
    /// # Errors
    /// As [`assign_update`](Self::assign_update).
    pub fn withdraw_update(&self, endpoint: &str, kind: UpdateKind) -> Result<bool, EngineError> {
        self.inner.shared.updates.withdraw(endpoint, kind);
        self.look_at_updates(endpoint, Some(kind))
    }

    /// Updates of an endpoint and how far they are.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn updates(&self, endpoint: &str) -> Result<Option<Vec<UpdateView>>, EngineError> {
        self.inspect(endpoint, Inspect::Updates).await
    }

    /// Who registers and whose update is over, while that is [wanted](Self::follow_updates). Whoever
    /// asks first gets it; `None` later.
    #[must_use]
    pub fn milestones(&self) -> Option<mpsc::Receiver<Vec<Milestone>>> {
        self.inner.shared.milestones.open()
    }

    /// Whether [`milestones`](Self::milestones) are told from now on.
    pub fn follow_updates(&self, wanted: bool) {
        self.inner.shared.milestones.want(wanted);
    }

    /// Whether milestones were dropped since the last call.
    #[must_use]
    pub fn missed_milestones(&self) -> bool {
        self.inner.shared.milestones.take_missed()
    }

    fn look_at_updates(
        &self,
        endpoint: &str,
        withdrawn: Option<UpdateKind>,
    ) -> Result<bool, EngineError> {
        let Some(Home { shard, slot }) = self.inner.shared.directory.home(endpoint) else {
            return Ok(false);
        };
        let endpoint = endpoint.to_owned();
        self.send(
            shard.into(),
            Command::LookAtUpdates {
                slot,
                endpoint,
                withdrawn,
            },
        )?;
        Ok(true)
    }
}
