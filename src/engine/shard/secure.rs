//! Devices that speak DTLS: their records are opened on the way in and sealed on the way out, on the
//! shard that has the session; in between they are like all others.

use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::engine::credentials::Lookups;
use crate::engine::handoff::HandedOff;
use crate::engine::locals::Locals;
use crate::engine::metrics::{DtlsTotals, Rejection, ShardMetrics};
use crate::engine::peer::{Peer, Session};
use crate::net::mmsg::{OutDatagram, ReceivedMut};
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::dtls::{
    DtlsConfig, DtlsEndpoint, Event, Output, SealError, ServerContexts, SessionId, SetupError, cid,
};
use crate::proto::time::Tick;

use super::{Datagram, MAX_UNSENT, Origin, Sender, Shard};

mod binding;
mod handshakes;
mod revoke;
mod save;
mod sessions;

use handshakes::Claims;
use revoke::Sweep;
use sessions::{Changed, Sessions};

/// The DTLS layer of a shard.
pub(super) struct Secure {
    endpoint: DtlsEndpoint,
    /// What the layer puts out; its bytes are the arena of `outbox`.
    output: Output,
    outbox: Vec<OutDatagram>,
    /// Room for events, used again.
    events: Vec<Event>,
    sessions: Sessions,
    claims: Claims,
    lookups: Lookups,
    sweep: Sweep,
    /// Connection identifiers of ours say which shard a record is for.
    names_shards: bool,
    /// What of the layer's counters is taken over, and whether they have not moved since.
    totals: DtlsTotals,
    counted: bool,
}

/// Where a datagram came from and to.
#[derive(Clone, Copy)]
struct Whence {
    address: PeerAddr,
    local: Option<LocalAddr>,
}

impl Secure {
    fn new(
        config: DtlsConfig,
        contexts: Arc<ServerContexts>,
        lookups: Lookups,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            names_shards: config.cid_length.is_some_and(|length| length > 0),
            claims: Claims::new(config.limits.handshakes),
            endpoint: DtlsEndpoint::new(config, contexts)?,
            output: Output::default(),
            outbox: Vec::new(),
            events: Vec::new(),
            sessions: Sessions::default(),
            lookups,
            sweep: Sweep::default(),
            totals: DtlsTotals::default(),
            counted: false,
        })
    }

    /// Queues what the layer wants to send.
    fn take_datagrams(&mut self, local: Option<LocalAddr>) {
        let datagrams = self.output.datagrams.drain(..);
        self.outbox.extend(datagrams.map(|(to, bytes)| OutDatagram {
            peer: to.into(),
            local,
            start: bytes.start as u32,
            len: bytes.len() as u32,
        }));
    }

    fn seal(
        &mut self,
        session: SessionId,
        plaintext: &[u8],
        locals: &Locals,
    ) -> Result<(), SealError> {
        let start = self.output.bytes.len();
        let to = self
            .endpoint
            .seal(session, plaintext, &mut self.output.bytes)?;
        let known = self.sessions.get(session);
        self.outbox.push(OutDatagram {
            peer: to.into(),
            local: known.and_then(|known| locals.address(known.local)),
            start: start as u32,
            len: (self.output.bytes.len() - start) as u32,
        });
        self.counted = false;
        Ok(())
    }

    /// Most bytes of a message that this peer takes: a record has no more room. `None` when its
    /// session is on another shard than this, or over.
    pub(super) fn largest_message(&self, shard: u8, peer: &Peer) -> Option<usize> {
        let session = peer.session().filter(|session| session.shard() == shard)?;
        self.endpoint.max_plaintext(session.id())
    }

    fn count(&mut self, metrics: &ShardMetrics) {
        if !mem::replace(&mut self.counted, true) {
            self.totals.publish(&self.endpoint, &metrics.dtls);
        }
    }
}

