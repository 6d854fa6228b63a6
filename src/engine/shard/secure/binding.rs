//! Which registration a session speaks for. A registration is bound to the identity that made it, not
//! to a session: it goes on in the newest session that proves the identity.

use std::sync::Arc;

use crate::engine::endpoint::core::Presence;
use crate::engine::handoff::HandedOff;
use crate::engine::peer::{Peer, Session};
use crate::engine::view::SecurityMode;
use crate::net::{LocalAddr, PeerAddr};

use super::Shard;
use crate::engine::shard::{Datagram, Sender};

impl Shard {
    /// Whether an endpoint may register through this peer.
    pub(in crate::engine::shard) fn admits(&self, endpoint: &str, peer: &Peer) -> bool {
        let security = peer.security();
        match self.shared.credentials.get() {
            Some(credentials) => credentials.admits(endpoint, security),
            None => security == SecurityMode::NoSec,
        }
    }

    /// Whether a message may be taken for one of the endpoint. In a session of its identity it is at
    /// home from now on.
    pub(in crate::engine::shard) fn may_speak(
        &mut self,
        slot: u32,
        datagram: &Datagram<'_>,
    ) -> bool {
        let Some(entry) = self.endpoints.get(slot) else {
            return false;
        };
        if entry.head.peer == datagram.peer {
            if !self.superseded.is_empty()
                && let Some(before) = self.superseded.remove(&slot)
            {
                // The new session has carried data: the device has it too.
                self.end_session(before, None);
            }
            return true;
        }
        match datagram.owner {
            // Plain CoAP finds its endpoint by names that nobody can guess.
            None => entry.head.peer.session().is_none(),
            Some(owner) if !self.lives_here(slot, owner) => false,
            Some(_) => {
                self.adopt(slot, Sender::of(datagram));
                true
            }
        }
    }

    /// A session stands: the registration of its identity is reached through it from now on.
    pub(super) fn bind(
        &mut self,
        endpoint: &Arc<str>,
        session: Session,
        address: PeerAddr,
        local: Option<LocalAddr>,
    ) {
        let Some(home) = self.shared.directory.home(endpoint) else {
            return;
        };
        let sender = Sender {
            peer: Peer::Secured(session),
            address,
            local,
            datagram_len: 0,
        };
        if home.shard == self.index {
            return self.bind_here(home.slot, endpoint, sender);
        }
        let handed = HandedOff::Bind {
            slot: home.slot,
            endpoint: Arc::clone(endpoint),
            sender,
        };
        // When there is no room the first message in the session does it.
        self.hand_over(home.shard, handed);
    }

    pub(in crate::engine::shard) fn bind_here(
        &mut self,
        slot: u32,
        endpoint: &str,
        sender: Sender,
    ) {
        if !self.lives_here(slot, endpoint) {
            return;
        }
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        let before = entry.head.peer;
        if entry.head.counted == Presence::Absent || before == sender.peer {
            return;
        }
        self.move_registration(slot, sender.peer, sender.local, sender.datagram_len);
        // Until the new session has carried data the device may not know of it.
        if let Peer::Secured(before) = before
            && let Some(earlier) = self.superseded.insert(slot, before)
        {
            self.end_session(earlier, None);
        }
    }

    /// A device fetches a package, which some do in a session of its own that answers no request: its
    /// registration goes on in the one it had before.
    pub(in crate::engine::shard) fn give_back(&mut self, datagram: &Datagram<'_>) {
        let (Some(endpoint), Peer::Secured(session)) = (datagram.owner, datagram.peer) else {
            return;
        };
        let Some(home) = self.shared.directory.home(endpoint) else {
            return;
        };
        if home.shard == self.index {
            return self.give_back_here(home.slot, endpoint, session);
        }
        let handed = HandedOff::GiveBack {
            slot: home.slot,
            endpoint: Arc::clone(endpoint),
            session,
        };
        // When there is no room the next block does it.
        self.hand_over(home.shard, handed);
    }

    pub(in crate::engine::shard) fn give_back_here(
        &mut self,
        slot: u32,
        endpoint: &str,
        session: Session,
    ) {
        if self.superseded.is_empty() || !self.lives_here(slot, endpoint) {
            return;
        }
        let Some(entry) = self.endpoints.get(slot) else {
            return;
        };
        if entry.head.peer != Peer::Secured(session) {
            return;
        }
        let local = self.locals.address(entry.head.local);
        if let Some(before) = self.superseded.remove(&slot) {
            self.move_registration(slot, Peer::Secured(before), local, 0);
        }
    }

    /// Whether this is the session that the endpoint had before the newest one.
    pub(in crate::engine::shard) fn is_superseded(&self, slot: u32, peer: &Peer) -> bool {
        let superseded = self.superseded.get(&slot);
        superseded.is_some_and(|known| Peer::Secured(*known) == *peer)
    }

    /// Ends a session, wherever it is; with `identity` only if it is of that one.
    pub(in crate::engine::shard) fn end_session(
        &mut self,
        session: Session,
        identity: Option<u64>,
    ) {
        if session.shard() != self.index {
            let handed = HandedOff::Close {
                session: session.id(),
                identity,
            };
            return self.hand_over(session.shard(), handed);
        }
        let Some(secure) = &mut self.secure else {
            return;
        };
        let Some(known) = secure.sessions.get(session.id()) else {
            return;
        };
        if identity.is_none_or(|identity| identity == known.owner.identity) {
            secure.endpoint.close(session.id(), &mut secure.output);
            self.follow_up(&[], None);
        }
    }

    /// Ends a session of this shard for another one.
    pub(in crate::engine::shard) fn close_for_other(
        &mut self,
        session: crate::proto::dtls::SessionId,
        identity: Option<u64>,
    ) {
        let known = self.secure.as_ref().and_then(|s| s.sessions.get(session));
        if let Some(name) = known.map(|known| known.name(self.index, session)) {
            self.end_session(name, identity);
        }
    }
}
