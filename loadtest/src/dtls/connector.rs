//! What all devices with the same kind of credentials share: OpenSSL's context.

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    ExtensionContext, Ssl, SslAlert, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslVersion,
};
use std::sync::LazyLock;
use thiserror::Error;

use super::cid::Cid;
use super::ffi;
use super::handshake::{Handshake, HandshakeError};
use super::login::{Login, Mode};
use super::trust::Trust;
use crate::clock::Micros;

/// Extension `connection_id` (RFC 9146 §3).
const CONNECTION_ID: u16 = 54;
/// What a datagram of a handshake may hold.
const MTU: u32 = 1_200;
/// The longest identity and the longest key that OpenSSL takes.
const LONGEST_IDENTITY: usize = 256;
const LONGEST_KEY: usize = 512;

/// How devices make themselves known.
#[derive(Clone, Debug)]
pub struct ConnectorOptions {
    /// Their kind of credentials.
    pub mode: Mode,
    /// Which server is the right one.
    pub trust: Trust,
    /// Whether connection identifiers are offered.
    pub connection_id: bool,
    /// Whether handshakes leave what a later one resumes the session with. Otherwise no ticket is asked for.
    pub resumption: bool,
    /// Suites by their OpenSSL names, colons between them; `None`: all that there are for the mode.
    pub suites: Option<String>,
    /// How long a handshake may take.
    pub handshake_timeout: Micros,
}

/// Starts handshakes.
pub struct Connector {
    context: SslContext,
    options: ConnectorOptions,
}

/// Why a connector cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// OpenSSL refused the options.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// A suite that there is no record protection for, or that is not for the mode.
    #[error("no suite {name:?} for these credentials; there are {known}")]
    Suite { name: String, known: String },
}

/// What belongs to one handshake and is asked for by the callbacks.
#[derive(Default)]
pub(super) struct Attached {
    identity: Vec<u8>,
    key: Vec<u8>,
    /// What the server is told to put on its records.
    own: Option<Cid>,
    /// What the server wants on ours, once it has said so.
    pub(super) negotiated: Option<Cid>,
    /// Whether the session is to be resumed later.
    pub(super) resumption: bool,
}

static ATTACHED: LazyLock<Option<Index<Ssl, Attached>>> =
    LazyLock::new(|| Ssl::new_ex_index().ok());

impl ConnectorOptions {
    /// Any server, identifiers offered, resumption, all suites, a minute for a handshake.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self {
            mode,
            trust: Trust::Anyone,
            connection_id: true,
            resumption: true,
            suites: None,
            handshake_timeout: 60_000_000,
        }
    }
}

impl Connector {
    /// Sets OpenSSL up.
    ///
    /// # Errors
    /// [`ConnectorError`], when it does not take the options or a suite is unknown.
    pub fn new(options: ConnectorOptions) -> Result<Self, ConnectorError> {
        let suites = suites(&options)?;
        let mut ctx = SslContext::builder(SslMethod::dtls_client())?;
        ctx.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        ctx.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
        // OpenSSL counts CCM-8 as 64 bits of security, which only level 0 admits.
        ctx.set_cipher_list(&format!("{suites}:@SECLEVEL=0"))?;
        ctx.set_options(SslOptions::NO_QUERY_MTU | SslOptions::NO_RENEGOTIATION);
        if !options.resumption {
            ctx.set_options(SslOptions::NO_TICKET);
        }
        ctx.set_mode(SslMode::RELEASE_BUFFERS);
        ctx.set_session_cache_mode(SslSessionCacheMode::OFF);
        if options.connection_id {
            offer_connection_ids(&mut ctx)?;
        }
        match options.mode {
            Mode::Psk => tell_pre_shared_keys(&mut ctx),
            Mode::RawPublicKey => {
                ctx.set_groups_list("P-256")?;
                ffi::use_raw_public_keys(&mut ctx)?;
                ffi::allow_expectations(&mut ctx)?;
            }
            Mode::Certificate => ctx.set_groups_list("P-256")?,
        }
        options.trust.prepare(&mut ctx)?;
        Ok(Self {
            context: ctx.build(),
            options,
        })
    }

