//! Who sends and gets a message: an address, or a DTLS session whose address may change.

use std::fmt;

use crate::net::PeerAddr;
use crate::proto::dtls::{Mode, SessionId};

use super::view::SecurityMode;

/// The other end of an exchange, in 19 bytes. Equal peers are the same endpoint in the sense of
/// CoAP over UDP and over DTLS (RFC 7252 §1.2, §9.1.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Peer {
    /// Plain CoAP: whoever has the address.
    Plain(PeerAddr),
    /// DTLS: whoever has the keys of the session, wherever that is.
    Secured(Session),
}

/// A DTLS session, named for all shards. Its address is asked of its shard for each transmission.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Session {
    shard: u8,
    mode: Mode,
    id: [u8; 8],
}

impl Session {
    /// The session of a shard; `mode` is how its peer proved who it is.
    #[must_use]
    pub const fn new(shard: u8, mode: Mode, id: SessionId) -> Self {
        Self {
            shard,
            mode,
            id: id.as_u64().to_ne_bytes(),
        }
    }

    /// As it is kept in the record of an endpoint.
    #[must_use]
    pub fn as_kept(&self) -> (u8, u8, u64) {
        (self.shard, self.mode as u8, self.id().as_u64())
    }

    /// What [`as_kept`](Self::as_kept) gave; `None` when there is no such mode.
    #[must_use]
    pub fn from_kept((shard, mode, id): (u8, u8, u64)) -> Option<Self> {
        let modes = [Mode::Psk, Mode::RawPublicKey, Mode::Certificate];
        let mode = modes.into_iter().find(|known| *known as u8 == mode)?;
        Some(Self::new(shard, mode, SessionId::from_u64(id)))
    }

    /// The shard that has its keys.
    #[must_use]
    pub const fn shard(&self) -> u8 {
        self.shard
    }

    /// How the peer proved who it is.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Its id in that shard.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        SessionId::from_u64(u64::from_ne_bytes(self.id))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {:?} of shard {}", self.id(), self.shard)
    }
}

impl Peer {
    /// The security mode of what it sends.
    #[must_use]
    pub const fn security(&self) -> SecurityMode {
        match self {
            Self::Plain(_) => SecurityMode::NoSec,
            Self::Secured(session) => SecurityMode::of(session.mode),
        }
    }

    /// Its session.
    #[must_use]
    pub const fn session(&self) -> Option<Session> {
        match self {
            Self::Plain(_) => None,
            Self::Secured(session) => Some(*session),
        }
    }

    /// Three words that tell it from others.
    #[must_use]
    pub(super) fn words(&self) -> [u64; 3] {
        match self {
            Self::Plain(address) => {
                let [high, low] = address.halves();
                [high, low, u64::from(address.port())]
            }
            // No port is that large.
            Self::Secured(session) => [
                u64::from_ne_bytes(session.id),
                u64::from(session.shard),
                1 << 32,
            ],
        }
    }
}

impl From<PeerAddr> for Peer {
    fn from(address: PeerAddr) -> Self {
        Self::Plain(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_takes_one_byte_more_than_an_address() {
        assert_eq!(size_of::<Peer>(), size_of::<PeerAddr>() + 1);
        assert_eq!(align_of::<Peer>(), 1);
    }

    #[test]
    fn a_session_keeps_what_it_is_made_of() {
        let id = SessionId::from_u64(0x0000_0007_dead_beef);
        let session = Session::new(3, Mode::RawPublicKey, id);
        assert_eq!((session.shard(), session.id()), (3, id));
        assert_eq!(Session::from_kept(session.as_kept()), Some(session));
        assert_eq!(Session::from_kept((0, 3, 0)), None);
        assert_eq!(Peer::Secured(session).security(), SecurityMode::Rpk);
    }
}
