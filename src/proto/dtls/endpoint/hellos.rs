//! ClientHellos: nothing is kept of a peer until its cookie came back.

use std::net::SocketAddr;

use crate::proto::dtls::handshake::{Handshake, Start};
use crate::proto::dtls::suite::{self, Cbc};
use crate::proto::dtls::wire::{self, Assembly, ClientHello, Fragment, Header, HelloHead};
use crate::proto::dtls::{
    AlertDescription, Claim, DtlsEndpoint, Event, FailReason, Mode, RecordDrop, Suite, alert, cid,
};
use crate::proto::time::Tick;

use super::Output;

/// A hello with a good cookie, of which fragments are missing.
pub(super) struct PartialHello {
    assembly: Assembly,
    sequence: u64,
    pub(super) until: Tick,
}

impl DtlsEndpoint {
    pub(super) fn receive_hello(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        header: &Header,
        record: &[u8],
        message: &Fragment,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let limits = &self.config.limits;
        if message.offset > 0 {
            return self.continue_hello(now, peer, message, out);
        }
        let head = HelloHead::parse(message.body).ok_or(RecordDrop::MalformedHello)?;
        if head.cookie.is_empty() {
            let in_flight = self.handshakes.len();
            if self.admission.holds_off(now, in_flight, limits) {
                return Err(RecordDrop::HoldOff);
            }
            self.ask_for_cookie(now, peer, header, &head, out);
            return Ok(());
        }
        if !self.cookies.verifies(now, peer, &head) {
            // The secret may have changed since: RFC 6347 §4.2.1 has it asked again.
            self.counters.drop_record(RecordDrop::Cookie);
            self.ask_for_cookie(now, peer, header, &head, out);
            return Ok(());
        }
        if message.is_whole() {
            return self.begin(now, peer, message.body, record, header.sequence, out);
        }
        if message.length > limits.hello_size {
            return Err(RecordDrop::HelloFragment);
        }
        let full = self.partial_hellos.len() >= limits.partial_hellos;
        if full && !self.partial_hellos.contains_key(&peer) {
            return Err(RecordDrop::HoldOff);
        }
        let partial = PartialHello {
            assembly: Assembly::begin(message),
            sequence: header.sequence,
            until: now.plus_millis(limits.partial_hello_ms),
        };
        self.partial_hellos.insert(peer, partial);
        Ok(())
    }

    fn ask_for_cookie(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        header: &Header,
        head: &HelloHead,
        out: &mut Output,
    ) {
        self.counters.verify_requests += 1;
        let start = out.bytes.len();
        self.cookies
            .put_request(now, peer, head, header.sequence, &mut out.bytes);
        out.datagrams.push((peer, start..out.bytes.len()));
    }

    /// OpenSSL's entry for verified hellos takes no fragments, so they are put together here; the
    /// transcript does not see the difference.
    fn continue_hello(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        message: &Fragment,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let partial = self.partial_hellos.get_mut(&peer);
        let partial = partial.ok_or(RecordDrop::HelloFragment)?;
        if !partial.assembly.add(message) {
            return Err(RecordDrop::HelloFragment);
        }
        let Some(body) = partial.assembly.whole() else {
            return Ok(());
        };
        let (body, sequence) = (body.to_vec(), partial.sequence);
        let message_seq = partial.assembly.message_seq();
        self.partial_hellos.remove(&peer);
        let record = wire::handshake_record(
            wire::CLIENT_HELLO,
            message_seq,
            sequence,
            wire::DTLS12,
            &body,
        );
        self.begin(now, peer, &body, &record, sequence, out)
    }

    /// Begins a handshake, beside any session at this address: that one ends only when this
    /// handshake completes (RFC 6347 §4.2.8).
    fn begin(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        body: &[u8],
        record: &[u8],
        sequence: u64,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let hello = ClientHello::parse(body).ok_or(RecordDrop::MalformedHello)?;
        if let Some(running) = self.handshakes.get_mut(&peer)
            && running.client_random == *hello.head.random
        {
            let timer = running.wake();
            if !running.repeat(now, out) {
                return Err(RecordDrop::Repeated);
            }
            self.counters.flights_repeated += 1;
            self.set_timer(peer, timer);
            return Ok(());
        }
        let Some((kind, cbc)) = suite::choose(&hello, self.contexts.offer()) else {
            self.refuse_hello(peer, &hello, FailReason::NoCommonSuite, sequence, out);
            return Ok(());
        };
        let in_flight = self.handshakes.len();
        let limits = &self.config.limits;
        self.admission.admit(now, peer.ip(), in_flight, limits)?;
        if self.handshakes.contains_key(&peer) {
            self.abandon(peer, FailReason::Superseded, out);
        }
        let keeps = cbc == Cbc::MacThenEncrypt;
        if keeps && !self.has_room_to_keep(peer.into()) {
            self.refuse_hello(peer, &hello, FailReason::CbcWithoutEtm, sequence, out);
            return Ok(());
        }
        let id = self.table.reserve(peer).ok_or(RecordDrop::Full)?;
        let own_cid = self
            .config
            .cid_length
            .filter(|_| !keeps)
            .and_then(|length| cid::of_session(self.config.shard, self.config.node, id, length));
        let start = Start {
            id,
            peer,
            kind,
            own_cid,
            keeps,
            hello: &hello,
            record,
            sequence,
        };
        let handshake = self
            .contexts
            .context(kind, cbc)
            .and_then(|ctx| Handshake::start(now, ctx, &start, &self.config.limits));
        self.counters.handshakes_started += 1;
        let Some(mut handshake) = handshake else {
            self.table.release(id);
            let mode = suite_mode(kind);
            self.fail(peer, mode, None, FailReason::Internal, out);
            return Ok(());
        };
        let timer = handshake.wake();
        self.timers.insert((timer, peer));
        let progress = handshake.step(now, &mut self.protector, out);
        self.handshakes.insert(peer, Box::new(handshake));
        self.settle(now, peer, timer, progress, out);
        Ok(())
    }

    /// The address is proven, so that it may be told.
    fn refuse_hello(
        &mut self,
        peer: SocketAddr,
        hello: &ClientHello,
        reason: FailReason,
        sequence: u64,
        out: &mut Output,
    ) {
        let psk = |suite: &&Suite| suite.is_psk() && hello.offers(suite.id());
        let mode = match Suite::ALL.iter().find(psk) {
            Some(_) => Mode::Psk,
            None => Mode::Certificate,
        };
        let content = [alert::FATAL, AlertDescription::HandshakeFailure.code()];
        let start = out.bytes.len();
        let number = sequence.max(1);
        wire::put_plain_record(&mut out.bytes, wire::ALERT, wire::DTLS12, number, &content);
        out.datagrams.push((peer, start..out.bytes.len()));
        self.fail(peer, mode, None, reason, out);
    }

    pub(super) fn fail(
        &mut self,
        peer: SocketAddr,
        mode: Mode,
        claim: Option<Claim>,
        reason: FailReason,
        out: &mut Output,
    ) {
        self.counters.handshakes_failed[reason as usize] += 1;
        out.events.push(Event::HandshakeFailed {
            peer,
            mode,
            claim,
            reason,
        });
    }
}

const fn suite_mode(kind: suite::Kind) -> Mode {
    match kind {
        suite::Kind::Psk => Mode::Psk,
        suite::Kind::RawPublicKey => Mode::RawPublicKey,
        suite::Kind::Certificate => Mode::Certificate,
    }
}
