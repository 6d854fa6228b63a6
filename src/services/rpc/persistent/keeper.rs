//! Changes of persistent commands: stored first, then visible.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::NewCommand;
use super::index::{Full, Index};
use super::record::{RpcCommand, RpcState, Stored};
use super::{DEFAULT_EXPIRATION_MILLIS, RpcError};
use crate::services::endpoint_locks::EndpointLocks;
use crate::services::rpc::ask::Asker;
use crate::services::rpc::clock::Clock;
use crate::services::rpc::count::{Ended, Mode, count};
use crate::services::storage::{self, Change, Store, StoreError, Table};

/// Stored commands read at once while starting.
const CHUNK: usize = 1_000;

/// Keeps the commands.
pub(super) struct Keeper {
    pub(super) asker: Arc<Asker>,
    pub(super) clock: Clock,
    /// Ends what runs in the background.
    pub(super) stopped: watch::Receiver<()>,
    /// Wakes the removal of finished commands.
    pub(super) retain: Notify,
    store: Arc<dyn Store>,
    index: Mutex<Index>,
    changing: EndpointLocks,
}

impl Keeper {
    pub(super) fn new(
        asker: Arc<Asker>,
        store: Arc<dyn Store>,
        clock: Clock,
        stopped: watch::Receiver<()>,
    ) -> Self {
        Self {
            asker,
            clock,
            stopped,
            retain: Notify::new(),
            store,
            index: Mutex::default(),
            changing: EndpointLocks::default(),
        }
    }

    /// Reads what is stored; returns the devices with commands that wait.
    pub(super) async fn load(&self) -> Result<Vec<Arc<str>>, StoreError> {
        let mut after = None;
        loop {
            let store = self.store.as_ref();
            let page = storage::scan::<Stored>(store, Table::Rpc, after.as_deref(), CHUNK).await?;
            let mut index = self.index();
            for (_, stored) in &page.records {
                index.put(stored);
            }
            drop(index);
            after = page.resume_after;
            if after.is_none() {
                break;
            }
        }
        self.show_pending();
        Ok(self.index().waiting_devices())
    }

    /// Keeps a new command.
    pub(super) async fn add(&self, endpoint: &str, command: NewCommand) -> Result<Uuid, RpcError> {
        let now = self.clock.now();
        let expiration = command
            .expiration
            .unwrap_or(now.saturating_add(DEFAULT_EXPIRATION_MILLIS));
        if expiration <= now {
            return Err(RpcError::Expired { expiration, now });
        }
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let (sequence, gives_way) = {
            let mut index = self.index();
            let gives_way = index.make_room(endpoint).map_err(|full| match full {
                Full::Device => RpcError::DeviceFull,
                Full::Everything => RpcError::Full,
            })?;
            (index.next_sequence(), gives_way)
        };
        let stored = Stored {
            sequence,
            command: RpcCommand::new(endpoint, command, now, expiration),
        };
        let id = stored.command.id;
        let mut changes = vec![Change::put(Table::Rpc, id.to_string(), &stored)?];
        changes.extend(gives_way.map(delete));
        self.store.write(changes).await?;
        {
            let mut index = self.index();
            if let Some(gone) = gives_way {
                index.remove(gone);
            }
            index.put(&stored);
        }
        self.show_pending();
        Ok(id)
    }

    /// A command as stored.
    pub(super) async fn read(&self, id: Uuid) -> Result<Option<RpcCommand>, StoreError> {
        Ok(self.stored(id).await?.map(|stored| stored.command))
    }

    /// Changes a command that waits; `false` when it is gone or finished.
    pub(super) async fn change(
        &self,
        id: Uuid,
        alter: impl FnOnce(&mut RpcCommand),
    ) -> Result<bool, StoreError> {
        let Some(endpoint) = self.index().endpoint_of(id) else {
            return Ok(false);
        };
        let _changing = self.changing.lock([&*endpoint].into_iter()).await;
        let Some(mut stored) = self.stored(id).await? else {
            return Ok(false);
        };
        if !stored.command.state.is_pending() {
            return Ok(false);
        }
        alter(&mut stored.command);
        stored.command.changed_time = self.clock.now();
        let finished = !stored.command.state.is_pending();
        let surplus = if finished {
            self.index().too_many_finished(&endpoint)
        } else {
            Vec::new()
        };
        let mut changes = vec![Change::put(Table::Rpc, id.to_string(), &stored)?];
        changes.extend(surplus.iter().copied().map(delete));
        self.store.write(changes).await?;
        {
            let mut index = self.index();
            for gone in surplus {
                index.remove(gone);
            }
            index.put(&stored);
        }
        if finished {
            count(Mode::Persistent, ended(&stored.command));
            self.retain.notify_one();
        }
        self.show_pending();
        Ok(true)
    }

    /// Removes a command; `false` when there was none.
    pub(super) async fn remove(&self, id: Uuid) -> Result<bool, StoreError> {
        let Some(endpoint) = self.index().endpoint_of(id) else {
            return Ok(false);
        };
        let _changing = self.changing.lock([&*endpoint].into_iter()).await;
        if self.index().state(id).is_none() {
            return Ok(false);
        }
        self.remove_stored(&endpoint, vec![id]).await?;
        Ok(true)
    }

    /// Removes every command of a device.
    pub(super) async fn remove_all(&self, endpoint: &str) -> Result<(), StoreError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let ids: Vec<_> = self
            .index()
            .commands(endpoint, 0)
            .map(|(_, entry)| entry.id)
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.remove_stored(endpoint, ids).await
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called while the device's commands are locked.
    async fn remove_stored(&self, endpoint: &str, ids: Vec<Uuid>) -> Result<(), StoreError> {
        self.store
            .write(ids.iter().copied().map(delete).collect())
            .await?;
        {
            let mut index = self.index();
            for id in ids {
                if index.remove(id).is_some_and(RpcState::is_pending) {
                    count(Mode::Persistent, Ended::Deleted);
                }
            }
            index.wake(endpoint);
        }
        self.show_pending();
        Ok(())
    }

    /// One that cannot be read is set aside: it is gone.
    async fn stored(&self, id: Uuid) -> Result<Option<Stored>, StoreError> {
        let stored = storage::read(self.store.as_ref(), Table::Rpc, &id.to_string()).await?;
        if stored.is_none() {
            self.index().remove(id);
        }
        Ok(stored)
    }

    fn show_pending(&self) {
        let pending = self.index().pending();
        metrics::gauge!("lwm2m_rpc_pending").set(pending as f64);
    }
}

fn delete(id: Uuid) -> Change {
    Change::Delete {
        table: Table::Rpc,
        key: id.to_string(),
    }
}

/// How a finished command is counted.
fn ended(command: &RpcCommand) -> Ended {
    match command.state {
        RpcState::Delivered | RpcState::Successful => Ended::Success,
        RpcState::Expired => Ended::Expired,
        _ if command.timeouts > command.retries => Ended::Timeout,
        _ => Ended::Error,
    }
}
