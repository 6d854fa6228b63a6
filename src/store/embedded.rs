//! The embedded store: one redb file in the data directory.
//!
//! Reads go to the file directly; changes go through one writer thread that commits whatever
//! waits as one group, because redb has a single writer and each commit costs a disk flush.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition,
};

use crate::services::storage::{Change, Store, StoreError, StoreInfo, Table};

mod opened;
mod writer;

use opened::Opened;
use writer::Writer;

/// Version of the stored format that this build reads and writes.
pub const FORMAT: u32 = 1;

/// Name of the file in the data directory.
const FILE_NAME: &str = "rookery.redb";

type Records = TableDefinition<'static, &'static str, &'static [u8]>;

const META: TableDefinition<'static, &'static str, u32> = TableDefinition::new("meta");
const SET_ASIDE: Records = TableDefinition::new("set_aside");

const fn definition(table: Table) -> Records {
    TableDefinition::new(table.name())
}

/// A store in one file.
#[derive(Debug)]
pub struct EmbeddedStore {
    // Declared before `database`: the writer is joined, hence everything accepted is committed,
    // before this handle on the database goes.
    writer: Writer,
    database: Arc<Opened>,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be created.
    #[error("cannot create the data directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the file open.
    #[error("{} is in use by another rookery process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "{} has format {found}, this build reads format {FORMAT}: it was written by a later version of rookery",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Format of the file.
        found: u32,
    },
    /// The file is not a store, is damaged, or cannot be accessed.
    #[error("cannot open {}: {detail}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

impl EmbeddedStore {
    /// Opens the store in `directory`, creating both where they do not exist.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        create_private(directory).map_err(|source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let file = directory.join(FILE_NAME);
        let database = opened::open(&file).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path: file.clone() },
            other => OpenError::Unusable {
                path: file.clone(),
                detail: other.to_string(),
            },
        })?;
        let found = prepare(&database).map_err(|error| OpenError::Unusable {
            path: file.clone(),
            detail: error.to_string(),
        })?;
        if found != FORMAT {
            return Err(OpenError::Format { path: file, found });
        }
        let database = Arc::new(Opened::new(file.clone(), database));
        let writer = Writer::start(database.clone()).map_err(|source| OpenError::Unusable {
            path: file,
            detail: format!("the writer thread cannot be started: {source}"),
        })?;
        Ok(Self { writer, database })
    }
}

impl Store for EmbeddedStore {
    fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let database = self.database.get()?;
        let read = || -> Result<_, redb::Error> {
            let records = database.begin_read()?.open_table(definition(table))?;
            Ok(records.get(key)?.map(|value| value.value().to_vec()))
        };
        read().map_err(failed)
    }

    fn range(
        &self,
        table: Table,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let database = self.database.get()?;
        let read = || -> Result<_, redb::Error> {
            let records = database.begin_read()?.open_table(definition(table))?;
            let from = after.map_or(Unbounded, Excluded);
            let mut found = Vec::new();
            for entry in records.range::<&str>((from, Unbounded))?.take(limit) {
                let (key, value) = entry?;
                found.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(found)
        };
        read().map_err(failed)
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<Vec<bool>, StoreError>> {
        let submitted = self.writer.submit(changes);
        async move { submitted?.await.unwrap_or(Err(StoreError::Closed)) }.boxed()
    }

    fn info(&self) -> Result<StoreInfo, StoreError> {
        let database = self.database.get()?;
        let read = || -> Result<_, redb::Error> {
            let transaction = database.begin_read()?;
            let devices = transaction.open_table(definition(Table::Devices))?.len()?;
            let set_aside = transaction.open_table(SET_ASIDE)?.len()?;
            Ok((devices, set_aside))
        };
        let (devices, set_aside) = read().map_err(failed)?;
        Ok(StoreInfo {
            kind: "embedded",
            format: FORMAT,
            bytes: fs::metadata(self.database.file()).map_or(0, |file| file.len()),
            devices,
            set_aside,
        })
    }
}

/// Creates the tables and the format record of a new file; returns the format of the file.
fn prepare(database: &Database) -> Result<u32, redb::Error> {
    let transaction = database.begin_write()?;
    let format = {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("format")?.map(|format| format.value());
        match found {
            Some(format) => format,
            None => {
                meta.insert("format", FORMAT)?;
                FORMAT
            }
        }
    };
    if format == FORMAT {
        for table in Table::ALL {
            transaction.open_table(definition(table))?;
        }
        transaction.open_table(SET_ASIDE)?;
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(format)
}

/// The directory holds token hashes and credentials: only its owner may look inside.
fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    let error: redb::Error = error.into();
    StoreError::Failed {
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
