//! `rookery credentials generate`: keys and certificates for devices and for the server, with the
//! device as `PUT /devices/{endpoint}` wants it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use data_encoding::BASE64;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use rookery::services::credentials::Curve;
use rookery::services::credentials::generate::{self, Authority, Given, Usage, Validity};
use serde_json::Value;

use super::arguments::{Generate, Output};
use super::private_file::{self, unix_millis};
use super::server_api::percent_encoded;

const AUTHORITY_KEY: &str = "ca_key.pem";
const AUTHORITY: &str = "ca_certificate.pem";

/// Makes what was asked for and says what to do with it.
pub(super) fn generate(what: Generate) -> anyhow::Result<ExitCode> {
    match what {
        Generate::Psk {
            endpoint,
            identity,
            bytes,
            output,
        } => psk(&endpoint, identity.as_deref(), bytes, &output),
        Generate::Rpk {
            endpoint,
            curve,
            output,
        } => rpk(&endpoint, curve.into(), &output),
        Generate::X509 {
            endpoint,
            curve,
            days,
            trusted,
            ca,
            output,
        } => {
            let ca = ca.unwrap_or_else(|| output.out.clone());
            x509(&endpoint, curve.into(), days, trusted, &ca, &output)
        }
        Generate::Server {
            name,
            curve,
            days,
            ca,
            output,
        } => {
            let ca = ca.unwrap_or_else(|| output.out.clone());
            server(&name, curve.into(), days, &ca, &output)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn psk(
    endpoint: &str,
    identity: Option<&str>,
    bytes: usize,
    output: &Output,
) -> anyhow::Result<()> {
    let identity = identity.unwrap_or(endpoint);
    let key = generate::psk(bytes)?;
    let device = generate::device(
        endpoint,
        &Given::Psk {
            identity,
            key: &key,
        },
    )?;
    let mut files = Files::of(endpoint);
    files.add("identity.txt", identity.as_bytes());
    files.add("psk.hex", key.as_bytes());
    files.add_device(&device);
    files.write(output)?;
    next_steps(endpoint, &files.device(output));
    println!(
        "  the device gets the identity {identity} and the key in {}",
        files.path(output, "psk.hex").display()
    );
    Ok(())
}

fn rpk(endpoint: &str, curve: Curve, output: &Output) -> anyhow::Result<()> {
    let key = generate::key(curve)?;
    let device = generate::device(endpoint, &Given::Rpk(&key))?;
    let mut files = Files::of(endpoint);
    add_key(&mut files, &key)?;
    files.add_device(&device);
    files.write(output)?;
    next_steps(endpoint, &files.device(output));
    println!(
        "  the device gets the private key in {} and the server's public key:",
        files.path(output, "key.pem").display()
    );
    println!("    rookery's: publicKey under keys in GET /api/v1/server");
    Ok(())
}

fn x509(
    endpoint: &str,
    curve: Curve,
    days: u32,
    trusted: bool,
    ca: &Path,
    output: &Output,
) -> anyhow::Result<()> {
    let validity = Validity {
        now: unix_millis(),
        days,
    };
    let key = generate::key(curve)?;
    let mut files = Files::of(endpoint);
    files.check(output, &["key.pem", "certificate.pem", "device.json"])?;
    let authority = authority(ca, curve, validity)?;
    let certificate = authority.issue(endpoint, &key, Usage::Client, validity)?;
    let given = Given::X509 {
        key: &key,
        certificate: &certificate,
        pinned: !trusted,
    };
    let device = generate::device(endpoint, &given)?;
    add_key(&mut files, &key)?;
    add_certificate(&mut files, &certificate)?;
    files.add_device(&device);
    files.write(output)?;
    next_steps(endpoint, &files.device(output));
    println!(
        "  the device gets {} and {}",
        files.path(output, "key.pem").display(),
        files.path(output, "certificate.pem").display()
    );
    if trusted {
        println!(
            "  the server gets trust_store = \"{}\" under [dtls]",
            ca.join(AUTHORITY).display()
        );
    }
    Ok(())
}

fn server(name: &str, curve: Curve, days: u32, ca: &Path, output: &Output) -> anyhow::Result<()> {
    let validity = Validity {
        now: unix_millis(),
        days,
    };
    let key = generate::key(curve)?;
    let mut files = Files::of("server");
    files.check(output, &["key.pem", "certificate.pem"])?;
    let authority = authority(ca, curve, validity)?;
    let certificate = authority.issue(name, &key, Usage::Server, validity)?;
    add_key(&mut files, &key)?;
    add_certificate(&mut files, &certificate)?;
    files.write(output)?;
    println!("[dtls]");
    let line = |key: &str, file: &str| {
        println!("{key} = \"{}\"", files.path(output, file).display());
    };
    line("server_key", "key.pem");
    line("server_certificate", "certificate.pem");
    Ok(())
}

fn add_key(files: &mut Files, key: &PKey<Private>) -> anyhow::Result<()> {
    files.add("key.pem", &key.private_key_to_pem_pkcs8()?);
    files.add("key.der", &key.private_key_to_pkcs8()?);
    files.add("public.pem", &key.public_key_to_pem()?);
    let public = key.public_key_to_der()?;
    files.add("public.der", &public);
    files.add("public.base64", BASE64.encode(&public).as_bytes());
    Ok(())
}

fn add_certificate(files: &mut Files, certificate: &X509) -> anyhow::Result<()> {
    files.add("certificate.pem", &certificate.to_pem()?);
    files.add("certificate.der", &certificate.to_der()?);
    Ok(())
}

/// The authority in a directory, made there when it is not.
fn authority(directory: &Path, curve: Curve, validity: Validity) -> anyhow::Result<Authority> {
    let key_file = directory.join(AUTHORITY_KEY);
    let certificate_file = directory.join(AUTHORITY);
    if key_file.exists() != certificate_file.exists() {
        bail!(
            "of {} and {} one is missing: an authority needs both, or neither to be made anew",
            key_file.display(),
            certificate_file.display()
        );
    }
    if key_file.exists() {
        let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
        // An empty passphrase: OpenSSL would ask for one on the terminal.
        let key = PKey::private_key_from_pem_passphrase(&read(&key_file)?, b"")
            .with_context(|| format!("{} is no unencrypted key in PEM", key_file.display()))?;
        let certificate = X509::from_pem(&read(&certificate_file)?)
            .with_context(|| format!("{} is no certificate in PEM", certificate_file.display()))?;
        return Ok(Authority { key, certificate });
    }
    let authority = Authority::create("Rookery device authority", curve, validity)?;
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    private_file::create(&key_file, &authority.key.private_key_to_pem_pkcs8()?)?;
    private_file::create(&certificate_file, &authority.certificate.to_pem()?)?;
    println!(
        "made an authority: {} (keep {} secret)",
        certificate_file.display(),
        key_file.display()
    );
    Ok(authority)
}

fn next_steps(endpoint: &str, device: &Path) {
    println!("wrote {} and the keys beside it", device.display());
    println!(
        "  curl -X PUT http://127.0.0.1:8080/api/v1/devices/{} -H 'Content-Type: application/json' -H \"Authorization: Bearer $TOKEN\" -d @{}",
        percent_encoded(endpoint),
        device.display()
    );
}

/// Files that belong together, written all or, where one exists already, none.
struct Files {
    prefix: String,
    contents: Vec<(&'static str, zeroize::Zeroizing<Vec<u8>>)>,
}

impl Files {
    /// Named after an endpoint, percent-encoded.
    fn of(endpoint: &str) -> Self {
        Self {
            prefix: percent_encoded(endpoint),
            contents: Vec::new(),
        }
    }

    fn add(&mut self, name: &'static str, content: &[u8]) {
        self.contents.push((name, content.to_vec().into()));
    }

    fn add_device(&mut self, device: &Value) {
        let text = format!("{device:#}\n");
        self.add("device.json", text.as_bytes());
    }

    fn path(&self, output: &Output, name: &str) -> PathBuf {
        output.out.join(format!("{}_{name}", self.prefix))
    }

    fn device(&self, output: &Output) -> PathBuf {
        self.path(output, "device.json")
    }

    /// Fails where a file is there that may not be replaced.
    fn check(&self, output: &Output, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            let path = self.path(output, name);
            if path.exists() && !output.force {
                bail!(
                    "{} exists already; --force replaces it, another --out leaves it",
                    path.display()
                );
            }
        }
        Ok(())
    }

    fn write(&self, output: &Output) -> anyhow::Result<()> {
        let names: Vec<_> = self.contents.iter().map(|(name, _)| *name).collect();
        self.check(output, &names)?;
        fs::create_dir_all(&output.out).with_context(|| output.out.display().to_string())?;
        for (name, content) in &self.contents {
            let path = self.path(output, name);
            if path.exists() {
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
            private_file::create(&path, content)?;
        }
        Ok(())
    }
}
