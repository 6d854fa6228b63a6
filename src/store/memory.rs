//! State that ends with the process, for tests and for trying things out.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, ready};

use super::embedded::FORMAT;
use crate::services::storage::{Change, Store, StoreError, StoreInfo, Table};

/// A store in memory. Clones share their content.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    records: BTreeMap<(Table, String), Vec<u8>>,
    set_aside: u64,
}

impl MemoryStore {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .content()
            .records
            .get(&(table, key.to_owned()))
            .cloned())
    }

    fn range(
        &self,
        table: Table,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let from = match after {
            Some(key) => Bound::Excluded((table, key.to_owned())),
            None => Bound::Included((table, String::new())),
        };
        Ok(self
            .content()
            .records
            .range((from, Bound::Unbounded))
            .take_while(|((of, _), _)| *of == table)
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<Vec<bool>, StoreError>> {
        let mut content = self.content();
        let existed = changes
            .into_iter()
            .map(|change| content.apply(change))
            .collect();
        ready(Ok(existed)).boxed()
    }

    fn info(&self) -> Result<StoreInfo, StoreError> {
        let content = self.content();
        let devices = content.records.keys().filter(|(t, _)| *t == Table::Devices);
        Ok(StoreInfo {
            kind: "memory",
            format: FORMAT,
            bytes: 0,
            devices: devices.count() as u64,
            set_aside: content.set_aside,
        })
    }
}

impl Content {
    fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Put { table, key, value } => self.records.insert((table, key), value).is_some(),
            Change::Delete { table, key } => self.records.remove(&(table, key)).is_some(),
            Change::SetAside { table, key } => {
                let existed = self.records.remove(&(table, key)).is_some();
                self.set_aside += u64::from(existed);
                existed
            }
        }
    }
}
