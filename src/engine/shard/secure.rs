//! Devices that speak DTLS.

use std::net::SocketAddr;
use std::ops::Range;

use crate::engine::metrics::Rejection;
use crate::engine::peer::{Peer, Session};
use crate::net::PeerAddr;

use super::{Sender, Shard};

impl Shard {
    /// Where a peer is, if this shard knows.
    pub(super) fn address_of(&self, peer: &Peer) -> Option<PeerAddr> {
        match peer {
            Peer::Plain(address) => Some(*address),
            Peer::Secured(_) => None,
        }
    }

    /// Where a device is, in words: where it just wrote from, or else where it is known to be.
    pub(super) fn address_text(&self, peer: &Peer, sender: Option<Sender>) -> String {
        let wrote = sender.map(|sender| sender.address);
        let at = wrote.or_else(|| self.address_of(peer));
        at.map_or_else(String::new, |at| SocketAddr::from(at).to_string())
    }

    /// Queues bytes of the arena for the peer of a session.
    pub(super) fn post_secured(&mut self, _session: Session, _bytes: Range<usize>) {
        self.metrics.reject(Rejection::NoSession);
    }
}
