//! The DTLS layer of one shard.

mod hellos;
mod incoming;
mod kept;
mod settle;
mod upkeep;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use ahash::RandomState;

use crate::proto::time::Tick;

use self::hellos::PartialHello;
use super::admission::Admission;
use super::cookie::{self, Cookies};
use super::handshake::Handshake;
use super::kept::Permits;
use super::keys::Writer;
use super::protect::{Envelope, Protector};
use super::table::Table;
use super::{
    CloseReason, Counters, DtlsConfig, Event, Fingerprint, HandshakeId, RestoreError,
    ServerContexts, SessionId, SetupError, Verdict, alert, saved, wire,
};

/// Sessions and handshakes of one shard: input and time in, outputs out.
pub struct DtlsEndpoint {
    config: DtlsConfig,
    contexts: Arc<ServerContexts>,
    cookies: Cookies,
    admission: Admission,
    partial_hellos: HashMap<SocketAddr, PartialHello, RandomState>,
    handshakes: HashMap<SocketAddr, Box<Handshake>, RandomState>,
    /// When something is to be done for a handshake: one entry for each.
    timers: BTreeSet<(Tick, SocketAddr)>,
    table: Table,
    protector: Protector,
    permits: Permits,
    /// A copy of a record that a session and a handshake may both be meant by.
    scratch: Vec<u8>,
    sweep: upkeep::Sweep,
    counters: Counters,
}

/// What came of a call. The caller keeps it for use again and empties it by
/// [`clear`](Self::clear). Ranges of [`Event::Received`] are of the datagram given last, so it is to
/// be read after each [`receive`](DtlsEndpoint::receive).
#[derive(Debug, Default)]
pub struct Output {
    /// Bytes to send.
    pub bytes: Vec<u8>,
    /// Datagrams to send: where to, and where in `bytes` they are.
    pub datagrams: Vec<(SocketAddr, Range<usize>)>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Output {
    /// Empties it and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
        self.events.clear();
    }

    pub(super) fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push((to, start..self.bytes.len()));
    }
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The session ended.
    #[error("the session is over")]
    Gone,
    /// Larger than the peer takes.
    #[error("{length} bytes are more than the {most} the peer takes in one record")]
    TooLarge {
        /// Bytes given.
        length: usize,
        /// Bytes possible.
        most: usize,
    },
    /// All record numbers of the session are used up.
    #[error("the session has no record numbers left")]
    Exhausted,
    /// OpenSSL failed.
    #[error("the cipher failed")]
    Cipher,
}

impl DtlsEndpoint {
    /// An endpoint without sessions.
    ///
    /// # Errors
    ///
    /// [`SetupError::CidLength`], [`SetupError::Mtu`], and [`SetupError::OpenSsl`] when a cipher
    /// is missing.
    pub fn new(config: DtlsConfig, contexts: Arc<ServerContexts>) -> Result<Self, SetupError> {
        if !config.cid_length_in_range() {
            return Err(SetupError::CidLength(config.cid_length.unwrap_or_default()));
        }
        if !(256..=16_384).contains(&config.limits.mtu) {
            return Err(SetupError::Mtu(config.limits.mtu));
        }
        let key = cookie::mac(&config.secret);
        let purpose = [b"dtls tables".as_slice(), &[config.shard]].concat();
        let mut seeds = [0; 4];
        let bytes = cookie::derived(&key, &purpose);
        for (seed, bytes) in seeds.iter_mut().zip(bytes.chunks_exact(8)) {
            *seed = bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        }
        let hash = RandomState::with_seeds(seeds[1], seeds[0], seeds[3], seeds[2]);
        Ok(Self {
            cookies: Cookies::new(&config.secret, config.limits.cookie_ms),
            admission: Admission::new(seeds),
            partial_hellos: HashMap::with_hasher(hash.clone()),
            handshakes: HashMap::with_hasher(hash),
            timers: BTreeSet::new(),
            table: Table::new(&config, seeds),
            protector: Protector::new()?,
            permits: Permits::default(),
            scratch: Vec::new(),
            sweep: upkeep::Sweep::default(),
            counters: Counters::default(),
            config,
            contexts,
        })
    }

    /// Credentials for handshakes that begin from now on. Sessions and handshakes go on.
    pub fn replace_credentials(&mut self, contexts: Arc<ServerContexts>) {
        self.contexts = contexts;
    }

    /// The answer to [`Event::Lookup`]. A stale `handshake` is ignored: `false`.
    pub fn answer(
        &mut self,
        now: Tick,
        handshake: HandshakeId,
        verdict: Verdict,
        out: &mut Output,
    ) -> bool {
        let Some(peer) = self.reserved_for(handshake.0) else {
            return false;
        };
        let Some(running) = self.handshakes.get_mut(&peer) else {
            return false;
        };
        if running.id != handshake.0 {
            return false;
        }
        let timer = running.wake();
        let progress = running.answer(now, verdict, &mut self.protector, out);
        let answered = progress.is_some();
        if let Some(progress) = progress {
            self.settle(now, peer, timer, progress, out);
        }
        answered
    }

