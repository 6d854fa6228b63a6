//! `credentials.bootstrap`: what a device is given for its bootstrap server and its LwM2M servers.
//! Checked here, used by bootstrap alone: the device itself always proves its identity with the
//! `client` part.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::device::{
    DeviceCredentials, Mode, certificate, check_identity, mode, psk_key, public_key, text,
    wrong_type,
};
use super::error::CredentialsError;
use super::material;
use crate::services::profiles::device_objects;

const AT: &str = "credentials.bootstrap";

/// The two parts: member, name where it is absent, name in front of its rules.
const PARTS: [(&str, &str, &str); 2] = [
    ("bootstrapServer", "bootstrap server", "Bootstrap server"),
    ("lwm2mServer", "lwm2m server", "LwM2M server"),
];

/// Checks the bootstrap part, which is there.
pub(super) fn check(bootstrap: &Value) -> Result<(), CredentialsError> {
    let members = match bootstrap {
        Value::Object(members) => members,
        Value::Null => {
            let text = "LwM2M bootstrap credentials must be specified!";
            return Err(CredentialsError::rule(AT, text));
        }
        other => return Err(wrong_type(AT, "an object", other)),
    };
    for (name, absent, whose) in PARTS {
        let at = format!("{AT}.{name}");
        match members.get(name) {
            Some(Value::Object(server)) => check_server(server, &at, whose)?,
            None | Some(Value::Null) => {
                let text = format!("LwM2M {absent} credentials must be specified!");
                return Err(CredentialsError::rule(at, text));
            }
            Some(other) => return Err(wrong_type(&at, "an object", other)),
        }
    }
    match members.get("write") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(write)) => match device_objects(write) {
            Ok(_) => Ok(()),
            Err(fault) => Err(CredentialsError::rule(fault.member, fault.detail)),
        },
        Some(other) => Err(wrong_type(&format!("{AT}.write"), "an object", other)),
    }
}

fn check_server(
    server: &Map<String, Value>,
    at: &str,
    whose: &str,
) -> Result<(), CredentialsError> {
    match mode(server, at, "securityMode")? {
        Mode::NoSec | Mode::Unreadable => Ok(()),
        Mode::Psk => check_psk(server, at, whose),
        Mode::Rpk => check_rpk(server, at, whose),
        Mode::X509 => check_x509(server, at, whose),
    }
}

const IDENTITY: &str = "clientPublicKeyOrId";
const SECRET: &str = "clientSecretKey";

fn check_psk(server: &Map<String, Value>, at: &str, whose: &str) -> Result<(), CredentialsError> {
    let member = format!("{at}.{IDENTITY}");
    let identity = match server.get(IDENTITY) {
        Some(Value::String(identity)) if !identity.trim().is_empty() => identity,
        _ => {
            let text = "client PSK public key or id must be specified and must be an utf8 string!";
            return Err(CredentialsError::rule(member, format!("{whose} {text}")));
        }
    };
    if identity == Mode::NoSec.name() {
        let text = format!("{whose} client PSK public key or id must not be 'NO_SEC'!");
        return Err(CredentialsError::rule(member, text));
    }
    check_identity(identity, &member)?;
    let key = text(server, at, SECRET)?.unwrap_or_default();
    psk_key(key, &format!("{at}.{SECRET}"), whose).map(drop)
}

fn check_rpk(server: &Map<String, Value>, at: &str, whose: &str) -> Result<(), CredentialsError> {
    let member = format!("{at}.{IDENTITY}");
    let rule = |text: &str| CredentialsError::rule(member.as_str(), format!("{whose} {text}"));
    let key = text(server, at, IDENTITY)?.unwrap_or_default();
    if key.is_empty() {
        return Err(rule("client RPK public key or id must be specified!"));
    }
    public_key(key, &member, || {
        rule(
            "client RPK public key or id must be in standard [RFC7250 ] and then encoded to Base64 format!",
        )
    })?;
    check_secret(server, at, whose, "RPK")
}

