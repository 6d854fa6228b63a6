//! The bootstrap server of one shard: from a datagram to its session and back.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::engine::credentials::{Answer, Lookups};
use crate::engine::endpoint::reply::Reply;
use crate::engine::metrics::{Direction, Rejection, ShardMetrics};
use crate::engine::newcomers::Newcomers;
use crate::engine::peer::Peer;
use crate::engine::shard::Shared;
use crate::net::mmsg::{OutDatagram, ReceivedMut};
use crate::net::{LocalAddr, PeerAddr};
use crate::proto::coap::block::{BlockValue, slice};
use crate::proto::coap::{
    Code, Header, MessageType, MessageView, MessageWriter, content_format, option,
};
use crate::proto::dtls::{Limits, ServerContexts, SetupError};
use crate::proto::time::{Now, Tick};

use super::desk::{Asked, Directive, Order, Refusal, Ticket, Told};
use super::pack::encode_pack;
use super::request::{BootstrapParams, PACK_FORMATS};
use super::secured::{Around, Incoming, Secured};
use super::session::{End, Outputs, Session, Turn};
use super::table::{Caller, State, Table};

mod answers;
mod orders;

use answers::Recent;

/// Sessions at once on one shard; further devices are answered 5.03.
pub const MAX_SESSIONS: usize = 4_096;

/// How long services may take to say what a device is told, in ms.
const ASK_MILLIS: u64 = 10_000;

/// How long the rest of a pack is kept for its device, in ms.
const PACK_MILLIS: u64 = 60_000;

/// Bytes of datagrams that wait for a socket whose buffer is full, at most.
const MAX_UNSENT: usize = 1 << 20;

/// Critical options of requests that are understood.
const KNOWN_CRITICAL: [u16; 6] = [
    option::URI_HOST,
    option::URI_PORT,
    option::URI_PATH,
    option::URI_QUERY,
    option::ACCEPT,
    option::BLOCK2,
];

/// Critical options of responses that are understood.
const KNOWN_CRITICAL_IN_RESPONSES: [u16; 2] = [option::BLOCK1, option::BLOCK2];

/// The bootstrap server of one shard.
pub struct BootstrapServer {
    shard: u8,
    shared: Arc<Shared>,
    metrics: Arc<ShardMetrics>,
    table: Table,
    recent: Recent,
    newcomers: Newcomers,
    secured: Option<Secured>,
    rng: fastrand::Rng,
    now: Now,
    next_mid: u16,
    arena: Vec<u8>,
    outbox: Vec<OutDatagram>,
    out: Outputs,
}

/// What DTLS needs.
pub struct DtlsParts {
    /// Secret of the layer.
    pub secret: [u8; 32],
    /// Its bounds.
    pub limits: Limits,
    /// What the server shows.
    pub contexts: Arc<ServerContexts>,
    /// Where certificates are verified.
    pub lookups: Lookups,
}

