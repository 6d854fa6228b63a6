//! The DTLS layer of one shard.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::proto::time::Tick;

use super::{
    Counters, DtlsConfig, Event, Fingerprint, HandshakeId, RestoreError, SavedSession,
    ServerContexts, SessionId, SetupError, Verdict,
};

/// Sessions and handshakes of one shard: input and time in, outputs out.
pub struct DtlsEndpoint {
    counters: Counters,
}

/// What came of a call. Kept by the caller and used again; [`clear`](Self::clear) between calls,
/// or after each batch of them (ranges of [`Event::Received`] are of the datagram just given).
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
    /// A setting out of range.
    pub fn new(_config: DtlsConfig, _contexts: Arc<ServerContexts>) -> Result<Self, SetupError> {
        unimplemented!()
    }

    /// Credentials for handshakes that begin from now on. Sessions and handshakes go on.
    pub fn replace_credentials(&mut self, _contexts: Arc<ServerContexts>) {
        unimplemented!()
    }

    /// Takes a datagram. Application data is decrypted in place and named by [`Event::Received`].
    pub fn receive(
        &mut self,
        _now: Tick,
        _peer: SocketAddr,
        _datagram: &mut [u8],
        _out: &mut Output,
    ) {
        unimplemented!()
    }

    /// The answer to [`Event::Lookup`]. A stale `handshake` is ignored: `false`.
    pub fn answer(
        &mut self,
        _now: Tick,
        _handshake: HandshakeId,
        _verdict: Verdict,
        _out: &mut Output,
    ) -> bool {
        unimplemented!()
    }

    /// Appends a record with `plaintext` to `out`, and says where the peer is now: ask again for
    /// each transmission, never keep it. Nothing is appended on error.
    ///
    /// # Errors
    ///
    /// See [`SealError`].
    pub fn seal(
        &mut self,
        _session: SessionId,
        _plaintext: &[u8],
        _out: &mut Vec<u8>,
    ) -> Result<SocketAddr, SealError> {
        unimplemented!()
    }

    /// Ends a session with close_notify and [`Event::Closed`]; `false` when it is over already.
    pub fn close(&mut self, _session: SessionId, _out: &mut Output) -> bool {
        unimplemented!()
    }

    /// Ends every session and handshake of an identity, a bounded number of slots per
    /// [`poll`](Self::poll), which tells of each by [`Event::Closed`]. New ones are not hindered.
    pub fn close_identity(&mut self, _identity: Fingerprint) {
        unimplemented!()
    }

    /// Runs deadlines, repetitions of flights and the sweep over silent sessions.
    pub fn poll(&mut self, _now: Tick, _out: &mut Output) {
        unimplemented!()
    }

    /// When [`poll`](Self::poll) has something to do next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Tick> {
        unimplemented!()
    }

    /// Where the peer of a session is.
    #[must_use]
    pub fn peer(&self, _session: SessionId) -> Option<SocketAddr> {
        unimplemented!()
    }

    /// Most bytes of plaintext that fit a record to this peer.
    #[must_use]
    pub fn max_plaintext(&self, _session: SessionId) -> Option<usize> {
        unimplemented!()
    }

    /// Number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        unimplemented!()
    }

    /// Number of handshakes in flight.
    #[must_use]
    pub fn handshakes(&self) -> usize {
        unimplemented!()
    }

    /// Every session, in the order of slots.
    pub fn live(&self) -> impl Iterator<Item = SessionId> + '_ {
        std::iter::empty()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Appends a session to `out` in a form that [`restore`](Self::restore) takes, keys in clear:
    /// the caller encrypts it. `false` when it is over. Save at shutdown, when nothing is sealed or
    /// received any more: 2^20 record numbers are left out for what was sealed after it.
    pub fn save(&self, _session: SessionId, _out: &mut Vec<u8>) -> bool {
        unimplemented!()
    }

    /// What a saved session says of itself.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Malformed`].
    pub fn inspect(_saved: &[u8]) -> Result<SavedSession, RestoreError> {
        unimplemented!()
    }

    /// Brings a saved session back under the id it had.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(
        &mut self,
        _now: Tick,
        _saved: &[u8],
    ) -> Result<(SessionId, Fingerprint), RestoreError> {
        unimplemented!()
    }
}
