//! The state of endpoints on disk: a log-structured tree (fjall) in a directory of its own.
//!
//! It is apart from the store of what people enter: a fleet changes thousands of records a second at
//! random keys, for which a copy-on-write B-tree writes whole pages (figures in docs/storage.md).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use zeroize::Zeroizing;

use crate::services::engine::{Begun, Fate, Read, Renew, StateBatch, StateError, StateStore};

mod numbers;
mod sealed;
mod tables;
mod writer;

use numbers::NumberLog;
use sealed::Sealer;
use tables::{SLOT_MASK, Tables, failed};

use writer::Writer;

/// Version of the stored format that this build writes. It reads the earlier ones as well, and leaves
/// this version behind: 1 had no numbers of DTLS sessions apart from the sessions, 2 no log of them.
pub const FORMAT: u32 = 3;

/// Name of the directory in the data directory.
const DIRECTORY: &str = "state";

/// Records changed by one commit while the store is being read or imported.
const CHUNK: usize = 1_024;

/// The state of endpoints in one directory.
#[derive(Debug)]
pub struct EmbeddedState {
    writer: Writer,
    tables: Arc<tables::Shared>,
    ticket_secret: Zeroizing<[u8; 32]>,
    /// Sessions given up when the log of their numbers was read, until that has been told.
    given_up: AtomicU64,
}

/// Why the state of endpoints cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStateError {
    /// The directory cannot be created.
    #[error("cannot create {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key of DTLS sessions cannot be read or made.
    #[error("cannot read or make {}, the key under which DTLS sessions are kept: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another rookery process", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "{} has format {found}, this build reads formats up to {FORMAT}: it was written by a later version of rookery",
        path.display()
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// Format of the directory.
        found: u32,
    },
    /// It is no such store, is damaged, or cannot be accessed.
    #[error(
        "cannot open the state of devices in {}: {detail}. Without the directory the server starts, and devices register again",
        path.display()
    )]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

/// How much the state of endpoints holds, and what of it cannot be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StateCounts {
    /// Records of endpoints that can be read.
    pub endpoints: u64,
    /// Records of endpoints that cannot be read.
    pub unreadable: u64,
    /// Records of profiles that endpoints lived under.
    pub plans: u64,
    /// Records set aside because they could not be read.
    pub set_aside: u64,
}

/// One record, as exported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateRecord {
    /// Name of its table.
    pub table: &'static str,
    /// Its key.
    pub key: Vec<u8>,
    /// Its bytes.
    pub value: Vec<u8>,
}

impl EmbeddedState {
    /// Opens the state of endpoints in the data directory, creating it where it does not exist.
    ///
    /// # Errors
    /// See [`OpenStateError`].
    pub fn open(data: &Path) -> Result<Self, OpenStateError> {
        let path = data.join(DIRECTORY);
        create_private(&path).map_err(|source| OpenStateError::Directory {
            path: path.clone(),
            source,
        })?;
        let unusable = |detail: String| OpenStateError::Unusable {
            path: path.clone(),
            detail,
        };
        let sealer = Sealer::open(data).map_err(|source| OpenStateError::Key {
            path: data.join(sealed::KEY_FILE),
            source,
        })?;
        let ticket_secret = sealer
            .secret(b"session tickets")
            .map_err(|error| unusable(error.to_string()))?;
        let tables = Tables::open(&path, Arc::new(sealer)).map_err(|error| match error {
            fjall::Error::Locked => OpenStateError::InUse { path: path.clone() },
            other => unusable(other.to_string()),
        })?;
        let found = tables
            .format()
            .map_err(|error| unusable(error.to_string()))?;
        if found > FORMAT {
            return Err(OpenStateError::Format { path, found });
        }
        if found < FORMAT {
            tables
                .set_format()
                .map_err(|error| unusable(error.to_string()))?;
        }
        let mut log = NumberLog::open(&path).map_err(|error| unusable(error.to_string()))?;
        let given_up = tables
            .settle(&mut log)
            .map_err(|error| unusable(error.to_string()))?;
        let tables = Arc::new(tables::Shared::new(path.clone(), tables));
        let writer = Writer::start(Arc::clone(&tables), log)
            .map_err(|source| unusable(format!("the writer thread cannot be started: {source}")))?;
        Ok(Self {
            writer,
            tables,
            ticket_secret,
            given_up: AtomicU64::new(given_up),
        })
    }

    /// The secret that keys of session tickets are made of: the same as long as the key file is.
    #[must_use]
    pub const fn ticket_secret(&self) -> &Zeroizing<[u8; 32]> {
        &self.ticket_secret
    }

