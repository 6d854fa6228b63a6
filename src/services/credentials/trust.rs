//! The trust store: whose certificates are believed, and what is checked about them.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult};

use super::authorise::Refusal;
use crate::proto::time::UnixMillis;

/// Most certificates of a chain, the device's own not counted.
pub const MAX_CHAIN: usize = 8;

/// OpenSSL's level of at least 112 bits: RSA of 2,048 bits, P-256, no SHA-1.
const SECURITY_LEVEL: i32 = 2;

/// Certificates of authorities.
pub struct TrustStore {
    store: X509Store,
    certificates: Vec<X509>,
}

impl std::fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustStore({} certificates)", self.certificates.len())
    }
}

impl TrustStore {
    /// A store of `certificates`, each of which is trusted, authorities below a root included.
    ///
    /// # Errors
    /// OpenSSL does not take one.
    pub fn new(certificates: Vec<X509>) -> Result<Self, ErrorStack> {
        let mut builder = X509StoreBuilder::new()?;
        for certificate in &certificates {
            builder.add_cert(certificate.clone())?;
        }
        let mut parameters = X509VerifyParam::new()?;
        parameters.set_purpose(X509PurposeId::SSL_CLIENT)?;
        parameters.set_auth_level(SECURITY_LEVEL);
        // Dates are checked against the time of the caller.
        parameters.set_flags(X509VerifyFlags::NO_CHECK_TIME | X509VerifyFlags::PARTIAL_CHAIN)?;
        builder.set_param(&parameters)?;
        Ok(Self {
            store: builder.build(),
            certificates,
        })
    }

    /// What it holds.
    #[must_use]
    pub fn certificates(&self) -> &[X509] {
        &self.certificates
    }

    /// Checks that `leaf` is a client's certificate of one of the authorities.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(super) fn verify(
        &self,
        leaf: &X509Ref,
        chain: &[X509],
        at: Option<UnixMillis>,
    ) -> Result<(), Refusal> {
        let verify = || {
            let mut sent = Stack::new()?;
            for certificate in chain {
                sent.push(certificate.clone())?;
            }
            X509StoreContext::new()?.init(&self.store, leaf, &sent, |context| {
                if !context.verify_cert()? {
                    return Ok(Err(refusal(context.error())));
                }
                let Some(at) = at else {
                    return Ok(Ok(()));
                };
                let mut chain = context.chain().into_iter().flatten();
                Ok(chain.try_for_each(|certificate| check_dates(certificate, at)))
            })
        };
        verify().unwrap_or(Err(Refusal::BadCertificate))
    }
}

/// Whether a certificate holds at a time.
pub(super) fn check_dates(certificate: &X509Ref, at: UnixMillis) -> Result<(), Refusal> {
    let within = || -> Result<bool, ErrorStack> {
        let now = Asn1Time::from_unix(at.div_euclid(1_000))?;
        let now: &Asn1TimeRef = &now;
        Ok(certificate.not_before().compare(now)?.is_le()
            && certificate.not_after().compare(now)?.is_ge())
    };
    match within() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refusal::Expired),
        Err(_) => Err(Refusal::BadCertificate),
    }
}

/// The common name of a certificate; `None` when there is none, or more than one.
pub(super) fn common_name(certificate: &X509Ref) -> Option<String> {
    let mut names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    // With a NUL in it as it is: one cut off there would be another name.
    let name = names.next()?.data().to_string().ok()?;
    names.next().is_none().then_some(name)
}

fn refusal(result: X509VerifyResult) -> Refusal {
    match result.as_raw() {
        openssl_sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        | openssl_sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | openssl_sys::X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | openssl_sys::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        | openssl_sys::X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        | openssl_sys::X509_V_ERR_CERT_UNTRUSTED
        | openssl_sys::X509_V_ERR_INVALID_CA
        | openssl_sys::X509_V_ERR_PATH_LENGTH_EXCEEDED => Refusal::UnknownAuthority,
        openssl_sys::X509_V_ERR_INVALID_PURPOSE => Refusal::UnsupportedCertificate,
        _ => Refusal::BadCertificate,
    }
}
