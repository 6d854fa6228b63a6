//! The public parts of the server's keys, as people see them.

use data_encoding::{BASE64, HEXLOWER};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::sha::sha256;
use openssl::x509::{X509, X509NameRef};
use serde::Serialize;

use super::keys::Keys;
use crate::proto::time::UnixMillis;

/// Keys and certificates of the server, public parts only.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerKeysView {
    /// Security modes devices may use over DTLS.
    pub modes: Vec<&'static str>,
    /// SubjectPublicKeyInfo of the server in Base64, for devices with raw public keys.
    pub public_key: Option<String>,
    /// The server's certificate first, then those above it.
    pub certificates: Vec<CertificateView>,
    /// Certificates of authorities whose devices are believed.
    pub trusted: Vec<CertificateView>,
}

/// A certificate.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateView {
    /// Subject, as `CN=…, O=…`.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Valid from then on.
    pub not_before: Option<UnixMillis>,
    /// Valid until then.
    pub not_after: Option<UnixMillis>,
    /// SHA-256 of its DER in hexadecimal digits.
    pub sha256: String,
    /// DER in Base64, as `serverPublicKey` of an X.509 server in a profile wants it.
    pub der: String,
}

impl Keys {
    /// What may be shown of them.
    #[must_use]
    pub fn view(&self) -> ServerKeysView {
        let with_key = self.server.is_some();
        let with_certificate = self
            .server
            .as_ref()
            .is_some_and(|keys| !keys.chain.is_empty());
        let modes = [
            ("PSK", self.modes.psk),
            ("RPK", self.modes.rpk && with_key),
            ("X509", self.modes.x509 && with_certificate),
        ];
        let served = modes.into_iter().filter(|(_, served)| *served);
        let server = self.server.as_ref();
        ServerKeysView {
            modes: served.map(|(mode, _)| mode).collect(),
            public_key: server
                .and_then(|keys| keys.key.public_key_to_der().ok())
                .map(|der| BASE64.encode(&der)),
            certificates: server.map_or_else(Vec::new, |keys| views(&keys.chain)),
            trusted: self
                .trust
                .as_ref()
                .map_or_else(Vec::new, |trust| views(trust.certificates())),
        }
    }
}

fn views(certificates: &[X509]) -> Vec<CertificateView> {
    certificates.iter().map(view).collect()
}

fn view(certificate: &X509) -> CertificateView {
    let der = certificate.to_der().unwrap_or_default();
    CertificateView {
        subject: name(certificate.subject_name()),
        issuer: name(certificate.issuer_name()),
        not_before: millis(certificate.not_before()),
        not_after: millis(certificate.not_after()),
        sha256: HEXLOWER.encode(&sha256(&der)),
        der: BASE64.encode(&der),
    }
}

fn name(name: &X509NameRef) -> String {
    let entry = |entry: &openssl::x509::X509NameEntryRef| {
        let key = entry.object().nid().short_name().unwrap_or("?").to_owned();
        let value = entry.data().to_string().unwrap_or_default();
        format!("{key}={value}")
    };
    name.entries().map(entry).collect::<Vec<_>>().join(", ")
}

fn millis(time: &Asn1TimeRef) -> Option<UnixMillis> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some((i64::from(since.days) * 86_400 + i64::from(since.secs)) * 1_000)
}
