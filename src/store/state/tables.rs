//! The tables of the state of endpoints and what is read from and written to them.

use std::collections::HashSet;
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use zeroize::Zeroizing;

use super::numbers::NumberLog;
use super::sealed::Sealer;
use super::{CHUNK, FORMAT, StateRecord};
use crate::services::engine::{SessionChange, StateBatch, StateError};

/// Bits of a key that are the slot; those above are the shard.
pub(super) const SLOT_BITS: u32 = 24;
pub(super) const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;

/// Names of the tables.
pub(super) const ENDPOINTS: &str = "endpoints";
const PLANS: &str = "plans";
const META: &str = "meta";
const ASIDE: &str = "set_aside";
const SESSIONS: &str = "dtls_sessions";
const NUMBERS: &str = "dtls_numbers";

/// Sequences of the log of numbers: of the last block whose commit happened, and of the last one that
/// was taken over into the table.
const LOGGED: &str = "numbers_logged";
const SETTLED: &str = "numbers_settled";

/// Memory for blocks that were read; the state is read once, at the start.
const CACHE_BYTES: u64 = 8 << 20;

/// Memory for changes before they are sorted into files.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// Keys looked up one by one around a block that cannot be read. A block holds fewer, and slots are
/// given out densely.
const LOOKED_UP: u32 = 1 << 12;

/// Sessions renewed, or numbers taken over, by one commit: fewer commits are fewer waits for the disk.
const RENEWED: usize = 1 << 15;

/// The open database; gone for a moment while it is opened again after a failure.
#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    sealer: Arc<Sealer>,
    tables: RwLock<Option<Tables>>,
}

impl Shared {
    pub(super) fn new(path: PathBuf, tables: Tables) -> Self {
        Self {
            path,
            sealer: Arc::clone(&tables.sealer),
            tables: RwLock::new(Some(tables)),
        }
    }

    pub(super) fn get(&self) -> Result<Tables, StateError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.clone().ok_or_else(|| StateError {
            action: "read",
            detail: "the storage failed and is not open again yet".to_owned(),
        })
    }

    /// Opens the database again: after a failed write it accepts no others.
    pub(super) fn reopen(&self) -> Result<(), StateError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *tables = None;
        let sealer = Arc::clone(&self.sealer);
        *tables = Some(Tables::open(&self.path, sealer).map_err(failed("written"))?);
        Ok(())
    }
}

#[derive(Clone)]
pub(super) struct Tables {
    database: Database,
    endpoints: Keyspace,
    sessions: Keyspace,
    /// The next number that a session reads, where that changed after it was stored and is not in the
    /// log any more.
    numbers: Keyspace,
    sealer: Arc<Sealer>,
    plans: Keyspace,
    meta: Keyspace,
    aside: Keyspace,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

impl Tables {
    pub(super) fn open(path: &Path, sealer: Arc<Sealer>) -> Result<Self, fjall::Error> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .worker_threads(1)
            .open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        Ok(Self {
            endpoints: database.keyspace(ENDPOINTS, options)?,
            sessions: database.keyspace(SESSIONS, options)?,
            numbers: database.keyspace(NUMBERS, options)?,
            sealer,
            plans: database.keyspace(PLANS, options)?,
            meta: database.keyspace(META, options)?,
            aside: database.keyspace(ASIDE, options)?,
            database,
        })
    }

    /// Version of the format; that of this build for a new store.
    pub(super) fn format(&self) -> Result<u32, fjall::Error> {
        if let Some(found) = self.meta.get("format")? {
            let found = <[u8; 4]>::try_from(&*found).map(u32::from_be_bytes);
            return Ok(found.unwrap_or(u32::MAX));
        }
        self.set_format()?;
        Ok(FORMAT)
    }

    /// Notes that this build has written here: an earlier one would not know all that counts.
    pub(super) fn set_format(&self) -> Result<(), fjall::Error> {
        let mut batch = self.batch();
        batch.insert(&self.meta, "format", FORMAT.to_be_bytes());
        batch.commit()
    }

