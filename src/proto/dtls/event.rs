//! What a [`DtlsEndpoint`](super::DtlsEndpoint) asks, tells and counts.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{AlertDescription, Suite};

/// Names a session of one shard. A slot is used again under another generation, so an id that
/// outlived its session names nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl SessionId {
    /// As one number, for tables of the caller.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// The id that [`as_u64`](Self::as_u64) gave.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self {
            slot: (number >> 32) as u32,
            generation: number as u32,
        }
    }
}

/// Names a handshake that waits for a verdict. It becomes stale when the handshake ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct HandshakeId(pub(super) SessionId);

/// The mode of credentials in a handshake (LwM2M Transport 1.2 §5.2.8).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Mode {
    /// A pre-shared key (RFC 4279).
    Psk,
    /// A raw public key (RFC 7250).
    RawPublicKey,
    /// An X.509 certificate.
    Certificate,
}

impl Mode {
    /// Label of metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Psk => "psk",
            Self::RawPublicKey => "rpk",
            Self::Certificate => "x509",
        }
    }
}

/// Who a peer says it is. Possession of the key is proven for the last two; for the first it is
/// proven by the Finished that is made with the key of the verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claim {
    /// A PSK identity of at most 128 bytes, without a NUL, otherwise any.
    PskIdentity(Box<[u8]>),
    /// DER SubjectPublicKeyInfo, on P-256 or P-384.
    RawPublicKey(Box<[u8]>),
    /// DER certificates, the leaf first; only the leaf in a resumed session. The leaf's key is on
    /// P-256 or P-384. Neither signatures nor dates were looked at.
    Certificate(Vec<Box<[u8]>>),
}

impl Claim {
    /// The mode that proves it.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::PskIdentity(_) => Mode::Psk,
            Self::RawPublicKey(_) => Mode::RawPublicKey,
            Self::Certificate(_) => Mode::Certificate,
        }
    }

    /// What [`close_identity`](super::DtlsEndpoint::close_identity) finds sessions by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let bytes = match self {
            Self::PskIdentity(bytes) | Self::RawPublicKey(bytes) => bytes,
            Self::Certificate(chain) => chain.first().map_or(&[][..], |leaf| leaf),
        };
        let hash = Sha256::new()
            .chain_update([self.mode() as u8])
            .chain_update(bytes)
            .finalize();
        let mut short = [0; 8];
        short.copy_from_slice(&hash[..8]);
        Fingerprint(u64::from_be_bytes(short))
    }
}

/// A short name of an identity: the beginning of a SHA-256 of mode and identity, the same in every
/// process. Of a certificate only the leaf counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint(pub u64);

/// The answer to [`Event::Lookup`].
pub enum Verdict {
    /// The key of a PSK identity, 1 to 256 bytes. A session can be resumed only under the key that it
    /// was made with.
    Psk(Zeroizing<Vec<u8>>),
    /// The raw public key or the certificate is good.
    Accepted,
    /// The peer is told why not.
    Refused(AlertDescription),
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psk(_) => f.write_str("Psk(..)"),
            Self::Accepted => f.write_str("Accepted"),
            Self::Refused(alert) => write!(f, "Refused({alert:?})"),
        }
    }
}

/// In the order in which it happened.
#[derive(Debug)]
pub enum Event {
    /// Find out about a peer and [`answer`](super::DtlsEndpoint::answer). The handshake waits, at
    /// most until its deadline.
    Lookup {
        /// What to answer with.
        handshake: HandshakeId,
        /// Who the peer says it is.
        claim: Claim,
        /// Earlier proven, and remembered by a ticket: only whether it still holds is asked.
        resumed: bool,
    },
    /// The peer proved its identity, and a session stands.
    Established(Box<Established>),
    /// Application data: where it now lies in the datagram given to
    /// [`receive`](super::DtlsEndpoint::receive).
    Received {
        /// The session it came in.
        session: SessionId,
        /// In that datagram.
        range: Range<usize>,
    },
    /// Application data that overtook the end of its handshake.
    Overtaken {
        /// The session it came in.
        session: SessionId,
        /// The plaintext.
        plaintext: Box<[u8]>,
    },
    /// A newer authenticated record with a connection identifier came from another address, which
    /// is the peer's from now on (RFC 9146 §6).
    Rebound {
        /// The session that moved.
        session: SessionId,
        /// Its address until now.
        from: SocketAddr,
        /// Its address from now on.
        to: SocketAddr,
    },
    /// A session ended. Its id names nothing any more.
    Closed {
        /// Which.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// A handshake ended without a session.
    HandshakeFailed {
        /// From where.
        peer: SocketAddr,
        /// The mode it was in.
        mode: Mode,
        /// The PSK identity, as far as it was told.
        claim: Option<Claim>,
        /// Why.
        reason: FailReason,
    },
}

/// A new session.
#[derive(Debug)]
pub struct Established {
    /// Its id.
    pub session: SessionId,
    /// Where the peer is.
    pub peer: SocketAddr,
    /// Who the peer proved to be.
    pub claim: Claim,
    /// How records are protected.
    pub suite: Suite,
    /// By a ticket or a session id, without a key exchange.
    pub resumed: bool,
    /// The peer can move: its records carry a connection identifier of ours.
    pub cid: bool,
    /// The session without connection identifier that was at this address. It is closed with
    /// [`CloseReason::Replaced`] by the next event.
    pub replaces: Option<SessionId>,
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one, in the order of [`Counters`].
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Label of metrics.
            #[must_use]
            pub const fn discriminant(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }
    };
}