    /// Appends a record with `plaintext` to `out`, and says where the peer is now: ask again for
    /// each transmission, never keep it. Nothing is appended on error.
    ///
    /// # Errors
    ///
    /// See [`SealError`].
    pub fn seal(
        &mut self,
        session: SessionId,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<SocketAddr, SealError> {
        self.seal_as(session, wire::APPLICATION_DATA, plaintext, out)
    }

    /// Ends a session with close_notify and [`Event::Closed`]; `false` when it is over already.
    pub fn close(&mut self, session: SessionId, out: &mut Output) -> bool {
        self.end(session, CloseReason::Requested, true, out)
    }

    /// Ends every session of an identity with close_notify, a bounded number of slots per
    /// [`poll`](Self::poll), which tells of each by [`Event::Closed`]. Sessions that begin
    /// meanwhile may be ended as well; refuse their [`Event::Lookup`] to keep the peer out.
    pub fn close_identity(&mut self, identity: Fingerprint) {
        self.sweep.close(identity);
    }

    /// Where the peer of a session is.
    #[must_use]
    pub fn peer(&self, session: SessionId) -> Option<SocketAddr> {
        self.table.get(session).map(|found| found.peer.socket())
    }

    /// Whose a session is.
    #[must_use]
    pub fn identity(&self, session: SessionId) -> Option<Fingerprint> {
        self.table.get(session).map(|found| found.identity)
    }

    /// Most bytes of plaintext that fit a record to this peer: it may have asked for less than
    /// 16,384 (RFC 6066 §4, RFC 8449).
    #[must_use]
    pub fn max_plaintext(&self, session: SessionId) -> Option<usize> {
        let session = self.table.get(session)?;
        Some(session.largest_plaintext())
    }

    /// Number of sessions.
    #[must_use]
    pub const fn sessions(&self) -> usize {
        self.table.live()
    }

    /// Number of handshakes in flight.
    #[must_use]
    pub fn handshakes(&self) -> usize {
        self.handshakes.len()
    }

    /// Number of ClientHellos of which fragments are missing.
    #[must_use]
    pub fn partial_hellos(&self) -> usize {
        self.partial_hellos.len()
    }

    /// Every session, in the order of slots.
    pub fn live(&self) -> impl Iterator<Item = SessionId> + '_ {
        (0..self.table.slots()).filter_map(|slot| {
            let (id, _) = self.table.at(slot)?;
            self.table.get(id).map(|_| id)
        })
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Appends a session to `out` in a form that [`restore`](Self::restore) takes, keys in clear:
    /// the caller encrypts it. `false` when it is over, or cannot be saved: its records are protected
    /// by OpenSSL, since it has CBC without encrypt-then-MAC. Save at shutdown, when nothing is received
    /// any more: what is received after saving could be replayed after restoring. 2^20 record
    /// numbers are left out for what is sealed after it.
    pub fn save(&self, session: SessionId, out: &mut Vec<u8>) -> bool {
        let found = self.table.get(session).filter(|found| !found.is_kept());
        if let Some(found) = found {
            saved::write(self.config.shard, session.slot, found, out);
        }
        found.is_some()
    }

    /// The next record number that a session reads; what is below cannot be replayed after
    /// [`restore`](Self::restore) with it. `None` when the session is over.
    #[must_use]
    pub fn next_read(&self, session: SessionId) -> Option<u64> {
        self.table.get(session).map(|found| found.window.next)
    }

    /// Whether the session has to be saved again, because of the records that were sealed in it since.
    /// To be asked after each.
    #[must_use]
    pub fn is_to_be_saved(&self, session: SessionId) -> bool {
        self.table.get(session).is_some_and(saved::is_due)
    }

    /// Brings a saved session back under the id it had; silence counts from now. `next_read` is what
    /// [`next_read`](Self::next_read) gave after it was saved, if that was asked.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(
        &mut self,
        now: Tick,
        saved: &[u8],
        next_read: Option<u64>,
    ) -> Result<(SessionId, Fingerprint), RestoreError> {
        let (head, session) = saved::read(saved, next_read, now)?;
        if head.shard != self.config.shard {
            return Err(RestoreError::OtherShard(head.shard));
        }
        self.table.restore(head.session.slot, session)?;
        Ok((head.session, head.identity))
    }

    fn seal_as(
        &mut self,
        id: SessionId,
        content_type: u8,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<SocketAddr, SealError> {
        let session = self.table.get_mut(id).ok_or(SealError::Gone)?;
        let most = session.largest_plaintext();
        if content.len() > most {
            let length = content.len();
            return Err(SealError::TooLarge { length, most });
        }
        let sequence = session.take_sequence().ok_or(SealError::Exhausted)?;
        let to = Envelope {
            content_type,
            epoch: 1,
            sequence,
            cid: session.peer_cid(),
        };
        let sealed = if session.is_kept() {
            // OpenSSL counts its records itself, and comes to the same.
            session
                .kept()
                .map(|kept| kept.seal(content_type, content, out))
        } else {
            let keys = session.keys(Writer::Server);
            Some(self.protector.seal(keys, to, content, out))
        };
        sealed.and_then(Result::ok).ok_or(SealError::Cipher)?;
        self.counters.records_sealed += 1;
        Ok(session.peer.socket())
    }

    fn send_alert(&mut self, id: SessionId, content: [u8; 2], out: &mut Output) {
        let start = out.bytes.len();
        if let Ok(to) = self.seal_as(id, wire::ALERT, &content, &mut out.bytes) {
            out.datagrams.push((to, start..out.bytes.len()));
        }
    }

    /// Ends a session; `false` when it is over already.
    fn end(&mut self, id: SessionId, reason: CloseReason, tell: bool, out: &mut Output) -> bool {
        if self.table.get(id).is_none() {
            return false;
        }
        if tell {
            self.send_alert(id, alert::CLOSE_NOTIFY, out);
        }
        self.table.release(id);
        self.counters.sessions_closed[reason as usize] += 1;
        out.events.push(Event::Closed {
            session: id,
            reason,
        });
        true
    }
}

impl fmt::Debug for DtlsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsEndpoint")
            .field("config", &self.config)
            .field("sessions", &self.sessions())
            .field("handshakes", &self.handshakes())
            .finish_non_exhaustive()
    }
}
