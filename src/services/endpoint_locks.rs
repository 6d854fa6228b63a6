//! Keeps two changes of one device from mixing: the store and the engine change one after the
//! other, and another change in between would leave them disagreeing.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 64;

/// Locks by endpoint name. Several names may share a lock.
#[derive(Debug)]
pub struct EndpointLocks {
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
}

impl Default for EndpointLocks {
    fn default() -> Self {
        Self {
            stripes: std::array::from_fn(|_| Mutex::new(())),
            hasher: RandomState::new(),
        }
    }
}

impl EndpointLocks {
    /// Waits until nobody else changes any of `endpoints`.
    pub async fn lock(&self, endpoints: impl Iterator<Item = &str>) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted = [false; STRIPES];
        for endpoint in endpoints {
            wanted[self.hasher.hash_one(endpoint) as usize % STRIPES] = true;
        }
        // Always in ascending order: two callers cannot wait for each other.
        let mut guards = Vec::new();
        for (stripe, _) in self
            .stripes
            .iter()
            .zip(wanted)
            .filter(|(_, wanted)| *wanted)
        {
            guards.push(stripe.lock().await);
        }
        guards
    }
}
