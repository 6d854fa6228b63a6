//! Credentials that are made for one device when it bootstraps, as they are stored and shown.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::bootstrap::AccountCredentials;
use super::device::{DeviceCredentials, Mode};
use super::error::CredentialsError;
use super::generate::{self, GenerateError};
use super::index::GeneratedKeys;
use super::material::Curve;
use crate::proto::time::UnixMillis;

/// Bytes of a pre-shared key: what AES-128 uses.
const PSK_BYTES: usize = 16;

/// Bytes of randomness in a PSK identity, which stands in it as twice as many digits.
const IDENTITY_BYTES: usize = 16;

/// Which kind of credentials is made.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum GeneratedMode {
    /// An identity and a pre-shared key.
    Psk,
    /// A key pair on P-256. The private key is told the device and kept nowhere.
    Rpk,
}

impl GeneratedMode {
    /// Both, in the order of [`NAMES`](Self::NAMES).
    pub const ALL: [Self; 2] = [Self::Psk, Self::Rpk];

    /// Their names.
    pub const NAMES: [&str; 2] = ["PSK", "RPK"];

    /// The security mode.
    #[must_use]
    pub const fn mode(self) -> Mode {
        match self {
            Self::Psk => Mode::Psk,
            Self::Rpk => Mode::Rpk,
        }
    }
}

/// What was generated for a device.
#[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedRecord {
    /// What the device registers with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<GeneratedKey>,
    /// What it was told since, and has not registered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<GeneratedKey>,
}

/// One identity with its key.
#[derive(Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedKey {
    /// Security mode.
    pub mode: GeneratedMode,
    /// PSK identity, or the public key as Base64 of a SubjectPublicKeyInfo.
    pub identity: String,
    /// The pre-shared key in hexadecimal digits. Never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    key: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub made: UnixMillis,
    /// When the device first registered with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<UnixMillis>,
}

/// Without the key.
impl std::fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GeneratedKey({:?}, {})", self.mode, self.identity)
    }
}

impl GeneratedKey {
    /// A new identity with its key: what is stored, and what the device is told.
    ///
    /// # Errors
    /// OpenSSL failed.
    pub fn make(
        mode: GeneratedMode,
        made: UnixMillis,
    ) -> Result<(Self, AccountCredentials), GenerateError> {
        let (identity, key, told, secret) = match mode {
            GeneratedMode::Psk => {
                let mut random = [0; IDENTITY_BYTES];
                openssl::rand::rand_bytes(&mut random)?;
                let mut secret = Zeroizing::new(vec![0; PSK_BYTES]);
                openssl::rand::rand_bytes(&mut secret)?;
                let identity = HEXLOWER.encode(&random);
                let key = HEXUPPER.encode(&secret);
                let told = identity.clone().into_bytes();
                (identity, Some(key), told, secret)
            }
            GeneratedMode::Rpk => {
                let pair = generate::key(Curve::P256)?;
                let told = pair.public_key_to_der()?;
                let secret = Zeroizing::new(pair.private_key_to_pkcs8()?);
                (BASE64.encode(&told), None, told, secret)
            }
        };
        let stored = Self {
            mode,
            identity,
            key,
            made,
            registered: None,
        };
        let told = AccountCredentials {
            mode: mode.mode(),
            identity: told,
            secret,
        };
        Ok((stored, told))
    }

    /// What the device proves with it.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub fn credentials(&self) -> Result<DeviceCredentials, CredentialsError> {
        let mode = self.mode.mode().name();
        let identity = self.identity.as_str();
        let client = match &self.key {
            Some(key) => json!({"securityConfigClientMode": mode, "identity": identity,
                                "key": key.as_str()}),
            None => json!({"securityConfigClientMode": mode, "key": identity}),
        };
        DeviceCredentials::of_stored(Some(&json!({"client": client})))
    }

    fn without_secret(mut self) -> Self {
        self.key = None;
        self
    }
}

impl GeneratedRecord {
    /// What the device proves with them.
    ///
    /// # Errors
    /// What is stored cannot be read.
    pub fn keys(&self) -> Result<GeneratedKeys, CredentialsError> {
        let read = |key: &Option<GeneratedKey>| {
            let read = key.as_ref().map(GeneratedKey::credentials);
            read.transpose()
        };
        Ok(GeneratedKeys {
            current: read(&self.current)?,
            pending: read(&self.pending)?,
        })
    }

    /// The same to be shown.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self {
            current: self.current.map(GeneratedKey::without_secret),
            pending: self.pending.map(GeneratedKey::without_secret),
        }
    }
}
