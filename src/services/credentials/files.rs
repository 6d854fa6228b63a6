//! Reads keys and certificates from PEM, DER and PKCS#12, whichever a file is.

use std::io;
use std::path::{Path, PathBuf};

use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509VerifyResult};
use zeroize::Zeroizing;

use super::keys::ServerKeys;
use super::material::Curve;
use super::trust::TrustStore;

/// Largest key file in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Why a file with keys or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is too large to be one.
    #[error("{} has more than {MAX_FILE} bytes, which no key or certificate has", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is a Java keystore.
    #[error(
        "{} is a Java keystore; accepted are PEM, DER and PKCS#12: `keytool -importkeystore -srckeystore {} -destkeystore keys.p12 -deststoretype PKCS12` converts it",
        path.display(), path.display()
    )]
    JavaKeystore {
        /// The file.
        path: PathBuf,
    },
    /// It holds no private key.
    #[error(
        "{} holds no private key that can be read; accepted are an elliptic-curve key in PEM or DER (PKCS#8 or SEC 1), or PKCS#12 with a key",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// It holds no certificates.
    #[error(
        "{} holds no certificates that can be read; accepted are X.509 certificates in PEM (several, one after the other), one in DER, or PKCS#12",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Its password is missing or wrong, or its encryption is not supported.
    #[error(
        "{} cannot be decrypted: {}; PKCS#12 with RC2 or 3DES is not supported",
        path.display(),
        if *given { "the password is wrong" } else { "it needs a password, and no password file is configured" }
    )]
    Password {
        /// The file.
        path: PathBuf,
        /// Whether there was a password.
        given: bool,
    },
    /// The password file is no text.
    #[error("{} holds no password: accepted is one line of UTF-8 without NUL", path.display())]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// The key is of an algorithm or curve that is not accepted.
    #[error("the key in {} is not accepted: it must be on {}", path.display(), Curve::ACCEPTED)]
    Curve {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate do not belong together.
    #[error(
        "the first certificate in {} is not that of the key in {}",
        certificate.display(), key.display()
    )]
    Mismatch {
        /// File of the key.
        key: PathBuf,
        /// File of the certificates.
        certificate: PathBuf,
    },
    /// There is a certificate, but no key.
    #[error("{} needs its private key: set dtls.server_key too", path.display())]
    CertificateWithoutKey {
        /// File of the certificates.
        path: PathBuf,
    },
}

impl KeyFileError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::TooLarge { .. } => "too_large",
            Self::JavaKeystore { .. } => "java_keystore",
            Self::NoKey { .. } => "no_key",
            Self::NoCertificate { .. } => "no_certificate",
            Self::Password { .. } => "password",
            Self::NoPassword { .. } => "no_password",
            Self::Curve { .. } => "curve",
            Self::Mismatch { .. } => "mismatch",
            Self::CertificateWithoutKey { .. } => "certificate_without_key",
        }
    }
}

/// A password; empty for none.
pub(super) type Password = Zeroizing<String>;