    /// Begins a handshake; its first datagrams are in its outbox. `own` is the identifier that the server is to put on
    /// its records (empty: none), `resume` a session that an earlier handshake left.
    ///
    /// # Errors
    /// [`HandshakeError`], when OpenSSL does not take the credentials.
    pub fn start(
        &self,
        login: &Login,
        own: &[u8],
        resume: Option<&[u8]>,
        now: Micros,
    ) -> Result<Handshake, HandshakeError> {
        let own = Cid::new(own).ok_or(HandshakeError::LongConnectionId)?;
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_connect_state();
        ssl.set_mtu(MTU)?;
        let mut attached = Attached {
            own: self.options.connection_id.then(|| own.clone()),
            resumption: self.options.resumption,
            ..Attached::default()
        };
        match login {
            Login::Psk { identity, key } => {
                let fit = identity.len() <= LONGEST_IDENTITY && key.len() <= LONGEST_KEY;
                // OpenSSL takes the identity for a C string.
                if !fit || identity.contains(&0) || key.is_empty() {
                    return Err(HandshakeError::UnusableKey);
                }
                attached.identity.clone_from(identity);
                attached.key.clone_from(key);
            }
            Login::RawPublicKey(key) => ssl.set_private_key(key)?,
            Login::Certificate {
                certificate,
                issuers,
                key,
            } => {
                ssl.set_certificate(certificate)?;
                ssl.set_private_key(key)?;
                for issuer in issuers {
                    ssl.add_chain_cert(issuer.clone())?;
                }
            }
        }
        if let Trust::PublicKey(key) = &self.options.trust {
            ffi::expect_raw_public_key(&mut ssl, key)?;
        }
        if let Some(session) = resume {
            ffi::resume(&mut ssl, session)?;
        }
        let index = ATTACHED.ok_or(HandshakeError::NoRoom)?;
        ssl.set_ex_data(index, attached);
        Handshake::begin(ssl, own, now, self.options.handshake_timeout)
    }
}

/// What was attached to a handshake.
pub(super) fn attached(ssl: &openssl::ssl::SslRef) -> Option<&Attached> {
    ssl.ex_data((*ATTACHED)?)
}

fn offer_connection_ids(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    ctx.add_custom_ext(
        CONNECTION_ID,
        ExtensionContext::DTLS_ONLY
            | ExtensionContext::TLS1_2_AND_BELOW_ONLY
            | ExtensionContext::CLIENT_HELLO
            | ExtensionContext::TLS1_2_SERVER_HELLO,
        |ssl, _, _| Ok(attached(ssl).and_then(|attached| Some(attached.own.as_ref()?.extension()))),
        |ssl, _, value, _| {
            let cid = Cid::from_extension(value).ok_or(SslAlert::DECODE_ERROR)?;
            let attached = (*ATTACHED).and_then(|index| ssl.ex_data_mut(index));
            attached.ok_or(SslAlert::INTERNAL_ERROR)?.negotiated = Some(cid);
            Ok(())
        },
    )
}

fn tell_pre_shared_keys(ctx: &mut SslContextBuilder) {
    ctx.set_psk_client_callback(|ssl, _, identity_out, key_out| {
        let Some(attached) = attached(ssl) else {
            return Ok(0);
        };
        let (identity, key) = (&attached.identity, &attached.key);
        if identity.len() >= identity_out.len() || key.len() > key_out.len() {
            return Ok(0);
        }
        identity_out[..identity.len()].copy_from_slice(identity);
        identity_out[identity.len()] = 0;
        key_out[..key.len()].copy_from_slice(key);
        Ok(key.len())
    });
}

const PSK: [(&str, &str); 3] = [
    ("PSK-AES128-CCM8", "TLS_PSK_WITH_AES_128_CCM_8"),
    ("PSK-AES128-CCM", "TLS_PSK_WITH_AES_128_CCM"),
    ("PSK-AES128-GCM-SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256"),
];
const ECDSA: [(&str, &str); 3] = [
    (
        "ECDHE-ECDSA-AES128-CCM8",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
    ),
    ("ECDHE-ECDSA-AES128-CCM", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
];

/// The suites to offer; names are taken in OpenSSL's form and in that of the registry.
fn suites(options: &ConnectorOptions) -> Result<String, ConnectorError> {
    let known = match options.mode {
        Mode::Psk => &PSK,
        Mode::RawPublicKey | Mode::Certificate => &ECDSA,
    };
    let all = || known.map(|(name, _)| name).join(":");
    let Some(wanted) = &options.suites else {
        return Ok(all());
    };
    let named = wanted.split([':', ',']).map(|name| {
        let name = name.trim();
        let found = known
            .iter()
            .find(|(ours, registered)| name == *ours || name == *registered);
        found
            .map(|(ours, _)| *ours)
            .ok_or_else(|| ConnectorError::Suite {
                name: name.to_owned(),
                known: all().replace(':', ", "),
            })
    });
    Ok(named.collect::<Result<Vec<_>, _>>()?.join(":"))
}
