//! One parsed object list for all devices that send the same.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;

use super::{LinkError, ObjectLinks};
use crate::proto::lwm2m::LwM2mVersion;

/// Longest list that is shared; it bounds what lists that nobody holds any more can take up.
const MAX_SHARED_BYTES: usize = 1 << 14;

/// Shares object lists: devices of one model send the same bytes, which are then parsed and kept
/// once.
///
/// Holds at most `capacity` lists of at most 16 KiB. When full, lists that no registration holds
/// any more are dropped; when all are held, further ones are parsed and handed out without being
/// shared, and counted.
#[derive(Debug)]
pub struct LinkInterner {
    lists: HashTable<Arc<ObjectLinks>>,
    hasher: RandomState,
    capacity: usize,
    /// Lists handed out unshared since the last sweep: sweeping again pays only after some of
    /// these.
    missed: usize,
    unshared: u64,
}

impl LinkInterner {
    /// Keeps up to `capacity` lists. `keys` must be unpredictable for peers, or they could make
    /// lists collide.
    #[must_use]
    pub fn new(capacity: usize, keys: [u64; 2]) -> Self {
        let [a, b] = keys;
        Self {
            lists: HashTable::new(),
            hasher: RandomState::with_seeds(a, b, a.rotate_left(32), b.rotate_left(32)),
            capacity,
            missed: capacity,
            unshared: 0,
        }
    }

    /// The list for `payload`, parsed only when not known yet.
    ///
    /// # Errors
    /// As [`ObjectLinks::parse`].
    pub fn intern(
        &mut self,
        payload: &[u8],
        lwm2m: LwM2mVersion,
    ) -> Result<Arc<ObjectLinks>, LinkError> {
        let hash = self.hash(payload, lwm2m);
        let same =
            |list: &Arc<ObjectLinks>| list.lwm2m() == lwm2m && list.raw().as_bytes() == payload;
        if let Some(list) = self.lists.find(hash, same) {
            return Ok(Arc::clone(list));
        }
        let list = Arc::new(ObjectLinks::parse(payload, lwm2m)?);
        if payload.len() <= MAX_SHARED_BYTES && self.make_room() {
            let hasher = &self.hasher;
            let rehash =
                |list: &Arc<ObjectLinks>| hash_of(hasher, list.raw().as_bytes(), list.lwm2m());
            self.lists.insert_unique(hash, Arc::clone(&list), rehash);
        } else {
            self.unshared += 1;
        }
        Ok(list)
    }

    /// Number of lists kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// `true` when no list is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// How many lists were handed out without being shared: too long, or all places taken.
    #[must_use]
    pub fn unshared(&self) -> u64 {
        self.unshared
    }

    /// Makes sure of a vacant place if possible. A sweep looks at every list, so after one that
    /// freed little the next waits until an eighth of the capacity was missed.
    fn make_room(&mut self) -> bool {
        if self.lists.len() < self.capacity {
            return true;
        }
        self.missed += 1;
        if self.missed > self.capacity / 8 {
            self.missed = 0;
            self.lists.retain(|list| Arc::strong_count(list) > 1);
        }
        self.lists.len() < self.capacity
    }

    fn hash(&self, payload: &[u8], lwm2m: LwM2mVersion) -> u64 {
        hash_of(&self.hasher, payload, lwm2m)
    }
}

fn hash_of(state: &RandomState, payload: &[u8], lwm2m: LwM2mVersion) -> u64 {
    let mut hasher = state.build_hasher();
    payload.hash(&mut hasher);
    lwm2m.hash(&mut hasher);
    hasher.finish()
}
