//! The files of packages: named by the SHA-256 of their content, complete or not there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the names of unfinished files end with.
const UNFINISHED: &str = ".tmp";

/// The directory of the files.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    made: AtomicU64,
}

/// A file being written; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Files {
    /// Opens the directory, which is made when it is not there.
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)?;
        Ok(Self {
            directory,
            made: AtomicU64::new(0),
        })
    }

    /// Removes what is unfinished and what is not `used`.
    pub(super) fn tidy(&self, used: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let ours = name.ends_with(UNFINISHED) || is_sha256(&name);
            if ours && !used.contains(&*name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// A new file.
    pub(super) fn create(&self) -> io::Result<Unfinished> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("upload-{}-{number}{UNFINISHED}", std::process::id());
        let path = self.directory.join(name);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Unfinished { path, file })
    }

    /// Gives a file that is on the disk its name. One of the same content takes its place.
    pub(super) async fn keep(&self, unfinished: Unfinished, sha256: &str) -> io::Result<()> {
        let (to, directory) = (self.path(sha256), self.directory.clone());
        blocking(move || {
            fs::rename(&unfinished.path, to)?;
            File::open(directory)?.sync_all()
        })
        .await
    }

    /// Removes a file, if it is there.
    pub(super) async fn remove(&self, sha256: &str) -> io::Result<()> {
        let path = self.path(sha256);
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    /// Reads a whole file.
    pub(super) async fn read(&self, sha256: &str) -> io::Result<Vec<u8>> {
        let path = self.path(sha256);
        blocking(move || fs::read(path)).await
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.directory.join(sha256)
    }
}

impl Drop for Unfinished {
    /// Once it has its name, there is nothing left to remove.
    fn drop(&mut self) {
        remove_quietly(&self.path);
    }
}

fn remove_quietly(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "an unfinished upload stays until the next start");
    }
}

fn is_sha256(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Does `work` on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}
