//! Credentials that were generated for a device at a bootstrap: those that it has used, and newer ones
//! that it has been told or is being told. Both hold until it has registered with the newer ones.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::super::device::DeviceCredentials;
use super::super::revocation::Why;
use super::{Credential, CredentialsIndex, Fingerprint, IdentityHandle};

/// What was generated for a device.
#[derive(Clone, Debug, Default)]
pub struct GeneratedKeys {
    /// What it has registered with.
    pub current: Option<DeviceCredentials>,
    /// What it has been told since.
    pub pending: Option<DeviceCredentials>,
}

/// The same, as it is looked up.
#[derive(Debug, Default)]
pub(super) struct Generated {
    pub(super) current: Option<Arc<Credential>>,
    pub(super) pending: Option<Arc<Credential>>,
    /// A Register with the pending ones is noted.
    is_used: bool,
}

impl Generated {
    pub(super) fn any(&self, is: impl Fn(&Arc<Credential>) -> bool) -> bool {
        self.held().any(is)
    }

    fn held(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.current.iter().chain(&self.pending)
    }
}

/// Devices that have registered with what is pending: each once, until it is taken.
#[derive(Debug, Default)]
pub(super) struct Used {
    devices: Mutex<Vec<(Arc<str>, IdentityHandle)>>,
    came: Notify,
}

impl CredentialsIndex {
    /// Puts what was generated for a device in the place of what there was. Credentials that are left out
    /// end with their sessions. Of a device that is not provisioned nothing is kept.
    pub(in crate::services) fn hold_generated(&self, endpoint: &str, keys: &GeneratedKeys) {
        let fingerprint = self.endpoint(endpoint);
        let Some(client) = self.devices.get(&fingerprint).map(|held| held.clone()) else {
            return;
        };
        let credential = |keys: &DeviceCredentials| self.credential(endpoint, keys);
        let held = Generated {
            current: keys.current.as_ref().and_then(credential),
            pending: keys.pending.as_ref().and_then(credential),
            is_used: false,
        };
        for credential in held.held() {
            for claim in credential.claims.iter().flatten() {
                self.identities.insert(*claim, Arc::clone(credential));
            }
        }
        let kept: Vec<_> = held.held().map(|held| held.handle).collect();
        let claims: Vec<_> = held.held().flat_map(|held| held.claims).collect();
        let retires_client = held.current.is_some();
        let before = self.generated.insert(fingerprint, held).unwrap_or_default();
        for gone in before.held().filter(|gone| !kept.contains(&gone.handle)) {
            self.let_go(Some(gone), &claims);
            self.revoke(endpoint, Some(gone), Why::Retired);
        }
        if retires_client
            && before.current.is_none()
            && let Some(client) = client
        {
            self.revoke(endpoint, Some(&client), Why::Retired);
        }
    }

    /// Whether something was generated for a device.
    pub(in crate::services) fn has_generated(&self, endpoint: &str) -> bool {
        self.generated.contains_key(&self.endpoint(endpoint))
    }

    /// A device has registered with an identity. When it is the pending one that is noted.
    pub fn used(&self, endpoint: &str, identity: IdentityHandle) {
        if self.generated.is_empty() {
            return;
        }
        let Some(mut held) = self.generated.get_mut(&self.endpoint(endpoint)) else {
            return;
        };
        let is_pending = |held: &Arc<Credential>| held.handle == identity;
        if held.is_used || !held.pending.as_ref().is_some_and(is_pending) {
            return;
        }
        held.is_used = true;
        drop(held);
        self.used.note((endpoint.into(), identity));
    }

    /// Waits for devices that have registered with what is pending.
    pub(in crate::services) async fn next_used(&self) -> Vec<(Arc<str>, IdentityHandle)> {
        loop {
            let devices = self.used.take();
            if !devices.is_empty() {
                return devices;
            }
            self.used.came.notified().await;
        }
    }

    /// Notes once more what could not be dealt with.
    pub(in crate::services) fn used_again(&self, device: (Arc<str>, IdentityHandle)) {
        self.used.note(device);
    }

    pub(super) fn forget_generated(&self, endpoint: &str, why: Why) {
        let Some((_, gone)) = self.generated.remove(&self.endpoint(endpoint)) else {
            return;
        };
        let client = self.of_endpoint(endpoint);
        let kept: &[Option<Fingerprint>] = client.as_ref().map_or(&[], |held| &held.claims);
        for gone in gone.held() {
            self.let_go(Some(gone), kept);
            self.revoke(endpoint, Some(gone), why);
        }
    }
}

impl Used {
    fn note(&self, device: (Arc<str>, IdentityHandle)) {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.push(device);
        drop(devices);
        self.came.notify_one();
    }

    fn take(&self) -> Vec<(Arc<str>, IdentityHandle)> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *devices)
    }
}
