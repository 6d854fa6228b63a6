//! A map that knows which of its entries was touched longest ago.

use std::collections::BTreeMap;
use std::hash::Hash;

use ahash::RandomState;
use hashbrown::HashMap;

/// Entries by key, ordered by the last time each was touched.
#[derive(Debug)]
pub(super) struct LruMap<K, V> {
    entries: HashMap<K, (u64, V), RandomState>,
    order: BTreeMap<u64, K>,
    turn: u64,
}

impl<K: Clone + Eq + Hash, V> LruMap<K, V> {
    /// An empty map whose hash cannot be predicted by those who choose the keys.
    pub(super) fn new(rng: &mut fastrand::Rng) -> Self {
        let seeds = RandomState::with_seeds(rng.u64(..), rng.u64(..), rng.u64(..), rng.u64(..));
        Self {
            entries: HashMap::with_hasher(seeds),
            order: BTreeMap::new(),
            turn: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The entry, without touching it.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Inserts or replaces the entry and makes it the youngest.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let turn = self.next_turn();
        self.order.insert(turn, key.clone());
        let (old_turn, old) = self.entries.insert(key, (turn, value))?;
        self.order.remove(&old_turn);
        Some(old)
    }

    /// Makes the entry the youngest.
    pub(super) fn touch(&mut self, key: &K) {
        let turn = self.next_turn();
        let Some((old_turn, _)) = self.entries.get_mut(key) else {
            return;
        };
        let old_turn = std::mem::replace(old_turn, turn);
        if let Some(key) = self.order.remove(&old_turn) {
            self.order.insert(turn, key);
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (turn, value) = self.entries.remove(key)?;
        self.order.remove(&turn);
        Some(value)
    }

    /// The entry touched longest ago.
    pub(super) fn oldest(&self) -> Option<(&K, &V)> {
        let (_, key) = self.order.first_key_value()?;
        Some((key, self.get(key)?))
    }

    /// Takes out the entry touched longest ago.
    pub(super) fn pop_oldest(&mut self) -> Option<V> {
        let (_, key) = self.order.pop_first()?;
        self.entries.remove(&key).map(|(_, value)| value)
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}
