//! Records of sessions that OpenSSL protects.

use std::ops::Range;

use crate::proto::dtls::address::Address;
use crate::proto::dtls::kept::Content;
use crate::proto::dtls::session::Session;
use crate::proto::dtls::wire::{self, Header, RECORD_HEADER};
use crate::proto::dtls::{CloseReason, DtlsEndpoint, RecordDrop, SessionId};
use crate::proto::time::Tick;

use super::Output;

impl DtlsEndpoint {
    /// Number of sessions with CBC and without encrypt-then-MAC.
    #[must_use]
    pub fn kept_sessions(&self) -> usize {
        self.permits.taken()
    }

    /// Whether there is room for such a session of this peer: a new one replaces the one it has.
    pub(super) fn has_room_to_keep(&self, peer: Address) -> bool {
        let replaced = self.table.by_address(peer);
        let replaced = replaced.and_then(|id| self.table.get(id));
        let left = self.permits.taken() - usize::from(replaced.is_some_and(Session::is_kept));
        left < self.config.limits.kept_sessions
    }

    /// Opens a record whose number is fresh; `header` was read from it. Gives where in it the
    /// application data lies.
    pub(super) fn open_kept(
        &mut self,
        now: Tick,
        id: SessionId,
        header: &Header,
        record: &mut [u8],
        out: &mut Output,
    ) -> Result<Option<Range<usize>>, RecordDrop> {
        let known = [wire::APPLICATION_DATA, wire::HANDSHAKE, wire::ALERT];
        if !known.contains(&header.content_type) {
            return Err(RecordDrop::ContentType);
        }
        let session = self.table.get_mut(id).ok_or(RecordDrop::UnknownPeer)?;
        let kept = session.kept().ok_or(RecordDrop::UnknownPeer)?;
        let (content, said) = (kept.open(record), kept.said());
        if content == Content::Nothing && said.is_empty() {
            return Err(RecordDrop::Authentication);
        }
        session.window.mark(header.sequence);
        session.heard(now);
        self.counters.records_opened += 1;
        let to = session.peer.socket();
        match content {
            Content::Data(length) => {
                session.forget_last_flight();
                return Ok(Some(RECORD_HEADER..RECORD_HEADER + length));
            }
            Content::Closed => {
                self.end(id, CloseReason::PeerClosed, true, out);
            }
            Content::Fatal => {
                said.iter().for_each(|datagram| out.send(to, datagram));
                self.end(id, CloseReason::PeerAlert, false, out);
            }
            Content::Nothing if said[0].first() == Some(&wire::ALERT) => {
                self.counters.renegotiations_refused += 1;
                said.iter().for_each(|datagram| out.send(to, datagram));
            }
            Content::Nothing => {
                // It missed our last flight, which has other numbers than OpenSSL knows of.
                let flight = session.last_flight();
                self.counters.last_flights_repeated += u64::from(!flight.is_empty());
                flight.iter().for_each(|datagram| out.send(to, datagram));
            }
        }
        Ok(None)
    }
}
