//! Whether a device is who it says, and what the handshake is told.

use std::sync::Arc;

use openssl::sha::sha256;
use openssl::x509::X509;

use super::Keys;
use super::device::Mode;
use super::index::{Credential, CredentialsIndex, IdentityHandle};
use super::material::{self, MAX_IDENTITY_BYTES, Unusable};
use super::trust::{MAX_CHAIN, TrustStore, check_dates, common_name};
use crate::engine::credentials::Purpose;
use crate::proto::time::UnixMillis;

/// What a device says in a handshake. The handshake itself proves that it has the secret to it.
#[derive(Clone, Copy, Debug)]
pub enum Claim<'a> {
    /// A PSK identity, as it came.
    PskIdentity(&'a [u8]),
    /// A SubjectPublicKeyInfo in DER (RFC 7250).
    RawPublicKey(&'a [u8]),
    /// Certificates in DER: the device's, then those above it in any order. When resuming, the
    /// device's alone will do.
    Certificate(&'a [Box<[u8]>]),
}

/// How a claim is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// In a full handshake.
    Handshake,
    /// By a session that was proven before and is resumed: the chain was verified then, but whether
    /// the device still has these credentials is asked again.
    Resumption,
}

/// What the handshake does.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on with this key; it proves whether the device has it.
    Psk(PskKey),
    /// It goes on: the key of the device is known.
    Accepted,
    /// It ends.
    Refused(Refusal),
}

/// The answer to a claim.
#[derive(Debug)]
pub struct Decision {
    /// What the handshake does.
    pub verdict: Verdict,
    /// Whose identity it is, unless refused.
    pub identity: Option<Bound>,
}

/// An identity and the one endpoint that may use it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bound {
    /// To be kept with the session, and compared at Register by
    /// [`CredentialsIndex::binds`].
    pub identity: IdentityHandle,
    /// Endpoint client name; also of a Register that states none (LwM2M Core 1.2 §6.2.1).
    pub endpoint: Arc<str>,
    /// Security mode.
    pub mode: Mode,
}

/// A pre-shared key. Shared with the index, zeroised when the last user is gone.
#[derive(Clone)]
pub struct PskKey(Arc<Credential>);

impl PskKey {
    /// The key, 16, 32 or 64 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.key()
    }
}

/// Never the key.
impl std::fmt::Debug for PskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PskKey")
    }
}

/// Why a handshake ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The mode is switched off (`dtls.psk`, `dtls.rpk`, `dtls.x509`).
    #[error("the security mode is switched off")]
    ModeOff,
    /// No device has this PSK identity.
    #[error("no device has this PSK identity")]
    UnknownPskIdentity,
    /// The key or certificate cannot be read, or its signature is wrong.
    #[error("the key or certificate is malformed")]
    BadCertificate,
    /// An algorithm, curve or usage that is not accepted.
    #[error("the key or certificate is of a kind that is not accepted")]
    UnsupportedCertificate,
    /// Not valid yet, or not any more.
    #[error("the certificate is not valid at this time")]
    Expired,
    /// No device has this key or certificate, and there is no trust store.
    #[error("no device has this key or certificate")]
    UnknownCertificate,
    /// The certificate is of no authority of the trust store.
    #[error("the certificate is of no authority of the trust store")]
    UnknownAuthority,
    /// It is sound, but no device may use it: its common name is no endpoint with X.509, or one whose
    /// stored certificate is another.
    #[error("the common name of the certificate is no endpoint that may use it")]
    AccessDenied,
}

impl Refusal {
    /// The TLS alert (RFC 5246 §7.2, RFC 4279 §2).
    #[must_use]
    pub const fn alert(self) -> u8 {
        match self {
            Self::BadCertificate => 42,
            Self::UnsupportedCertificate => 43,
            Self::Expired => 45,
            Self::UnknownCertificate => 46,
            Self::UnknownAuthority => 48,
            Self::ModeOff | Self::AccessDenied => 49,
            Self::UnknownPskIdentity => 115,
        }
    }

    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(self) -> &'static str {
        match self {
            Self::ModeOff => "mode_off",
            Self::UnknownPskIdentity => "unknown_psk_identity",
            Self::BadCertificate => "bad_certificate",
            Self::UnsupportedCertificate => "unsupported_certificate",
            Self::Expired => "certificate_expired",
            Self::UnknownCertificate => "certificate_unknown",
            Self::UnknownAuthority => "unknown_ca",
            Self::AccessDenied => "access_denied",
        }
    }
}

