//! How endpoints survive a restart: what shards hand to storage and what they take back from it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::proto::time::UnixMillis;

use super::endpoint::plan::ProfilePlan;

/// Keeps records of endpoints, by shard and slot, and the profiles they refer to.
pub trait StateStore: fmt::Debug + Send + Sync + 'static {
    /// Prepares for an engine with this many shards. Records of shards that no longer exist are
    /// removed: the names that devices bear from them lead nowhere.
    ///
    /// # Errors
    /// The storage cannot be read or written.
    fn begin(&self, shards: u8) -> Result<Begun, StateError>;

    /// Gives all records of a shard in the order of their slots, and does with each what `take`
    /// says.
    ///
    /// # Errors
    /// The storage cannot be read or written. Single records that cannot be read are set aside.
    fn read(&self, shard: u8, take: &mut dyn FnMut(u32, &[u8]) -> Fate)
    -> Result<Read, StateError>;

    /// Gives all DTLS sessions of a shard, with the number that was stored after each, and puts what
    /// `take` gives in the place of both; where it gives nothing the session is removed. When this returns, that is on the disk: record numbers
    /// of a session must not be used a second time, whatever happens next.
    ///
    /// # Errors
    /// The storage cannot be read or written. Single sessions that cannot be read are removed.
    fn read_sessions(&self, shard: u8, take: Renew<'_>) -> Result<Read, StateError>;

    /// Forgets all records of profiles but these: no record of an endpoint refers to another one.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn keep_plans(&self, used: &HashSet<u64>) -> Result<(), StateError>;

    /// Queues changes to be written together; never waits.
    ///
    /// # Errors
    /// The queue is full: the changes come back.
    fn submit(&self, batch: StateBatch) -> Result<(), StateBatch>;
}

/// Is given the slot and the record of a session, and the number stored after it if there is one, and
/// gives its new record; nothing to drop it.
pub type Renew<'a> = &'a mut dyn FnMut(u32, &[u8], Option<u64>) -> Option<Vec<u8>>;

/// What is known at the start.
#[derive(Debug)]
pub struct Begun {
    /// Secret under which names of endpoints are made, the same as long as the storage lives.
    pub secret: [u8; 32],
    /// Until when devices were served at least; `None` in a new storage.
    pub served_until: Option<UnixMillis>,
    /// Records of profiles by number.
    pub plans: Vec<(u64, Vec<u8>)>,
    /// Records removed because their shard no longer exists.
    pub left_behind: u64,
}

/// What reading the records of a shard brought, besides the records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Read {
    /// Records that the storage itself could not give.
    pub unreadable: u64,
}

/// What becomes of a record that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It stays.
    Keep,
    /// It is removed.
    Remove,
    /// It cannot be read: it is moved out of the way, its bytes are kept.
    SetAside,
}

/// Changes of one shard, to be made together.
#[derive(Debug, Default)]
pub struct StateBatch {
    /// Index of the shard.
    pub shard: u8,
    /// Slots and where in `bytes` their new records are; `None` removes the record.
    pub records: Vec<(u32, Option<Range<usize>>)>,
    /// Slots of DTLS sessions and what became of them.
    pub sessions: Vec<(u32, SessionChange)>,
    /// Bytes of the records.
    pub bytes: Vec<u8>,
    /// Profiles that records refer to and that this shard has not handed over before.
    pub plans: Vec<(u64, Vec<u8>)>,
}

/// What is to be stored of a DTLS session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SessionChange {
    /// Its record, somewhere in the bytes of the batch: keys are in it, so the storage encrypts it. A
    /// number stored before goes.
    Record(Range<usize>),
    /// The next number that it reads: nothing else changed since its record was stored.
    Number(u64),
    /// It is over: record and number go.
    Over,
}

/// Why the state of endpoints cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the state of devices cannot be {action}: {detail}")]
pub struct StateError {
    /// `read` or `written`.
    pub action: &'static str,
    /// What failed, in words.
    pub detail: String,
}

/// Storage at work, as shards see it.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// The storage.
    pub store: Arc<dyn StateStore>,
    /// Profiles under which endpoints were kept, by number.
    pub plans: Arc<HashMap<u64, ProfilePlan>>,
    /// Until when devices were served before this start.
    pub served_until: Option<UnixMillis>,
}

/// What became of the records of endpoints at the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// Endpoints that are there again and registered.
    pub registered: u64,
    /// Endpoints that are there again and were not registered.
    pub unregistered: u64,
    /// Registrations whose lifetime ran out while nobody served.
    pub expired: u64,
    /// Endpoints that may not register any more.
    pub refused: u64,
    /// Records of endpoints that another record had brought back already.
    pub duplicates: u64,
    /// Records beyond what the engine may hold.
    pub full: u64,
    /// Records that could not be read and were set aside.
    pub unreadable: u64,
    /// Records of shards that no longer exist.
    pub left_behind: u64,
    /// DTLS sessions.
    pub sessions: RestoredSessions,
}

/// What became of the records of DTLS sessions at the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RestoredSessions {
    /// Sessions that go on.
    pub restored: u64,
    /// Sessions whose identity does not hold any more.
    pub revoked: u64,
    /// Records that could not be read: those devices begin new sessions.
    pub unreadable: u64,
}

impl RestoredSessions {
    /// Counts by stable name, as in the `result` label.
    #[must_use]
    pub const fn by_result(&self) -> [(&'static str, u64); 3] {
        [
            ("restored", self.restored),
            ("revoked", self.revoked),
            ("unreadable", self.unreadable),
        ]
    }
}

impl Restored {
    /// Counts by stable name, as in the `result` label.
    #[must_use]
    pub fn by_result(&self) -> [(&'static str, u64); 8] {
        [
            ("registered", self.registered),
            ("unregistered", self.unregistered),
            ("expired", self.expired),
            ("refused", self.refused),
            ("duplicate", self.duplicates),
            ("full", self.full),
            ("unreadable", self.unreadable),
            ("left_behind", self.left_behind),
        ]
    }
}

impl std::ops::AddAssign for Restored {
    fn add_assign(&mut self, other: Self) {
        self.registered += other.registered;
        self.unregistered += other.unregistered;
        self.expired += other.expired;
        self.refused += other.refused;
        self.duplicates += other.duplicates;
        self.full += other.full;
        self.unreadable += other.unreadable;
        self.left_behind += other.left_behind;
        self.sessions.restored += other.sessions.restored;
        self.sessions.revoked += other.sessions.revoked;
        self.sessions.unreadable += other.sessions.unreadable;
    }
}

/// The number under which the record of a profile is kept: it follows from what the record says.
#[must_use]
pub fn plan_number(record: &[u8]) -> u64 {
    let digest = Sha256::digest(record);
    let mut number = [0; 8];
    number.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(number)
}
