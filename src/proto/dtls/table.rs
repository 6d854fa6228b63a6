//! Where a shard keeps its sessions, and how records find them.

use std::net::SocketAddr;

use ahash::RandomState;
use hashbrown::HashTable;

use super::address::Address;
use super::session::Session;
use super::{DtlsConfig, RestoreError, SessionId};

/// Slots are allocated by as many, so that growing moves nothing.
const CHUNK: usize = 512;

/// A place for a session.
pub(super) enum Slot {
    Free {
        generation: u32,
    },
    /// For the handshake at `peer`.
    Reserved {
        generation: u32,
        peer: Address,
    },
    Live(Session),
}

impl Slot {
    const fn generation(&self) -> u32 {
        match self {
            Self::Free { generation } | Self::Reserved { generation, .. } => *generation,
            Self::Live(session) => session.generation,
        }
    }

    const fn session(&self) -> Option<&Session> {
        match self {
            Self::Live(session) => Some(session),
            Self::Free { .. } | Self::Reserved { .. } => None,
        }
    }
}

pub(super) struct Table {
    chunks: Vec<Box<[Slot]>>,
    free: Vec<u32>,
    limit: u32,
    /// Where the generations of new slots begin.
    seed: u64,
    /// Slots of sessions whose peer's records carry no connection identifier.
    by_address: HashTable<u32>,
    hash: RandomState,
    live: usize,
}

impl Table {
    pub(super) fn new(config: &DtlsConfig, seeds: [u64; 4]) -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            limit: config.limits.sessions.min(1 << 24),
            seed: seeds[0],
            by_address: HashTable::new(),
            hash: RandomState::with_seeds(seeds[0], seeds[1], seeds[2], seeds[3]),
            live: 0,
        }
    }

    /// A slot for a starting handshake; `None` when all are in use.
    pub(super) fn reserve(&mut self, peer: SocketAddr) -> Option<SessionId> {
        if self.free.is_empty() {
            self.grow();
        }
        let slot = self.free.pop()?;
        let place = self.slot_mut(slot)?;
        let generation = place.generation().wrapping_add(1);
        let peer = peer.into();
        *place = Slot::Reserved { generation, peer };
        Some(SessionId { slot, generation })
    }

    /// Puts a session into the slot reserved for it. Gives back the session without connection
    /// identifier that was at its address, for the caller to release.
    pub(super) fn activate(&mut self, id: SessionId, session: Session) -> Option<SessionId> {
        let displaced = self.by_address(session.peer);
        if let Some(old) = displaced {
            self.unlink(old);
        }
        let link = (!session.with_cid).then_some(session.peer);
        if let Some(place) = self.slot_mut(id.slot) {
            *place = Slot::Live(session);
            self.live += 1;
        }
        if let Some(peer) = link {
            let hash = self.hash.hash_one(peer);
            let (chunks, hasher) = (&self.chunks, &self.hash);
            self.by_address.insert_unique(hash, id.slot, |&slot| {
                peer_of(chunks, slot).map_or(0, |peer| hasher.hash_one(peer))
            });
        }
        displaced
    }

    /// Puts a restored session where it was.
    pub(super) fn restore(&mut self, slot: u32, session: Session) -> Result<(), RestoreError> {
        if slot >= self.limit {
            return Err(RestoreError::SlotTaken(slot));
        }
        while slot as usize >= self.chunks.len() * CHUNK {
            self.grow();
        }
        let at = self.free.iter().rposition(|&free| free == slot);
        let at = at.ok_or(RestoreError::SlotTaken(slot))?;
        self.free.swap_remove(at);
        let generation = session.generation;
        // Of two saved sessions at one address the first to come back stays.
        if let Some(old) = self.activate(SessionId { slot, generation }, session) {
            self.release(old);
        }
        Ok(())
    }

    /// Frees a slot of a session or handshake.
    pub(super) fn release(&mut self, id: SessionId) {
        self.unlink(id);
        let Some(place) = self.slot_mut(id.slot) else {
            return;
        };
        let was_live = matches!(place, Slot::Live(_));
        if place.generation() != id.generation || matches!(place, Slot::Free { .. }) {
            return;
        }
        *place = Slot::Free {
            generation: id.generation,
        };
        self.free.push(id.slot);
        self.live -= usize::from(was_live);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.slot(id.slot)?
            .session()
            .filter(|session| session.generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        match self.slot_mut(id.slot)? {
            Slot::Live(session) if session.generation == id.generation => Some(session),
            _ => None,
        }
    }

    /// The id of whatever lives in a slot, and it.
    pub(super) fn at(&self, slot: u32) -> Option<(SessionId, &Slot)> {
        let place = self.slot(slot)?;
        let generation = place.generation();
        Some((SessionId { slot, generation }, place))
    }

    pub(super) fn by_address(&self, peer: Address) -> Option<SessionId> {
        let hash = self.hash.hash_one(peer);
        let slot = *self
            .by_address
            .find(hash, |&slot| peer_of(&self.chunks, slot) == Some(peer))?;
        self.at(slot).map(|(id, _)| id)
    }

    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// Slots there are, in use or not.
    pub(super) fn slots(&self) -> u32 {
        (self.chunks.len() * CHUNK).min(self.limit as usize) as u32
    }

    /// Takes a session out of the index by address, if it is the one there.
    fn unlink(&mut self, id: SessionId) {
        let Some(peer) = self.get(id).map(|session| session.peer) else {
            return;
        };
        let hash = self.hash.hash_one(peer);
        if let Ok(entry) = self.by_address.find_entry(hash, |&slot| slot == id.slot) {
            entry.remove();
        }
    }

    fn slot(&self, slot: u32) -> Option<&Slot> {
        slot_in(&self.chunks, slot)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        let slot = slot as usize;
        self.chunks.get_mut(slot / CHUNK)?.get_mut(slot % CHUNK)
    }

    fn grow(&mut self) {
        let first = (self.chunks.len() * CHUNK) as u32;
        if first >= self.limit {
            return;
        }
        let generation = |slot: u32| {
            let mixed = (self.seed ^ u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed >> 32) as u32
        };
        let chunk = (first..first + CHUNK as u32).map(|slot| Slot::Free {
            generation: generation(slot),
        });
        self.chunks.push(chunk.collect());
        let end = self.limit.min(first + CHUNK as u32);
        self.free.extend((first..end).rev());
    }
}

fn slot_in(chunks: &[Box<[Slot]>], slot: u32) -> Option<&Slot> {
    chunks
        .get(slot as usize / CHUNK)?
        .get(slot as usize % CHUNK)
}

fn peer_of(chunks: &[Box<[Slot]>], slot: u32) -> Option<Address> {
    Some(slot_in(chunks, slot)?.session()?.peer)
}
