//! The demo client's security flags.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use data_encoding::HEXLOWER_PERMISSIVE;
use openssl::pkey::{PKey, Private, Public};
use openssl::x509::X509;

use crate::client::ClientSecurity;
use crate::dtls::{Login, Trust};
use crate::security::certificate;

/// DTLS. One kind of credentials: -i and -p, or -cprik with -cpubk, or -cprik with -ccert.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "DTLS")]
pub struct ClientSecurityArgs {
    /// Pre-shared key: its identity, as text.
    #[arg(short = 'i', long, value_name = "TEXT", requires = "psk_key")]
    psk_identity: Option<String>,
    /// Pre-shared key, in hex.
    #[arg(short = 'p', long, value_name = "HEX", requires = "psk_identity")]
    psk_key: Option<String>,
    /// The device's private key (-cprik): PKCS#8 in DER or PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "psk_identity")]
    client_private_key: Option<PathBuf>,
    /// Raw public key: the device's (-cpubk), SubjectPublicKeyInfo in DER or PEM.
    #[arg(long, value_name = "FILE", requires = "client_private_key")]
    client_public_key: Option<PathBuf>,
    /// Raw public key: the server's (-spubk) [default: any server will do].
    #[arg(long, value_name = "FILE", requires = "client_public_key")]
    server_public_key: Option<PathBuf>,
    /// X.509: the device's certificate (-ccert), DER or PEM.
    #[arg(
        long,
        value_name = "FILE",
        requires = "client_private_key",
        conflicts_with = "client_public_key"
    )]
    client_certificate: Option<PathBuf>,
    /// X.509: a certificate to know the server by (-scert), in the way of -cu [default: any server will do].
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    server_certificate: Option<PathBuf>,
    /// What -scert is (-cu): 0 an authority, 1 the server's own, both beside -ts; 2 the trust anchor; 3 the server's own.
    #[arg(long, value_name = "USAGE", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    certificate_usage: u8,
    /// Authorities for -cu 0 and 1 (-ts): a file, or a folder of them.
    #[arg(long, value_name = "PATH", requires = "server_certificate")]
    truststore: Option<PathBuf>,
    /// Connection identifiers (-cid): off, on, or the length of the one that the server is to use.
    #[arg(long, value_name = "off|on|LENGTH", default_value = "off", value_parser = connection_id)]
    connection_id: ConnectionId,
    /// Cipher suites, colons between them [default: all that there are for the credentials].
    #[arg(short = 'c', long, value_name = "LIST")]
    cipher_suites: Option<String>,
    /// Never resume a session.
    #[arg(short = 'f', long)]
    force_full_handshake: bool,
}

/// Length of the identifier that the server is to use; `None`: none is offered.
#[derive(Clone, Copy, Debug, Default)]
struct ConnectionId(Option<u8>);

/// Whether a URL asks for DTLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    Coap,
    Coaps,
}

impl ClientSecurityArgs {
    /// What the device proves itself with; `None` for plain CoAP.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not what it should be, or a flag is missing.
    pub fn security(&self) -> Result<Option<ClientSecurity>> {
        let Some(login) = self.login()? else {
            return Ok(None);
        };
        let trust = match (&self.server_public_key, &self.server_certificate) {
            (Some(path), _) => Trust::PublicKey(public_key(path)?),
            (_, Some(path)) => Trust::Certificate {
                usage: self.certificate_usage,
                certificate: read_certificate(path)?,
                anchors: self.anchors()?,
            },
            _ => Trust::Anyone,
        };
        Ok(Some(ClientSecurity {
            trust,
            connection_id: self.connection_id.0,
            suites: self.cipher_suites.clone(),
            resumes: !self.force_full_handshake,
            ..ClientSecurity::new(login)
        }))
    }

    fn login(&self) -> Result<Option<Login>> {
        if let (Some(identity), Some(key)) = (&self.psk_identity, &self.psk_key) {
            let key = HEXLOWER_PERMISSIVE
                .decode(key.as_bytes())
                .ok()
                .filter(|key| (1..=64).contains(&key.len()))
                .context("-p: 1 to 64 bytes in hex are accepted")?;
            let identity = identity.clone().into_bytes();
            return Ok(Some(Login::Psk { identity, key }));
        }
        let Some(path) = &self.client_private_key else {
            return Ok(None);
        };
        let key = private_key(path)?;
        if let Some(path) = &self.client_certificate {
            let certificate = read_certificate(path)?;
            ensure!(
                certificate.public_key()?.public_eq(&key),
                "-ccert {} is not for the key in -cprik",
                path.display()
            );
            return Ok(Some(Login::Certificate {
                certificate,
                issuers: Vec::new(),
                key,
            }));
        }
        let Some(path) = &self.client_public_key else {
            bail!("-cprik: give -cpubk (raw public key) or -ccert (X.509) too");
        };
        ensure!(
            public_key(path)?.public_eq(&key),
            "-cpubk {} does not belong to the key in -cprik",
            path.display()
        );
        Ok(Some(Login::RawPublicKey(key)))
    }