fn check_x509(server: &Map<String, Value>, at: &str, whose: &str) -> Result<(), CredentialsError> {
    let member = format!("{at}.{IDENTITY}");
    let rule = |text: &str| CredentialsError::rule(member.as_str(), format!("{whose} {text}"));
    let given = text(server, at, IDENTITY)?.unwrap_or_default();
    if given.trim().is_empty() {
        return Err(rule("client X509 public key or id must be specified!"));
    }
    certificate(given, &member, || {
        rule(
            "client X509 public key or id must be in DER-encoded X509v3 format  and support only EC algorithm and then encoded to Base64 format!",
        )
    })?;
    check_secret(server, at, whose, "X509")
}

fn check_secret(
    server: &Map<String, Value>,
    at: &str,
    whose: &str,
    mode: &str,
) -> Result<(), CredentialsError> {
    let secret = text(server, at, SECRET)?.unwrap_or_default();
    let problem = if secret.trim().is_empty() {
        "must be specified!"
    } else if !material::armoured(secret).is_some_and(|der| material::is_private_key(&der)) {
        "must be in PKCS#8 format (DER encoding, standard [RFC5958]) and then encoded to Base64 format!"
    } else {
        return Ok(());
    };
    Err(CredentialsError::rule(
        format!("{at}.{SECRET}"),
        format!("{whose} client {mode} secret key {problem}"),
    ))
}

/// Whose account on a device credentials are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The bootstrap server's.
    BootstrapServer,
    /// That of the LwM2M servers, which share it.
    Lwm2mServer,
}

/// What a device is given for an account.
pub struct AccountCredentials {
    /// Security mode.
    pub mode: Mode,
    /// PSK identity, SubjectPublicKeyInfo or certificate.
    pub identity: Vec<u8>,
    /// Pre-shared key, or private key in PKCS#8.
    pub secret: Zeroizing<Vec<u8>>,
}

/// Without the secret.
impl std::fmt::Debug for AccountCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountCredentials({})", self.mode.name())
    }
}

impl AccountCredentials {
    fn none() -> Self {
        Self {
            mode: Mode::NoSec,
            identity: Vec::new(),
            secret: Zeroizing::default(),
        }
    }

    /// Reads those of a role. Without `bootstrap` a device without security gets none, and one with a
    /// pre-shared key the one of its `client` part; `None` where the private key of the device is not
    /// known, or what is stored cannot be read.
    #[must_use]
    pub fn of(credentials: Option<&Value>, role: Role) -> Option<Self> {
        let Some(credentials) = credentials else {
            return Some(Self::none());
        };
        let name = match role {
            Role::BootstrapServer => "bootstrapServer",
            Role::Lwm2mServer => "lwm2mServer",
        };
        let given = credentials
            .get("bootstrap")
            .and_then(|given| given.get(name));
        match given {
            Some(Value::Object(server)) => Self::read(server),
            _ => Self::of_client(credentials),
        }
    }

    fn read(server: &Map<String, Value>) -> Option<Self> {
        let text = |name| server.get(name).and_then(Value::as_str);
        let mode = Mode::named(text("securityMode")?)?;
        let (identity, secret) = match mode {
            Mode::Psk => {
                let key = psk_key(text(SECRET)?, SECRET, "").ok()?;
                (text(IDENTITY)?.as_bytes().to_vec(), key)
            }
            Mode::Rpk | Mode::X509 => {
                let identity = material::armoured(text(IDENTITY)?)?;
                (identity.to_vec(), material::armoured(text(SECRET)?)?)
            }
            Mode::NoSec | Mode::Unreadable => return Some(Self::none()),
        };
        Some(Self {
            mode,
            identity,
            secret,
        })
    }

    fn of_client(credentials: &Value) -> Option<Self> {
        match DeviceCredentials::of_stored(Some(credentials)).ok()? {
            DeviceCredentials::NoSec => Some(Self::none()),
            DeviceCredentials::Psk { identity, key } => Some(Self {
                mode: Mode::Psk,
                identity: identity.into_bytes(),
                secret: key,
            }),
            _ => None,
        }
    }
}
