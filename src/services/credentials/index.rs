//! Who has which credentials, in memory: what a handshake and a Register ask for. Filled from the
//! store at start, changed with every device that is put or deleted; nothing is cached beside it, so
//! nothing can be stale.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use openssl::sha::Sha256;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use super::device::{DeviceCredentials, Mode};
use super::error::CredentialsError;
use super::material::{CertificateHash, KeyHash, wire_fingerprint};
use super::revocation::{REVOCATIONS, Revocation, Revocations, Why};

/// Names an identity, its key or certificate included: other credentials have another handle, the
/// same ones have the same after a restart.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IdentityHandle(pub u64);

/// What one device that has security is known by.
pub struct Credential {
    handle: IdentityHandle,
    wire: Option<u64>,
    mode: Mode,
    /// What it occupies in `identities`: its PSK identity, or its certificate and its key.
    claims: [Option<Fingerprint>; 2],
    endpoint: Arc<str>,
    /// Empty unless the mode is PSK.
    key: Zeroizing<Box<[u8]>>,
}

impl Credential {
    /// Its handle.
    #[must_use]
    pub const fn handle(&self) -> IdentityHandle {
        self.handle
    }

    /// The security mode of its device.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Endpoint client name of its device.
    #[must_use]
    pub fn endpoint(&self) -> &Arc<str> {
        &self.endpoint
    }

    /// The pre-shared key.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether any certificate of the trust store does that names the endpoint.
    pub(super) fn is_trusted_by_name(&self) -> bool {
        self.mode == Mode::X509 && self.claims[0].is_none()
    }
}

/// Without the key.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("handle", &self.handle)
            .field("mode", &self.mode)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// A name, identity or hash under a keyed 128-bit hash: nobody can make two collide without the key.
type Fingerprint = [u64; 2];

/// The kinds of what is looked up, kept apart in the hash.
#[derive(Clone, Copy)]
enum Kind {
    Endpoint = 0,
    Psk = 1,
    PublicKey = 2,
    Certificate = 3,
}

/// The index. Looking up takes the read lock of one part of a sharded map for the time of a copy.
#[derive(Debug)]
pub struct CredentialsIndex {
    key: (u64, u64),
    /// By endpoint; `None` is a device without security.
    devices: DashMap<Fingerprint, Option<Arc<Credential>>, ahash::RandomState>,
    /// By PSK identity, public key and certificate.
    identities: DashMap<Fingerprint, Arc<Credential>, ahash::RandomState>,
    /// Claims of devices that are being stored: whose, and by how many changes.
    reserved: Mutex<HashMap<Fingerprint, (Fingerprint, usize)>>,
    revocations: broadcast::Sender<Revocation>,
}

impl Default for CredentialsIndex {
    fn default() -> Self {
        let random = || RandomState::new().hash_one(0_u8);
        Self::keyed((random(), random()))
    }
}

impl CredentialsIndex {
    /// An empty index whose hashes are keyed with `key`: random, and secret.
    #[must_use]
    pub fn keyed(key: (u64, u64)) -> Self {
        Self {
            key,
            devices: DashMap::default(),
            identities: DashMap::default(),
            reserved: Mutex::default(),
            revocations: broadcast::Sender::new(REVOCATIONS),
        }
    }

    /// How a device proves who it is; `None` when it is not provisioned.
    #[must_use]
    pub fn mode_of(&self, endpoint: &str) -> Option<Mode> {
        let device = self.devices.get(&self.endpoint(endpoint))?;
        Some(device.as_ref().map_or(Mode::NoSec, |held| held.mode))
    }

    /// The credentials of a device; `None` when it is not provisioned or has no security.
    #[must_use]
    pub fn of_endpoint(&self, endpoint: &str) -> Option<Arc<Credential>> {
        self.devices.get(&self.endpoint(endpoint))?.clone()
    }

    /// The device with a PSK identity.
    #[must_use]
    pub fn of_psk_identity(&self, identity: &str) -> Option<Arc<Credential>> {
        self.find(self.fingerprint(Kind::Psk, identity.as_bytes()))
    }