    /// The secret of this store, drawn when it is asked for the first time.
    pub(super) fn secret(&self) -> Result<[u8; 32], StateError> {
        let kept = self.meta.get("secret").map_err(failed("read"))?;
        if let Some(secret) = kept.and_then(|bytes| <[u8; 32]>::try_from(&*bytes).ok()) {
            return Ok(secret);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| StateError {
            action: "written",
            detail: format!("the system gives no random numbers: {error}"),
        })?;
        let mut batch = self.batch();
        batch.insert(&self.meta, "secret", secret);
        batch.commit().map_err(failed("written"))?;
        Ok(secret)
    }

    pub(super) fn served_until(&self) -> Result<Option<i64>, fjall::Error> {
        let kept = self.meta.get("served_until")?;
        Ok(kept.and_then(|bytes| be_u64(&bytes)).map(u64::cast_signed))
    }

    pub(super) fn plans(&self) -> Result<Vec<(u64, Vec<u8>)>, fjall::Error> {
        let mut plans = Vec::new();
        for entry in self.plans.iter() {
            let (key, record) = entry.into_inner()?;
            if let Ok(key) = <[u8; 8]>::try_from(&*key) {
                plans.push((u64::from_be_bytes(key), record.to_vec()));
            }
        }
        Ok(plans)
    }

    pub(super) fn keep_plans(&self, used: &HashSet<u64>) -> Result<(), fjall::Error> {
        let mut batch = self.batch();
        for (number, _) in self.plans()? {
            if !used.contains(&number) {
                batch.remove(&self.plans, number.to_be_bytes());
            }
        }
        batch.commit()
    }

    pub(super) fn set_aside_count(&self) -> Result<u64, fjall::Error> {
        Ok(self.aside.len()? as u64)
    }

    pub(super) fn is_empty(&self) -> Result<bool, fjall::Error> {
        Ok(self.endpoints.is_empty()? && self.meta.get("secret")?.is_none())
    }

    /// Gives the records of endpoints with keys in a range. Returns the keys whose records cannot be
    /// read: with one, all that lie in the same block.
    pub(super) fn read(
        &self,
        keys: impl RangeBounds<u32>,
        mut take: impl FnMut(u32, &[u8]),
    ) -> Result<Vec<u32>, StateError> {
        let mut next = match keys.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let last = match keys.end_bound() {
            Bound::Included(last) => *last,
            Bound::Excluded(end) => end.saturating_sub(1),
            Bound::Unbounded => u32::MAX,
        };
        let mut unreadable = Vec::new();
        // The iterator stops at a block that cannot be read: what lies around it is looked up.
        while !self.read_on(&mut next, last, &mut take) {
            let window = next..=last.min(next.saturating_add(LOOKED_UP));
            let behind = window.end().checked_add(1);
            let before = unreadable.len();
            let mut found = false;
            for key in window {
                match self.endpoints.get(key.to_be_bytes()) {
                    Ok(None) => {}
                    Ok(Some(record)) => {
                        found = true;
                        take(key, &record);
                    }
                    Err(_) => unreadable.push(key),
                }
            }
            let lost = !found && unreadable.len() == before;
            match behind {
                Some(behind) if behind <= last && !lost => next = behind,
                _ => break,
            }
        }
        Ok(unreadable)
    }

    /// Gives records from `next` to `last`, as far as they can be read one after the other; `next` is
    /// behind them then. Returns whether that was all.
    fn read_on(&self, next: &mut u32, last: u32, take: &mut impl FnMut(u32, &[u8])) -> bool {
        let range = next.to_be_bytes()..=last.to_be_bytes();
        for entry in self.endpoints.range(range) {
            let Ok((key, record)) = entry.into_inner() else {
                return false;
            };
            let Ok(key) = <[u8; 4]>::try_from(&*key).map(u32::from_be_bytes) else {
                continue;
            };
            take(key, &record);
            match key.checked_add(1) {
                Some(behind) => *next = behind,
                None => return true,
            }
        }
        true
    }

