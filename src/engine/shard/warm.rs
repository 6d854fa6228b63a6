//! Brings the endpoints of a batch into the processor's caches before the batch is handled.
//!
//! At a million endpoints each one touched costs several misses, one after the other. The datagrams of
//! a batch are independent, so looking at all their endpoints first lets those misses overlap. Nothing
//! is decided here: a wrong guess costs nanoseconds.

use std::hint::black_box;

use crate::engine::endpoint::slot::{Slot, State};
use crate::proto::coap::MessageView;

use super::Shard;

/// Slots remembered between the two passes: a batch of the shard's loop.
const BATCH: usize = 64;

impl Shard {
    /// Looks at the endpoints that these datagrams are for.
    pub fn warm<'a>(&self, datagrams: impl Iterator<Item = &'a [u8]>) {
        let mut slots = [u32::MAX; BATCH];
        let guesses = datagrams.filter_map(|bytes| self.guess(bytes));
        let mut count = 0;
        for (place, slot) in slots.iter_mut().zip(guesses) {
            *place = slot;
            count += 1;
        }
        let endpoints = || {
            slots[..count]
                .iter()
                .filter_map(|slot| self.endpoints.get(*slot))
        };
        // First the slots themselves, then what hangs on them.
        black_box(endpoints().map(Slot::touch).fold(0, u64::wrapping_add));
        black_box(endpoints().map(touch_heap).fold(0, u64::wrapping_add));
    }

    /// The slot that the token or the registration id of a datagram names, if it is of this shard.
    fn guess(&self, bytes: &[u8]) -> Option<u32> {
        let view = MessageView::parse(bytes).ok()?;
        let (shard, slot) = if view.code().is_request() {
            let place = self.shared.keys.place_of(view.uri_path().nth(1)?)?;
            (place.shard, place.slot)
        } else {
            let parts = self.shared.keys.token_parts(view.token())?;
            (parts.shard, parts.slot)
        };
        (shard == self.index).then_some(slot)
    }
}

fn touch_heap(slot: &Slot) -> u64 {
    match &slot.state {
        State::Rest(core) => core.touch_heap(),
        State::Vacant | State::Active(..) | State::Quarantined(_) => 0,
    }
}