    fn anchors(&self) -> Result<Vec<X509>> {
        let Some(path) = &self.truststore else {
            ensure!(
                self.certificate_usage >= 2,
                "-cu {}: give the authorities (-ts) too",
                self.certificate_usage
            );
            return Ok(Vec::new());
        };
        let mut files = vec![path.clone()];
        if path.is_dir() {
            let entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
            files = entries.into_iter().map(|entry| entry.path()).collect();
        }
        files.iter().map(|file| read_certificate(file)).collect()
    }
}

/// The scheme of a URL, and what is behind it.
///
/// # Errors
///
/// When it is another than coap or coaps.
pub fn scheme(url: &str) -> Result<(Option<Scheme>, &str)> {
    match url.split_once("://") {
        None => Ok((None, url)),
        Some(("coap", rest)) => Ok((Some(Scheme::Coap), rest)),
        Some(("coaps", rest)) => Ok((Some(Scheme::Coaps), rest)),
        Some(_) => bail!("{url}: CoAP over UDP is available (coap:// and coaps://)"),
    }
}

fn private_key(path: &Path) -> Result<PKey<Private>> {
    let bytes = read(path)?;
    PKey::private_key_from_pem(&bytes)
        .or_else(|_| PKey::private_key_from_pkcs8(&bytes))
        .or_else(|_| PKey::private_key_from_der(&bytes))
        .with_context(|| format!("{}: no private key in DER or PEM", path.display()))
}

fn public_key(path: &Path) -> Result<PKey<Public>> {
    let bytes = read(path)?;
    PKey::public_key_from_pem(&bytes)
        .or_else(|_| PKey::public_key_from_der(&bytes))
        .with_context(|| format!("{}: no public key in DER or PEM", path.display()))
}

fn read_certificate(path: &Path) -> Result<X509> {
    certificate(&read(path)?)
        .with_context(|| format!("{}: no certificate in DER or PEM", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn connection_id(text: &str) -> Result<ConnectionId, String> {
    match text {
        "off" => Ok(ConnectionId(None)),
        "on" => Ok(ConnectionId(Some(0))),
        _ => text
            .parse()
            .map(|length| ConnectionId(Some(length)))
            .map_err(|_| "off, on or a length of 0 to 255 bytes is accepted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, name: &str, bytes: &[u8]) -> Option<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        Some(path)
    }

    fn key() -> PKey<Private> {
        crate::dtls::double::new_key()
    }

    #[test]
    fn files_in_der_and_pem_are_taken_and_must_belong_together() {
        let folder = tempfile::tempdir().unwrap();
        let key = key();
        let certificate = crate::dtls::double::certificate("device", &key);
        let at = folder.path();
        let private = written(at, "key.der", &key.private_key_to_pkcs8().unwrap());
        let public = written(at, "public.pem", &key.public_key_to_pem().unwrap());
        let certificate = written(at, "cert.der", &certificate.to_der().unwrap());
        let rpk = ClientSecurityArgs {
            client_private_key: private.clone(),
            client_public_key: public.clone(),
            server_public_key: public,
            ..ClientSecurityArgs::default()
        };
        let security = rpk.security().unwrap().unwrap();
        assert!(matches!(security.login, Login::RawPublicKey(_)));
        assert!(matches!(security.trust, Trust::PublicKey(_)));
        let mut x509 = ClientSecurityArgs {
            client_private_key: private,
            client_certificate: certificate.clone(),
            server_certificate: certificate,
            certificate_usage: 3,
            ..ClientSecurityArgs::default()
        };
        let security = x509.security().unwrap().unwrap();
        assert!(matches!(security.login, Login::Certificate { .. }));
        x509.certificate_usage = 1;
        let error = x509.security().unwrap_err().to_string();
        assert!(error.contains("-ts"), "{error}");
        let other = self::key().private_key_to_pem_pkcs8().unwrap();
        x509.client_private_key = written(at, "other.pem", &other);
        let error = x509.security().unwrap_err().to_string();
        assert!(error.contains("not for the key"), "{error}");
    }

    #[test]
    fn schemes_other_than_coap_and_coaps_are_refused() {
        assert_eq!(scheme("h:1").unwrap(), (None, "h:1"));
        let secure = (Some(Scheme::Coaps), "h:1");
        assert_eq!(scheme("coaps://h:1").unwrap(), secure);
        assert!(scheme("coaps+tcp://h:1").is_err());
    }
}
