//! Keys and certificates as credentials carry them: what they are, and by what they are known.

use data_encoding::BASE64;
use openssl::bn::BigNumContext;
use openssl::ec::PointConversionForm;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKey, PKeyRef};
use openssl::sha::Sha256;
use openssl::x509::X509;
use zeroize::Zeroizing;

/// Longest PSK identity in bytes: what every implementation has to take (RFC 4279 §5.3).
pub const MAX_IDENTITY_BYTES: usize = 128;

/// A curve that DTLS with this server can use (RFC 7925 §4.4 wants the first).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
}

impl Curve {
    /// Both names, as error messages state them.
    pub const ACCEPTED: &str = "P-256 (secp256r1) and P-384 (secp384r1)";

    /// OpenSSL's number.
    #[must_use]
    pub const fn nid(self) -> Nid {
        match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
        }
    }

    /// The curve of a key; `None` for another curve or another algorithm.
    #[must_use]
    pub fn of<T: HasPublic>(key: &PKeyRef<T>) -> Option<Self> {
        let nid = key.ec_key().ok()?.group().curve_name()?;
        [Self::P256, Self::P384]
            .into_iter()
            .find(|curve| curve.nid() == nid)
    }
}

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
    let mut hash = Sha256::new();
    hash.update(&curve.nid().as_raw().to_be_bytes());
    hash.update(&point);
    Ok(hash.finish())
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
pub fn certificate(der: &[u8]) -> Result<(X509, KeyHash), Unusable> {
    let certificate = X509::from_der(der).map_err(|_| Unusable::Malformed)?;
    let key = certificate.public_key().map_err(|_| Unusable::Algorithm)?;
    let hash = hash_of(&key)?;
    Ok((certificate, hash))
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
