//! The sessions of one shard, by number, peer, endpoint and deadline.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::peer::Peer;
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::time::Tick;

use super::session::Session;

/// Who sent a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) peer: Peer,
    pub(super) address: PeerAddr,
    /// Which address of ours it came to.
    pub(super) local: Option<LocalAddr>,
}

/// A device that is being told, or is to be.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) endpoint: Arc<str>,
    pub(super) caller: Caller,
    pub(super) state: State,
    wakes: Tick,
}

#[derive(Debug)]
pub(super) enum State {
    /// Services were asked; the request waits for its answer.
    Waiting {
        request: Box<[u8]>,
        is_pack: bool,
        format: u16,
    },
    /// The device is being told.
    Running(Box<Session>),
    /// The pack may be fetched further.
    Pack { body: Vec<u8>, format: u16 },
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: HashMap<u32, Entry>,
    at_peer: HashMap<Peer, Vec<u32>>,
    running: HashMap<Arc<str>, u32>,
    deadlines: BTreeSet<(Tick, u32)>,
    last: u32,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an entry that wakes at `wakes`; its number.
    pub(super) fn insert(
        &mut self,
        endpoint: Arc<str>,
        caller: Caller,
        state: State,
        wakes: Tick,
    ) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.entries.contains_key(&self.last) {
                break;
            }
        }
        let number = self.last;
        self.at_peer.entry(caller.peer).or_default().push(number);
        self.deadlines.insert((wakes, number));
        let entry = Entry {
            endpoint,
            caller,
            state,
            wakes,
        };
        self.entries.insert(number, entry);
        number
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Entry> {
        self.entries.get_mut(&number)
    }

    /// Changes when an entry wakes.
    pub(super) fn wake_at(&mut self, number: u32, wakes: Tick) {
        if let Some(entry) = self.entries.get_mut(&number) {
            self.deadlines.remove(&(entry.wakes, number));
            self.deadlines.insert((wakes, number));
            entry.wakes = wakes;
        }
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.deadlines.remove(&(entry.wakes, number));
        if let Some(there) = self.at_peer.get_mut(&entry.caller.peer) {
            there.retain(|other| *other != number);
            if there.is_empty() {
                self.at_peer.remove(&entry.caller.peer);
            }
        }
        if self.running.get(&entry.endpoint) == Some(&number) {
            self.running.remove(&entry.endpoint);
        }
        Some(entry)
    }

    /// The endpoint is told by this entry from now on; the number of the one before.
    pub(super) fn run(&mut self, endpoint: &Arc<str>, number: u32) -> Option<u32> {
        let before = self.running.insert(Arc::clone(endpoint), number);
        before.filter(|before| *before != number)
    }

    /// The entries of a peer.
    pub(super) fn at_peer(&self, peer: &Peer) -> impl Iterator<Item = (u32, &Entry)> {
        let numbers = self.at_peer.get(peer).into_iter().flatten();
        numbers.filter_map(|number| Some((*number, self.entries.get(number)?)))
    }

    /// An entry whose time has come.
    pub(super) fn next_due(&self, now: Tick) -> Option<u32> {
        let (at, number) = self.deadlines.first()?;
        (*at <= now).then_some(*number)
    }

    /// When the next one wakes.
    pub(super) fn next_wake(&self) -> Option<Tick> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