impl BootstrapServer {
    /// A server without sessions; with `dtls` it speaks that too.
    ///
    /// # Errors
    /// A setting of DTLS is out of range, or OpenSSL lacks a cipher.
    pub fn new(
        shard: u8,
        shared: Arc<Shared>,
        metrics: Arc<ShardMetrics>,
        seed: u64,
        dtls: Option<DtlsParts>,
    ) -> Result<Self, SetupError> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let secured = dtls.map(|dtls| {
            Secured::new(
                shard,
                dtls.secret,
                &dtls.limits,
                dtls.contexts,
                dtls.lookups,
            )
        });
        Ok(Self {
            shard,
            newcomers: Newcomers::new(shared.config.newcomers_per_second),
            shared,
            metrics,
            table: Table::default(),
            recent: Recent::default(),
            secured: secured.transpose()?,
            next_mid: rng.u16(..),
            rng,
            now: Now::default(),
            arena: Vec::new(),
            outbox: Vec::new(),
            out: Outputs::default(),
        })
    }

    /// Begins a turn: the time stands still until the next one.
    pub fn begin(&mut self, now: Now) {
        self.now = now;
    }

    /// Takes a datagram of plain CoAP.
    pub fn on_datagram(
        &mut self,
        bytes: &[u8],
        address: PeerAddr,
        local: Option<LocalAddr>,
        truncated: bool,
    ) {
        if truncated {
            return self.metrics.reject(Rejection::TooLarge);
        }
        let from = Caller {
            peer: Peer::Plain(address),
            address,
            local,
        };
        self.on_message(bytes, from, None);
    }

    /// Takes a datagram of the DTLS socket; its records are decrypted in place.
    pub fn on_record(&mut self, received: ReceivedMut<'_>) {
        if received.truncated {
            return self.metrics.reject(Rejection::TooLarge);
        }
        let (address, local) = (received.peer, received.local);
        let Some(secured) = &mut self.secured else {
            return;
        };
        let around = Around {
            now: self.now,
            shared: &self.shared,
            metrics: &self.metrics,
        };
        let incoming = secured.receive(received, around);
        self.on_incoming(incoming, address, local);
    }

    /// Takes what was found out about a handshake on another thread.
    pub fn on_decided(&mut self, answer: Answer) {
        let Some(secured) = &mut self.secured else {
            return;
        };
        let around = Around {
            now: self.now,
            shared: &self.shared,
            metrics: &self.metrics,
        };
        for incoming in secured.on_decided(answer, around) {
            let address = self
                .secured
                .as_ref()
                .and_then(|s| s.address(incoming.session));
            if let Some(address) = address {
                self.on_incoming(vec![incoming], address, None);
            }
        }
    }

    /// Handles deadlines that have passed.
    pub fn run_deadlines(&mut self) {
        if let Some(secured) = &mut self.secured {
            secured.poll(Around {
                now: self.now,
                shared: &self.shared,
                metrics: &self.metrics,
            });
        }
        while let Some(number) = self.table.next_due(self.now.tick) {
            self.on_deadline(number);
        }
        self.recent.expire(self.now.tick);
    }

    /// Ends a turn.
    pub fn end(&mut self) {
        self.metrics.bootstrap.open.set(self.table.len() as i64);
        if let Some(secured) = &mut self.secured {
            secured.count(&self.metrics);
        }
    }

    /// When the server wants a turn though nothing arrives.
    #[must_use]
    pub fn next_wake(&self) -> Option<Tick> {
        let dtls = self.secured.as_ref().and_then(Secured::next_wake);
        dtls.into_iter().chain(self.table.next_wake()).min()
    }

    /// What the server shows in handshakes from now on.
    pub fn show(&mut self, contexts: Arc<ServerContexts>) {
        if let Some(secured) = &mut self.secured {
            secured.show(contexts);
        }
    }

    /// The datagrams of plain CoAP to send, and the bytes they refer to.
    #[must_use]
    pub fn outbox(&self) -> (&[u8], &[OutDatagram]) {
        (&self.arena, &self.outbox)
    }

    /// Forgets the first `sent` datagrams of the outbox; the others stay for the next turn, as long
    /// as they are not too many.
    pub fn sent(&mut self, sent: usize) {
        self.outbox.drain(..sent);
        if self.arena.len() > MAX_UNSENT {
            self.metrics.send_errors.add(self.outbox.len() as u64);
            self.outbox.clear();
        }
        if self.outbox.is_empty() {
            self.arena.clear();
        }
    }

    /// The records to send, and the bytes they refer to.
    #[must_use]
    pub fn secure_outbox(&self) -> (&[u8], &[OutDatagram]) {
        self.secured.as_ref().map_or((&[], &[]), Secured::outbox)
    }

    /// As [`sent`](Self::sent).
    pub fn secure_sent(&mut self, sent: usize) {
        if let Some(secured) = &mut self.secured {
            let lost = secured.sent(sent, MAX_UNSENT);
            self.metrics.send_errors.add(lost as u64);
        }
    }

    fn on_incoming(
        &mut self,
        incoming: Vec<Incoming>,
        address: PeerAddr,
        local: Option<LocalAddr>,
    ) {
        for message in incoming {
            let from = Caller {
                peer: Peer::Secured(message.session),
                address,
                local,
            };
            self.on_message(&message.bytes, from, Some(&message.owner));
        }
    }

    /// A message; `owner` is the endpoint that the identity proven in its session belongs to.
    fn on_message(&mut self, bytes: &[u8], from: Caller, owner: Option<&Arc<str>>) {
        let Ok(view) = MessageView::parse(bytes) else {
            self.metrics.reject(Rejection::Malformed);
            if let Some(header) = Header::peek(bytes)
                && header.kind == MessageType::Confirmable
            {
                self.reset(from, header.mid);
            }
            return;
        };
        self.metrics
            .message(Direction::In, view.kind(), view.code());
        let (kind, code) = (view.kind(), view.code());
        let is_message = matches!(kind, MessageType::Confirmable | MessageType::NonConfirmable);
        match kind {
            _ if code.is_response() => self.on_response(&view, from),
            MessageType::Confirmable if code == Code::EMPTY => self.reset(from, view.mid()),
            MessageType::Acknowledgement if code == Code::EMPTY => {
                self.on_acknowledgement(view.mid(), from);
            }
            MessageType::Reset if code == Code::EMPTY => self.on_reset(view.mid(), from),
            _ if code.is_request() && is_message => self.on_request(&view, from, owner),
            _ => self.metrics.reject(Rejection::Malformed),
        }
    }

    fn on_response(&mut self, view: &MessageView<'_>, from: Caller) {
        if view
            .unrecognised_critical(&KNOWN_CRITICAL_IN_RESPONSES)
            .is_some()
        {
            self.metrics.reject(Rejection::BadOption);
            if view.kind() == MessageType::Confirmable {
                self.reset(from, view.mid());
            }
            return;
        }
        let number = view.token().first_chunk().copied().map(u32::from_be_bytes);
        let entry = number.and_then(|number| Some((number, self.table.get_mut(number)?)));
        let Some((number, entry)) = entry else {
            return self.unmatched(view, from);
        };
        if entry.caller.peer != from.peer {
            return self.metrics.reject(Rejection::ForeignAddress);
        }
        let mut accepted = false;
        self.run(number, |session, turn| {
            accepted = session.on_response(view, turn);
        });
        if !accepted {
            self.unmatched(view, from);
        }
    }

    fn on_acknowledgement(&mut self, mid: u16, from: Caller) {
        let now = self.now.tick;
        match self.awaiting(mid, &from.peer) {
            Some(number) => self.run(number, |session, _| {
                session.on_acknowledgement(mid, now);
            }),
            None => self.metrics.reject(Rejection::Unmatched),
        }
    }

    fn on_reset(&mut self, mid: u16, from: Caller) {
        match self.awaiting(mid, &from.peer) {
            Some(number) => self.run(number, |session, turn| {
                session.on_reset(mid, turn);
            }),
            None => self.metrics.reject(Rejection::Unmatched),
        }
    }

    /// The session of a peer that waits for this message id.
    fn awaiting(&self, mid: u16, peer: &Peer) -> Option<u32> {
        let mut there = self.table.at_peer(peer);
        let waits = |state: &State| match state {
            State::Running(session) => session.awaited_mid() == Some(mid),
            State::Waiting { .. } | State::Pack { .. } => false,
        };
        there
            .find(|(_, entry)| waits(&entry.state))
            .map(|(number, _)| number)
    }

    fn on_deadline(&mut self, number: u32) {
        let Some(entry) = self.table.get_mut(number) else {
            return;
        };
        match entry.state {
            State::Running(_) => self.run(number, Session::on_timer),
            State::Waiting { .. } => self.refuse_waiting(number, Refusal::Busy),
            State::Pack { .. } => self.over(number, End::TimedOut),
        }
    }

    /// Runs a session and carries out what it hands out.
    fn run(&mut self, number: u32, run: impl FnOnce(&mut Session, &mut Turn<'_>)) {
        let Some(entry) = self.table.get_mut(number) else {
            return;
        };
        let State::Running(session) = &mut entry.state else {
            return;
        };
        let mut turn = Turn {
            now: self.now.tick,
            rng: &mut self.rng,
            transmission: &self.shared.config.transmission,
            arena: &mut self.arena,
            out: &mut self.out,
        };
        run(session, &mut turn);
        let wakes = session.deadline();
        let (caller, endpoint) = (entry.caller, Arc::clone(&entry.endpoint));
        self.table.wake_at(number, wakes);
        self.carry_out(number, caller, &endpoint);
    }

    fn carry_out(&mut self, number: u32, caller: Caller, endpoint: &Arc<str>) {
        let mut out = std::mem::take(&mut self.out);
        self.post_all(caller, &mut out.messages);
        let repeated = std::mem::take(&mut out.retransmissions);
        self.metrics.retransmissions.add(repeated);
        for (is_error, text) in out.notes.drain(..) {
            let endpoint = Arc::clone(endpoint);
            self.tell(Told::Note {
                endpoint,
                is_error,
                text,
            });
        }
        if let Some(end) = out.end.take() {
            self.over(number, end);
        }
        self.out = out;
    }

    /// A session is over.
    fn over(&mut self, number: u32, end: End) {
        let Some(entry) = self.table.remove(number) else {
            return;
        };
        self.metrics.bootstrap.ended(end);
        let ticket = self.ticket(number);
        let endpoint = entry.endpoint;
        self.tell(Told::Ended {
            ticket,
            endpoint,
            end,
        });
    }

    const fn ticket(&self, number: u32) -> Ticket {
        Ticket {
            shard: self.shard,
            number,
        }
    }

    fn tell(&self, told: Told) {
        if !self.shared.bootstrap.tell(told) {
            self.metrics.bootstrap.untold.add(1);
        }
    }

    fn unmatched(&mut self, view: &MessageView<'_>, from: Caller) {
        self.metrics.reject(Rejection::Unmatched);
        if view.kind() == MessageType::Confirmable {
            self.reset(from, view.mid());
        }
    }

    fn reset(&mut self, from: Caller, mid: u16) {
        let bytes = MessageWriter::empty(&mut self.arena, MessageType::Reset, mid);
        self.post(from, bytes);
    }

    /// Queues several messages that lie behind one another at the end of the arena.
    fn post_all(&mut self, to: Caller, messages: &mut Vec<Range<usize>>) {
        // Sealed ones leave the arena: the last one goes first, and all in their order.
        match to.peer {
            Peer::Plain(_) => {
                for bytes in messages.drain(..) {
                    self.post(to, bytes);
                }
            }
            Peer::Secured(_) => {
                let start = messages.first().map(|first| first.start);
                for bytes in messages.drain(..) {
                    self.post_sealed(to.peer, bytes);
                }
                if let Some(start) = start {
                    self.arena.truncate(start);
                }
            }
        }
    }

    /// Queues bytes of the arena for a peer.
    fn post(&mut self, to: Caller, bytes: Range<usize>) {
        match to.peer {
            Peer::Plain(address) => {
                if let Some(header) = Header::peek(&self.arena[bytes.clone()]) {
                    self.metrics
                        .message(Direction::Out, header.kind, header.code);
                }
                self.outbox.push(OutDatagram {
                    peer: address,
                    local: to.local,
                    start: bytes.start as u32,
                    len: bytes.len() as u32,
                });
            }
            Peer::Secured(_) => {
                let start = bytes.start;
                self.post_sealed(to.peer, bytes);
                self.arena.truncate(start);
            }
        }
    }

    fn post_sealed(&mut self, peer: Peer, bytes: Range<usize>) {
        let (Some(session), Some(secured)) = (peer.session(), &mut self.secured) else {
            return;
        };
        let plaintext = &self.arena[bytes];
        if let Some(header) = Header::peek(plaintext) {
            self.metrics
                .message(Direction::Out, header.kind, header.code);
        }
        if let Err(error) = secured.seal(session, plaintext) {
            self.metrics.dtls.not_sealed(error);
        }
    }
}
