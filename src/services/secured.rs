//! Credentials as the engine asks for them, and what the server shows in handshakes.

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::Id;
use openssl::pkey_ctx::{HkdfMode, PkeyCtx};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::credentials::{
    self, Credentials, IdentityHandle, KeyChange, Keys, Mode, Proof, Refusal, Revoked, TrustStore,
    Why,
};
use crate::engine::EngineHandle;
use crate::engine::credentials::{self as engine, Owner, Purpose};
use crate::engine::view::SecurityMode;
pub use crate::proto::dtls::ServerContexts;
use crate::proto::dtls::{
    AlertDescription, Claim, ServerCredentials, ServerIdentity, SetupError, TicketKey, Verdict,
};
use crate::proto::time::UnixMillis;

impl engine::Credentials for Credentials {
    fn decide(
        &self,
        claim: &Claim,
        purpose: Purpose,
        resumed: bool,
        now: UnixMillis,
    ) -> engine::Decision {
        let claim = match claim {
            Claim::PskIdentity(identity) => credentials::Claim::PskIdentity(identity),
            Claim::RawPublicKey(der) => credentials::Claim::RawPublicKey(der),
            Claim::Certificate(chain) => credentials::Claim::Certificate(chain),
        };
        let proof = if resumed {
            Proof::Resumption
        } else {
            Proof::Handshake
        };
        let credentials::Decision { verdict, identity } =
            self.authorise(claim, purpose, proof, now);
        engine::Decision {
            verdict: match verdict {
                credentials::Verdict::Psk(key) => {
                    Verdict::Psk(Zeroizing::new(key.bytes().to_vec()))
                }
                credentials::Verdict::Accepted => Verdict::Accepted,
                credentials::Verdict::Refused(refusal) => Verdict::Refused(alert(refusal)),
            },
            owner: identity.map(|bound| Owner {
                identity: bound.identity.0,
                endpoint: bound.endpoint,
            }),
        }
    }

    fn admits(&self, endpoint: &str, security: SecurityMode) -> bool {
        self.index().admits(
            endpoint,
            match security {
                SecurityMode::NoSec => Mode::NoSec,
                SecurityMode::Psk => Mode::Psk,
                SecurityMode::Rpk => Mode::Rpk,
                SecurityMode::X509 => Mode::X509,
            },
        )
    }

    fn holds(&self, owner: &Owner, purpose: Purpose) -> bool {
        let identity = IdentityHandle(owner.identity);
        self.index().binds(identity, &owner.endpoint, purpose)
    }

    fn registered(&self, endpoint: &str, identity: u64) {
        self.index().used(endpoint, IdentityHandle(identity));
    }
}

const fn alert(refusal: Refusal) -> AlertDescription {
    match refusal {
        Refusal::ModeOff | Refusal::AccessDenied => AlertDescription::AccessDenied,
        Refusal::UnknownPskIdentity => AlertDescription::UnknownPskIdentity,
        Refusal::BadCertificate => AlertDescription::BadCertificate,
        Refusal::UnsupportedCertificate => AlertDescription::UnsupportedCertificate,
        Refusal::Expired => AlertDescription::CertificateExpired,
        Refusal::UnknownCertificate => AlertDescription::CertificateUnknown,
        Refusal::UnknownAuthority => AlertDescription::UnknownCa,
    }
}

/// How sessions are resumed.
pub struct Resumption {
    /// Keys of session tickets are made of it, so that they hold over a restart.
    pub secret: Zeroizing<[u8; 32]>,
    /// See [`ServerCredentials::session_ids`].
    pub session_ids: u16,
}

/// What the server shows with these keys. Tickets given out under other keys or another trust store
/// are not taken: nobody resumes who would not be believed any more. `None` when no mode can
/// be served: all are off, or those that are not need a key of the server.
///
/// # Errors
/// A key that OpenSSL or devices would not take.
pub fn contexts(keys: &Keys, resumption: &Resumption) -> Result<Option<ServerContexts>, ShowError> {
    let ticket_key = ticket_key(keys, &resumption.secret)?;
    let (modes, server) = (keys.modes, keys.server.as_ref());
    let identity = server.filter(|server| modes.x509 && !server.chain.is_empty());
    let shown = ServerCredentials {
        psk: modes.psk,
        raw_public_key: server.filter(|_| modes.rpk).map(|own| own.key.clone()),
        certificate: identity.map(|server| ServerIdentity {
            chain: server.chain.clone(),
            key: server.key.clone(),
        }),
        ticket_key: Some(TicketKey(ticket_key)),
        session_ids: resumption.session_ids,
    };
    match ServerContexts::build(&shown) {
        Ok(contexts) => Ok(Some(contexts)),
        Err(SetupError::NoCredentials) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The key of session tickets: of the secret, and of all that decides who is believed (the expansion
/// of RFC 5869 §2.3).
fn ticket_key(keys: &Keys, secret: &[u8; 32]) -> Result<Zeroizing<[u8; 80]>, ErrorStack> {
    let mut believed = Sha256::new_with_prefix(b"rookery session tickets 1");
    let modes = keys.modes;
    believed.update([modes.psk, modes.rpk, modes.x509].map(u8::from));
    let mut note = |der: Vec<u8>| {
        believed.update((der.len() as u64).to_be_bytes());
        believed.update(der);
    };
    if let Some(server) = &keys.server {
        note(server.key.public_key_to_der()?);
        for certificate in &server.chain {
            note(certificate.to_der()?);
        }
    }
    note(Vec::new());
    for authority in keys.trust.iter().flat_map(TrustStore::certificates) {
        note(authority.to_der()?);
    }
    let mut key = Zeroizing::new([0; 80]);
    let mut hkdf = PkeyCtx::new_id(Id::HKDF)?;
    hkdf.derive_init()?;
    hkdf.set_hkdf_mode(HkdfMode::EXPAND_ONLY)?;
    hkdf.set_hkdf_md(Md::sha256())?;
    hkdf.set_hkdf_key(secret)?;
    hkdf.add_hkdf_info(&believed.finalize())?;
    hkdf.derive(Some(&mut *key))?;
    Ok(key)
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The keys cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// OpenSSL cannot write a key or certificate that it has read.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// Whether a change of keys is to be shown in handshakes.
#[must_use]
pub fn is_shown(changes: &[KeyChange]) -> bool {
    changes.iter().any(|change| match change {
        KeyChange::Server | KeyChange::Modes | KeyChange::TrustStore => true,
        KeyChange::CheckDates => false,
    })
}

/// Ends sessions and registrations whose credentials are taken back, for as long as there can be
/// such.
pub async fn end_revoked(mut revocations: credentials::Revocations, engine: EngineHandle) {
    while let Some(revoked) = revocations.next().await {
        match revoked {
            Revoked::One(revocation) => {
                let identity = revocation.identity.map(|identity| identity.0);
                let ends_registration = revocation.why != Why::Retired;
                engine
                    .revoke(&revocation.endpoint, identity, ends_registration)
                    .await;
            }
            Revoked::Missed(_) => engine.revoke_unknown().await,
        }
    }
}
