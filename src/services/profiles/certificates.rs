//! Key material, as far as a profile or a device has to hold what it says it holds.

use data_encoding::BASE64;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Whether `der` is the SubjectPublicKeyInfo of an elliptic-curve key (RFC 7250), and nothing after it.
#[must_use]
pub fn is_public_key(der: &[u8]) -> bool {
    SubjectPublicKeyInfoRef::from_der(der).is_ok_and(|key| key.algorithm.oid == EC_PUBLIC_KEY)
}

/// Whether `der` is an X.509v3 certificate of an elliptic-curve key, and nothing after it.
#[must_use]
pub fn is_certificate(der: &[u8]) -> bool {
    Certificate::from_der(der).is_ok_and(|certificate| {
        let content = certificate.tbs_certificate();
        content.version() == Version::V3
            && content.subject_public_key_info().algorithm.oid == EC_PUBLIC_KEY
    })
}

/// Base64; line breaks are passed over, as they come with what is copied from a file.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(compact.as_bytes()).ok()
}
