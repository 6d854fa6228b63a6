//! Keys and certificates as credentials carry them: what they are, and by what they are known.

use data_encoding::BASE64;
use openssl::bn::BigNumContext;
use openssl::ec::PointConversionForm;
use openssl::pkey::{HasPublic, PKey, PKeyRef};
use openssl::sha::Sha256;
use openssl::x509::X509;
use zeroize::Zeroizing;

pub use crate::proto::dtls::Curve;

/// Longest PSK identity in bytes: what every implementation has to take (RFC 4279 §5.3).
pub const MAX_IDENTITY_BYTES: usize = 128;

/// What a key or certificate cannot be used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unusable {
    /// It cannot be read.
    Malformed,
    /// It is sound, but of an algorithm or curve that is not accepted.
    Algorithm,
}

/// SHA-256 over curve and uncompressed point of a public key: the same for every encoding of it.
pub type KeyHash = [u8; 32];

/// SHA-256 over the DER of a certificate.
pub type CertificateHash = [u8; 32];

/// Hash of a SubjectPublicKeyInfo (RFC 7250) in DER.
///
/// # Errors
/// See [`Unusable`].
pub fn public_key_hash(der: &[u8]) -> Result<KeyHash, Unusable> {
    let key = PKey::public_key_from_der(der).map_err(|_| Unusable::Malformed)?;
    hash_of(&key)
}

/// Hash of a public key.
///
/// # Errors
/// [`Unusable::Algorithm`]
pub fn hash_of<T: HasPublic>(key: &PKeyRef<T>) -> Result<KeyHash, Unusable> {
    let curve = Curve::of(key).ok_or(Unusable::Algorithm)?;
    let point = || {
        let key = key.ec_key()?;
        let mut context = BigNumContext::new()?;
        key.check_key()?;
        key.public_key()
            .to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)
    };
    let point: Vec<u8> = point().map_err(|_: openssl::error::ErrorStack| Unusable::Malformed)?;
    Ok(hash_of_point(curve, &point))
}

/// Hash of a public key that a device has proven to hold the other half of; one that is none only
/// has a hash that nobody has.
///
/// # Errors
/// See [`Unusable`].
pub(super) fn proven_key_hash(der: &[u8]) -> Result<KeyHash, Unusable> {
    // The common form needs no arithmetic.
    match Curve::of_encoded(der) {
        Some((curve, point)) => Ok(hash_of_point(curve, point)),
        None => public_key_hash(der),
    }
}

fn hash_of_point(curve: Curve, point: &[u8]) -> KeyHash {
    let mut hash = Sha256::new();
    hash.update(&curve.nid().as_raw().to_be_bytes());
    hash.update(point);
    hash.finish()
}

/// By what sessions are known that proved an identity: the beginning of the SHA-256 of a byte for the
/// mode and of what the peer sent (PSK identity, public key or leaf certificate).
pub(super) fn wire_fingerprint(mode: u8, sent: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(&[mode]);
    hash.update(sent);
    let [a, b, c, d, e, f, g, h, ..] = hash.finish();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Reads an X.509 certificate of a key that can be used.
///
/// # Errors
/// See [`Unusable`].
pub fn certificate(der: &[u8]) -> Result<X509, Unusable> {
    let certificate = X509::from_der(der).map_err(|_| Unusable::Malformed)?;
    let key = certificate.public_key().map_err(|_| Unusable::Algorithm)?;
    Curve::of(&key).ok_or(Unusable::Algorithm)?;
    Ok(certificate)
}

/// Hash of the key of an X.509 certificate.
///
/// # Errors
/// See [`Unusable`].
pub fn certified_key_hash(der: &[u8]) -> Result<KeyHash, Unusable> {
    let key = certificate(der)?
        .public_key()
        .map_err(|_| Unusable::Algorithm)?;
    hash_of(&key)
}

/// Base64 of DER, with the armour of PEM and line breaks passed over as ThingsBoard does.
pub(super) fn armoured(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("-----") {
        compact.push_str(before);
        // The label of the armour: `-----BEGIN PUBLIC KEY-----`.
        let (_, after) = after.split_once("-----")?;
        rest = after;
    }
    compact.push_str(rest);
    compact.retain(|c| !c.is_ascii_whitespace());
    BASE64
        .decode(compact.as_bytes())
        .ok()
        .map(Zeroizing::new)
        .filter(|der| !der.is_empty())
}

/// Whether `der` is one unencrypted PKCS#8 private key (RFC 5958) of an elliptic curve.
pub(super) fn is_private_key(der: &[u8]) -> bool {
    PKey::private_key_from_pkcs8(der).is_ok_and(|key| key.ec_key().is_ok())
}
