//! The credentials of one device as ThingsBoard's LwM2M device JSON states them: the rules and what
//! they say.

use openssl::sha::sha256;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::CredentialsError;
use super::material::{self, CertificateHash, KeyHash, MAX_IDENTITY_BYTES, Unusable};
use super::{bootstrap, material::Curve};
use crate::services::profiles::{is_certificate, is_public_key};

/// How a device proves who it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mode {
    /// Not at all: plain CoAP.
    NoSec,
    /// A pre-shared key.
    Psk,
    /// A raw public key (RFC 7250).
    Rpk,
    /// An X.509 certificate.
    X509,
    /// What is stored for it cannot be read: it may register in no way.
    Unreadable,
}

impl Mode {
    /// The modes a device can be given.
    pub const ALL: [Self; 4] = [Self::NoSec, Self::Psk, Self::Rpk, Self::X509];

    /// ThingsBoard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSec => "NO_SEC",
            Self::Psk => "PSK",
            Self::Rpk => "RPK",
            Self::X509 => "X509",
            Self::Unreadable => "UNREADABLE",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// `one of NO_SEC, …`
    pub(super) fn accepted() -> String {
        format!("one of {}", Self::ALL.map(Self::name).join(", "))
    }
}

/// What a device proves its identity with.
#[derive(Clone, Eq, PartialEq)]
pub enum DeviceCredentials {
    /// Nothing.
    NoSec,
    /// A pre-shared key.
    Psk {
        /// Identity, UTF-8 without NUL, 1 to [`MAX_IDENTITY_BYTES`] bytes.
        identity: String,
        /// Key of 16, 32 or 64 bytes.
        key: Zeroizing<Vec<u8>>,
    },
    /// A raw public key.
    Rpk {
        /// The key.
        key: KeyHash,
        /// See [`Revocation::wire`](super::Revocation::wire).
        wire: u64,
    },
    /// A certificate that is stored.
    X509 {
        /// The certificate.
        certificate: CertificateHash,
        /// Its key.
        key: KeyHash,
        /// See [`Revocation::wire`](super::Revocation::wire).
        wire: u64,
    },
    /// Any certificate of the trust store whose common name is the endpoint.
    Trusted,
    /// Something that cannot be read.
    Unreadable,
}

impl DeviceCredentials {
    /// The security mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::NoSec => Mode::NoSec,
            Self::Psk { .. } => Mode::Psk,
            Self::Rpk { .. } => Mode::Rpk,
            Self::X509 { .. } | Self::Trusted => Mode::X509,
            Self::Unreadable => Mode::Unreadable,
        }
    }

    /// Reads `credentials` of a device; none at all is [`Self::NoSec`].
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn read(credentials: Option<&Value>) -> Result<Self, CredentialsError> {
        let Some(credentials) = credentials else {
            return Ok(Self::NoSec);
        };
        let members = document(credentials)?;
        let read = client_credentials(client_of(members)?)?;
        if let Some(given) = members.get("bootstrap") {
            bootstrap::check(given)?;
        }
        Ok(read)
    }

    /// Reads `credentials` that were accepted once, by whatever rules held then: only how the device
    /// proves its identity counts.
    pub(in crate::services) fn of_stored(
        credentials: Option<&Value>,
    ) -> Result<Self, CredentialsError> {
        client(credentials)?.map_or(Ok(Self::NoSec), client_credentials)
    }
}

/// Which kind, and nothing of the key.
impl std::fmt::Debug for DeviceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceCredentials({})", self.mode().name())
    }
}

/// The `client` part of credentials; `None` when there are no credentials at all.
///
/// # Errors
/// It is none.
pub fn client(
    credentials: Option<&Value>,
) -> Result<Option<&Map<String, Value>>, CredentialsError> {
    let client = |credentials| client_of(document(credentials)?);
    credentials.map(client).transpose()
}

fn document(credentials: &Value) -> Result<&Map<String, Value>, CredentialsError> {
    match credentials {
        Value::Object(members) => Ok(members),
        Value::String(text) if text.trim().is_empty() => Err(CredentialsError::rule(
            "credentials",
            "LwM2M credentials must be specified!",
        )),
        _ => Err(CredentialsError::rule(
            "credentials",
            "Invalid credentials body for LwM2M credentials!",
        )),
    }
}

fn client_of(members: &Map<String, Value>) -> Result<&Map<String, Value>, CredentialsError> {
    match members.get("client") {
        Some(Value::Object(client)) => Ok(client),
        None | Some(Value::Null) => Err(CredentialsError::rule(
            "credentials.client",
            "LwM2M client credentials must be specified!",
        )),
        Some(other) => Err(wrong_type("credentials.client", "an object", other)),
    }
}

fn client_credentials(client: &Map<String, Value>) -> Result<DeviceCredentials, CredentialsError> {
    const AT: &str = "credentials.client";
    let mode = mode(client, AT, "securityConfigClientMode")?;
    if let Some(endpoint) = text(client, AT, "endpoint")?
        && endpoint.trim().is_empty()
    {
        return Err(CredentialsError::rule(
            "credentials.client.endpoint",
            "LwM2M client endpoint must be specified!",
        ));
    }
    match mode {
        Mode::Psk => psk(client),
        Mode::Rpk => {
            let key = text(client, AT, "key")?.unwrap_or_default();
            let rule = |text: &str| CredentialsError::rule("credentials.client.key", text);
            if key.trim().is_empty() {
                return Err(rule("LwM2M client RPK key must be specified!"));
            }
            let (key, der) = public_key(key, "credentials.client.key", || {
                rule(
                    "LwM2M client RPK key must be in standard [RFC7250] and support only EC algorithm and then encoded to Base64 format!",
                )
            })?;
            let wire = material::wire_fingerprint(1, &der);
            Ok(DeviceCredentials::Rpk { key, wire })
        }
        Mode::X509 => {
            let text = text(client, AT, "cert")?.unwrap_or_default();
            if text.trim().is_empty() {
                return Ok(DeviceCredentials::Trusted);
            }
            let (key, der) = certificate(text, "credentials.client.cert", || {
                CredentialsError::rule(
                    "credentials.client.cert",
                    "LwM2M client X509 certificate must be in DER-encoded X509v3 format and support only EC algorithm and then encoded to Base64 format!",
                )
            })?;
            Ok(DeviceCredentials::X509 {
                certificate: sha256(&der),
                key,
                wire: material::wire_fingerprint(2, &der),
            })
        }
        Mode::NoSec | Mode::Unreadable => Ok(DeviceCredentials::NoSec),
    }
}

