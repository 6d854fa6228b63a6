//! What the server shows, and the OpenSSL contexts made of it.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::Limits;

/// What the server can prove and takes. Shared by all shards.
#[derive(Clone, Default)]
pub struct ServerCredentials {
    /// Take clients with pre-shared keys.
    pub psk: bool,
    /// Key shown as a raw public key (RFC 7250), on P-256 or P-384.
    pub raw_public_key: Option<PKey<Private>>,
    /// Certificates shown, the leaf first, and its key, on P-256 or P-384.
    pub certificate: Option<ServerIdentity>,
    /// Session tickets under this key; `None`: none are given out or taken.
    pub ticket_key: Option<TicketKey>,
}

/// A chain and the key of its leaf.
#[derive(Clone)]
pub struct ServerIdentity {
    /// The leaf first.
    pub chain: Vec<X509>,
    /// The leaf's key.
    pub key: PKey<Private>,
}

/// Protects session tickets: 80 random bytes, the same on every shard and node. Tickets under an
/// older key lead to a full handshake.
#[derive(Clone)]
pub struct TicketKey(pub Zeroizing<[u8; 80]>);

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

impl fmt::Debug for ServerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCredentials")
            .field("psk", &self.psk)
            .field("raw_public_key", &self.raw_public_key.is_some())
            .field("certificate", &self.certificate.is_some())
            .field("tickets", &self.ticket_key.is_some())
            .finish()
    }
}

/// Why a server cannot be made of its credentials.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Nothing to authenticate with.
    #[error("no credentials: enable pre-shared keys, or give a raw public key or a certificate")]
    NoCredentials,
    /// A key that devices would not take.
    #[error("the key of the {0} must be on curve P-256 or P-384")]
    Curve(&'static str),
    /// An identity without certificates.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// Out of range.
    #[error("the length of connection identifiers must be 0 to 16 bytes, not {0}")]
    CidLength(u8),
    /// OpenSSL offers a suite that the record layer lacks, or the other way round.
    #[error("OpenSSL and the record layer disagree about the suites of {0}")]
    Suites(&'static str),
    /// OpenSSL refused.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// OpenSSL contexts for every kind of hello. Build once, off the shards; share by `Arc`.
pub struct ServerContexts {}

impl ServerContexts {
    /// Contexts for `credentials`; of `limits` the MTU is used.
    ///
    /// # Errors
    ///
    /// Credentials that cannot be used, see [`SetupError`].
    pub fn build(_credentials: &ServerCredentials, _limits: &Limits) -> Result<Self, SetupError> {
        unimplemented!()
    }
}

impl fmt::Debug for ServerContexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerContexts")
    }
}
