//! The DTLS side of a fleet: what a scenario says about it, and credentials that follow from a device's name.

mod derived;
mod settings;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXUPPER};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};
use serde_json::{Value, json};
use thiserror::Error;

use crate::dtls::{Connector, ConnectorError, ConnectorOptions, Login, Mode, Trust};
use derived::Derivation;

pub use settings::{RebindSettings, ReconnectSettings, SecurityMode, SecuritySettings};
pub(crate) use settings::{all, check};

/// Credentials of all devices of a run, made when they are needed.
pub struct Security {
    settings: SecuritySettings,
    mode: Mode,
    shared_key: Option<Vec<u8>>,
    derivation: Derivation,
    authority: Option<(X509, PKey<Private>)>,
    trust: Trust,
}

/// Why there are no credentials.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// A file that is named in the scenario.
    #[error("cannot read security.{member} {}: {source}", path.display())]
    Read {
        member: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("security.{member} {}: neither PEM nor DER of {accepted}", path.display())]
    File {
        member: &'static str,
        path: PathBuf,
        accepted: &'static str,
    },
    /// OpenSSL failed.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// The DTLS client cannot be set up.
    #[error("security: {0}")]
    Connector(#[from] ConnectorError),
}

impl Security {
    /// The credentials that checked settings ask for; `None` when they ask for none.
    ///
    /// # Errors
    /// [`SecurityError`], when a file cannot be read or OpenSSL fails.
    pub fn new(settings: &SecuritySettings) -> Result<Option<Self>, SecurityError> {
        let Some(mode) = settings.mode.credentials() else {
            return Ok(None);
        };
        let derivation = Derivation::new(&settings.secret)?;
        let trust = match (&settings.server_key, &settings.server_certificate) {
            (Some(path), _) if mode == Mode::RawPublicKey => {
                let accepted = "a public key (SubjectPublicKeyInfo)";
                let key = parsed("server_key", path, accepted, |bytes| {
                    PKey::public_key_from_pem(bytes)
                        .or_else(|_| PKey::public_key_from_der(bytes))
                        .ok()
                })?;
                Trust::PublicKey(key)
            }
            (_, Some(path)) if mode == Mode::Certificate => Trust::Certificate {
                usage: 3,
                certificate: parsed("server_certificate", path, "a certificate", certificate)?,
                anchors: Vec::new(),
            },
            _ => Trust::Anyone,
        };
        Ok(Some(Self {
            mode,
            shared_key: settings.shared_key(),
            authority: (mode == Mode::Certificate)
                .then(|| derivation.authority())
                .transpose()?,
            derivation,
            trust,
            settings: settings.clone(),
        }))
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &SecuritySettings {
        &self.settings
    }

    /// What starts the handshakes of the fleet.
    ///
    /// # Errors
    /// [`SecurityError`], when OpenSSL does not take the settings.
    pub fn connector(&self) -> Result<Connector, SecurityError> {
        Ok(Connector::new(ConnectorOptions {
            mode: self.mode,
            trust: self.trust.clone(),
            connection_id: self.settings.connection_id,
            resumption: self.settings.resumption,
            suites: self.settings.suites.clone(),
            handshake_timeout: (self.settings.handshake_timeout * 1e6) as u64,
        })?)
    }

    /// The credentials of a device.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn login(&self, endpoint: &str) -> Result<Login, ErrorStack> {
        Ok(match self.mode {
            Mode::Psk => Login::Psk {
                identity: self.identity(endpoint).into_bytes(),
                key: self.pre_shared_key(endpoint)?,
            },
            Mode::RawPublicKey => Login::RawPublicKey(self.derivation.device_key(endpoint)?),
            Mode::Certificate => {
                let key = self.derivation.device_key(endpoint)?;
                Login::Certificate {
                    certificate: self.certificate(endpoint, &key)?,
                    issuers: Vec::new(),
                    key,
                }
            }
        })
    }

