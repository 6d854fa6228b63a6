//! What the server shows, and the OpenSSL contexts made of it.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::ffi;
use super::handshake::negotiation;
use super::suite::{Cbc, Kind, Offer};
use super::{Curve, Suite};

/// What the server can prove and takes. Shared by all shards.
#[derive(Clone, Default)]
pub struct ServerCredentials {
    /// Take clients with pre-shared keys.
    pub psk: bool,
    /// Key shown as a raw public key (RFC 7250), on P-256 or P-384.
    pub raw_public_key: Option<PKey<Private>>,
    /// Certificates shown, the leaf first, and its key, on P-256 or P-384.
    pub certificate: Option<ServerIdentity>,
    /// Session tickets under this key; `None`: none are given out or taken.
    pub ticket_key: Option<TicketKey>,
    /// Sessions that can be resumed by id, with pre-shared keys, about 1 KB each; with raw public
    /// keys (5 KB) and certificates (7 KB) a fifth as many; and for hellos with encrypt-then-MAC as
    /// many again. They are behind a lock that all shards share, and lost at restart and with new
    /// credentials of the server. 0: none, tickets only.
    pub session_ids: u16,
}

/// A chain and the key of its leaf.
#[derive(Clone)]
pub struct ServerIdentity {
    /// The leaf first.
    pub chain: Vec<X509>,
    /// The leaf's key.
    pub key: PKey<Private>,
}

/// Protects session tickets: 80 random bytes, the same on every shard and node. Tickets under an
/// older key lead to a full handshake.
#[derive(Clone)]
pub struct TicketKey(pub Zeroizing<[u8; 80]>);

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

impl fmt::Debug for ServerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCredentials")
            .field("psk", &self.psk)
            .field("raw_public_key", &self.raw_public_key.is_some())
            .field("certificate", &self.certificate.is_some())
            .field("tickets", &self.ticket_key.is_some())
            .finish()
    }
}

/// Why a server cannot be made of its credentials.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Nothing to authenticate with.
    #[error("no credentials: enable pre-shared keys, or give a raw public key or a certificate")]
    NoCredentials,
    /// A key that devices would not take.
    #[error("the key of the {0} must be on curve P-256 or P-384")]
    Curve(&'static str),
    /// An identity without certificates.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// Out of range.
    #[error("the length of connection identifiers must be 0 to 16 bytes, not {0}")]
    CidLength(u8),
    /// Out of range.
    #[error("the MTU of handshakes must be 256 to 16384 bytes, not {0}")]
    Mtu(u32),
    /// OpenSSL lacks a suite of the record layer.
    #[error("OpenSSL does not know the suite {0}")]
    Suite(&'static str),
    /// OpenSSL refused.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// OpenSSL contexts for every kind of hello. Build once, off the shards; share by `Arc`.
pub struct ServerContexts {
    psk: Option<Pair>,
    raw_public_key: Option<Pair>,
    certificate: Option<Pair>,
}

/// The same with and without CBC: a client without encrypt-then-MAC gets it only if it has nothing
/// else, and only the choice of a context keeps OpenSSL from agreeing to it with others.
struct Pair {
    with_cbc: SslContext,
    without_cbc: SslContext,
}

impl ServerContexts {
    /// Contexts for `credentials`.
    ///
    /// # Errors
    ///
    /// Credentials that cannot be used, see [`SetupError`].
    pub fn build(credentials: &ServerCredentials) -> Result<Self, SetupError> {
        let ServerCredentials {
            psk,
            raw_public_key,
            certificate,
            ..
        } = credentials;
        if !psk && raw_public_key.is_none() && certificate.is_none() {
            return Err(SetupError::NoCredentials);
        }
        if raw_public_key
            .as_ref()
            .is_some_and(|key| Curve::of(key).is_none())
        {
            return Err(SetupError::Curve("raw public key"));
        }
        if certificate
            .as_ref()
            .is_some_and(|own| Curve::of(&own.key).is_none())
        {
            return Err(SetupError::Curve("certificate"));
        }
        let pair = |kind: Kind| -> Result<Pair, SetupError> {
            Ok(Pair {
                with_cbc: context(kind, true, credentials)?,
                without_cbc: context(kind, false, credentials)?,
            })
        };
        let wanted = |wanted: bool, kind| wanted.then(|| pair(kind)).transpose();
        Ok(Self {
            psk: wanted(*psk, Kind::Psk)?,
            raw_public_key: wanted(raw_public_key.is_some(), Kind::RawPublicKey)?,
            certificate: wanted(certificate.is_some(), Kind::Certificate)?,
        })
    }

    pub(super) const fn offer(&self) -> Offer {
        Offer {
            psk: self.psk.is_some(),
            raw_public_key: self.raw_public_key.is_some(),
            certificate: self.certificate.is_some(),
        }
    }

    pub(super) fn context(&self, kind: Kind, cbc: Cbc) -> Option<&SslContext> {
        let pair = match kind {
            Kind::Psk => self.psk.as_ref(),
            Kind::RawPublicKey => self.raw_public_key.as_ref(),
            Kind::Certificate => self.certificate.as_ref(),
        }?;
        Some(match cbc {
            Cbc::Without => &pair.without_cbc,
            Cbc::EncryptThenMac | Cbc::MacThenEncrypt => &pair.with_cbc,
        })
    }
}

impl fmt::Debug for ServerContexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerContexts({:?})", self.offer())
    }
}