    /// Gives the sessions with keys in a range, decrypted, and puts what `take` gives in their places,
    /// or removes them. Returns how many could not be read.
    pub(super) fn read_sessions(
        &self,
        keys: RangeInclusive<u32>,
        mut take: impl FnMut(u32, &[u8], Option<u64>) -> Option<Vec<u8>>,
    ) -> Result<u64, StateError> {
        let mut unreadable = 0;
        let mut changes = self.batch();
        let range = keys.start().to_be_bytes()..=keys.end().to_be_bytes();
        for (count, entry) in self.sessions.range(range).enumerate() {
            let Ok((key, record)) = entry.into_inner() else {
                // What lies behind is lost: those devices begin new sessions.
                unreadable += 1;
                break;
            };
            let Ok(key) = <[u8; 4]>::try_from(&*key) else {
                continue;
            };
            let plain = self.sealer.open_record(key, &record);
            let number = self.numbers.get(key);
            let number = number.map(|number| number.map(|bytes| <[u8; 8]>::try_from(&*bytes)));
            // Without its number a session could be replayed.
            let known = match (plain, number) {
                (Some(plain), Ok(None)) => Some((plain, None)),
                (Some(plain), Ok(Some(Ok(number)))) => Some((plain, Some(number))),
                _ => None,
            };
            unreadable += u64::from(known.is_none());
            let renewed = known.and_then(|(plain, number)| {
                let number = number.map(u64::from_be_bytes);
                take(u32::from_be_bytes(key), &plain, number)
            });
            changes.remove(&self.numbers, key);
            let renewed = renewed.map(Zeroizing::new);
            match renewed.and_then(|renewed| self.sealer.seal(key, &renewed).ok()) {
                Some(sealed) => changes.insert(&self.sessions, key, sealed),
                None => changes.remove(&self.sessions, key),
            }
            if count % RENEWED == RENEWED - 1 {
                let full = std::mem::replace(&mut changes, self.batch());
                full.commit().map_err(failed("written"))?;
            }
        }
        changes.commit().map_err(failed("written"))?;
        Ok(unreadable)
    }

    /// Removes the records from a key on. Returns how many there were.
    pub(super) fn remove_from(&self, first: u32) -> Result<u64, StateError> {
        let mut keys = Vec::new();
        let unreadable = self.read(first.., |key, _| keys.push(key))?;
        keys.extend(unreadable);
        self.clear_away(&keys, &[])?;
        self.read_sessions(first..=u32::MAX, |_, _, _| None)?;
        Ok(keys.len() as u64)
    }

    /// Removes records, and moves others out of the way.
    pub(super) fn clear_away(
        &self,
        removed: &[u32],
        aside: &[(u32, Vec<u8>)],
    ) -> Result<(), StateError> {
        for keys in removed.chunks(CHUNK) {
            let mut batch = self.batch();
            for key in keys {
                batch.remove(&self.endpoints, key.to_be_bytes());
            }
            batch.commit().map_err(failed("written"))?;
        }
        for records in aside.chunks(CHUNK) {
            let mut batch = self.batch();
            for (key, record) in records {
                batch.remove(&self.endpoints, key.to_be_bytes());
                batch.insert(&self.aside, key.to_be_bytes(), record.as_slice());
            }
            batch.commit().map_err(failed("written"))?;
        }
        Ok(())
    }

    /// Makes the changes of some batches, all or none, and notes that devices are being served.
    pub(super) fn commit(
        &self,
        group: &[StateBatch],
        log: &mut NumberLog,
        now: i64,
    ) -> Result<(), fjall::Error> {
        let mut batch = self.batch();
        log.begin();
        for changes in group {
            for (number, record) in &changes.plans {
                batch.insert(&self.plans, number.to_be_bytes(), record.as_slice());
            }
            let shard = u32::from(changes.shard) << SLOT_BITS;
            for (slot, record) in &changes.records {
                let key = (shard | slot).to_be_bytes();
                match record {
                    Some(range) => {
                        batch.insert(&self.endpoints, key, &changes.bytes[range.clone()])
                    }
                    None => batch.remove(&self.endpoints, key),
                }
            }
            for (slot, change) in &changes.sessions {
                let number_key = shard | slot;
                let plain = match change {
                    SessionChange::Number(number) => {
                        log.note(number_key, *number);
                        continue;
                    }
                    SessionChange::Record(range) => Some(&changes.bytes[range.clone()]),
                    SessionChange::Over => None,
                };
                log.note_new(number_key);
                let key = number_key.to_be_bytes();
                // A session that cannot be encrypted is not kept: its device begins a new one.
                match plain.and_then(|plain| self.sealer.seal(key, plain).ok()) {
                    Some(sealed) => batch.insert(&self.sessions, key, sealed),
                    None => batch.remove(&self.sessions, key),
                }
            }
        }
        if let Some(sequence) = log.append()? {
            batch.insert(&self.meta, LOGGED, sequence.to_be_bytes());
        }
        batch.insert(&self.meta, "served_until", now.to_be_bytes());
        batch.commit()?;
        if log.is_long() {
            self.settle(log)?;
        }
        Ok(())
    }