    /// The device with a raw public key. One that has a certificate of that key is none.
    #[must_use]
    pub fn of_public_key(&self, key: &KeyHash) -> Option<Arc<Credential>> {
        self.find(self.fingerprint(Kind::PublicKey, key))
            .filter(|held| held.mode == Mode::Rpk)
    }

    /// The device whose stored certificate it is.
    #[must_use]
    pub fn of_certificate(&self, certificate: &CertificateHash) -> Option<Arc<Credential>> {
        self.find(self.fingerprint(Kind::Certificate, certificate))
    }

    /// Whether a session that proved `identity` may act for `endpoint`, now.
    #[must_use]
    pub fn binds(&self, identity: IdentityHandle, endpoint: &str) -> bool {
        self.devices
            .get(&self.endpoint(endpoint))
            .is_some_and(|device| device.as_ref().is_some_and(|held| held.handle == identity))
    }

    /// How many devices are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// What is revoked from now on. Any number of readers.
    #[must_use]
    pub fn revocations(&self) -> Revocations {
        Revocations::new(self.revocations.subscribe())
    }

    /// Sees that no other device has these credentials or gets them until the reservation ends.
    ///
    /// # Errors
    /// [`CredentialsError::Taken`]
    pub(in crate::services) fn reserve(
        self: &Arc<Self>,
        endpoint: &str,
        credentials: &DeviceCredentials,
    ) -> Result<Reservation, CredentialsError> {
        let owner = self.endpoint(endpoint);
        let credential = self.credential(endpoint, credentials);
        let claims = credential.as_ref().map_or([None; 2], |held| held.claims);
        let mut reserved = self.reserved();
        for claim in claims.iter().flatten() {
            let held = self.identities.get(claim);
            let held_by_other = held.is_some_and(|held| self.endpoint(&held.endpoint) != owner);
            let coming = reserved.get(claim);
            if held_by_other || coming.is_some_and(|(other, _)| *other != owner) {
                let member = credentials.unique_member();
                return Err(CredentialsError::Taken { member });
            }
        }
        for claim in claims.iter().flatten() {
            reserved.entry(*claim).or_insert((owner, 0)).1 += 1;
        }
        drop(reserved);
        Ok(Reservation {
            index: Arc::clone(self),
            endpoint: endpoint.into(),
            credential,
            claims,
        })
    }

    /// Takes a device out.
    pub(in crate::services) fn remove(&self, endpoint: &str) {
        if let Some((_, held)) = self.devices.remove(&self.endpoint(endpoint)) {
            self.let_go(held.as_deref(), &[]);
            self.revoke(endpoint, held.as_deref(), Why::Deleted);
        }
    }

    /// Puts a device in. Other credentials that it had before are revoked.
    fn hold(&self, endpoint: &str, credential: Option<Arc<Credential>>) {
        let claims = credential.as_ref().map_or([None; 2], |held| held.claims);
        if let Some(credential) = &credential {
            for claim in claims.iter().flatten() {
                self.identities.insert(*claim, Arc::clone(credential));
            }
        }
        let handle = |held: &Option<Arc<Credential>>| held.as_ref().map(|held| held.handle);
        let now = handle(&credential);
        let Some(before) = self.devices.insert(self.endpoint(endpoint), credential) else {
            return;
        };
        self.let_go(before.as_deref(), &claims);
        if handle(&before) != now {
            self.revoke(endpoint, before.as_deref(), Why::Changed);
        }
    }

    /// Frees what a device claimed, except what it still claims.
    fn let_go(&self, held: Option<&Credential>, except: &[Option<Fingerprint>]) {
        for claim in held.iter().flat_map(|held| held.claims) {
            if claim.is_some() && !except.contains(&claim) {
                self.identities.remove(&claim.unwrap_or_default());
            }
        }
    }

    fn revoke(&self, endpoint: &str, held: Option<&Credential>, why: Why) {
        // Fails while nobody listens: then there are no sessions to end either.
        let _ = self.revocations.send(Revocation {
            identity: held.map(|held| held.handle),
            wire: held.and_then(|held| held.wire),
            endpoint: held.map_or_else(|| endpoint.into(), |held| Arc::clone(&held.endpoint)),
            why,
        });
    }

