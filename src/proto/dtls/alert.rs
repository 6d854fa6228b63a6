//! Alerts (RFC 5246 §7.2, RFC 4279 §6, RFC 6066 §9).

/// Why a peer is refused, as it is told.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum AlertDescription {
    /// No suite in common, or none that may be used.
    HandshakeFailure = 40,
    /// The certificate is corrupt, or its signatures do not verify.
    BadCertificate = 42,
    /// A kind of certificate or key that is not taken, such as one on a weak curve.
    UnsupportedCertificate = 43,
    /// Revoked by its signer.
    CertificateRevoked = 44,
    /// Expired or not yet valid.
    CertificateExpired = 45,
    /// Another reason that makes a certificate or raw public key unacceptable.
    CertificateUnknown = 46,
    /// The chain leads to no authority that is trusted.
    UnknownCa = 48,
    /// Valid credentials, but not for this server.
    AccessDenied = 49,
    /// A field that is out of range.
    DecodeError = 50,
    /// The server cannot say who the peer is just now.
    InternalError = 80,
    /// No such PSK identity.
    UnknownPskIdentity = 115,
}

impl AlertDescription {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// `close_notify` as the content of a record.
pub(super) const CLOSE_NOTIFY: [u8; 2] = [1, 0];
/// A warning that this server does not renegotiate.
pub(super) const NO_RENEGOTIATION: [u8; 2] = [1, 100];
/// First byte of a fatal alert.
pub(super) const FATAL: u8 = 2;
