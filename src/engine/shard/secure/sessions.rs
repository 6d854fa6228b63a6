//! What a shard knows of its DTLS sessions besides their keys: whose they are.

use crate::engine::credentials::Owner;
use crate::engine::peer::Session;
use crate::proto::dtls::{Mode, SessionId};

/// Sessions in fixed chunks: growing never copies a million of them.
const CHUNK: usize = 4_096;

/// Sessions by slot.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    chunks: Vec<Vec<Entry>>,
}

/// What is in a slot. Marks of storage are of the slot, whoever has it.
#[derive(Debug, Default)]
struct Entry {
    known: Option<Known>,
    generation: u32,
    changed: Changed,
    stored: bool,
}

/// What of a session is not stored as it is.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Changed {
    /// Nothing.
    #[default]
    Nothing,
    /// The next number that is read.
    Number,
    /// More than that, or all.
    Session,
}

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Whose it is.
    pub owner: Owner,
    /// How that was proven.
    pub mode: Mode,
    /// Address of ours that the peer uses, as an index into the shard's table.
    pub local: u8,
}

/// The slot of a session.
const fn slot(session: SessionId) -> u32 {
    (session.as_u64() >> 32) as u32
}

const fn generation(session: SessionId) -> u32 {
    session.as_u64() as u32
}

impl Sessions {
    pub(super) fn insert(&mut self, session: SessionId, known: Known) {
        let slot = slot(session) as usize;
        while self.chunks.len() <= slot / CHUNK {
            let chunk = std::iter::repeat_with(Entry::default);
            self.chunks.push(chunk.take(CHUNK).collect());
        }
        let entry = &mut self.chunks[slot / CHUNK][slot % CHUNK];
        entry.known = Some(known);
        entry.generation = generation(session);
    }

    pub(super) fn get(&self, session: SessionId) -> Option<&Known> {
        let entry = self.entry(slot(session))?;
        let known = entry.known.as_ref()?;
        (entry.generation == generation(session)).then_some(known)
    }

    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut Known> {
        let entry = self.entry_mut(slot(session))?;
        let known = entry.known.as_mut()?;
        (entry.generation == generation(session)).then_some(known)
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        if self.get(session).is_some()
            && let Some(entry) = self.entry_mut(slot(session))
        {
            entry.known = None;
        }
    }

    /// The session in a slot.
    pub(super) fn at(&self, slot: u32) -> Option<(SessionId, &Known)> {
        let entry = self.entry(slot)?;
        let known = entry.known.as_ref()?;
        let id = u64::from(slot) << 32 | u64::from(entry.generation);
        Some((SessionId::from_u64(id), known))
    }

    /// One past the highest slot there is room for.
    pub(super) fn end(&self) -> u32 {
        (self.chunks.len() * CHUNK) as u32
    }

    /// Notes that what storage has of a session is out of date. Returns its slot when that is new.
    pub(super) fn mark(&mut self, session: SessionId, changed: Changed) -> Option<u32> {
        let slot = slot(session);
        let entry = self.entry_mut(slot)?;
        let before = entry.changed;
        entry.changed = before.max(changed);
        (before == Changed::Nothing).then_some(slot)
    }

    /// Whether storage is to have the number alone, since it has the rest: then it is as it is.
    pub(super) fn store_number(&mut self, slot: u32) -> bool {
        let Some(entry) = self.entry_mut(slot) else {
            return false;
        };
        let alone = entry.stored && entry.changed == Changed::Number;
        if alone {
            entry.changed = Changed::Nothing;
        }
        alone
    }

    /// Storage is about to have the slot as it is. Returns whether it had a record.
    pub(super) fn store(&mut self, slot: u32, has_record: bool) -> bool {
        let Some(entry) = self.entry_mut(slot) else {
            return false;
        };
        entry.changed = Changed::Nothing;
        std::mem::replace(&mut entry.stored, has_record)
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        let slot = slot as usize;
        self.chunks.get(slot / CHUNK)?.get(slot % CHUNK)
    }

    fn entry_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        let slot = slot as usize;
        self.chunks.get_mut(slot / CHUNK)?.get_mut(slot % CHUNK)
    }
}

impl Known {
    /// The session's name for all shards.
    pub(super) const fn name(&self, shard: u8, session: SessionId) -> Session {
        Session::new(shard, self.mode, session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(endpoint: &str) -> Known {
        Known {
            owner: Owner {
                identity: 1,
                endpoint: endpoint.into(),
            },
            mode: Mode::Psk,
            local: 0,
        }
    }

    fn id(slot: u64, generation: u64) -> SessionId {
        SessionId::from_u64(slot << 32 | generation)
    }

    #[test]
    fn a_slot_that_serves_another_session_does_not_know_the_first_any_more() {
        let mut sessions = Sessions::default();
        sessions.insert(id(5_000, 1), known("a"));
        sessions.insert(id(5_000, 2), known("b"));
        assert!(sessions.get(id(5_000, 1)).is_none());
        sessions.remove(id(5_000, 1));
        let found = sessions.get(id(5_000, 2)).unwrap();
        assert_eq!(&*found.owner.endpoint, "b");
        assert_eq!(sessions.at(5_000).unwrap().0, id(5_000, 2));
        assert!(sessions.get(id(1 << 20, 0)).is_none());
    }

    #[test]
    fn a_slot_is_marked_once_until_it_is_stored() {
        let mut sessions = Sessions::default();
        sessions.insert(id(1, 1), known("a"));
        assert_eq!(sessions.mark(id(1, 1), Changed::Session), Some(1));
        assert_eq!(sessions.mark(id(1, 1), Changed::Number), None);
        assert!(!sessions.store_number(1));
        assert!(!sessions.store(1, true));
        assert_eq!(sessions.mark(id(1, 1), Changed::Session), Some(1));
        assert!(sessions.store(1, false));
    }

    #[test]
    fn a_number_is_stored_alone_only_after_its_session() {
        let mut sessions = Sessions::default();
        sessions.insert(id(1, 1), known("a"));
        assert_eq!(sessions.mark(id(1, 1), Changed::Number), Some(1));
        assert!(!sessions.store_number(1));
        assert!(!sessions.store(1, true));
        assert_eq!(sessions.mark(id(1, 1), Changed::Number), Some(1));
        assert!(sessions.store_number(1));
        assert_eq!(sessions.mark(id(1, 1), Changed::Number), Some(1));
        assert_eq!(sessions.mark(id(1, 1), Changed::Session), None);
        assert!(!sessions.store_number(1));
    }
}
