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
