//! Accounts: what instances of the Security and the Server object say together (OMA LwM2M Core, appendix E.1 and E.2).

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use thiserror::Error;

use super::{SECURITY, SERVER, is_bootstrap};
use crate::client::options::ClientSecurity;
use crate::client::path::Path;
use crate::client::tree::Tree;
use crate::client::value::Value;
use crate::dtls::{Login, Trust};
use crate::security::certificate;

/// How a device proves itself to a server (resource 2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    PreSharedKey,
    RawPublicKey,
    Certificate,
    NoSecurity,
}

/// A server that a device belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    pub mode: Mode,
    /// Host and port, as a name or an address.
    pub address: String,
    /// Identity of the pre-shared key, public key, or certificate.
    pub identity: Vec<u8>,
    /// The server's public key or certificate.
    pub server_key: Vec<u8>,
    /// The pre-shared key, or the private key.
    pub secret: Vec<u8>,
    /// Certificate usage (resource 15).
    pub usage: u8,
    /// 0 for a bootstrap server.
    pub short_id: u16,
    /// Lifetime of the registration in seconds; 0 for a bootstrap server.
    pub lifetime: u32,
    /// Seconds to wait before a bootstrap (resource 11).
    pub hold_off: u32,
}

/// Why what was written makes no accounts.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AccountError {
    #[error("there is no account of an LwM2M server")]
    None,
    #[error("/0/{0} has no usable URI: coap://HOST:PORT with NoSec, else coaps://HOST:PORT")]
    Uri(u16),
    #[error("/0/{0} has security mode {1}, available are 0, 1, 2 and 3")]
    Mode(u16, i64),
    #[error("/0/{0} lacks the keys of its security mode")]
    Keys(u16),
    #[error("/0/{0} has no Server instance with its Short Server ID and a lifetime")]
    Server(u16),
    #[error("/1/{0} has no Security instance with its Short Server ID")]
    Security(u16),
}

/// Ports of URIs without one (RFC 7252, section 6).
const PORT: u16 = 5_683;
const SECURE_PORT: u16 = 5_684;

/// The account of the bootstrap server, when there is one that can be used.
#[must_use]
pub fn bootstrap_account(tree: &Tree) -> Option<Account> {
    let security = tree.objects.get(&SECURITY)?;
    let mut instances = security.instances.keys().copied();
    let id = instances.find(|&id| is_bootstrap(tree, id))?;
    of_security(tree, id).ok()
}

/// The accounts of LwM2M servers, by the instances of the Security object: the check that ends a bootstrap.
///
/// # Errors
///
/// When there is none, or one is incomplete.
pub fn server_accounts(tree: &Tree) -> Result<Vec<Account>, AccountError> {
    let ids = |object| {
        let instances = tree.objects.get(&object).map(|object| &object.instances);
        instances.into_iter().flat_map(|i| i.keys().copied())
    };
    let mut accounts = Vec::new();
    for id in ids(SECURITY).filter(|&id| !is_bootstrap(tree, id)) {
        let mut account = of_security(tree, id)?;
        let short_id = number(tree, SECURITY, id, 10);
        let server = ids(SERVER)
            .find(|&server| short_id.is_some() && number(tree, SERVER, server, 0) == short_id);
        let lifetime = server.and_then(|server| number(tree, SERVER, server, 1));
        let lifetime = lifetime.and_then(|seconds| u32::try_from(seconds).ok());
        let short_id = short_id.and_then(|id| u16::try_from(id).ok());
        match (short_id, lifetime) {
            (Some(short_id @ 1..=0xFFFE), Some(lifetime @ 1..)) => {
                account.short_id = short_id;
                account.lifetime = lifetime;
            }
            _ => return Err(AccountError::Server(id)),
        }
        accounts.push(account);
    }
    for id in ids(SERVER) {
        let short_id = number(tree, SERVER, id, 0);
        if !accounts
            .iter()
            .any(|account| Some(i64::from(account.short_id)) == short_id)
        {
            return Err(AccountError::Security(id));
        }
    }
    if accounts.is_empty() {
        return Err(AccountError::None);
    }
    Ok(accounts)
}

fn of_security(tree: &Tree, id: u16) -> Result<Account, AccountError> {
    let mode = number(tree, SECURITY, id, 2).unwrap_or(3);
    let mode = match mode {
        0 => Mode::PreSharedKey,
        1 => Mode::RawPublicKey,
        2 => Mode::Certificate,
        3 => Mode::NoSecurity,
        _ => return Err(AccountError::Mode(id, mode)),
    };
    let uri = match tree.get(&Path::new(&[SECURITY, id, 0])) {
        Some(Value::Text(uri)) => uri,
        _ => return Err(AccountError::Uri(id)),
    };
    let address = address_of(uri, mode).ok_or(AccountError::Uri(id))?;
    let bytes = |resource| match tree.get(&Path::new(&[SECURITY, id, resource])) {
        Some(Value::Opaque(bytes)) => bytes.clone(),
        _ => Vec::new(),
    };
    let small = |resource, otherwise: u32| {
        let value = number(tree, SECURITY, id, resource);
        value
            .and_then(|value| u32::try_from(value).ok())
            .unwrap_or(otherwise)
    };
    let account = Account {
        mode,
        address,
        identity: bytes(3),
        server_key: bytes(4),
        secret: bytes(5),
        usage: u8::try_from(small(15, 3)).unwrap_or(3),
        short_id: 0,
        lifetime: 0,
        hold_off: small(11, 0),
    };
    let has_keys = !account.identity.is_empty() && !account.secret.is_empty();
    if mode != Mode::NoSecurity && !has_keys {
        return Err(AccountError::Keys(id));
    }
    Ok(account)
}

