//! From a datagram to the session or handshake that each of its records belongs to.

use std::net::SocketAddr;

use crate::proto::dtls::address::Address;
use crate::proto::dtls::keys::Writer;
use crate::proto::dtls::table::Slot;
use crate::proto::dtls::wire::{self, Fragment, Header, TLS12_CID};
use crate::proto::dtls::{CloseReason, DtlsEndpoint, Event, RecordDrop, SessionId, alert, cid};
use crate::proto::time::Tick;

use super::Output;

impl DtlsEndpoint {
    /// Takes a datagram. Application data is decrypted in place and named by [`Event::Received`].
    pub fn receive(&mut self, now: Tick, peer: SocketAddr, datagram: &mut [u8], out: &mut Output) {
        let cid_length = usize::from(self.config.cid_length.unwrap_or(0));
        let mut at = 0;
        while at < datagram.len() {
            let Some(header) = Header::parse(&datagram[at..], cid_length) else {
                return self.counters.drop_record(RecordDrop::Malformed);
            };
            let end = at + header.total();
            let record = Record {
                header,
                at,
                bytes: &mut datagram[at..end],
            };
            if let Err(reason) = self.receive_record(now, peer, record, out) {
                self.counters.drop_record(reason);
            }
            at = end;
        }
    }

    fn receive_record(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        record: Record,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let header = record.header;
        if header.content_type == TLS12_CID {
            return self.receive_by_cid(now, peer, record, out);
        }
        if header.epoch > 0 {
            return self.receive_by_address(now, peer, record, out);
        }
        if header.content_type == wire::HANDSHAKE {
            let message = Fragment::parse(header.fragment(record.bytes));
            let message = message.ok_or(RecordDrop::Malformed)?;
            if message.message_type == wire::CLIENT_HELLO {
                return self.receive_hello(now, peer, &header, record.bytes, &message, out);
            }
        }
        self.feed(now, peer, &header, record.bytes, out)
    }

    fn receive_by_cid(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        record: Record,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let cid = record.header.cid(record.bytes);
        let unknown = RecordDrop::UnknownCid;
        let (id, slot) = self.table.at(cid::slot(cid)).ok_or(unknown)?;
        let length = self.config.cid_length.unwrap_or(0);
        let expected = cid::of_session(self.config.shard, self.config.node, id, length);
        if length == 0 || expected.is_none_or(|expected| expected.as_bytes() != cid) {
            return Err(unknown);
        }
        match slot {
            Slot::Live(_) => self.open(now, id, peer, record, out),
            Slot::Reserved { peer: of, .. } if of.socket() == peer => {
                self.feed(now, peer, &record.header, record.bytes, out)
            }
            // A handshake's peer cannot move: nothing it sent is authenticated yet.
            Slot::Reserved { .. } | Slot::Free { .. } => Err(unknown),
        }
    }

    /// A protected record in the classic form. Where a handshake runs beside a session, either may
    /// be meant, and only the keys can tell.
    fn receive_by_address(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        record: Record,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let Some(id) = self.table.by_address(Address::from(peer)) else {
            return self.feed(now, peer, &record.header, record.bytes, out);
        };
        if !self.handshakes.contains_key(&peer) {
            return self.open(now, id, peer, record, out);
        }
        let mut copy = std::mem::take(&mut self.scratch);
        copy.clear();
        copy.extend_from_slice(record.bytes);
        let header = record.header;
        let mut opened = self.open(now, id, peer, record, out);
        if opened.is_err() {
            opened = self.feed(now, peer, &header, &copy, out);
        }
        self.scratch = copy;
        opened
    }

    fn open(
        &mut self,
        now: Tick,
        id: SessionId,
        peer: SocketAddr,
        record: Record,
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        let header = record.header;
        let session = self.table.get_mut(id).ok_or(RecordDrop::UnknownPeer)?;
        if session.with_cid != (header.content_type == TLS12_CID) {
            return Err(RecordDrop::Form);
        }
        if header.epoch != 1 {
            return Err(RecordDrop::Epoch);
        }
        if !session.window.is_fresh(header.sequence) {
            return Err(RecordDrop::Replay);
        }
        if session.is_kept() {
            if let Some(range) = self.open_kept(now, id, &header, record.bytes, out)? {
                let range = range.start + record.at..range.end + record.at;
                out.events.push(Event::Received { session: id, range });
            }
            return Ok(());
        }
        let opened = self
            .protector
            .open(session.keys(Writer::Client), &header, record.bytes)
            .map_err(|_| RecordDrop::Authentication)?;
        let newest = session.window.mark(header.sequence);
        session.heard(now);
        self.counters.records_opened += 1;
        let from = session.peer.socket();
        if newest && session.with_cid && from != peer {
            session.peer = peer.into();
            self.counters.rebound += 1;
            out.events.push(Event::Rebound {
                session: id,
                from,
                to: peer,
            });
        }
        if opened.range.len() > wire::MAX_PLAINTEXT {
            return Err(RecordDrop::Oversize);
        }
        let content = &record.bytes[opened.range.clone()];
        match (opened.content_type, content) {
            (wire::APPLICATION_DATA, _) => {
                session.forget_last_flight();
                let range = opened.range.start + record.at..opened.range.end + record.at;
                out.events.push(Event::Received { session: id, range });
            }
            (wire::HANDSHAKE, [wire::FINISHED, ..]) => {
                // It missed our last flight. This record proves that it is the peer who asks.
                let to = session.peer.socket();
                let flight = session.last_flight();
                self.counters.last_flights_repeated += u64::from(!flight.is_empty());
                flight.iter().for_each(|datagram| out.send(to, datagram));
            }
            (wire::HANDSHAKE, [wire::CLIENT_HELLO, ..]) => {
                self.counters.renegotiations_refused += 1;
                self.send_alert(id, alert::NO_RENEGOTIATION, out);
            }
            (wire::ALERT, content) if content == alert::CLOSE_NOTIFY => {
                self.end(id, CloseReason::PeerClosed, true, out);
            }
            (wire::ALERT, [alert::FATAL, ..]) => {
                self.end(id, CloseReason::PeerAlert, false, out);
            }
            (wire::ALERT, _) => {}
            _ => return Err(RecordDrop::ContentType),
        }
        Ok(())
    }

    /// Gives a record to the handshake at this address.
    fn feed(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        header: &Header,
        record: &[u8],
        out: &mut Output,
    ) -> Result<(), RecordDrop> {
        if header.epoch == 0 && header.content_type == wire::ALERT {
            return Err(RecordDrop::PlainAlert);
        }
        let Some(handshake) = self.handshakes.get_mut(&peer) else {
            let known = self.table.by_address(Address::from(peer)).is_some();
            return Err(match header.epoch {
                0 if known => RecordDrop::Repeated,
                _ => RecordDrop::UnknownPeer,
            });
        };
        let timer = handshake.wake();
        let progress = handshake.feed(now, header, record, &mut self.protector, out);
        self.settle(now, peer, timer, progress, out);
        Ok(())
    }
}

/// A record, and where in the datagram it lies.
struct Record<'a> {
    header: Header,
    at: usize,
    bytes: &'a mut [u8],
}