    /// A device as `rookery devices import` takes it: its endpoint and its credentials in `ThingsBoard`'s form.
    ///
    /// An X.509 device has no certificate in it: it is known by its name, and its certificate by the
    /// [authority](Self::authority_pem).
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn device(&self, endpoint: &str, profile: Option<&str>) -> Result<Value, ErrorStack> {
        Ok(device(endpoint, profile, self.client(endpoint)?))
    }

    /// The same for a device that bootstraps: it proves itself to the bootstrap server with its pre-shared key, and is
    /// told the same for the LwM2M server. Raw public keys and certificates are not told to fleets.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn bootstrapping_device(
        &self,
        endpoint: &str,
        profile: Option<&str>,
    ) -> Result<Value, ErrorStack> {
        let mut device = self.device(endpoint, profile)?;
        let client = device["credentials"]["client"].take();
        let keys = json!({
            "securityMode": client["securityConfigClientMode"],
            "clientPublicKeyOrId": client["identity"],
            "clientSecretKey": client["key"],
        });
        device["credentials"] = json!({
            "client": client,
            "bootstrap": { "bootstrapServer": keys, "lwm2mServer": keys },
        });
        Ok(device)
    }

    fn client(&self, endpoint: &str) -> Result<Value, ErrorStack> {
        Ok(match self.mode {
            Mode::Psk => json!({
                "securityConfigClientMode": "PSK",
                "endpoint": endpoint,
                "identity": self.identity(endpoint),
                "key": HEXUPPER.encode(&self.pre_shared_key(endpoint)?),
            }),
            Mode::RawPublicKey => {
                let key = self.derivation.device_key(endpoint)?;
                json!({
                    "securityConfigClientMode": "RPK",
                    "endpoint": endpoint,
                    "key": BASE64.encode(&key.public_key_to_der()?),
                })
            }
            Mode::Certificate => json!({
                "securityConfigClientMode": "X509",
                "endpoint": endpoint,
                "cert": "",
            }),
        })
    }

    /// The certificate that those of the devices come from; `None` when they have none.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn authority_pem(&self) -> Result<Option<Vec<u8>>, ErrorStack> {
        let authority = self.authority.as_ref();
        authority
            .map(|(certificate, _)| certificate.to_pem())
            .transpose()
    }

    fn identity(&self, endpoint: &str) -> String {
        self.settings.identity.replace("{endpoint}", endpoint)
    }

    fn pre_shared_key(&self, endpoint: &str) -> Result<Vec<u8>, ErrorStack> {
        match &self.shared_key {
            Some(key) => Ok(key.clone()),
            None => self.derivation.pre_shared_key(endpoint),
        }
    }

    fn certificate(&self, endpoint: &str, key: &PKey<Private>) -> Result<X509, ErrorStack> {
        let issuer: Option<(&X509Ref, _)> = self
            .authority
            .as_ref()
            .map(|(certificate, key)| (certificate.as_ref(), key));
        self.derivation.certificate(endpoint, key, issuer)
    }
}

/// What starts handshakes with pre-shared keys that devices are told by a bootstrap server.
///
/// # Errors
/// [`SecurityError`], when OpenSSL does not take the settings.
pub fn psk_connector(settings: &SecuritySettings) -> Result<Connector, SecurityError> {
    let is_psk = settings.mode == SecurityMode::Psk;
    Ok(Connector::new(ConnectorOptions {
        connection_id: settings.connection_id,
        resumption: settings.resumption,
        suites: settings.suites.clone().filter(|_| is_psk),
        handshake_timeout: (settings.handshake_timeout * 1e6) as u64,
        ..ConnectorOptions::new(Mode::Psk)
    })?)
}

/// A device without credentials, for the same list.
#[must_use]
pub fn open_device(endpoint: &str, profile: Option<&str>) -> Value {
    let client = json!({ "securityConfigClientMode": "NO_SEC", "endpoint": endpoint });
    device(endpoint, profile, client)
}

