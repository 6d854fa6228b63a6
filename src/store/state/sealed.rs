//! DTLS sessions on disk: with their keys anybody could read and forge the traffic of devices, so
//! records are encrypted (AES-256-GCM) under a key in a file beside the data.
//!
//! A record is a salt (16), a number (8), the ciphertext and a tag (16). The key of a salt is made of
//! that of the file; each process draws a salt of its own and counts, so that no nonce comes twice.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::Id;
use openssl::pkey_ctx::{HkdfMode, PkeyCtx};
use openssl::sha::Sha256;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use tracing::warn;
use zeroize::Zeroizing;

/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "dtls-sessions.key";

const KEY: usize = 32;
const SALT: usize = 16;
const NUMBER: usize = 8;
const TAG: usize = 16;

type Key = Zeroizing<[u8; KEY]>;

/// Encrypts and decrypts records of sessions.
pub(super) struct Sealer {
    master: Key,
    salt: [u8; SALT],
    key: Key,
    next: AtomicU64,
    /// Keys of earlier processes.
    earlier: Mutex<HashMap<[u8; SALT], Key>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// With the key of the data directory, which is made where there is none.
    ///
    /// # Errors
    /// The file cannot be read or made, or there are no random numbers.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(KEY_FILE);
        let master = match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => match <[u8; KEY]>::try_from(&bytes[..]) {
                Ok(key) => Zeroizing::new(key),
                Err(_) => {
                    warn!(
                        file = %path.display(), bytes = bytes.len(), expected = KEY,
                        "this is no key of DTLS sessions: a new one is made, devices begin new sessions"
                    );
                    fs::remove_file(&path)?;
                    make(&path)?
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?,
            Err(error) => return Err(error),
        };
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        Ok(Self {
            key: derive(&master, &salt),
            master,
            salt,
            next: AtomicU64::new(0),
            earlier: Mutex::default(),
        })
    }

    /// A secret for another purpose: the expansion of the key in the file (RFC 5869 §2.3).
    pub(super) fn secret(&self, purpose: &[u8]) -> Result<Key, ErrorStack> {
        let mut secret = Zeroizing::new([0; KEY]);
        let mut hkdf = PkeyCtx::new_id(Id::HKDF)?;
        hkdf.derive_init()?;
        hkdf.set_hkdf_mode(HkdfMode::EXPAND_ONLY)?;
        hkdf.set_hkdf_md(Md::sha256())?;
        hkdf.set_hkdf_key(&*self.master)?;
        hkdf.add_hkdf_info(purpose)?;
        hkdf.derive(Some(&mut *secret))?;
        Ok(secret)
    }

    /// The record of the session with a key of the table.
    pub(super) fn seal(&self, key: [u8; 4], plain: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let number = self.next.fetch_add(1, Relaxed);
        let mut tag = [0; TAG];
        let cipher = Cipher::aes_256_gcm();
        let nonce = nonce(number);
        let sealed = encrypt_aead(cipher, &*self.key, Some(&nonce), &key, plain, &mut tag)?;
        Ok([&self.salt[..], &number.to_be_bytes(), &sealed, &tag].concat())
    }

    /// What [`seal`](Self::seal) was given; `None` when it was sealed under another key, or changed.
    pub(super) fn open_record(&self, key: [u8; 4], record: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (salt, rest) = record.split_first_chunk::<SALT>()?;
        let (number, rest) = rest.split_first_chunk::<NUMBER>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let of_salt = earlier
            .entry(*salt)
            .or_insert_with(|| derive(&self.master, salt));
        let nonce = nonce(u64::from_be_bytes(*number));
        let cipher = Cipher::aes_256_gcm();
        let plain = decrypt_aead(cipher, &**of_salt, Some(&nonce), &key, sealed, tag);
        plain.ok().map(Zeroizing::new)
    }
}

fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

fn derive(master: &Key, salt: &[u8; SALT]) -> Key {
    let mut hash = Sha256::new();
    hash.update(b"rookery dtls sessions 1");
    hash.update(&**master);
    hash.update(salt);
    Zeroizing::new(hash.finish())
}

fn make(path: &Path) -> io::Result<Key> {
    let mut key = Zeroizing::new([0; KEY]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&*key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_record_can_be_read_by_the_next_process_with_the_same_key_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let sealer = Sealer::open(directory.path()).expect("a key");
        let record = sealer.seal([0, 0, 0, 7], b"keys").expect("it seals");
        assert!(!record.windows(4).any(|window| window == b"keys"));
        let next = Sealer::open(directory.path()).expect("the same key");
        let plain = next.open_record([0, 0, 0, 7], &record);
        assert_eq!(plain.as_deref().map(Vec::as_slice), Some(&b"keys"[..]));
        assert!(next.open_record([0, 0, 0, 8], &record).is_none());
        fs::remove_file(directory.path().join(KEY_FILE)).expect("it is there");
        let other = Sealer::open(directory.path()).expect("a new key");
        assert!(other.open_record([0, 0, 0, 7], &record).is_none());
    }

    #[test]
    fn the_key_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        Sealer::open(directory.path()).expect("a key");
        let file = directory.path().join(KEY_FILE);
        let mode = fs::metadata(file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn secrets_are_those_of_the_key_and_the_purpose() {
        let directory = tempfile::tempdir().expect("a directory");
        let secret = |purpose: &[u8]| {
            let sealer = Sealer::open(directory.path()).expect("a key");
            sealer.secret(purpose).expect("a secret")
        };
        let first = secret(b"tickets");
        assert_eq!(secret(b"tickets"), first);
        assert_ne!(secret(b"others"), first);
        assert_ne!(
            first[..],
            fs::read(directory.path().join(KEY_FILE)).expect("it is there")
        );
        fs::remove_file(directory.path().join(KEY_FILE)).expect("it is there");
        assert_ne!(secret(b"tickets"), first);
    }

    #[test]
    fn what_is_no_key_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join(KEY_FILE);
        fs::write(&file, b"short").expect("written");
        Sealer::open(directory.path()).expect("a new key");
        assert_eq!(fs::read(file).expect("it is there").len(), KEY);
    }
}