/// Reads a password from the first line of a file.
pub(super) fn password(path: Option<&Path>) -> Result<Password, KeyFileError> {
    let Some(path) = path else {
        return Ok(Password::default());
    };
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || line.contains('\0') {
        return Err(KeyFileError::NoPassword {
            path: path.to_owned(),
        });
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Reads key and certificates of the server.
pub(super) fn server_keys(
    key_file: &Path,
    certificate_file: Option<&Path>,
    password: &Password,
) -> Result<ServerKeys, KeyFileError> {
    let content = Content::read(key_file, password)?;
    let path = || key_file.to_owned();
    let key = content
        .key
        .ok_or_else(|| KeyFileError::NoKey { path: path() })?;
    if Curve::of(&key).is_none() {
        return Err(KeyFileError::Curve { path: path() });
    }
    let (certificates, certificate_file) = match certificate_file {
        Some(file) => (certificates(file, password)?, file),
        None => (content.certificates, key_file),
    };
    let chain = in_order(certificates, &key);
    let is_of_key = |leaf: &X509| {
        leaf.public_key()
            .is_ok_and(|of_leaf| of_leaf.public_eq(&key))
    };
    if chain.first().is_some_and(|leaf| !is_of_key(leaf)) {
        return Err(KeyFileError::Mismatch {
            key: path(),
            certificate: certificate_file.to_owned(),
        });
    }
    Ok(ServerKeys { key, chain })
}

/// Reads the certificates of authorities.
pub(super) fn trust_store(path: &Path, password: &Password) -> Result<TrustStore, KeyFileError> {
    TrustStore::new(certificates(path, password)?).map_err(|_| KeyFileError::NoCertificate {
        path: path.to_owned(),
    })
}

fn certificates(path: &Path, password: &Password) -> Result<Vec<X509>, KeyFileError> {
    let certificates = Content::read(path, password)?.certificates;
    if certificates.is_empty() {
        let path = path.to_owned();
        return Err(KeyFileError::NoCertificate { path });
    }
    Ok(certificates)
}

/// The certificate of `key` first, then each the issuer of the one before.
fn in_order(mut rest: Vec<X509>, key: &PKey<Private>) -> Vec<X509> {
    let is_leaf = |certificate: &X509| {
        certificate
            .public_key()
            .is_ok_and(|of_leaf| of_leaf.public_eq(key))
    };
    let Some(leaf) = rest.iter().position(is_leaf) else {
        return rest;
    };
    let mut chain = vec![rest.swap_remove(leaf)];
    while let Some(last) = chain.last()
        && let Some(issuer) = rest
            .iter()
            .position(|candidate| candidate.issued(last) == X509VerifyResult::OK)
    {
        chain.push(rest.swap_remove(issuer));
    }
    chain
}

/// What a file holds.
#[derive(Default)]
struct Content {
    key: Option<PKey<Private>>,
    certificates: Vec<X509>,
}

impl Content {
    fn read(path: &Path, password: &Password) -> Result<Self, KeyFileError> {
        let bytes = read(path)?;
        if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
            let path = path.to_owned();
            return Err(KeyFileError::JavaKeystore { path });
        }
        let undecipherable = || KeyFileError::Password {
            path: path.to_owned(),
            given: !password.is_empty(),
        };
        if contains(&bytes, b"-----BEGIN ") {
            let content = Self::from_pem(&bytes, password);
            let encrypted = contains(&bytes, b"ENCRYPTED");
            return if content.key.is_none() && encrypted {
                Err(undecipherable())
            } else {
                Ok(content)
            };
        }
        if let Ok(archive) = Pkcs12::from_der(&bytes) {
            let parsed = archive.parse2(password).map_err(|_| undecipherable())?;
            let others = parsed.ca.into_iter().flatten();
            return Ok(Self {
                key: parsed.pkey,
                certificates: parsed.cert.into_iter().chain(others).collect(),
            });
        }
        Ok(Self::from_der(&bytes, password))
    }

    /// The passphrase is always given, were it empty: OpenSSL would ask for it on a terminal.
    fn from_pem(bytes: &[u8], password: &Password) -> Self {
        let has_certificate = contains(bytes, b"-----BEGIN CERTIFICATE-----");
        Self {
            key: PKey::private_key_from_pem_passphrase(bytes, password.as_bytes()).ok(),
            certificates: if has_certificate {
                X509::stack_from_pem(bytes).unwrap_or_default()
            } else {
                Vec::new()
            },
        }
    }

    fn from_der(bytes: &[u8], password: &Password) -> Self {
        let encrypted = || PKey::private_key_from_pkcs8_passphrase(bytes, password.as_bytes());
        let key = PKey::private_key_from_der(bytes).or_else(|_| encrypted());
        Self {
            key: key.ok(),
            certificates: X509::from_der(bytes).into_iter().collect(),
        }
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let failed = |source| KeyFileError::Read {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        let path = path.to_owned();
        return Err(KeyFileError::TooLarge { path });
    }
    std::fs::read(path).map(Zeroizing::new).map_err(failed)
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
