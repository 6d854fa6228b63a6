//! Credentials as the engine asks for them, and what the server shows in handshakes.

use zeroize::Zeroizing;

use super::credentials::{
    self, Credentials, IdentityHandle, KeyChange, Keys, Mode, Proof, Refusal, Revoked, Why,
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

/// What the server shows with these keys, under a new key of session tickets. `None` when no mode can
/// be served: all are off, or those that are not need a key of the server.
///
/// # Errors
/// A key that OpenSSL or devices would not take, or no random numbers.
pub fn contexts(keys: &Keys) -> Result<Option<ServerContexts>, ShowError> {
    let mut ticket_key = Zeroizing::new([0; 80]);
    getrandom::fill(&mut *ticket_key)?;
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
        ..ServerCredentials::default()
    };
    match ServerContexts::build(&shown) {
        Ok(contexts) => Ok(Some(contexts)),
        Err(SetupError::NoCredentials) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The keys cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No randomness for the key of session tickets.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
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
