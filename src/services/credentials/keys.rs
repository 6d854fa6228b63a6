//! Keys and certificates of the server, and what it takes from devices.

use std::path::PathBuf;

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::files::{self, KeyFileError};
use super::material::{self, KeyHash};
use super::trust::TrustStore;

/// Which security modes are served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Modes {
    /// Pre-shared keys.
    pub psk: bool,
    /// Raw public keys.
    pub rpk: bool,
    /// Certificates.
    pub x509: bool,
}

impl Default for Modes {
    /// All.
    fn default() -> Self {
        Self {
            psk: true,
            rpk: true,
            x509: true,
        }
    }
}

/// Where the keys of the server are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySettings {
    /// Which modes are served.
    pub modes: Modes,
    /// Whether certificates of devices must be valid at the time.
    pub check_dates: bool,
    /// The private key; in PKCS#12 its certificates too.
    pub server_key: Option<PathBuf>,
    /// The certificate, and those above it.
    pub server_certificate: Option<PathBuf>,
    /// Holds the password of `server_key`.
    pub server_key_password: Option<PathBuf>,
    /// Certificates of authorities whose devices are believed.
    pub trust_store: Option<PathBuf>,
    /// Holds the password of `trust_store`.
    pub trust_store_password: Option<PathBuf>,
}

impl Default for KeySettings {
    /// All modes, no files.
    fn default() -> Self {
        Self {
            modes: Modes::default(),
            check_dates: true,
            server_key: None,
            server_certificate: None,
            server_key_password: None,
            trust_store: None,
            trust_store_password: None,
        }
    }
}

/// What the server proves its own identity with. Without it only pre-shared keys can be served.
#[derive(Clone)]
pub struct ServerKeys {
    /// Private key on P-256 or P-384; its public part is the raw public key of the server.
    pub key: PKey<Private>,
    /// Certificate of the key first, then those above it; empty for a raw public key alone.
    pub chain: Vec<X509>,
}

/// Without the key.
impl std::fmt::Debug for ServerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerKeys({} certificates)", self.chain.len())
    }
}

impl ServerKeys {
    fn hash(&self) -> Option<KeyHash> {
        material::hash_of(&self.key).ok()
    }
}

/// What is in force.
#[derive(Debug)]
pub struct Keys {
    /// Which modes are served.
    pub modes: Modes,
    /// Whether certificates of devices must be valid at the time.
    pub check_dates: bool,
    /// The server's own.
    pub server: Option<ServerKeys>,
    /// Whose certificates are believed.
    pub trust: Option<TrustStore>,
}

impl Default for Keys {
    /// Those of no files: pre-shared keys, and certificates and public keys once the server has a key.
    fn default() -> Self {
        Self {
            modes: Modes::default(),
            check_dates: true,
            server: None,
            trust: None,
        }
    }
}

/// What a reload changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyChange {
    /// Private key or certificates of the server: the contexts of handshakes are to be made anew.
    Server,
    /// The trust store. Session tickets are to get a new key, so that nobody resumes who would not
    /// be believed any more.
    TrustStore,
    /// Which modes are served: the contexts of handshakes are to be made anew.
    Modes,
    /// Whether dates are checked.
    CheckDates,
}

impl KeyChange {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(self) -> &'static str {
        match self {
            Self::Server => "server_key",
            Self::TrustStore => "trust_store",
            Self::Modes => "modes",
            Self::CheckDates => "check_dates",
        }
    }
}

impl Keys {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn load(settings: &KeySettings) -> Result<Self, KeyFileError> {
        let key_password = files::password(settings.server_key_password.as_deref())?;
        let server = match (&settings.server_key, &settings.server_certificate) {
            (Some(key), certificate) => Some(files::server_keys(
                key,
                certificate.as_deref(),
                &key_password,
            )?),
            (None, Some(certificate)) => {
                let path = certificate.clone();
                return Err(KeyFileError::CertificateWithoutKey { path });
            }
            (None, None) => None,
        };
        let trust_password = files::password(settings.trust_store_password.as_deref())?;
        let trust = settings.trust_store.as_ref();
        let trust = trust
            .map(|path| files::trust_store(path, &trust_password))
            .transpose()?;
        Ok(Self {
            modes: settings.modes,
            check_dates: settings.check_dates,
            server,
            trust,
        })
    }

    /// What is different in `newer`.
    pub(super) fn changes(&self, newer: &Self) -> Vec<KeyChange> {
        let key = |keys: &Self| keys.server.as_ref().map(ServerKeys::hash);
        let chain = |keys: &Self| keys.server.as_ref().map(|server| ders(&server.chain));
        let trust = |keys: &Self| keys.trust.as_ref().map(|trust| ders(trust.certificates()));
        let differs = [
            (
                key(self) != key(newer) || chain(self) != chain(newer),
                KeyChange::Server,
            ),
            (trust(self) != trust(newer), KeyChange::TrustStore),
            (self.modes != newer.modes, KeyChange::Modes),
            (self.check_dates != newer.check_dates, KeyChange::CheckDates),
        ];
        let changed = differs.into_iter().filter(|(differs, _)| *differs);
        changed.map(|(_, change)| change).collect()
    }
}

fn ders(certificates: &[X509]) -> Vec<Option<Vec<u8>>> {
    let der = |certificate: &X509| certificate.to_der().ok();
    certificates.iter().map(der).collect()
}
