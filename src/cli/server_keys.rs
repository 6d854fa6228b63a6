//! Keys of the server in the development form: made at the first start, kept in the data directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rookery::services::credentials::Curve;
use rookery::services::credentials::generate::{self, Usage, Validity};
use tracing::info;

use super::private_file::{self, unix_millis};

const DAYS: u32 = 3_650;

/// Files of the key and of its certificate in a data directory.
pub(super) fn server_key_files(directory: &Path) -> (PathBuf, PathBuf) {
    let directory = directory.join("dtls");
    (
        directory.join("server_key.pem"),
        directory.join("server_certificate.pem"),
    )
}

/// Makes key and certificate where neither is there.
pub(super) fn ensure(directory: &Path) -> anyhow::Result<()> {
    let (key_file, certificate_file) = server_key_files(directory);
    if key_file.exists() || certificate_file.exists() {
        return Ok(());
    }
    let key = generate::key(Curve::P256)?;
    let validity = Validity {
        now: unix_millis(),
        days: DAYS,
    };
    let certificate = generate::self_signed("rookery", &key, Usage::Server, validity)?;
    if let Some(parent) = key_file.parent() {
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    private_file::create(&certificate_file, &certificate.to_pem()?)?;
    private_file::create(&key_file, &key.private_key_to_pem_pkcs8()?)?;
    info!(
        key = %key_file.display(),
        "keys of the server were made; in production configure dtls.server_key"
    );
    Ok(())
}