fn number(tree: &Tree, object: u16, instance: u16, resource: u16) -> Option<i64> {
    tree.get(&Path::new(&[object, instance, resource]))?
        .as_integer()
}

/// Host and port of a URI whose scheme fits the mode.
fn address_of(uri: &str, mode: Mode) -> Option<String> {
    let (scheme, port) = match mode {
        Mode::NoSecurity => ("coap://", PORT),
        _ => ("coaps://", SECURE_PORT),
    };
    let host = uri.strip_prefix(scheme)?.trim_end_matches('/');
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    if host.is_empty() || host.contains('/') {
        return None;
    }
    Some(match behind.rsplit_once(':') {
        Some((_, stated)) => {
            stated.parse::<u16>().ok()?;
            host.to_owned()
        }
        None => format!("{host}:{port}"),
    })
}

/// What a device proves itself with to the server of an account; `None` for plain CoAP. What an account does not say
/// (connection identifiers, suites, whom to trust without a key of the server) is as in `usual`.
///
/// # Errors
///
/// When the keys cannot be read.
pub fn login(
    account: &Account,
    usual: Option<&ClientSecurity>,
) -> Result<Option<ClientSecurity>, String> {
    let key = || {
        PKey::private_key_from_pkcs8(&account.secret)
            .or_else(|_| PKey::private_key_from_der(&account.secret))
            .map_err(|error| format!("the private key of the account: {error}"))
    };
    let parsed = |bytes: &[u8], what: &str| {
        certificate(bytes).ok_or_else(|| format!("{what} of the account is no certificate"))
    };
    let login = match account.mode {
        Mode::NoSecurity => return Ok(None),
        Mode::PreSharedKey => Login::Psk {
            identity: account.identity.clone(),
            key: account.secret.clone(),
        },
        Mode::RawPublicKey => Login::RawPublicKey(key()?),
        Mode::Certificate => Login::Certificate {
            certificate: parsed(&account.identity, "the device's certificate")?,
            issuers: Vec::new(),
            key: key()?,
        },
    };
    let is_usual = usual.is_some_and(|usual| usual.login.mode() == login.mode());
    let mut security = ClientSecurity::new(login);
    if let Some(usual) = usual {
        security.connection_id = usual.connection_id;
        security.resumes = usual.resumes;
        if is_usual {
            security.suites.clone_from(&usual.suites);
            security.trust = usual.trust.clone();
        }
    }
    match account.mode {
        _ if account.server_key.is_empty()
            || matches!(security.trust, Trust::Certificate { .. }) => {}
        Mode::RawPublicKey => {
            let key = PKey::public_key_from_der(&account.server_key);
            let key = key.map_err(|error| format!("the server's public key: {error}"))?;
            security.trust = Trust::PublicKey(key);
        }
        Mode::Certificate if account.usage >= 2 => {
            security.trust = Trust::Certificate {
                usage: account.usage,
                certificate: parsed(&account.server_key, "the server's certificate")?,
                anchors: Vec::new(),
            };
        }
        _ => {}
    }
    Ok(Some(security))
}

/// The resources of a Security instance for a server at `uri`.
///
/// # Errors
///
/// When OpenSSL cannot write the keys.
pub fn factory_values(
    uri: &str,
    security: Option<&ClientSecurity>,
) -> Result<Vec<(u16, Value)>, ErrorStack> {
    let mut values = vec![(0, Value::from(uri))];
    let (mode, identity, secret) = match security.map(|security| &security.login) {
        None => (3, Vec::new(), Vec::new()),
        Some(Login::Psk { identity, key }) => (0, identity.clone(), key.clone()),
        Some(Login::RawPublicKey(key)) => {
            (1, key.public_key_to_der()?, key.private_key_to_pkcs8()?)
        }
        Some(Login::Certificate {
            certificate, key, ..
        }) => (2, certificate.to_der()?, key.private_key_to_pkcs8()?),
    };
    let server_key = match security.map(|security| &security.trust) {
        Some(Trust::PublicKey(key)) => key.public_key_to_der()?,
        Some(Trust::Certificate { certificate, .. }) => certificate.to_der()?,
        _ => Vec::new(),
    };
    values.extend([
        (2, mode.into()),
        (3, identity.into()),
        (4, server_key.into()),
        (5, secret.into()),
    ]);
    Ok(values)
}
