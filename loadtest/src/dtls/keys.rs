//! How records of a suite are protected, and the keys for it (RFC 5246 §6.3).

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// AES-128, authenticated; the suites differ in mode and length of the tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bulk {
    Ccm8,
    Ccm,
    Gcm,
}

/// Who wrote a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Writer {
    Client,
    Server,
}

const KEY: usize = 16;
const SALT: usize = 4;

/// Keys and salts of both directions, as the PRF gives them.
#[derive(Clone)]
pub struct KeyBlock {
    bytes: [u8; 2 * (KEY + SALT)],
    pub bulk: Bulk,
}

/// What protects the records of one direction.
#[derive(Clone, Copy)]
pub struct DirectionKeys<'a> {
    pub bulk: Bulk,
    pub key: &'a [u8],
    pub salt: &'a [u8],
}

impl Bulk {
    /// The protection of a suite, by the suite's registered number; `None` when it is none of these.
    pub const fn of_suite(id: [u8; 2]) -> Option<Self> {
        match u16::from_be_bytes(id) {
            0xC0A8 | 0xC0AE => Some(Self::Ccm8),
            0xC0A4 | 0xC0AC => Some(Self::Ccm),
            0x00A8 | 0xC02B => Some(Self::Gcm),
            _ => None,
        }
    }

    /// Length of the authentication tag.
    pub const fn tag_length(self) -> usize {
        match self {
            Self::Ccm8 => 8,
            Self::Ccm | Self::Gcm => 16,
        }
    }
}

impl KeyBlock {
    /// The key block of a session.
    pub fn derive(
        bulk: Bulk,
        master: &[u8],
        client_random: &[u8],
        server_random: &[u8],
    ) -> Result<Self, ErrorStack> {
        let seed = [b"key expansion".as_slice(), server_random, client_random].concat();
        let mut bytes = [0; 2 * (KEY + SALT)];
        p_sha256(master, &seed, &mut bytes)?;
        Ok(Self { bytes, bulk })
    }

    /// The keys of one direction.
    pub fn written_by(&self, writer: Writer) -> DirectionKeys<'_> {
        let (keys, salts) = self.bytes.split_at(2 * KEY);
        let side = usize::from(writer == Writer::Server);
        DirectionKeys {
            bulk: self.bulk,
            key: &keys[side * KEY..(side + 1) * KEY],
            salt: &salts[side * SALT..(side + 1) * SALT],
        }
    }
}

/// P_SHA256 of RFC 5246 §5; `seed` begins with the label.
fn p_sha256(secret: &[u8], seed: &[u8], out: &mut [u8]) -> Result<(), ErrorStack> {
    let key = PKey::hmac(secret)?;
    let mac = |data: &[u8]| Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(data);
    let mut a = mac(seed)?;
    for part in out.chunks_mut(32) {
        let block = mac(&[a.as_slice(), seed].concat())?;
        part.copy_from_slice(&block[..part.len()]);
        a = mac(&a)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector that the IETF's TLS working group published for the PRF with SHA-256.
    #[test]
    fn the_prf_gives_the_published_vector() {
        let hex = |text: &str| {
            data_encoding::HEXLOWER
                .decode(text.replace(' ', "").as_bytes())
                .unwrap()
        };
        let secret = hex("9bbe436ba940f017b17652849a71db35");
        let seed = [
            b"test label".to_vec(),
            hex("a0ba9f936cda311827a6f796ffd5198c"),
        ]
        .concat();
        let mut out = [0; 100];
        p_sha256(&secret, &seed, &mut out).unwrap();
        let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a\
            6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab\
            4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
            87347b66";
        assert_eq!(out.as_slice(), hex(expected));
    }
}
