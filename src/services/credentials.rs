//! Who a device is and how it proves it: credentials of devices, keys of the server, and what a
//! handshake is told.
//!
//! [`CredentialsIndex`] knows every device's credentials, [`Credentials`] decides on claims with the
//! keys in force. Neither knows of a socket or of the record layer.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::engine::credentials::Purpose;
use crate::proto::time::UnixMillis;

mod authorise;
mod bootstrap;
mod device;
mod error;
mod files;
pub mod generate;
mod generated;
mod index;
mod keys;
mod material;
mod revocation;
mod trust;
mod view;

pub use authorise::{Bound, Claim, Decision, Proof, PskKey, Refusal, Verdict};
pub use bootstrap::{AccountCredentials, Role};
pub use device::{DeviceCredentials, Mode, client};
pub use error::CredentialsError;
pub use files::KeyFileError;
pub use generated::{GeneratedKey, GeneratedMode, GeneratedRecord};
pub(super) use index::Reservation;
pub use index::{Credential, CredentialsIndex, GeneratedKeys, IdentityHandle};
pub use keys::{KeyChange, KeySettings, Keys, Modes, ServerKeys};
pub use material::{
    CertificateHash, Curve, KeyHash, MAX_IDENTITY_BYTES, Unusable, hash_of, public_key_hash,
};
pub use revocation::{REVOCATIONS, Revocation, Revocations, Revoked, Why};
pub use trust::{MAX_CHAIN, TrustStore};
pub use view::{CertificateView, ServerKeysView};

/// Decides on the claims of devices.
#[derive(Debug)]
pub struct Credentials {
    index: Arc<CredentialsIndex>,
    keys: ArcSwap<Keys>,
}

impl Credentials {
    /// Decides by `index` and `keys`.
    #[must_use]
    pub fn new(index: Arc<CredentialsIndex>, keys: Keys) -> Self {
        Self {
            index,
            keys: ArcSwap::from_pointee(keys),
        }
    }

    /// Who has which credentials.
    #[must_use]
    pub const fn index(&self) -> &Arc<CredentialsIndex> {
        &self.index
    }

    /// The keys in force.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.load_full()
    }

    /// Decides on a claim. `now` is compared with the dates of certificates. Does not wait for
    /// anything; a chain costs a signature check for each of its certificates.
    #[must_use]
    pub fn authorise(
        &self,
        claim: Claim<'_>,
        purpose: Purpose,
        proof: Proof,
        now: UnixMillis,
    ) -> Decision {
        authorise::decide(&self.index, &self.keys.load(), claim, purpose, proof, now)
    }

    /// Reads the key files again and puts them in force for handshakes from now on; sessions that
    /// stand are left alone. Says what changed.
    ///
    /// # Errors
    /// A file cannot be used: then the keys in force stay.
    pub fn reload(&self, settings: &KeySettings) -> Result<Vec<KeyChange>, KeyFileError> {
        let newer = Keys::load(settings)?;
        let changes = self.keys.load().changes(&newer);
        if !changes.is_empty() {
            self.keys.store(Arc::new(newer));
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests;