    /// Whether there is any in the data directory.
    #[must_use]
    pub fn exists(data: &Path) -> bool {
        data.join(DIRECTORY).is_dir()
    }

    /// Reads everything. `is_sound` says whether the record of an endpoint makes sense.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn check(&self, is_sound: impl Fn(&[u8]) -> bool) -> Result<StateCounts, StateError> {
        let tables = self.tables.get()?;
        let mut counts = StateCounts::default();
        let unreadable = tables.read(.., |_, record| {
            let sound = is_sound(record);
            counts.endpoints += u64::from(sound);
            counts.unreadable += u64::from(!sound);
        })?;
        counts.unreadable += unreadable.len() as u64;
        counts.plans = tables.plans().map_err(failed("read"))?.len() as u64;
        counts.set_aside = tables.set_aside_count().map_err(failed("read"))?;
        Ok(counts)
    }

    /// Gives all records, to be put into another store by [`put_all`](Self::put_all). Returns how many
    /// could not be read.
    ///
    /// # Errors
    /// The storage cannot be read, or `take` fails.
    pub fn export<E: From<StateError>>(
        &self,
        mut take: impl FnMut(StateRecord) -> Result<(), E>,
    ) -> Result<u64, E> {
        let tables = self.tables.get()?;
        for record in tables.small_records().map_err(failed("read"))? {
            take(record)?;
        }
        let mut outcome = Ok(());
        let unreadable = tables.read(.., |key, value| {
            if outcome.is_ok() {
                outcome = take(StateRecord {
                    table: tables::ENDPOINTS,
                    key: key.to_be_bytes().to_vec(),
                    value: value.to_vec(),
                });
            }
        })?;
        outcome.map(|()| unreadable.len() as u64)
    }

    /// Puts records as [`export`](Self::export) gave them. Returns the table of the first one that is
    /// of no known table, having put none.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub fn put_all(
        &self,
        records: &[(String, Vec<u8>, Vec<u8>)],
    ) -> Result<Option<String>, StateError> {
        self.tables
            .get()?
            .put_all(records)
            .map_err(failed("written"))
    }

    /// Whether nothing has ever been kept here.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn is_empty(&self) -> Result<bool, StateError> {
        self.tables.get()?.is_empty().map_err(failed("read"))
    }
}

impl StateStore for EmbeddedState {
    fn begin(&self, shards: u8) -> Result<Begun, StateError> {
        let tables = self.tables.get()?;
        let secret = tables.secret()?;
        let left_behind = tables.remove_from(u32::from(shards) << tables::SLOT_BITS)?;
        let served_until = tables.served_until().map_err(failed("read"))?;
        self.writer.serve();
        Ok(Begun {
            secret,
            served_until,
            plans: tables.plans().map_err(failed("read"))?,
            left_behind,
        })
    }

    fn read(
        &self,
        shard: u8,
        take: &mut dyn FnMut(u32, &[u8]) -> Fate,
    ) -> Result<Read, StateError> {
        let tables = self.tables.get()?;
        let first = u32::from(shard) << tables::SLOT_BITS;
        let last = first | tables::SLOT_MASK;
        let mut removed = Vec::new();
        let mut aside = Vec::new();
        let unreadable = tables.read(first..=last, |key, record| {
            match take(key & tables::SLOT_MASK, record) {
                Fate::Keep => {}
                Fate::Remove => removed.push(key),
                Fate::SetAside => aside.push((key, record.to_vec())),
            }
        })?;
        removed.extend(&unreadable);
        tables.clear_away(&removed, &aside)?;
        Ok(Read {
            unreadable: unreadable.len() as u64,
        })
    }

    fn read_sessions(&self, shard: u8, take: Renew<'_>) -> Result<Read, StateError> {
        let first = u32::from(shard) << tables::SLOT_BITS;
        let last = first | SLOT_MASK;
        let tables = self.tables.get()?;
        let unreadable = tables.read_sessions(first..=last, |key, record, number| {
            take(key & SLOT_MASK, record, number)
        })?;
        Ok(Read {
            unreadable: unreadable + self.given_up.swap(0, Relaxed),
        })
    }

    fn keep_plans(&self, used: &std::collections::HashSet<u64>) -> Result<(), StateError> {
        self.tables
            .get()?
            .keep_plans(used)
            .map_err(failed("written"))
    }

    fn submit(&self, batch: StateBatch) -> Result<(), StateBatch> {
        self.writer.submit(batch)
    }
}

/// The directory holds the secret behind the names of endpoints: only its owner may look inside.
fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(test)]
mod tests;