    fn find(&self, claim: Fingerprint) -> Option<Arc<Credential>> {
        self.identities.get(&claim).map(|held| Arc::clone(&held))
    }

    fn credential(
        &self,
        endpoint: &str,
        credentials: &DeviceCredentials,
    ) -> Option<Arc<Credential>> {
        let claim = |kind, bytes: &[u8]| Some(self.fingerprint(kind, bytes));
        let (claims, key): (_, &[u8]) = match credentials {
            DeviceCredentials::NoSec => return None,
            DeviceCredentials::Psk { identity, key } => {
                ([claim(Kind::Psk, identity.as_bytes()), None], key)
            }
            DeviceCredentials::Rpk { key, .. } => ([claim(Kind::PublicKey, key), None], &[]),
            DeviceCredentials::X509 {
                certificate, key, ..
            } => (
                [
                    claim(Kind::Certificate, certificate),
                    claim(Kind::PublicKey, key),
                ],
                &[],
            ),
            DeviceCredentials::Trusted | DeviceCredentials::Unreadable => ([None; 2], &[]),
        };
        Some(Arc::new(Credential {
            handle: credentials.handle(endpoint),
            wire: credentials.wire(),
            mode: credentials.mode(),
            claims,
            endpoint: endpoint.into(),
            key: Zeroizing::new(key.into()),
        }))
    }

    fn endpoint(&self, endpoint: &str) -> Fingerprint {
        self.fingerprint(Kind::Endpoint, endpoint.as_bytes())
    }

    fn fingerprint(&self, kind: Kind, bytes: &[u8]) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write_u8(kind as u8);
        hasher.write(bytes);
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    fn reserved(&self) -> MutexGuard<'_, HashMap<Fingerprint, (Fingerprint, usize)>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeviceCredentials {
    /// The member that must be unique.
    const fn unique_member(&self) -> &'static str {
        match self {
            Self::Psk { .. } => "credentials.client.identity",
            Self::X509 { .. } => "credentials.client.cert",
            Self::Rpk { .. } | Self::NoSec | Self::Trusted | Self::Unreadable => {
                "credentials.client.key"
            }
        }
    }

    fn wire(&self) -> Option<u64> {
        match self {
            Self::Psk { identity, .. } => Some(wire_fingerprint(0, identity.as_bytes())),
            Self::Rpk { wire, .. } | Self::X509 { wire, .. } => Some(*wire),
            Self::NoSec | Self::Trusted | Self::Unreadable => None,
        }
    }

    /// Depends on everything that the device proves, and on the endpoint.
    fn handle(&self, endpoint: &str) -> IdentityHandle {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(b"rookery identity 1");
        part(self.mode().name().as_bytes());
        part(endpoint.as_bytes());
        match self {
            Self::Psk { identity, key } => {
                part(identity.as_bytes());
                part(key);
            }
            Self::Rpk { key, .. } => part(key),
            Self::X509 { certificate, .. } => part(certificate),
            Self::NoSec | Self::Trusted | Self::Unreadable => {}
        }
        let [a, b, c, d, e, f, g, h, ..] = hash.finish();
        IdentityHandle(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// Credentials that are being stored for a device. They are free again when it is dropped, and held
/// by the device once it is committed.
#[must_use]
#[derive(Debug)]
pub(in crate::services) struct Reservation {
    index: Arc<CredentialsIndex>,
    endpoint: Box<str>,
    credential: Option<Arc<Credential>>,
    claims: [Option<Fingerprint>; 2],
}

impl Reservation {
    /// They are stored: the device has them from now on, others that it had are
    /// revoked.
    pub(in crate::services) fn commit(mut self) {
        let credential = self.credential.take();
        self.index.hold(&self.endpoint, credential);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut reserved = self.index.reserved();
        for claim in self.claims.iter().flatten() {
            if let Some((_, count)) = reserved.get_mut(claim) {
                *count -= 1;
                if *count == 0 {
                    reserved.remove(claim);
                }
            }
        }
    }
}