    /// Takes what the log of numbers says over into the table, and empties the log. Returns how many
    /// sessions had to be given up because blocks of it are missing: without its number a session
    /// could be replayed.
    pub(super) fn settle(&self, log: &mut NumberLog) -> Result<u64, fjall::Error> {
        let committed = self.sequence(LOGGED)?;
        let contents = log.read(committed)?;
        for outcomes in contents.outcomes.chunks(RENEWED) {
            let mut batch = self.batch();
            for (key, outcome) in outcomes {
                let key = key.to_be_bytes();
                let before = match self.numbers.get(key)? {
                    Some(bytes) if !outcome.anew => be_u64(&bytes),
                    _ => None,
                };
                match outcome.number.max(before) {
                    Some(number) => batch.insert(&self.numbers, key, number.to_be_bytes()),
                    None => batch.remove(&self.numbers, key),
                }
            }
            batch.commit()?;
        }
        let lost = contents.sequence < committed && self.sequence(SETTLED)? < committed;
        let given_up = if lost { self.forget_sessions()? } else { 0 };
        let last = committed.max(contents.sequence);
        let mut batch = self.batch();
        batch.insert(&self.meta, LOGGED, last.to_be_bytes());
        batch.insert(&self.meta, SETTLED, last.to_be_bytes());
        batch.commit()?;
        log.clear(last)?;
        Ok(given_up)
    }

    fn sequence(&self, name: &str) -> Result<u64, fjall::Error> {
        let kept = self.meta.get(name)?;
        Ok(kept.and_then(|bytes| be_u64(&bytes)).unwrap_or_default())
    }

    fn forget_sessions(&self) -> Result<u64, fjall::Error> {
        let mut batch = self.batch();
        let mut count = 0;
        for entry in self.sessions.iter() {
            batch.remove(&self.sessions, entry.key()?);
            count += 1;
        }
        batch.commit()?;
        Ok(count)
    }

    /// Sorts what lies in memory into files.
    #[cfg(test)]
    pub(super) fn flush(&self) {
        self.endpoints
            .rotate_memtable_and_wait()
            .expect("a disk that works");
    }

    /// The records of all tables but that of endpoints.
    pub(super) fn small_records(&self) -> Result<Vec<StateRecord>, fjall::Error> {
        let mut all = Vec::new();
        for (table, records) in [
            (META, &self.meta),
            (PLANS, &self.plans),
            (ASIDE, &self.aside),
        ] {
            for entry in records.iter() {
                let (key, value) = entry.into_inner()?;
                all.push(StateRecord {
                    table,
                    key: key.to_vec(),
                    value: value.to_vec(),
                });
            }
        }
        Ok(all)
    }

    /// Puts records by table, key and value; returns the table that does not exist.
    pub(super) fn put_all(
        &self,
        records: &[(String, Vec<u8>, Vec<u8>)],
    ) -> Result<Option<String>, fjall::Error> {
        let mut batch = self.batch();
        for (table, key, value) in records {
            let table = match table.as_str() {
                ENDPOINTS => &self.endpoints,
                PLANS => &self.plans,
                META => &self.meta,
                ASIDE => &self.aside,
                other => return Ok(Some(other.to_owned())),
            };
            batch.insert(table, key.as_slice(), value.as_slice());
        }
        batch.commit()?;
        Ok(None)
    }

    /// A batch that is on the disk when it is committed.
    fn batch(&self) -> OwnedWriteBatch {
        self.database
            .batch()
            .durability(Some(PersistMode::SyncData))
    }
}

fn be_u64(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

pub(super) fn failed(action: &'static str) -> impl Fn(fjall::Error) -> StateError {
    move |error| StateError {
        action,
        detail: error.to_string(),
    }
}
