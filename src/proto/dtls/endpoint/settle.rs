//! What a step of a handshake leads to.

use std::net::SocketAddr;

use crate::proto::dtls::handshake::Progress;
use crate::proto::dtls::session::Session;
use crate::proto::dtls::table::Slot;
use crate::proto::dtls::wire::{self, Header};
use crate::proto::dtls::{
    CloseReason, DtlsEndpoint, Established, Event, FailReason, HandshakeId, SessionId, alert,
};
use crate::proto::time::Tick;

use super::Output;

impl DtlsEndpoint {
    /// `timer`: when the handshake was to wake before the step.
    pub(super) fn settle(
        &mut self,
        now: Tick,
        peer: SocketAddr,
        timer: Tick,
        progress: Progress,
        out: &mut Output,
    ) {
        self.set_timer(peer, timer);
        match progress {
            Progress::Continue => {}
            Progress::Dropped(reason) => self.counters.drop_record(reason),
            Progress::Failed(reason) => self.abandon(peer, reason, out),
            Progress::Lookup { claim, resumed } => {
                if let Some(handshake) = self.handshakes.get(&peer) {
                    out.events.push(Event::Lookup {
                        handshake: HandshakeId(handshake.id),
                        claim,
                        resumed,
                    });
                }
            }
            Progress::Done => self.take_over(now, peer, out),
        }
    }

    /// The handshake's timer, which stood at `timer`, is set to where it should be.
    pub(super) fn set_timer(&mut self, peer: SocketAddr, timer: Tick) {
        if let Some(handshake) = self.handshakes.get(&peer)
            && handshake.wake() != timer
        {
            self.timers.remove(&(timer, peer));
            self.timers.insert((handshake.wake(), peer));
        }
    }

    /// OpenSSL is let go of, and a session takes the handshake's place.
    fn take_over(&mut self, now: Tick, peer: SocketAddr, out: &mut Output) {
        let Some(handshake) = self.handshakes.remove(&peer) else {
            return;
        };
        self.timers.remove(&(handshake.wake(), peer));
        let (id, mode) = (handshake.id, handshake.mode());
        let Some(mut taken) = handshake.take_over() else {
            self.table.release(id);
            return self.fail(peer, mode, None, FailReason::Internal, out);
        };
        if let Some(kept) = &mut taken.kept
            && !self.has_room_to_keep(peer.into())
        {
            // It was the last of several that began while there was room.
            let mut goodbye = Vec::new();
            if kept
                .seal(wire::ALERT, &alert::CLOSE_NOTIFY, &mut goodbye)
                .is_ok()
            {
                out.send(peer, &goodbye);
            }
            self.table.release(id);
            let claim = Some(taken.claim);
            return self.fail(peer, mode, claim, FailReason::CbcWithoutEtm, out);
        }
        let mut session = Session::taken_over(now, peer.into(), id.generation, &taken);
        self.counters.handshakes_completed[mode as usize] += 1;
        self.counters.handshakes_without_etm += u64::from(taken.kept.is_some());
        if let Some(kept) = taken.kept {
            session.keep(kept, self.permits.take());
        }
        self.counters.handshakes_resumed += u64::from(taken.resumed);
        let replaces = self.table.activate(id, session);
        out.events.push(Event::Established(Box::new(Established {
            session: id,
            peer,
            claim: taken.claim,
            suite: taken.keys.suite,
            resumed: taken.resumed,
            cid: taken.with_cid,
            replaces,
        })));
        if let Some(old) = replaces {
            self.end(old, CloseReason::Replaced, false, out);
        }
        if !taken.overtaken.is_empty()
            && let Some(session) = self.table.get_mut(id)
        {
            session.forget_last_flight();
        }
        for plaintext in taken.overtaken {
            self.counters.records_opened += 1;
            out.events.push(Event::Overtaken {
                session: id,
                plaintext,
            });
        }
        for mut record in taken.held {
            self.open_held(now, id, &mut record, out);
        }
    }

    /// A record that overtook the end of its handshake, in a session that OpenSSL protects.
    fn open_held(&mut self, now: Tick, id: SessionId, record: &mut [u8], out: &mut Output) {
        let Some(header) = Header::parse(record, 0) else {
            return;
        };
        match self.open_kept(now, id, &header, record, out) {
            Ok(None) => {}
            Ok(Some(range)) => out.events.push(Event::Overtaken {
                session: id,
                plaintext: record[range].into(),
            }),
            Err(reason) => self.counters.drop_record(reason),
        }
    }

    /// Ends a handshake without a session.
    pub(super) fn abandon(&mut self, peer: SocketAddr, reason: FailReason, out: &mut Output) {
        if let Some(handshake) = self.handshakes.remove(&peer) {
            self.timers.remove(&(handshake.wake(), peer));
            self.table.release(handshake.id);
            let claim = handshake.claim().cloned();
            self.fail(peer, handshake.mode(), claim, reason, out);
        }
    }

    /// The peer of the handshake that a slot is reserved for.
    pub(super) fn reserved_for(&self, id: SessionId) -> Option<SocketAddr> {
        match self.table.at(id.slot)? {
            (found, Slot::Reserved { peer, .. }) if found == id => Some(peer.socket()),
            _ => None,
        }
    }
}
