//! The endpoints of one shard, by slot and by address.

use hashbrown::HashTable;

use crate::net::PeerAddr;
use crate::proto::time::{Deadlines, Tick, WheelSlot};

use super::endpoint::slot::{Head, Slot, State};

/// Slots in fixed chunks: growing never copies a million of them, nor keeps twice the memory.
const CHUNK: usize = 4096;

/// The endpoints of a shard.
#[derive(Default)]
pub struct Slab {
    chunks: Vec<Vec<Slot>>,
    free: Vec<u32>,
    len: usize,
    by_address: HashTable<u32>,
    hasher: ahash::RandomState,
}

impl Slab {
    /// Number of endpoints.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// One past the highest slot ever used.
    #[must_use]
    pub fn end(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as u32
    }

    /// The slot that [`insert`](Self::insert) will use next.
    #[must_use]
    pub fn next_slot(&self) -> u32 {
        self.free.last().copied().unwrap_or_else(|| self.end())
    }

    /// Puts an endpoint into [`next_slot`](Self::next_slot) and indexes its address.
    pub fn insert(&mut self, slot: Slot) -> u32 {
        let peer = slot.head.peer;
        let index = self.next_slot();
        if self.free.pop().is_some() {
            let place = &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK];
            // What the wheel holds for the former tenant serves the new one.
            let held = place.head.held;
            *place = slot;
            place.head.held = held;
        } else {
            match self.chunks.last_mut() {
                Some(chunk) if chunk.len() < CHUNK => chunk.push(slot),
                _ => {
                    let mut chunk = Vec::with_capacity(CHUNK);
                    chunk.push(slot);
                    self.chunks.push(chunk);
                }
            }
        }
        self.len += 1;
        self.index(index, peer);
        index
    }

    /// Frees a slot. What the wheel still holds for it is dropped when it comes up.
    pub fn remove(&mut self, index: u32) {
        let Some(slot) = self.get_mut(index) else {
            return;
        };
        let peer = slot.head.peer;
        slot.state = State::Vacant;
        self.unindex(index, &peer);
        self.len -= 1;
        self.free.push(index);
    }

    /// The slot with this index, vacant or not.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Slot> {
        self.chunks
            .get(index as usize / CHUNK)?
            .get(index as usize % CHUNK)
    }

    /// The slot with this index, vacant or not.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.chunks
            .get_mut(index as usize / CHUNK)?
            .get_mut(index as usize % CHUNK)
    }

    /// Slots of the endpoints at an address.
    pub fn at_address<'a>(&'a self, peer: &'a PeerAddr) -> impl Iterator<Item = (u32, &'a Head)> {
        self.by_address
            .iter_hash(self.hasher.hash_one(peer))
            .filter_map(move |&index| {
                let head = &self.get(index)?.head;
                (head.peer == *peer).then_some((index, head))
            })
    }

    /// The endpoint is at `peer` from now on.
    pub fn move_to(&mut self, index: u32, peer: PeerAddr) {
        let Some(slot) = self.get_mut(index) else {
            return;
        };
        let before = std::mem::replace(&mut slot.head.peer, peer);
        self.unindex(index, &before);
        self.index(index, peer);
    }

    fn index(&mut self, index: u32, peer: PeerAddr) {
        let Self {
            chunks,
            by_address,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(peer);
        let rehash = |index: &u32| {
            let at = *index as usize;
            hasher.hash_one(chunks[at / CHUNK][at % CHUNK].head.peer)
        };
        by_address.insert_unique(hash, index, rehash);
    }

    fn unindex(&mut self, index: u32, peer: &PeerAddr) {
        let hash = self.hasher.hash_one(peer);
        if let Ok(entry) = self.by_address.find_entry(hash, |known| *known == index) {
            entry.remove();
        }
    }
}

impl Deadlines for Slab {
    fn get(&mut self, slot: u32) -> Option<(Tick, &mut WheelSlot)> {
        let slot = self.get_mut(slot)?;
        if !slot.is_taken() {
            return None;
        }
        Some((slot.head.deadline, &mut slot.head.held))
    }
}