/// Most bytes of certificates taken from a peer.
const MAX_CERTIFICATES: u16 = 16_384;

fn context(
    kind: Kind,
    cbc: bool,
    credentials: &ServerCredentials,
) -> Result<SslContext, SetupError> {
    let mut ctx = SslContext::builder(SslMethod::dtls_server())?;
    ctx.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    ctx.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
    set_suites(&mut ctx, kind, cbc)?;
    ctx.set_options(
        SslOptions::NO_QUERY_MTU
            | SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_RENEGOTIATION,
    );
    // OpenSSL holds 16 KiB less per handshake.
    ctx.set_mode(SslMode::RELEASE_BUFFERS);
    ctx.set_session_id_context(match kind {
        Kind::Psk => b"psk",
        Kind::RawPublicKey => b"rpk",
        Kind::Certificate => b"x509",
    })?;
    // `DTLSv1_listen` asks for it; the cookie was verified before OpenSSL saw the hello.
    ctx.set_cookie_verify_cb(|_, _| true);
    negotiation::install(&mut ctx)?;
    match &credentials.ticket_key {
        Some(key) => ffi::set_ticket_key(&mut ctx, &key.0)?,
        None => {
            ctx.set_options(SslOptions::NO_TICKET);
        }
    }
    if credentials.session_ids == 0 {
        ctx.set_session_cache_mode(SslSessionCacheMode::OFF);
    } else {
        ctx.set_session_cache_mode(SslSessionCacheMode::SERVER);
        let psk = credentials.session_ids;
        let most = if kind == Kind::Psk { psk } else { psk / 5 };
        // To OpenSSL 0 is no bound.
        ctx.set_session_cache_size(i32::from(most.max(1)));
    }
    match kind {
        Kind::Psk => negotiation::answer_with_key(&mut ctx),
        Kind::RawPublicKey | Kind::Certificate => show(&mut ctx, kind, credentials)?,
    }
    Ok(ctx.build())
}

/// Level 0 since OpenSSL rates an 8-byte tag below its default; nothing but these suites, and the
/// curves and signatures of [`show`], is offered. Every name listed is of the record layer's own
/// list, and one by one they show that OpenSSL knows them.
fn set_suites(ctx: &mut SslContextBuilder, kind: Kind, cbc: bool) -> Result<(), SetupError> {
    let mut list = String::new();
    for suite in Suite::ALL {
        if suite.is_psk() != (kind == Kind::Psk) || (suite.is_cbc() && !cbc) {
            continue;
        }
        ctx.set_cipher_list(&format!("{}:@SECLEVEL=0", suite.name()))
            .map_err(|_| SetupError::Suite(suite.name()))?;
        list.push_str(suite.name());
        list.push(':');
    }
    ctx.set_cipher_list(&format!("{list}@SECLEVEL=0"))?;
    Ok(())
}

/// What the server shows of itself, and that peers must show something: what, is looked at when
/// the handshake hands it out.
fn show(
    ctx: &mut SslContextBuilder,
    kind: Kind,
    credentials: &ServerCredentials,
) -> Result<(), SetupError> {
    if kind == Kind::RawPublicKey {
        if let Some(key) = &credentials.raw_public_key {
            ctx.set_private_key(key)?;
        }
    } else if let Some(own) = &credentials.certificate {
        let (leaf, rest) = own.chain.split_first().ok_or(SetupError::EmptyChain)?;
        ctx.set_certificate(leaf)?;
        for certificate in rest {
            ctx.add_extra_chain_cert(certificate.clone())?;
        }
        ctx.set_private_key(&own.key)?;
        ctx.check_private_key()?;
    }
    ffi::set_certificate_types(ctx, kind == Kind::RawPublicKey)?;
    ffi::set_max_certificate_bytes(ctx, MAX_CERTIFICATES);
    ctx.set_groups_list("P-256:P-384")?;
    ctx.set_sigalgs_list("ECDSA+SHA256:ECDSA+SHA384")?;
    let both = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
    ctx.set_verify_callback(both, |_, _| true);
    Ok(())
}
