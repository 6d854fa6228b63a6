//! The endpoints of one shard, by slot and by address.
//!
//! Any number of endpoints may share an address (a gateway, a load generator, a flood). The table by
//! address holds the first of them, the others hang on it as a list, so that an endpoint more at an
//! address costs nobody time.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::proto::time::{Deadlines, Tick, WheelSlot};

use super::endpoint::slot::{Head, NOBODY, Neighbours, Slot, State};
use super::peer::Peer;

/// Slots in fixed chunks: growing never copies a million of them, nor keeps twice the memory.
const CHUNK: usize = 4096;

/// The endpoints of a shard.
#[derive(Default)]
pub struct Slab {
    chunks: Vec<Vec<Slot>>,
    free: Vec<u32>,
    len: usize,
    /// The first endpoint at each address.
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

    /// Puts an endpoint into [`next_slot`](Self::next_slot). It is not found by address until
    /// [`put_first`](Self::put_first).
    pub fn insert(&mut self, slot: Slot) -> u32 {
        let index = self.next_slot();
        if self.free.pop().is_some() {
            let place = &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK];
            // What the wheel holds for the former tenant serves the new one.
            let held = place.head.held;
            // So does its record in storage, and its place among those to be stored.
            let (changed, stored) = (place.head.changed, place.head.stored);
            *place = slot;
            place.head.held = held;
            place.head.changed = changed;
            place.head.stored = stored;
        } else {
            self.append(slot);
        }
        self.len += 1;
        index
    }

    /// Puts an endpoint into a slot at or behind [`end`](Self::end); those before it become free.
    pub fn insert_at(&mut self, index: u32, slot: Slot) {
        debug_assert!(index >= self.end());
        while self.end() < index {
            self.free.push(self.end());
            self.append(Slot {
                head: Head::new(slot.head.peer, 0, 0),
                state: State::Vacant,
            });
        }
        self.append(slot);
        self.len += 1;
    }

    fn append(&mut self, slot: Slot) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(slot),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(slot);
                self.chunks.push(chunk);
            }
        }
    }

    /// Frees a slot. What the wheel still holds for it is dropped when it comes up.
    pub fn remove(&mut self, index: u32) {
        self.take_out(index);
        let Some(slot) = self.get_mut(index) else {
            return;
        };
        slot.state = State::Vacant;
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

    /// The endpoints to be found at an address, the one put there last first.
    pub fn at_address<'a>(&'a self, peer: &'a Peer) -> impl Iterator<Item = (u32, &'a Head)> {
        let first = self.by_address.find(self.hasher.hash_one(peer), |&index| {
            self.get(index).is_some_and(|slot| slot.head.peer == *peer)
        });
        let with_head = |index: u32| Some((index, &self.get(index)?.head));
        let next = move |(_, head): &(u32, &'a Head)| with_head(head.neighbours.after);
        std::iter::successors(first.copied().and_then(with_head), next)
    }

    /// The endpoint is found at its address from now on, before all others there.
    pub fn put_first(&mut self, index: u32) {
        self.take_out(index);
        let Self {
            chunks,
            by_address,
            hasher,
            ..
        } = self;
        let peer_of = |index: u32| head_of(chunks, index).peer;
        let peer = peer_of(index);
        let entry = by_address.entry(
            hasher.hash_one(peer),
            |&known| peer_of(known) == peer,
            |&known| hasher.hash_one(peer_of(known)),
        );
        let after = match entry {
            Entry::Occupied(mut first) => std::mem::replace(first.get_mut(), index),
            Entry::Vacant(new) => {
                new.insert(index);
                NOBODY
            }
        };
        self.link(NOBODY, index);
        self.link(index, after);
    }

    /// The endpoint is not found at its address any more. Returns whether it was.
    pub fn take_out(&mut self, index: u32) -> bool {
        let Some(slot) = self.get_mut(index) else {
            return false;
        };
        let peer = slot.head.peer;
        let Neighbours { before, after } = std::mem::take(&mut slot.head.neighbours);
        if before == NOBODY {
            let hash = self.hasher.hash_one(peer);
            let Ok(mut first) = self.by_address.find_entry(hash, |&known| known == index) else {
                return false;
            };
            if after == NOBODY {
                first.remove();
            } else {
                *first.get_mut() = after;
            }
        }
        self.link(before, after);
        true
    }

    /// The endpoint is at `peer` from now on.
    pub fn move_to(&mut self, index: u32, peer: Peer) {
        let found = self.take_out(index);
        if let Some(slot) = self.get_mut(index) {
            slot.head.peer = peer;
            if found {
                self.put_first(index);
            }
        }
    }

    /// Makes two endpoints of an address neighbours; one of them may be nobody.
    fn link(&mut self, before: u32, after: u32) {
        if let Some(slot) = self.get_mut(before) {
            slot.head.neighbours.after = after;
        }
        if let Some(slot) = self.get_mut(after) {
            slot.head.neighbours.before = before;
        }
    }
}

fn head_of(chunks: &[Vec<Slot>], index: u32) -> &Head {
    &chunks[index as usize / CHUNK][index as usize % CHUNK].head
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::net::PeerAddr;

    fn peer(port: u16) -> Peer {
        PeerAddr::v4(Ipv4Addr::LOCALHOST, port).into()
    }

    fn insert(slab: &mut Slab, port: u16) -> u32 {
        slab.insert(Slot {
            head: Head::new(peer(port), 0, 0),
            state: State::Vacant,
        })
    }

    fn found(slab: &Slab, port: u16) -> Vec<u32> {
        let peer = peer(port);
        slab.at_address(&peer).map(|(index, _)| index).collect()
    }

    proptest! {
        #[test]
        fn endpoints_are_found_at_their_address_the_latest_first(
            steps in proptest::collection::vec((0..4u8, 0..12u32, 1..4u16), 0..60)
        ) {
            let mut slab = Slab::default();
            let mut model = [const { Vec::new() }; 4];
            for n in 0..12 {
                insert(&mut slab, n % 3 + 1);
            }
            for (step, index, port) in steps {
                let head = &slab.get(index).unwrap().head;
                let at = (1..4).find(|port| head.peer == peer(*port)).map_or(0, usize::from);
                let known = model[at].contains(&index);
                model[at].retain(|other| *other != index);
                match step {
                    0 | 1 => {
                        slab.put_first(index);
                        model[at].insert(0, index);
                    }
                    2 => prop_assert_eq!(slab.take_out(index), known),
                    _ => {
                        slab.move_to(index, peer(port));
                        if known {
                            model[usize::from(port)].insert(0, index);
                        }
                    }
                }
                for port in 1..4 {
                    prop_assert_eq!(&found(&slab, port), &model[usize::from(port)]);
                }
            }
        }
    }

    #[test]
    fn a_hundred_thousand_endpoints_at_one_address_slow_nobody_down() {
        let mut slab = Slab::default();
        let count = 100_000;
        for _ in 0..count {
            let index = insert(&mut slab, 1);
            slab.put_first(index);
        }
        let other = insert(&mut slab, 2);
        slab.put_first(other);
        assert_eq!(slab.by_address.len(), 2, "one entry for each address");
        assert_eq!(found(&slab, 1).len(), count);
        for index in (0..count as u32).step_by(2) {
            slab.remove(index);
        }
        assert_eq!(found(&slab, 1).len(), count / 2);
        assert_eq!(found(&slab, 2), [other]);
    }
}
