//! Connection identifiers that carry the way to their session (RFC 9146).
//!
//! | byte | what |
//! |---|---|
//! | 0 | shard |
//! | 1–3 | slot, as far as there is room |
//! | 4 | node |
//! | 5–8 | lowest bytes of the slot's generation, as far as there is room |
//! | 9–15 | zero |
//!
//! The default is 8 bytes: shard, slot, node and 3 bytes of generation. They lead a record to its
//! session without a table; whether it belongs there is for its authentication to say.

use super::SessionId;
use super::handshake::negotiation::OwnCid;

/// Longest identifier of ours.
pub const MAX_LENGTH: usize = 16;

/// Where in a datagram the shard stands when its first byte is [`TLS12_CID`].
pub const SHARD_OFFSET: usize = 11;

/// Content type of a record with connection identifier.
pub const TLS12_CID: u8 = 25;

/// The shard a connection identifier of ours leads to.
#[must_use]
pub fn shard_of_cid(cid: &[u8]) -> Option<u8> {
    cid.first().copied()
}

/// The shard a datagram belongs to by the connection identifier of its first record; `None` when
/// it begins with another kind of record. Only right where identifiers are not empty.
#[must_use]
pub fn shard_of_datagram(datagram: &[u8]) -> Option<u8> {
    if datagram.first() != Some(&TLS12_CID) {
        return None;
    }
    datagram.get(SHARD_OFFSET).copied()
}

const SLOT_AT: usize = 1;
const NODE_AT: usize = 4;
const GENERATION_AT: usize = 5;

/// The identifier of `length` bytes for a session; `None` when its slot does not fit in there.
pub(super) fn of_session(shard: u8, node: u8, id: SessionId, length: u8) -> Option<OwnCid> {
    let mut bytes = [0; MAX_LENGTH];
    bytes[0] = shard;
    bytes[SLOT_AT..NODE_AT].copy_from_slice(&id.slot.to_le_bytes()[..3]);
    bytes[NODE_AT] = node;
    bytes[GENERATION_AT..GENERATION_AT + 4].copy_from_slice(&id.generation.to_le_bytes());
    let slot_bytes = usize::from(length).saturating_sub(1).min(3);
    if length > 0 && u64::from(id.slot) >> (8 * slot_bytes) != 0 {
        return None;
    }
    bytes[usize::from(length).min(MAX_LENGTH)..].fill(0);
    Some(OwnCid { bytes, length })
}

/// The slot that an identifier of ours names, whether or not it is in use.
pub(super) fn slot(cid: &[u8]) -> u32 {
    let part = cid.get(SLOT_AT..cid.len().min(NODE_AT)).unwrap_or_default();
    let mut bytes = [0; 4];
    bytes[..part.len()].copy_from_slice(part);
    u32::from_le_bytes(bytes)
}