fn psk(client: &Map<String, Value>) -> Result<DeviceCredentials, CredentialsError> {
    const IDENTITY: &str = "credentials.client.identity";
    const MISSING: &str = "LwM2M client PSK identity must be specified and must be an utf8 string!";
    let identity = match client.get("identity") {
        Some(Value::String(identity)) if !identity.trim().is_empty() => identity,
        _ => return Err(CredentialsError::rule(IDENTITY, MISSING)),
    };
    if identity == Mode::NoSec.name() {
        return Err(CredentialsError::rule(
            IDENTITY,
            "The PSK ID of the LwM2M client must not be 'NO_SEC'!",
        ));
    }
    check_identity(identity, IDENTITY)?;
    let key = text(client, "credentials.client", "key")?.unwrap_or_default();
    let key = psk_key(key, "credentials.client.key", "LwM2M")?;
    Ok(DeviceCredentials::Psk {
        identity: identity.clone(),
        key,
    })
}

/// What TLS libraries cannot carry is refused before a device is sent into the field with it.
pub(super) fn check_identity(identity: &str, member: &str) -> Result<(), CredentialsError> {
    let problem = if identity.len() > MAX_IDENTITY_BYTES {
        format!("has {} bytes", identity.len())
    } else if identity.chars().any(char::is_control) {
        "has a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(CredentialsError::of_member(
        member,
        format!(
            "{problem}; accepted are 1 to {MAX_IDENTITY_BYTES} bytes of UTF-8 without control characters"
        ),
    ))
}

/// A pre-shared key in hexadecimal digits: 32, 64 or 128 of them.
pub(super) fn psk_key(
    key: &str,
    member: &str,
    whose: &str,
) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    let rule = |text: String| CredentialsError::rule(member, format!("{whose} client PSK {text}"));
    if key.trim().is_empty() {
        return Err(rule("key must be specified!".to_owned()));
    }
    if !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(rule(
            "key must be random sequence in hex encoding!".to_owned(),
        ));
    }
    let digits = key.len();
    if ![32, 64, 128].contains(&digits) {
        return Err(rule(format!(
            "key length = {digits}. Key must be HexDec format: 32, 64, 128 characters!"
        )));
    }
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(key.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| rule("key must be random sequence in hex encoding!".to_owned()))
}

/// A SubjectPublicKeyInfo in Base64: its hash and its DER.
pub(super) fn public_key(
    text: &str,
    member: &str,
    malformed: impl Fn() -> CredentialsError,
) -> Result<(KeyHash, Zeroizing<Vec<u8>>), CredentialsError> {
    let der = material::armoured(text)
        .filter(|der| is_public_key(der))
        .ok_or_else(&malformed)?;
    let key =
        material::public_key_hash(&der).map_err(|fault| unusable(fault, member, malformed))?;
    Ok((key, der))
}

/// A certificate in Base64 of DER: the hash of its key and its DER.
pub(super) fn certificate(
    text: &str,
    member: &str,
    malformed: impl Fn() -> CredentialsError,
) -> Result<(KeyHash, Zeroizing<Vec<u8>>), CredentialsError> {
    let der = material::armoured(text)
        .filter(|der| is_certificate(der))
        .ok_or_else(&malformed)?;
    let key =
        material::certified_key_hash(&der).map_err(|fault| unusable(fault, member, malformed))?;
    Ok((key, der))
}

fn unusable(
    fault: Unusable,
    member: &str,
    malformed: impl Fn() -> CredentialsError,
) -> CredentialsError {
    match fault {
        Unusable::Malformed => malformed(),
        Unusable::Algorithm => CredentialsError::of_member(
            member,
            format!(
                "is on a curve that DTLS here does not use; accepted are {}",
                Curve::ACCEPTED
            ),
        ),
    }
}

/// The security mode under `name`.
pub(super) fn mode(
    members: &Map<String, Value>,
    at: &str,
    name: &str,
) -> Result<Mode, CredentialsError> {
    let member = format!("{at}.{name}");
    let accepted = Mode::accepted();
    match members.get(name) {
        Some(Value::String(text)) => Mode::named(text).ok_or_else(|| {
            CredentialsError::of_member(member, format!("is \"{text}\"; accepted is {accepted}"))
        }),
        None | Some(Value::Null) => Err(CredentialsError::of_member(
            member,
            format!("is missing; accepted is {accepted}"),
        )),
        Some(other) => Err(wrong_type(&member, &accepted, other)),
    }
}

/// A member that is a string, if it is there.
pub(super) fn text<'a>(
    members: &'a Map<String, Value>,
    at: &str,
    name: &str,
) -> Result<Option<&'a str>, CredentialsError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(&format!("{at}.{name}"), "a string", other)),
    }
}

pub(super) fn wrong_type(member: &str, accepted: &str, found: &Value) -> CredentialsError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    CredentialsError::of_member(member, format!("is {found}; accepted is {accepted}"))
}
