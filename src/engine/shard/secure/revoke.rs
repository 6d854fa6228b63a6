//! Credentials that are taken back: the registration ends at once and its session with it; other
//! sessions of the identity are looked for, some slots per turn.

use std::collections::HashSet;
use std::mem;

use crate::engine::credentials::Purpose;
use crate::engine::endpoint::core::Input;
use crate::engine::peer::Peer;

use super::Shard;

/// Slots looked at in one turn: about 10 µs.
const SLOTS_PER_TURN: u32 = 4_096;

/// A search for sessions whose identity does not hold any more.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    looked_for: Revoked,
    /// What came in the middle of the search: it waits for the next one.
    waiting: Revoked,
    next: u32,
}

/// Identities that do not hold any more.
#[derive(Debug, Default)]
struct Revoked {
    identities: HashSet<u64>,
    /// Some are not known: of each session it is asked.
    unknown: bool,
}

impl Revoked {
    fn is_empty(&self) -> bool {
        self.identities.is_empty() && !self.unknown
    }
}

impl Sweep {
    pub(super) fn is_running(&self) -> bool {
        !self.looked_for.is_empty()
    }

    fn add(&mut self, identity: Option<u64>) {
        match identity {
            Some(identity) => drop(self.waiting.identities.insert(identity)),
            None => self.waiting.unknown = true,
        }
        if !self.is_running() {
            self.start();
        }
    }

    fn start(&mut self) {
        self.next = 0;
        self.looked_for = mem::take(&mut self.waiting);
    }
}

impl Shard {
    /// The credentials of an endpoint do not hold any more; its registration ends too, unless it has
    /// made another one with newer credentials.
    pub(in crate::engine::shard) fn revoke(
        &mut self,
        endpoint: &str,
        identity: Option<u64>,
        ends_registration: bool,
    ) {
        if ends_registration
            && let Some(home) = self.shared.directory.home(endpoint)
            && home.shard == self.index
            && self.lives_here(home.slot, endpoint)
        {
            self.end_of_identity(home.slot, identity);
        }
        if let (Some(secure), Some(identity)) = (&mut self.secure, identity) {
            secure.sweep.add(Some(identity));
        }
    }

    /// Credentials of some endpoints do not hold any more, but it is not known of which.
    pub(in crate::engine::shard) fn revoke_unknown(&mut self) {
        if let Some(secure) = &mut self.secure {
            secure.sweep.add(None);
        }
    }

    fn end_of_identity(&mut self, slot: u32, identity: Option<u64>) {
        if let Some(before) = self.superseded.remove(&slot) {
            self.end_session(before, identity);
        }
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let peer = entry.head.peer;
        self.command_endpoint(slot, Input::Revoked);
        if let Peer::Secured(session) = peer {
            self.end_session(session, identity);
        }
    }

    pub(super) fn sweep_revoked(&mut self) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        if !secure.sweep.is_running() {
            return;
        }
        let sweep = &mut secure.sweep;
        let first = sweep.next;
        let end = secure.sessions.end();
        sweep.next = end.min(first.saturating_add(SLOTS_PER_TURN));
        for slot in first..sweep.next {
            let Some((session, known)) = secure.sessions.at(slot) else {
                continue;
            };
            let owner = &known.owner;
            let credentials = self.shared.credentials.get();
            let stands =
                |known: &_| credentials.is_some_and(|all| all.holds(known, Purpose::Registration));
            if sweep.looked_for.identities.contains(&owner.identity)
                || (sweep.looked_for.unknown && !stands(owner))
            {
                secure.endpoint.close(session, &mut secure.output);
            }
        }
        if sweep.next == end {
            sweep.start();
        }
        self.follow_up(&[], None);
    }
}