fn device(endpoint: &str, profile: Option<&str>, client: Value) -> Value {
    let none = json!({ "securityMode": "NO_SEC" });
    let mut device = json!({
        "endpoint": endpoint,
        "credentials": {
            "client": client,
            "bootstrap": { "bootstrapServer": none, "lwm2mServer": none },
        },
    });
    if let Some(profile) = profile {
        device["profile"] = profile.into();
    }
    device
}

/// A certificate in PEM or DER.
pub(crate) fn certificate(bytes: &[u8]) -> Option<X509> {
    X509::from_pem(bytes)
        .or_else(|_| X509::from_der(bytes))
        .ok()
}

fn parsed<T>(
    member: &'static str,
    path: &Path,
    accepted: &'static str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, SecurityError> {
    let bytes = fs::read(path).map_err(|source| SecurityError::Read {
        member,
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).ok_or_else(|| SecurityError::File {
        member,
        path: path.to_owned(),
        accepted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(text: &str) -> Security {
        let settings: SecuritySettings = toml::from_str(text).unwrap();
        check(&settings).unwrap();
        Security::new(&settings).unwrap().unwrap()
    }

    #[test]
    fn keys_follow_from_the_secret_and_the_name_and_are_what_the_list_says() {
        let security = security("mode = \"psk\"\nidentity = \"id-{endpoint}\"\nsecret = \"abc\"");
        let device = security.device("sim-1", Some("meters")).unwrap();
        let client = &device["credentials"]["client"];
        let Login::Psk { identity, key } = security.login("sim-1").unwrap() else {
            panic!("not PSK");
        };
        assert_eq!(identity, b"id-sim-1");
        assert_eq!(client["identity"], "id-sim-1");
        // HMAC-SHA256("abc", "sim-1"), the first half.
        assert_eq!(client["key"], "DE71BA6CB647B89CFBC29A8C9DF01E64");
        assert_eq!(client["key"], HEXUPPER.encode(&key));
        assert_eq!(
            (&device["profile"], &device["endpoint"]),
            (&"meters".into(), &"sim-1".into())
        );
        assert_ne!(
            security.device("sim-2", None).unwrap()["credentials"]["client"]["key"],
            client["key"]
        );
    }

    #[test]
    fn one_key_for_all_can_be_given() {
        let security = security("mode = \"psk\"\nkey = \"000102030405060708090a0b0c0d0e0f\"");
        for endpoint in ["a", "b"] {
            let device = security.device(endpoint, None).unwrap();
            let client = &device["credentials"]["client"];
            assert_eq!(client["key"], "000102030405060708090A0B0C0D0E0F");
            assert_eq!(client["identity"], endpoint);
        }
    }

    #[test]
    fn raw_public_keys_are_the_same_in_the_list_and_in_every_handshake() {
        let security = security("mode = \"rpk\"");
        let listed = security.device("sim-1", None).unwrap();
        for _ in 0..2 {
            let Login::RawPublicKey(key) = security.login("sim-1").unwrap() else {
                panic!("not RPK");
            };
            let der = key.public_key_to_der().unwrap();
            assert_eq!(der.len(), 91, "P-256");
            assert_eq!(listed["credentials"]["client"]["key"], BASE64.encode(&der));
        }
    }

    #[test]
    fn certificates_bear_the_endpoint_and_come_from_the_authority() {
        let security = security("mode = \"x509\"");
        let Login::Certificate { certificate, .. } = security.login("sim-1").unwrap() else {
            panic!("not X.509");
        };
        let again = super::certificate(&security.authority_pem().unwrap().unwrap()).unwrap();
        assert!(certificate.verify(&again.public_key().unwrap()).unwrap());
        let names: Vec<_> = certificate.subject_name().entries().collect();
        assert_eq!(names[0].data().as_slice(), b"sim-1");
    }
}