impl Shard {
    /// Serves DTLS as well. To be called before the first turn.
    ///
    /// # Errors
    /// A setting is out of range, or OpenSSL lacks a cipher.
    pub fn serve_dtls(
        &mut self,
        secret: [u8; 32],
        contexts: Arc<ServerContexts>,
        lookups: Lookups,
    ) -> Result<(), SetupError> {
        let settings = &self.shared.config.dtls;
        let config = DtlsConfig {
            node: settings.node,
            cid_length: settings.cid_length,
            limits: settings.limits.clone(),
            ..DtlsConfig::new(self.index, secret)
        };
        self.secure = Some(Box::new(Secure::new(config, contexts, lookups)?));
        Ok(())
    }

    /// Takes a datagram of the DTLS socket; its records are decrypted in place.
    pub fn on_record(&mut self, received: ReceivedMut<'_>, origin: Origin) {
        let ReceivedMut {
            bytes,
            peer: address,
            local,
            truncated,
        } = received;
        if truncated {
            return self.metrics.reject(Rejection::TooLarge);
        }
        let Some(secure) = &mut self.secure else {
            return;
        };
        if secure.names_shards
            && origin == Origin::Socket
            && let Some(shard) = cid::shard_of_datagram(bytes)
            && shard != self.index
            && shard < self.count
        {
            let bytes = (&*bytes).into();
            let handed = HandedOff::Record {
                bytes,
                address,
                local,
            };
            return self.hand_over(shard, handed);
        }
        let (tick, peer) = (self.now.tick, address.into());
        secure
            .endpoint
            .receive(tick, peer, bytes, &mut secure.output);
        self.follow_up(bytes, Some(Whence { address, local }));
    }