impl From<Unusable> for Refusal {
    fn from(fault: Unusable) -> Self {
        match fault {
            Unusable::Malformed => Self::BadCertificate,
            Unusable::Algorithm => Self::UnsupportedCertificate,
        }
    }
}

/// Decides on a claim at a time.
pub(super) fn decide(
    index: &CredentialsIndex,
    keys: &Keys,
    claim: Claim<'_>,
    purpose: Purpose,
    proof: Proof,
    now: UnixMillis,
) -> Decision {
    let found = match claim {
        Claim::PskIdentity(identity) => psk(index, keys, identity),
        Claim::RawPublicKey(der) => raw_public_key(index, keys, der),
        Claim::Certificate(chain) => certificate(index, keys, chain, proof, now),
    };
    match found.and_then(|held| held_for(index, held, purpose)) {
        Ok(held) => Decision {
            identity: Some(Bound {
                identity: held.handle(),
                endpoint: Arc::clone(held.endpoint()),
                mode: held.mode(),
            }),
            verdict: match held.mode() {
                Mode::Psk => Verdict::Psk(PskKey(held)),
                _ => Verdict::Accepted,
            },
        },
        Err(refusal) => Decision {
            verdict: Verdict::Refused(refusal),
            identity: None,
        },
    }
}

/// A device that has used what was generated for it registers with nothing else.
fn held_for(index: &CredentialsIndex, held: Arc<Credential>, purpose: Purpose) -> Found {
    if index.binds(held.handle(), held.endpoint(), purpose) {
        return Ok(held);
    }
    Err(match held.mode() {
        Mode::Psk => Refusal::UnknownPskIdentity,
        _ => Refusal::UnknownCertificate,
    })
}

type Found = Result<Arc<Credential>, Refusal>;

fn psk(index: &CredentialsIndex, keys: &Keys, identity: &[u8]) -> Found {
    if !keys.modes.psk {
        return Err(Refusal::ModeOff);
    }
    // Neither can be provisioned. A library may cut an identity at a NUL: none ever matches.
    if identity.len() > MAX_IDENTITY_BYTES || identity.contains(&0) {
        return Err(Refusal::UnknownPskIdentity);
    }
    std::str::from_utf8(identity)
        .ok()
        .and_then(|identity| index.of_psk_identity(identity))
        .ok_or(Refusal::UnknownPskIdentity)
}

fn raw_public_key(index: &CredentialsIndex, keys: &Keys, der: &[u8]) -> Found {
    if !keys.modes.rpk {
        return Err(Refusal::ModeOff);
    }
    let key = material::proven_key_hash(der)?;
    index.of_public_key(&key).ok_or(Refusal::UnknownCertificate)
}

fn certificate(
    index: &CredentialsIndex,
    keys: &Keys,
    chain: &[Box<[u8]>],
    proof: Proof,
    now: UnixMillis,
) -> Found {
    if !keys.modes.x509 {
        return Err(Refusal::ModeOff);
    }
    let (leaf, chain) = chain.split_first().ok_or(Refusal::BadCertificate)?;
    let at = keys.check_dates.then_some(now);
    let certificate = material::certificate(leaf)?;
    let stored = index.of_certificate(&sha256(leaf));
    if stored.is_some() || proof == Proof::Resumption {
        at.map_or(Ok(()), |at| check_dates(&certificate, at))?;
    }
    if let Some(held) = stored {
        return Ok(held);
    }
    let trust = keys.trust.as_ref().ok_or(Refusal::UnknownCertificate)?;
    if proof == Proof::Handshake {
        verify(trust, &certificate, chain, at)?;
    }
    common_name(&certificate)
        .and_then(|name| index.of_endpoint(&name))
        .filter(|held| held.is_trusted_by_name())
        .ok_or(Refusal::AccessDenied)
}

fn verify(
    trust: &TrustStore,
    leaf: &X509,
    chain: &[Box<[u8]>],
    at: Option<UnixMillis>,
) -> Result<(), Refusal> {
    if chain.len() > MAX_CHAIN {
        return Err(Refusal::BadCertificate);
    }
    let chain: Vec<_> = chain
        .iter()
        .map(|der| X509::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(|_| Refusal::BadCertificate)?;
    trust.verify(leaf, &chain, at)
}
