//! Key material in Base64, as far as a profile has to hold what it says it holds.

use data_encoding::BASE64;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// `id-ecPublicKey` (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Whether `text` is the SubjectPublicKeyInfo of an elliptic-curve key (RFC 7250) in Base64.
pub(super) fn is_public_key(text: &str) -> bool {
    let Some(der) = decode(text) else {
        return false;
    };
    SubjectPublicKeyInfoRef::from_der(&der).is_ok_and(|key| key.algorithm.oid == EC_PUBLIC_KEY)
}

/// Whether `text` is an X.509v3 certificate of an elliptic-curve key in Base64.
pub(super) fn is_certificate(text: &str) -> bool {
    let Some(der) = decode(text) else {
        return false;
    };
    Certificate::from_der(&der).is_ok_and(|certificate| {
        let content = certificate.tbs_certificate();
        content.version() == Version::V3
            && content.subject_public_key_info().algorithm.oid == EC_PUBLIC_KEY
    })
}

/// Line breaks are passed over, as they come with what is copied from a file.
fn decode(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(compact.as_bytes()).ok()
}
