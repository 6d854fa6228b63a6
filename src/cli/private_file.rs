//! Files with secrets: readable by their owner alone, never written over.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};

/// Creates `path`, which must not exist, with access for its owner only.
pub(super) fn create(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => anyhow!("{} exists already", path.display()),
            _ => anyhow!("{}: {error}", path.display()),
        })?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.with_context(|| path.display().to_string())
}

/// Milliseconds since 1970.
pub(super) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
