//! The DTLS layer of the bootstrap server on one shard. Its sessions are short: they are not stored,
//! and a device does not move in one.

use std::mem;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::credentials::{Answer, Credentials, Decision, Lookup, Lookups, Owner, Purpose};
use crate::engine::metrics::{DtlsTotals, Rejection, ShardMetrics};
use crate::engine::peer::Session;
use crate::engine::shard::Shared;
use crate::net::mmsg::{OutDatagram, ReceivedMut};
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::dtls::{
    AlertDescription, Claim, DtlsConfig, DtlsEndpoint, Established, Event, Fingerprint,
    HandshakeId, Limits, Mode, Output, SealError, ServerContexts, SessionId, SetupError,
};
use crate::proto::time::{Now, Tick};

/// Sessions at once.
const MAX_SESSIONS: u32 = 65_536;

/// How long a session may be silent, in ms.
const IDLE_MILLIS: u64 = 600_000;

/// How long what was found out about a claim is of use, in ms: longer than a handshake may take.
const USEFUL_MILLIS: u64 = 120_000;

/// A message that came out of a record.
pub(super) struct Incoming {
    pub(super) session: Session,
    pub(super) owner: Arc<str>,
    pub(super) bytes: Box<[u8]>,
}

/// What a turn lends.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) now: Now,
    pub(super) shared: &'a Shared,
    pub(super) metrics: &'a ShardMetrics,
}

pub(super) struct Secured {
    shard: u8,
    endpoint: DtlsEndpoint,
    output: Output,
    outbox: Vec<OutDatagram>,
    sessions: HashMap<SessionId, Known>,
    claims: HashMap<Fingerprint, (Tick, Option<Owner>)>,
    most_claims: usize,
    lookups: Lookups,
    totals: DtlsTotals,
}

struct Known {
    owner: Owner,
    mode: Mode,
    local: Option<LocalAddr>,
}

impl Secured {
    pub(super) fn new(
        shard: u8,
        secret: [u8; 32],
        limits: &Limits,
        contexts: Arc<ServerContexts>,
        lookups: Lookups,
    ) -> Result<Self, SetupError> {
        let limits = Limits {
            sessions: MAX_SESSIONS,
            session_idle_ms: IDLE_MILLIS,
            ..limits.clone()
        };
        let config = DtlsConfig {
            cid_length: None,
            limits,
            ..DtlsConfig::new(shard, secret)
        };
        Ok(Self {
            shard,
            most_claims: config.limits.handshakes.max(1),
            endpoint: DtlsEndpoint::new(config, contexts)?,
            output: Output::default(),
            outbox: Vec::new(),
            sessions: HashMap::new(),
            claims: HashMap::new(),
            lookups,
            totals: DtlsTotals::default(),
        })
    }

    /// Takes a datagram; the messages in it.
    pub(super) fn receive(
        &mut self,
        received: ReceivedMut<'_>,
        around: Around<'_>,
    ) -> Vec<Incoming> {
        let ReceivedMut {
            bytes, peer, local, ..
        } = received;
        self.endpoint
            .receive(around.now.tick, peer.into(), bytes, &mut self.output);
        self.follow_up(bytes, local, around)
    }

    /// Takes what was found out about a claim on another thread.
    pub(super) fn on_decided(&mut self, answer: Answer, around: Around<'_>) -> Vec<Incoming> {
        self.answer_lookup(answer, around.now.tick);
        self.follow_up(&[], None, around)
    }

