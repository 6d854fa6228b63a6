//! Changes of shared attributes: stored first, then visible.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use super::record::{SharedAttribute, SharedAttributes, Write, WriteState};
use super::{AttributeFault, AttributesError, MAX_ATTRIBUTES, MAX_BYTES};
use crate::proto::time::UnixMillis;
use crate::services::endpoint_locks::EndpointLocks;
use crate::services::engine::Engine;
use crate::services::models::Models;
use crate::services::rpc::Clock;
use crate::services::storage::{self, Change, Store, StoreError, Table};

/// Stored devices read at once while starting.
const CHUNK: usize = 500;

/// Keeps the attributes.
pub(super) struct Keeper {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) models: Arc<Models>,
    pub(super) clock: Clock,
    /// Ends what runs in the background.
    pub(super) stopped: watch::Receiver<()>,
    store: Arc<dyn Store>,
    changing: EndpointLocks,
    tasks: Mutex<HashMap<Arc<str>, Task>>,
}

/// The task that writes to a device.
struct Task {
    wake: Arc<Notify>,
    /// Something has changed since it looked.
    again: bool,
}

impl Keeper {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        models: Arc<Models>,
        store: Arc<dyn Store>,
        clock: Clock,
        stopped: watch::Receiver<()>,
    ) -> Self {
        Self {
            engine,
            models,
            clock,
            stopped,
            store,
            changing: EndpointLocks::default(),
            tasks: Mutex::default(),
        }
    }

    /// Reads what is stored; returns the devices for which something waits.
    pub(super) async fn load(&self) -> Result<Vec<String>, StoreError> {
        let (mut after, mut waiting): (Option<String>, _) = (None, Vec::new());
        let mut pending = 0;
        loop {
            let (store, table) = (self.store.as_ref(), Table::SharedAttributes);
            let page = storage::scan(store, table, after.as_deref(), CHUNK).await?;
            after = page.resume_after;
            for (endpoint, attributes) in page.records {
                self.engine.follow(&endpoint);
                let waits = count_pending(&attributes);
                pending += waits;
                if waits > 0 {
                    waiting.push(endpoint);
                }
            }
            if after.is_none() {
                break;
            }
        }
        show_pending(pending);
        Ok(waiting)
    }

    /// The attributes of a device as stored.
    pub(super) async fn read(&self, endpoint: &str) -> Result<SharedAttributes, StoreError> {
        let store = self.store.as_ref();
        let stored = storage::read(store, Table::SharedAttributes, endpoint).await?;
        Ok(stored.unwrap_or_default())
    }

    pub(super) async fn put(
        &self,
        endpoint: &str,
        values: Map<String, Value>,
    ) -> Result<SharedAttributes, AttributesError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let before = self.read(endpoint).await?;
        let mut after = before.clone();
        let now = self.clock.now();
        for (key, value) in values {
            let ts = before
                .get(&key)
                .map_or(now, |old| now.max(old.ts.saturating_add(1)));
            after.insert(key, new_attribute(value, ts));
        }
        let count = after.len();
        if count > MAX_ATTRIBUTES {
            return Err(AttributeFault::TooMany { count }.into());
        }
        let bytes = size(&after);
        if bytes > MAX_BYTES {
            return Err(AttributeFault::TooLarge { bytes }.into());
        }
        self.write(endpoint, &before, &after).await?;
        self.engine.follow(endpoint);
        Ok(after)
    }

    pub(super) async fn delete(
        &self,
        endpoint: &str,
        keys: &[String],
    ) -> Result<SharedAttributes, StoreError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let before = self.read(endpoint).await?;
        let mut after = before.clone();
        after.retain(|key, _| !keys.contains(key));
        if after.len() < before.len() {
            self.write(endpoint, &before, &after).await?;
            self.wake(endpoint);
        }
        Ok(after)
    }

    /// Removes every attribute of a device.
    pub(super) async fn forget(&self, endpoint: &str) -> Result<(), StoreError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let before = self.read(endpoint).await?;
        if !before.is_empty() {
            self.write(endpoint, &before, &SharedAttributes::new())
                .await?;
        }
        self.wake(endpoint);
        Ok(())
    }

    /// Notes how the Write of the value of `ts` stands; `false` when there is another value by now.
    pub(super) async fn note(
        &self,
        endpoint: &str,
        key: &str,
        ts: UnixMillis,
        write: Option<Write>,
    ) -> Result<bool, StoreError> {
        let _changing = self.changing.lock([endpoint].into_iter()).await;
        let before = self.read(endpoint).await?;
        let mut after = before.clone();
        let attribute = after.get_mut(key).filter(|attribute| attribute.ts == ts);
        let Some(attribute) = attribute else {
            return Ok(false);
        };
        if attribute.write != write {
            attribute.write = write;
            self.write(endpoint, &before, &after).await?;
        }
        Ok(true)
    }

    /// What wakes the new task of a device; `None` when there is one: it looks again.
    pub(super) fn begin_task(&self, endpoint: &str) -> Option<(Arc<str>, Arc<Notify>)> {
        let mut tasks = self.tasks();
        if let Some(task) = tasks.get_mut(endpoint) {
            task.again = true;
            task.wake.notify_one();
            return None;
        }
        let (endpoint, wake): (Arc<str>, _) = (endpoint.into(), Arc::new(Notify::new()));
        let task = Task {
            wake: wake.clone(),
            again: false,
        };
        tasks.insert(endpoint.clone(), task);
        Some((endpoint, wake))
    }

    /// Whether the task of a device has to look again; it is over otherwise.
    pub(super) fn goes_on(&self, endpoint: &str) -> bool {
        let mut tasks = self.tasks();
        let again = tasks
            .get_mut(endpoint)
            .is_some_and(|task| std::mem::take(&mut task.again));
        if !again {
            tasks.remove(endpoint);
        }
        again
    }

    fn wake(&self, endpoint: &str) {
        if let Some(task) = self.tasks().get(endpoint) {
            task.wake.notify_one();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Arc<str>, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called while the device's attributes are locked.
    async fn write(
        &self,
        endpoint: &str,
        before: &SharedAttributes,
        after: &SharedAttributes,
    ) -> Result<(), StoreError> {
        let change = if after.is_empty() {
            Change::Delete {
                table: Table::SharedAttributes,
                key: endpoint.to_owned(),
            }
        } else {
            Change::put(Table::SharedAttributes, endpoint, after)?
        };
        self.store.write(vec![change]).await?;
        if after.is_empty() {
            self.engine.unfollow(endpoint);
        }
        show_pending(count_pending(after) - count_pending(before));
        Ok(())
    }
}

/// Whether a Resource is mapped to it shows when the device is there.
fn new_attribute(value: Value, ts: UnixMillis) -> SharedAttribute {
    let write = Write {
        state: WriteState::Pending,
        reason: None,
        ts,
        registration: None,
        path: None,
    };
    SharedAttribute {
        ts,
        value,
        write: Some(write),
    }
}

fn size(attributes: &SharedAttributes) -> usize {
    let sizes = attributes
        .iter()
        .map(|(key, attribute)| key.len() + attribute.value.to_string().len());
    sizes.sum()
}

fn count_pending(attributes: &SharedAttributes) -> i64 {
    let pending = attributes.values().filter(|one| one.is_pending());
    pending.count() as i64
}

fn show_pending(more: i64) {
    metrics::gauge!("lwm2m_shared_attributes_pending").increment(more as f64);
}
