//! Server-side DTLS 1.2: handshakes by OpenSSL on memory, records by us (RFC 6347, RFC 9146).
//!
//! [`DtlsEndpoint`] is the layer of one shard: datagrams and time in, datagrams, plaintexts and
//! events out. OpenSSL sees a handshake only after the peer's address is proven by a cookie, and is
//! let go of as soon as the master secret is ours; what stays is a [session](SessionId) of 120 bytes.
//! Only clients with CBC and without encrypt-then-MAC keep it, in a [bounded](Limits) number.
//! Looking credentials up is the caller's: [`Event::Lookup`] asks, [`DtlsEndpoint::answer`] answers.

mod address;
mod admission;
mod alert;
pub mod cid;
mod config;
mod contexts;
mod cookie;
mod curve;
mod endpoint;
mod event;
mod ffi;
mod handshake;
mod kept;
mod keys;
mod protect;
mod replay;
mod saved;
mod session;
mod suite;
mod table;
pub mod wire;

#[cfg(test)]
mod tests;

pub use alert::AlertDescription;
pub use config::{DtlsConfig, Limits};
pub use contexts::{ServerContexts, ServerCredentials, ServerIdentity, SetupError, TicketKey};
pub use curve::Curve;
pub use endpoint::{DtlsEndpoint, Output, SealError};
pub use event::{
    Claim, CloseReason, Counters, Established, Event, FailReason, Fingerprint, HandshakeId, Mode,
    RecordDrop, SessionId, Verdict,
};
pub use saved::{RestoreError, SavedSession};
pub use suite::Suite;
