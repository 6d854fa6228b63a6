//! A session as bytes, to be kept over a restart.

use super::Fingerprint;

/// What can be said of a saved session without restoring it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SavedSession {
    /// The shard it belongs to: its connection identifier leads there.
    pub shard: u8,
    /// Whose it is.
    pub identity: Fingerprint,
}

/// Why bytes are not restored as a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// Not what [`save`](super::DtlsEndpoint::save) wrote.
    #[error("not a saved DTLS session of version 1")]
    Malformed,
    /// Saved by another shard.
    #[error("the session belongs to shard {0}")]
    OtherShard(u8),
    /// The slot is beyond the limit or in use.
    #[error("the session's slot {0} is not free")]
    SlotTaken(u32),
}