    /// Runs deadlines of the layer.
    pub(super) fn poll(&mut self, around: Around<'_>) {
        if self
            .endpoint
            .next_wake()
            .is_some_and(|at| at <= around.now.tick)
        {
            self.endpoint.poll(around.now.tick, &mut self.output);
            self.follow_up(&[], None, around);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Tick> {
        self.endpoint.next_wake()
    }

    /// Queues a message for the peer of a session.
    pub(super) fn seal(&mut self, session: Session, plaintext: &[u8]) -> Result<(), SealError> {
        let start = self.output.bytes.len();
        let to = self
            .endpoint
            .seal(session.id(), plaintext, &mut self.output.bytes)?;
        let known = self.sessions.get(&session.id());
        self.outbox.push(OutDatagram {
            peer: to.into(),
            local: known.and_then(|known| known.local),
            start: start as u32,
            len: (self.output.bytes.len() - start) as u32,
        });
        Ok(())
    }

    /// Where the peer of a session is.
    pub(super) fn address(&self, session: Session) -> Option<PeerAddr> {
        self.endpoint.peer(session.id()).map(Into::into)
    }

    pub(super) fn show(&mut self, contexts: Arc<ServerContexts>) {
        self.endpoint.replace_credentials(contexts);
    }

    pub(super) fn count(&mut self, metrics: &ShardMetrics) {
        self.totals.publish(&self.endpoint, &metrics.dtls);
    }

    pub(super) fn outbox(&self) -> (&[u8], &[OutDatagram]) {
        (&self.output.bytes, &self.outbox)
    }

    /// Forgets the first `sent` datagrams; with more than `most` bytes left, all. How many were lost.
    pub(super) fn sent(&mut self, sent: usize, most: usize) -> usize {
        self.outbox.drain(..sent);
        let mut lost = 0;
        if self.output.bytes.len() > most {
            lost = self.outbox.len();
            self.outbox.clear();
        }
        if self.outbox.is_empty() {
            self.output.bytes.clear();
        }
        lost
    }

    fn follow_up(
        &mut self,
        datagram: &[u8],
        local: Option<LocalAddr>,
        around: Around<'_>,
    ) -> Vec<Incoming> {
        let mut incoming = Vec::new();
        loop {
            let datagrams = self.output.datagrams.drain(..);
            self.outbox.extend(datagrams.map(|(to, bytes)| OutDatagram {
                peer: to.into(),
                local,
                start: bytes.start as u32,
                len: bytes.len() as u32,
            }));
            let events = mem::take(&mut self.output.events);
            if events.is_empty() {
                return incoming;
            }
            for event in events {
                match event {
                    Event::Received { session, range } => {
                        let plaintext = datagram.get(range).unwrap_or_default();
                        incoming.extend(self.incoming(session, plaintext, local, around));
                    }
                    Event::Overtaken { session, plaintext } => {
                        incoming.extend(self.incoming(session, &plaintext, local, around));
                    }
                    Event::Lookup {
                        handshake,
                        claim,
                        resumed,
                    } => self.look_up(handshake, claim, resumed, around),
                    Event::Established(new) => self.established(&new, local, around),
                    Event::HandshakeFailed { mode, reason, .. } => {
                        around.metrics.dtls.failed(mode, reason);
                    }
                    Event::Rebound { .. } => {}
                    Event::Closed { session, .. } => {
                        self.sessions.remove(&session);
                    }
                }
            }
        }
    }

    fn incoming(
        &mut self,
        session: SessionId,
        plaintext: &[u8],
        local: Option<LocalAddr>,
        around: Around<'_>,
    ) -> Option<Incoming> {
        let known = self.sessions.get_mut(&session)?;
        let credentials = around.shared.credentials.get();
        let holds = |credentials: &Arc<dyn Credentials>| {
            credentials.holds(&known.owner, Purpose::Bootstrap)
        };
        if !credentials.is_some_and(holds) {
            // Its credentials were taken back since.
            around.metrics.reject(Rejection::Forbidden);
            self.endpoint.close(session, &mut self.output);
            return None;
        }
        known.local = local;
        Some(Incoming {
            session: Session::new(self.shard, known.mode, session),
            owner: Arc::clone(&known.owner.endpoint),
            bytes: plaintext.into(),
        })
    }

    /// Finds out about a peer: at once from memory, of certificates on another thread.
    fn look_up(&mut self, handshake: HandshakeId, claim: Claim, resumed: bool, around: Around<'_>) {
        let (fingerprint, mode) = (claim.fingerprint(), claim.mode());
        if self.claims.len() >= self.most_claims {
            self.claims
                .retain(|_, (since, _)| around.now.tick.millis_since(*since) < USEFUL_MILLIS);
            self.most_claims = self.most_claims.max(self.claims.len() * 2);
        }
        self.claims.insert(fingerprint, (around.now.tick, None));
        let decision = if mode != Mode::Certificate {
            let credentials = around.shared.credentials.get();
            credentials.map(|credentials| {
                credentials.decide(&claim, Purpose::Bootstrap, resumed, around.now.wall)
            })
        } else if self.lookups.ask(Lookup {
            shard: self.shard,
            purpose: Purpose::Bootstrap,
            handshake,
            claim,
            resumed,
            now: around.now.wall,
        }) {
            return;
        } else {
            around.metrics.dtls.lookups_refused.add(1);
            None
        };
        let refused = || Decision::refused(AlertDescription::InternalError);
        let answer = Answer {
            purpose: Purpose::Bootstrap,
            handshake,
            claim: fingerprint,
            mode,
            decision: decision.unwrap_or_else(refused),
        };
        self.answer_lookup(answer, around.now.tick);
    }

    fn answer_lookup(&mut self, answer: Answer, now: Tick) {
        let Decision { verdict, owner } = answer.decision;
        if let Some((_, found)) = self.claims.get_mut(&answer.claim) {
            *found = owner;
        }
        // The handshake may be over by now.
        self.endpoint
            .answer(now, answer.handshake, verdict, &mut self.output);
    }

    fn established(&mut self, new: &Established, local: Option<LocalAddr>, around: Around<'_>) {
        let (mode, session) = (new.claim.mode(), new.session);
        let found = self.claims.get(&new.claim.fingerprint());
        let found = found.and_then(|(since, owner)| Some((*since, owner.clone()?)));
        let credentials = around.shared.credentials.get();
        let held = found.filter(|(_, owner)| {
            credentials.is_some_and(|credentials| credentials.holds(owner, Purpose::Bootstrap))
        });
        let Some((since, owner)) = held else {
            // Its credentials were taken back while it was proving that it has them.
            around.metrics.dtls.revoked(mode);
            self.endpoint.close(session, &mut self.output);
            return;
        };
        around
            .metrics
            .dtls
            .completed(mode, new.resumed, around.now.tick.millis_since(since));
        let known = Known { owner, mode, local };
        self.sessions.insert(session, known);
    }
}
