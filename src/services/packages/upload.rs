//! An upload in progress: constant memory, whatever the size.

use std::io::{Seek, Write};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::files::{Unfinished, blocking};
use super::{Algorithm, NewPackage, PackageError};

/// Bytes written at once.
const CHUNK: usize = 256 << 10;

/// The bytes of a package on their way to the disk. Dropped, nothing is left of it.
#[derive(Debug)]
pub struct Upload {
    package: NewPackage,
    limit: u64,
    size: u64,
    waiting: Vec<u8>,
    /// `None` after a failure.
    written: Option<Written>,
    permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Written {
    file: Unfinished,
    sha256: Sha256,
}

/// An upload whose bytes are all on the disk and are those meant.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) package: NewPackage,
    pub(super) sha256: String,
    pub(super) size: u64,
    pub(super) algorithm: Algorithm,
    pub(super) checksum: String,
    pub(super) file: Unfinished,
    _permit: OwnedSemaphorePermit,
}

impl Upload {
    pub(super) fn new(
        package: NewPackage,
        file: Unfinished,
        limit: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            package,
            limit,
            size: 0,
            waiting: Vec::with_capacity(CHUNK),
            written: Some(Written {
                file,
                sha256: Sha256::new(),
            }),
            permit,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// There are more than accepted, or the disk failed. The upload is lost then.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(PackageError::TooLarge { limit: self.limit });
        }
        let mut left = bytes;
        while !left.is_empty() {
            let (now, later) = left.split_at(left.len().min(CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            left = later;
            if self.waiting.len() == CHUNK {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), PackageError> {
        let (Some(mut written), waiting) = (self.written.take(), std::mem::take(&mut self.waiting))
        else {
            return Err(PackageError::Empty);
        };
        let (written, mut waiting) = blocking(move || {
            written.file.file.write_all(&waiting)?;
            written.sha256.update(&waiting);
            Ok((written, waiting))
        })
        .await?;
        waiting.clear();
        (self.written, self.waiting) = (Some(written), waiting);
        Ok(())
    }

    /// Puts everything on the disk and verifies it.
    pub(super) async fn complete(mut self) -> Result<Complete, PackageError> {
        self.flush().await?;
        if self.size == 0 {
            return Err(PackageError::Empty);
        }
        let algorithm = self.package.checksum_algorithm;
        let Some(mut written) = self.written.take() else {
            return Err(PackageError::Empty);
        };
        let (file, sha256, checksum) = blocking(move || {
            written.file.file.sync_all()?;
            let sha256 = HEXLOWER.encode(&written.sha256.finalize());
            let checksum = if algorithm == Algorithm::Sha256 {
                sha256.clone()
            } else {
                written.file.file.rewind()?;
                algorithm.of(std::io::BufReader::new(&written.file.file))?
            };
            Ok((written.file, sha256, checksum))
        })
        .await?;
        if let Some(stated) = &self.package.checksum
            && !algorithm.agrees(stated, &checksum)
        {
            return Err(PackageError::Checksum {
                algorithm,
                computed: checksum,
                stated: stated.clone(),
            });
        }
        Ok(Complete {
            package: self.package,
            sha256,
            size: self.size,
            algorithm,
            checksum,
            file,
            _permit: self.permit,
        })
    }
}
