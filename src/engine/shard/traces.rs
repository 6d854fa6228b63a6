//! Copies of the messages of traced devices. Without a trace this costs one look at an empty list.

use std::net::SocketAddr;
use std::ops::Range;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::engine::peer::Peer;
use crate::engine::trace::TracedMessage;
use crate::net::PeerAddr;

use super::{Datagram, Shard};

/// A device that is traced.
#[derive(Debug)]
pub(super) struct Traced {
    slot: u32,
    /// Where it was last, as far as this shard knows.
    address: Option<PeerAddr>,
    messages: mpsc::Sender<TracedMessage>,
    /// Messages left out since the last one that found room.
    lost: u64,
}

impl Shard {
    /// Traces the device in a slot; `false` when it is another one by now.
    pub(super) fn begin_trace(
        &mut self,
        slot: u32,
        endpoint: &str,
        messages: mpsc::Sender<TracedMessage>,
    ) -> bool {
        let lives_here = self.lives_here(slot, endpoint);
        if lives_here {
            let lost = 0;
            let entry = self.endpoints.get(slot);
            let address = entry.and_then(|entry| self.address_of(&entry.head.peer));
            self.traces.push(Traced {
                slot,
                address,
                messages,
                lost,
            });
        }
        lives_here
    }

    /// A datagram came from an address.
    pub(super) fn trace_arrival(&mut self, datagram: &Datagram<'_>) {
        if !self.traces.is_empty() {
            let at = Some(datagram.address);
            self.trace(datagram.peer, at, None, true, datagram.bytes);
        }
    }

    /// A datagram turned out to be for an endpoint: known by its address, it is traced already.
    pub(super) fn trace_delivery(&mut self, slot: u32, datagram: &Datagram<'_>) {
        if self.traces.is_empty() {
            return;
        }
        let known = self.endpoints.get(slot);
        if known.is_some_and(|entry| entry.head.peer != datagram.peer) {
            let at = Some(datagram.address);
            self.trace(datagram.peer, at, Some(slot), true, datagram.bytes);
        }
    }

    /// A datagram goes to an address.
    pub(super) fn trace_departure(&mut self, peer: Peer, bytes: Range<usize>) {
        if !self.traces.is_empty() {
            let arena = std::mem::take(&mut self.out.arena);
            let at = self.address_of(&peer);
            self.trace(peer, at, None, false, &arena[bytes]);
            self.out.arena = arena;
        }
    }

    /// Ends the traces of a device that is forgotten.
    pub(super) fn end_traces(&mut self, slot: u32) {
        self.traces.retain(|traced| traced.slot != slot);
    }

    /// Copies a datagram of the endpoints at an address, or of one endpoint.
    fn trace(
        &mut self,
        peer: Peer,
        at: Option<PeerAddr>,
        only: Option<u32>,
        incoming: bool,
        bytes: &[u8],
    ) {
        let (ts, endpoints) = (self.now.wall, &self.endpoints);
        self.traces.retain_mut(|traced| {
            let Some(entry) = endpoints.get(traced.slot) else {
                return false;
            };
            let concerned = match only {
                Some(slot) => slot == traced.slot,
                None => entry.head.peer == peer,
            };
            if !concerned {
                return !traced.messages.is_closed();
            }
            traced.address = at.or(traced.address);
            let message = TracedMessage {
                ts,
                incoming,
                peer: traced.address.map(SocketAddr::from),
                bytes: bytes.into(),
                lost: traced.lost,
            };
            match traced.messages.try_send(message) {
                Ok(()) => traced.lost = 0,
                Err(TrySendError::Full(_)) => traced.lost += 1,
                Err(TrySendError::Closed(_)) => return false,
            }
            true
        });
    }
}