    /// Runs deadlines of the layer.
    pub(super) fn poll_dtls(&mut self) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let tick = self.now.tick;
        if secure.endpoint.next_wake().is_some_and(|at| at <= tick) {
            secure.endpoint.poll(tick, &mut secure.output);
            self.follow_up(&[], None);
        }
        self.sweep_revoked();
    }

    pub(super) fn next_dtls_wake(&self) -> Option<Tick> {
        let secure = self.secure.as_ref()?;
        if secure.sweep.is_running() {
            return Some(self.now.tick.plus_millis(1));
        }
        secure.endpoint.next_wake()
    }

    /// Carries out what the layer put out; `datagram` is what it was given.
    fn follow_up(&mut self, datagram: &[u8], whence: Option<Whence>) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        let mut events = mem::take(&mut secure.events);
        while let Some(secure) = &mut self.secure {
            secure.counted = false;
            secure.take_datagrams(whence.and_then(|whence| whence.local));
            mem::swap(&mut events, &mut secure.output.events);
            if events.is_empty() {
                secure.events = events;
                return;
            }
            for event in events.drain(..) {
                self.on_event(event, datagram, whence);
            }
        }
    }

    fn on_event(&mut self, event: Event, datagram: &[u8], whence: Option<Whence>) {
        match event {
            Event::Received { session, range } => {
                let plaintext = datagram.get(range).unwrap_or_default();
                self.on_plaintext(session, plaintext, whence);
            }
            Event::Overtaken { session, plaintext } => {
                self.on_plaintext(session, &plaintext, whence);
            }
            Event::Lookup {
                handshake,
                claim,
                resumed,
            } => self.look_up_claim(handshake, claim, resumed),
            Event::Established(established) => self.on_established(&established, whence),
            Event::HandshakeFailed {
                peer,
                mode,
                claim,
                reason,
            } => self.on_handshake_failed(peer, mode, claim.as_ref(), reason),
            Event::Rebound { session, .. } => self.mark_session(session, Changed::Session),
            Event::Closed { session, .. } => {
                self.mark_session(session, Changed::Session);
                if let Some(secure) = &mut self.secure {
                    secure.sessions.remove(session);
                }
            }
        }
    }

    /// A message came out of a record.
    fn on_plaintext(&mut self, session: SessionId, bytes: &[u8], whence: Option<Whence>) {
        let (Some(secure), Some(whence)) = (&mut self.secure, whence) else {
            return;
        };
        let Some(known) = secure.sessions.get_mut(session) else {
            return self.metrics.reject(Rejection::Forbidden);
        };
        if self.locals.address(known.local) != whence.local {
            known.local = self.locals.number(whence.local);
        }
        let owner = known.owner.clone();
        let peer = Peer::Secured(known.name(self.index, session));
        self.mark_session(session, Changed::Number);
        let datagram = Datagram {
            bytes,
            peer,
            address: whence.address,
            owner: Some(&owner),
            local: whence.local,
            truncated: false,
        };
        self.on_datagram(&datagram, Origin::Socket);
    }

    /// Queues bytes of the arena for the peer of a session. They are not needed in the arena any
    /// more.
    pub(super) fn post_secured(&mut self, session: Session, bytes: Range<usize>) {
        if session.shard() == self.index {
            let plaintext = &self.out.arena[bytes.clone()];
            let sealed = match &mut self.secure {
                Some(secure) => secure.seal(session.id(), plaintext, &self.locals),
                None => Err(SealError::Gone),
            };
            match sealed {
                Ok(()) => self.note_sealed(session.id()),
                Err(error) => self.metrics.dtls.not_sealed(error),
            }
        } else {
            let handed = HandedOff::ToSeal {
                session: session.id(),
                plaintext: self.out.arena[bytes.clone()].into(),
            };
            self.hand_over(session.shard(), handed);
        }
        if bytes.end == self.out.arena.len() {
            self.out.arena.truncate(bytes.start);
        }
    }

    fn note_sealed(&mut self, session: SessionId) {
        let secure = self.secure.as_ref();
        if secure.is_some_and(|secure| secure.endpoint.is_to_be_saved(session)) {
            self.mark_session(session, Changed::Session);
        }
    }

    /// Seals what another shard has for a session of this one.
    pub(super) fn seal_for_other(&mut self, session: SessionId, plaintext: &[u8]) {
        let sealed = match &mut self.secure {
            Some(secure) => secure.seal(session, plaintext, &self.locals),
            None => Err(SealError::Gone),
        };
        match sealed {
            Ok(()) => self.note_sealed(session),
            Err(error) => self.metrics.dtls.not_sealed(error),
        }
    }

    /// The records to send, and the bytes they refer to.
    #[must_use]
    pub fn secure_outbox(&self) -> (&[u8], &[OutDatagram]) {
        match &self.secure {
            Some(secure) => (&secure.output.bytes, &secure.outbox),
            None => (&[], &[]),
        }
    }

    /// Forgets the first `sent` datagrams of [`secure_outbox`](Self::secure_outbox); see
    /// [`sent`](Self::sent).
    pub fn secure_sent(&mut self, sent: usize) {
        let Some(secure) = &mut self.secure else {
            return;
        };
        secure.outbox.drain(..sent);
        if secure.output.bytes.len() > MAX_UNSENT {
            self.metrics.send_errors.add(secure.outbox.len() as u64);
            secure.outbox.clear();
        }
        if secure.outbox.is_empty() {
            secure.output.bytes.clear();
        }
    }

    pub(super) fn count_dtls(&mut self) {
        if let Some(secure) = &mut self.secure {
            secure.count(&self.metrics);
        }
    }

    /// What the server shows from now on.
    pub(super) fn show(&mut self, contexts: Arc<ServerContexts>) {
        if let Some(bootstrap) = self.bootstrap() {
            bootstrap.show(Arc::clone(&contexts));
        }
        if let Some(secure) = &mut self.secure {
            secure.endpoint.replace_credentials(contexts);
        }
    }

    /// Where a peer is, if this shard knows.
    pub(super) fn address_of(&self, peer: &Peer) -> Option<PeerAddr> {
        match peer {
            Peer::Plain(address) => Some(*address),
            Peer::Secured(session) => self.address_of_session(*session),
        }
    }

    pub(super) fn address_of_session(&self, session: Session) -> Option<PeerAddr> {
        let secure = self.secure.as_ref()?;
        let here = session.shard() == self.index;
        let address = here.then(|| secure.endpoint.peer(session.id()));
        address.flatten().map(Into::into)
    }

    /// Where a device is, in words: where it just wrote from, or else where it is known to be.
    pub(super) fn address_text(&self, peer: &Peer, sender: Option<Sender>) -> String {
        let wrote = sender.map(|sender| sender.address);
        let at = wrote.or_else(|| self.address_of(peer));
        at.map_or_else(String::new, |at| SocketAddr::from(at).to_string())
    }
}
