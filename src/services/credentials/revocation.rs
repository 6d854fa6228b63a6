//! Telling the engine that an identity does not hold any more.

use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};

use super::index::IdentityHandle;

/// Revocations that may wait for a reader.
pub const REVOCATIONS: usize = 16_384;

/// Name of the counter of revocations that a reader missed.
const LOST: &str = "lwm2m_credentials_revocations_lost_total";

/// What became of the credentials of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// They were replaced by others.
    Changed,
    /// The device was removed.
    Deleted,
    /// The device has newer ones that were generated for it. Its registration, made with those, stays.
    Retired,
}

/// An identity that does not hold any more: sessions that proved it are to end, and the registration
/// of the endpoint with them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation {
    /// Of the sessions to end; `None` for a device that had no security.
    pub identity: Option<IdentityHandle>,
    /// By what the record layer knows these sessions, where the credentials say it: the first eight
    /// bytes of the SHA-256 of a byte (0 PSK, 1 RPK, 2 X.509) and of the identity, the public key in
    /// DER or the certificate in DER. `None` for certificates of the trust store: their sessions are
    /// found by `identity` or by endpoint.
    pub wire: Option<u64>,
    /// Endpoint client name of the device.
    pub endpoint: std::sync::Arc<str>,
    /// What happened.
    pub why: Why,
}

/// What a reader of revocations finds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Revoked {
    /// One identity.
    One(Revocation),
    /// So many were lost because the reader was too slow: it has to ask of each of its sessions
    /// whether the identity still holds ([`CredentialsIndex::binds`](super::CredentialsIndex::binds)).
    Missed(u64),
}

/// The revocations from its making on, at most [`REVOCATIONS`] of them: beyond that the oldest give
/// way, which is counted and told.
#[derive(Debug)]
pub struct Revocations(broadcast::Receiver<Revocation>);

impl Revocations {
    pub(super) const fn new(receiver: broadcast::Receiver<Revocation>) -> Self {
        Self(receiver)
    }

    /// Waits for the next; `None` when there can be no more.
    pub async fn next(&mut self) -> Option<Revoked> {
        match self.0.recv().await {
            Ok(revocation) => Some(Revoked::One(revocation)),
            Err(RecvError::Lagged(count)) => Some(missed(count)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next, if there is one by now.
    pub fn try_next(&mut self) -> Option<Revoked> {
        match self.0.try_recv() {
            Ok(revocation) => Some(Revoked::One(revocation)),
            Err(TryRecvError::Lagged(count)) => Some(missed(count)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

fn missed(count: u64) -> Revoked {
    metrics::counter!(LOST).increment(count);
    Revoked::Missed(count)
}