labels! {
    /// Why a session ended.
    CloseReason {
        /// The peer sent close_notify.
        PeerClosed => "peer_closed",
        /// The peer sent a fatal alert.
        PeerAlert => "peer_alert",
        /// A new handshake at the same address completed.
        Replaced => "replaced",
        /// Nothing came for as long as [`Limits::session_idle_ms`](super::Limits) says.
        Idle => "idle",
        /// By [`close`](super::DtlsEndpoint::close).
        Requested => "requested",
        /// By [`close_identity`](super::DtlsEndpoint::close_identity).
        Revoked => "revoked",
        /// All 2^48 record numbers are used up.
        Exhausted => "exhausted",
    }
}

labels! {
    /// Why a handshake ended without a session.
    FailReason {
        /// The deadline passed.
        Timeout => "timeout",
        /// Protected records came, but none verified: most likely another key.
        WrongKey => "wrong_key",
        /// By the verdict.
        Refused => "refused",
        /// No verdict came in time.
        NoVerdict => "no_verdict",
        /// OpenSSL refused what the peer sent, and said so to it.
        Protocol => "protocol",
        /// No suite in common.
        NoCommonSuite => "no_common_suite",
        /// Only CBC suites, no encrypt-then-MAC (RFC 7366), and
        /// [`Limits::kept_sessions`](super::Limits) are there already.
        CbcWithoutEtm => "cbc_without_etm",
        /// Key on a curve other than P-256 and P-384.
        WeakKey => "weak_key",
        /// PSK identity longer than 128 bytes, or with a NUL in it.
        MalformedIdentity => "malformed_identity",
        /// Another handshake began at the same address.
        Superseded => "superseded",
        /// OpenSSL had no memory, or gave what the record layer does not know.
        Internal => "internal",
    }
}

labels! {
    /// Why a record, or the rest of a datagram, was silently discarded.
    RecordDrop {
        /// Not a record, or one that is cut off.
        Malformed => "malformed",
        /// A connection identifier that names no session.
        UnknownCid => "unknown_cid",
        /// No session and no handshake at this address.
        UnknownPeer => "unknown_peer",
        /// An epoch that is over or never began.
        Epoch => "epoch",
        /// A record number seen before, or older than the window.
        Replay => "replay",
        /// It did not authenticate, or it has nothing in it in a session that OpenSSL protects.
        Authentication => "authentication",
        /// With connection identifier where none was agreed, or without where one was.
        Form => "form",
        /// An alert without protection.
        PlainAlert => "plain_alert",
        /// A content type that has no place there.
        ContentType => "content_type",
        /// A ClientHello that cannot be read.
        MalformedHello => "malformed_hello",
        /// A ClientHello in fragments that do not fit, or too large.
        HelloFragment => "hello_fragment",
        /// A ClientHello whose cookie is not for this address, or too old.
        Cookie => "cookie",
        /// A ClientHello beyond the handshakes that its address may begin.
        AddressRate => "address_rate",
        /// A ClientHello while new handshakes are held off.
        HoldOff => "hold_off",
        /// A ClientHello while every session is in use.
        Full => "full",
        /// Ahead of its time, and too many of those are kept already.
        Early => "early",
        /// Larger than what was agreed, or than a record may be.
        Oversize => "oversize",
        /// A repetition of what a handshake has.
        Repeated => "repeated",
    }
}

/// Counted since the endpoint began. One writer: the shard.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// By [`RecordDrop`] in the order of its `ALL`.
    pub records_dropped: [u64; RecordDrop::ALL.len()],
    /// By [`FailReason`] in the order of its `ALL`.
    pub handshakes_failed: [u64; FailReason::ALL.len()],
    /// By [`CloseReason`] in the order of its `ALL`.
    pub sessions_closed: [u64; CloseReason::ALL.len()],
    /// HelloVerifyRequests sent.
    pub verify_requests: u64,
    /// Handshakes begun, after the cookie.
    pub handshakes_started: u64,
    /// Handshakes completed by mode, in the order of [`Mode`].
    pub handshakes_completed: [u64; 3],
    /// Of those, resumed.
    pub handshakes_resumed: u64,
    /// Of those, with CBC and without encrypt-then-MAC.
    pub handshakes_without_etm: u64,
    /// Flights sent again.
    pub flights_repeated: u64,
    /// Last flights sent again after the handshake, because the peer repeated its Finished.
    pub last_flights_repeated: u64,
    /// Records that authenticated.
    pub records_opened: u64,
    /// Records sealed.
    pub records_sealed: u64,
    /// Sessions whose peer moved.
    pub rebound: u64,
    /// Requests to renegotiate, refused.
    pub renegotiations_refused: u64,
}

impl Counters {
    /// How many records were dropped for this reason.
    #[must_use]
    pub const fn dropped(&self, reason: RecordDrop) -> u64 {
        self.records_dropped[reason as usize]
    }

    /// How many handshakes failed for this reason.
    #[must_use]
    pub const fn failed(&self, reason: FailReason) -> u64 {
        self.handshakes_failed[reason as usize]
    }

    pub(super) const fn drop_record(&mut self, reason: RecordDrop) {
        self.records_dropped[reason as usize] += 1;
    }
}
