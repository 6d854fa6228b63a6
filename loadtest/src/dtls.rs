//! A DTLS 1.2 client as light as a simulated device has to be.
//!
//! OpenSSL runs the handshake on memory I/O; then its object, some 80 KB, is dropped, and a [`Session`] of about a
//! hundred bytes protects the records: AES-128 in CCM-8, CCM or GCM, with connection identifiers (RFC 9146) in both
//! directions. Nothing here reads a socket or a clock. It shares no code with the server's DTLS, so that no bug is
//! shared either.
//!
//! A fleet keeps a [`Session`] for each device and lends all of them one [`Protector`]; a single device has a
//! [`Connection`], which also begins anew when the session has ended.

mod cid;
mod connection;
mod connector;
mod ffi;
mod flight;
mod handshake;
mod keys;
mod login;
mod protect;
mod replay;
mod session;
mod trust;
mod wire;

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
mod tests;

pub use connection::{Connection, ConnectionEvent};
pub use connector::{Connector, ConnectorError, ConnectorOptions};
pub use handshake::{Established, Handshake, HandshakeError, Progress};
pub use login::{Login, Mode};
pub use protect::Protector;
pub use session::{Dropped, Received, SealError, Session};
pub use trust::Trust;
pub use wire::records;
