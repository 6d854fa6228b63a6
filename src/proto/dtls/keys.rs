//! The key block of TLS 1.2 (RFC 5246 §5, §6.3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384};
use zeroize::{Zeroize, Zeroizing};

use super::Suite;
use super::suite::Bulk;

/// Bytes of the largest key block, that of CBC.
pub(super) const LONGEST: usize = 96;

/// Which side writes with a half of the key block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writer {
    Client,
    Server,
}

/// Both directions' keys as the PRF gave them; wiped when let go.
#[derive(Clone)]
pub(super) struct KeyBlock {
    pub(super) suite: Suite,
    bytes: Zeroizing<[u8; LONGEST]>,
}

/// The keys of one direction.
#[derive(Clone, Copy)]
pub(super) struct DirectionKeys<'a> {
    pub(super) bulk: Bulk,
    pub(super) mac_key: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) salt: &'a [u8],
}

impl KeyBlock {
    /// Expands a master secret. With the extended master secret (RFC 7627) nothing differs here.
    pub(super) fn derive(
        suite: Suite,
        master: &[u8; 48],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
    ) -> Self {
        let mut bytes = Zeroizing::new([0; LONGEST]);
        let length = suite.bulk().key_block_length();
        let seed = [&b"key expansion"[..], server_random, client_random];
        prf(
            suite.bulk() == Bulk::Gcm256,
            master,
            &seed,
            &mut bytes[..length],
        );
        Self { suite, bytes }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.suite.bulk().key_block_length()]
    }

    pub(super) fn written_by(&self, writer: Writer) -> DirectionKeys<'_> {
        DirectionKeys::of(self.suite.bulk(), self.as_bytes(), writer)
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlock({:?}, ..)", self.suite)
    }
}

impl<'a> DirectionKeys<'a> {
    /// A half of `block`, which has the length that `bulk` asks for.
    pub(super) fn of(bulk: Bulk, block: &'a [u8], writer: Writer) -> Self {
        let (mac, key, salt) = (bulk.mac_key_length(), bulk.key_length(), bulk.salt_length());
        let side = usize::from(writer == Writer::Server);
        let part = |base: usize, length: usize| {
            let at = base + side * length;
            &block[at..at + length]
        };
        Self {
            bulk,
            mac_key: part(0, mac),
            key: part(2 * mac, key),
            salt: part(2 * (mac + key), salt),
        }
    }
}

impl fmt::Debug for DirectionKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectionKeys({:?}, ..)", self.bulk)
    }
}

/// Fills `out` from P_SHA384 or P_SHA256; the first part of `seed` is the label.
pub(super) fn prf(sha384: bool, secret: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    if sha384 {
        if let Ok(mac) = Hmac::<Sha384>::new_from_slice(secret) {
            p_hash(&mac, seed, out);
        }
    } else if let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) {
        p_hash(&mac, seed, out);
    }
}

fn p_hash<M: Mac + Clone>(keyed: &M, seed: &[&[u8]], out: &mut [u8]) {
    let feed = |mut mac: M| {
        seed.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let mut a = feed(keyed.clone());
    for chunk in out.chunks_mut(M::output_size()) {
        let mut block = feed(keyed.clone().chain_update(&a));
        chunk.copy_from_slice(&block[..chunk.len()]);
        block.as_mut_slice().zeroize();
        let next = keyed.clone().chain_update(&a).finalize().into_bytes();
        a = next;
    }
    a.as_mut_slice().zeroize();
}
