//! The image that devices are to get.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use openssl::sha::Sha256;
use thiserror::Error;

/// An image, in memory until it is uploaded.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What devices verify it by.
    pub digest: Digest,
}

/// What is left of an image to verify another one by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest {
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: [u8; 32],
}

/// The image cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the image {}: {source}", path.display())]
pub struct ImageError {
    path: PathBuf,
    source: io::Error,
}

impl Image {
    /// An image with these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let mut hash = Sha256::new();
        hash.update(&bytes);
        let digest = Digest {
            size: bytes.len() as u64,
            sha256: hash.finish(),
        };
        Self { bytes, digest }
    }

    /// Bytes in which no block is like another, the same for the same seed.
    #[must_use]
    pub fn generated(size: u64, seed: u64) -> Self {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        Rng::with_seed(seed).fill(&mut bytes);
        Self::new(bytes)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let bytes = fs::read(path).map_err(|source| ImageError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        let digest = Image::new(b"abc".to_vec()).digest;
        assert_eq!(digest.size, 3);
        assert_eq!(digest.sha256[..4], [0xBA, 0x78, 0x16, 0xBF]);
    }

    #[test]
    fn an_image_follows_from_its_seed() {
        let image = |seed| Image::generated(5_000, seed);
        assert_eq!(image(1).bytes, image(1).bytes);
        assert_ne!(image(1).digest, image(2).digest);
        assert_ne!(image(1).bytes[..1_024], image(1).bytes[1_024..2_048]);
    }
}
