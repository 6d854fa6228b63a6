//! The database of the store, which is opened again after its disk has refused something.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, DatabaseError};

use crate::services::storage::StoreError;

/// Memory for cached pages. The hot state lives in the engine; the store is read at start and by
/// single look-ups.
const CACHE_BYTES: usize = 32 << 20;

/// A database that is open, but for moments.
#[derive(Debug)]
pub(super) struct Opened {
    file: PathBuf,
    database: RwLock<Option<Arc<Database>>>,
}

impl Opened {
    pub(super) fn new(file: PathBuf, database: Database) -> Self {
        Self {
            file,
            database: RwLock::new(Some(Arc::new(database))),
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn get(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.clone().ok_or_else(|| StoreError::Failed {
            detail: "the disk failed, and the file cannot be opened again yet".to_owned(),
        })
    }

    /// Opens the file again: after an error of the disk the database does nothing any more. Fails
    /// while somebody still reads through the former one.
    pub(super) fn reopen(&self) -> Result<Arc<Database>, StoreError> {
        let mut held = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *held = None;
        let database = open(&self.file).map_err(|error| StoreError::Failed {
            detail: error.to_string(),
        })?;
        Ok(Arc::clone(held.insert(Arc::new(database))))
    }
}

pub(super) fn open(file: &Path) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(file)
}
