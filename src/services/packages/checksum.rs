//! Checksums of packages, written as ThingsBoard writes them: hexadecimal of the bytes in the order
//! in which Guava's `HashCode` has them, which is little-endian for CRC32 and MURMUR3.

use std::io::{self, Read};

use data_encoding::HEXLOWER;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha384, Sha512};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// What a checksum is computed with.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema,
)]
pub enum Algorithm {
    /// MD5.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[default]
    #[serde(rename = "SHA256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "SHA384")]
    Sha384,
    /// SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
    /// CRC-32 of ISO 3309, as in zip.
    #[serde(rename = "CRC32")]
    Crc32,
    /// MurmurHash3 x86, 32 bits, seed 0.
    #[serde(rename = "MURMUR3_32")]
    Murmur3_32,
    /// MurmurHash3 x64, 128 bits, seed 0.
    #[serde(rename = "MURMUR3_128")]
    Murmur3_128,
}

impl Algorithm {
    /// Every name, for messages and parameters.
    pub const NAMES: [&'static str; 7] = [
        "MD5",
        "SHA256",
        "SHA384",
        "SHA512",
        "CRC32",
        "MURMUR3_32",
        "MURMUR3_128",
    ];

    /// ThingsBoard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
            Self::Crc32 => "CRC32",
            Self::Murmur3_32 => "MURMUR3_32",
            Self::Murmur3_128 => "MURMUR3_128",
        }
    }

    /// Length of a checksum in hexadecimal digits.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Md5 | Self::Murmur3_128 => 32,
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
            Self::Crc32 | Self::Murmur3_32 => 8,
        }
    }

    /// The checksum of everything `source` has.
    pub(super) fn of(self, mut source: impl Read) -> io::Result<String> {
        let bytes: Vec<u8> = match self {
            Self::Md5 => digest(&mut Md5::default(), source)?,
            Self::Sha256 => digest(&mut Sha256::default(), source)?,
            Self::Sha384 => digest(&mut Sha384::default(), source)?,
            Self::Sha512 => digest(&mut Sha512::default(), source)?,
            Self::Crc32 => {
                let mut hasher = crc32fast::Hasher::new();
                each_chunk(source, |chunk| hasher.update(chunk))?;
                hasher.finalize().to_le_bytes().into()
            }
            Self::Murmur3_32 => murmur3::murmur3_32(&mut source, 0)?.to_le_bytes().into(),
            Self::Murmur3_128 => murmur3::murmur3_x64_128(&mut source, 0)?
                .to_le_bytes()
                .into(),
        };
        Ok(HEXLOWER.encode(&bytes))
    }

    /// Whether `stated` means the checksum `computed`. 32 bits are taken in both orders of their
    /// bytes: tools print numbers, Guava prints bytes.
    pub(super) fn agrees(self, stated: &str, computed: &str) -> bool {
        if stated.eq_ignore_ascii_case(computed) {
            return true;
        }
        let Ok(mut bytes) = HEXLOWER.decode(computed.as_bytes()) else {
            return false;
        };
        bytes.reverse();
        bytes.len() == 4 && stated.eq_ignore_ascii_case(&HEXLOWER.encode(&bytes))
    }
}

fn digest(hasher: &mut dyn DynDigest, source: impl Read) -> io::Result<Vec<u8>> {
    each_chunk(source, |chunk| hasher.update(chunk))?;
    Ok(hasher.finalize_reset().into_vec())
}

fn each_chunk(mut source: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOX: &[u8] = b"The quick brown fox jumps over the lazy dog";

    /// RFC 1321, FIPS 180-4, the check value of CRC-32, and values of Guava's own tests.
    #[test]
    fn known_vectors_come_out_as_guava_prints_them() {
        let cases: [(Algorithm, &[u8], &str); 10] = [
            (Algorithm::Md5, b"abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                Algorithm::Sha256,
                b"abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                Algorithm::Sha384,
                b"abc",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                 8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                Algorithm::Sha512,
                b"abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (Algorithm::Crc32, b"123456789", "2639f4cb"),
            (Algorithm::Crc32, b"", "00000000"),
            (Algorithm::Murmur3_32, b"", "00000000"),
            (Algorithm::Murmur3_32, FOX, "23f74f2e"),
            (
                Algorithm::Murmur3_128,
                b"",
                "00000000000000000000000000000000",
            ),
            (
                Algorithm::Murmur3_128,
                FOX,
                "6c1b07bc7bbc4be347939ac4a93c437a",
            ),
        ];
        for (algorithm, bytes, expected) in cases {
            let checksum = algorithm.of(bytes).unwrap();
            assert_eq!(checksum, expected, "{}", algorithm.name());
            assert_eq!(checksum.len(), algorithm.digits());
        }
    }

    #[test]
    fn a_checksum_is_the_same_however_the_bytes_come() {
        struct Dribble<'a>(&'a [u8]);
        impl Read for Dribble<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let most = into.len().min(7);
                self.0.read(&mut into[..most])
            }
        }
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|i| ((i * 31) >> 3) as u8).collect();
        for name in Algorithm::NAMES {
            let algorithm: Algorithm = serde_json::from_value(name.into()).unwrap();
            assert_eq!(algorithm.name(), name);
            let at_once = algorithm.of(bytes.as_slice()).unwrap();
            assert_eq!(algorithm.of(Dribble(&bytes)).unwrap(), at_once, "{name}");
        }
    }

    #[test]
    fn a_32_bit_checksum_may_be_stated_as_a_number_or_as_bytes() {
        for stated in ["cbf43926", "2639F4CB"] {
            assert!(Algorithm::Crc32.agrees(stated, "2639f4cb"), "{stated}");
        }
        assert!(!Algorithm::Crc32.agrees("00000000", "2639f4cb"));
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        assert!(Algorithm::Md5.agrees(&md5.to_uppercase(), md5));
        assert!(!Algorithm::Md5.agrees("727fe1287d3f96d6b04fd23c98500190", md5));
    }
}
