//! What a device proves itself with.

use std::fmt;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

/// Kinds of credentials (LwM2M Core 1.2, security modes 0 to 2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mode {
    /// A pre-shared key.
    Psk,
    /// A raw public key (RFC 7250).
    RawPublicKey,
    /// An X.509 certificate.
    Certificate,
}

/// The credentials of one device.
#[derive(Clone)]
pub enum Login {
    /// Identity and key.
    Psk { identity: Vec<u8>, key: Vec<u8> },
    /// The private key, which the public one follows from.
    RawPublicKey(PKey<Private>),
    /// Its certificate, those of the issuers that the server may not have, and the private key.
    Certificate {
        certificate: X509,
        issuers: Vec<X509>,
        key: PKey<Private>,
    },
}

impl Login {
    /// Their kind.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Psk { .. } => Mode::Psk,
            Self::RawPublicKey(_) => Mode::RawPublicKey,
            Self::Certificate { .. } => Mode::Certificate,
        }
    }
}

impl fmt::Debug for Login {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psk { identity, .. } => {
                write!(f, "Psk({})", String::from_utf8_lossy(identity))
            }
            Self::RawPublicKey(_) => f.write_str("RawPublicKey"),
            Self::Certificate { certificate, .. } => {
                write!(f, "Certificate({:?})", certificate.subject_name())
            }
        }
    }
}
