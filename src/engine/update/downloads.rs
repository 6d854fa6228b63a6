//! What devices may fetch from here, by token: one table for all shards, no lock over all of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dashmap::DashMap;
use sha2::{Digest as _, Sha256};

use crate::engine::endpoint::update::target::{
    Assignment, DownloadToken, Fetched, Image, Source, UpdateKind, UpdateTarget,
};
use crate::proto::time::UnixMillis;

/// A package that one device may fetch.
#[derive(Clone, Debug)]
pub struct Download {
    /// Its bytes.
    pub image: Arc<Image>,
    /// What it is.
    pub kind: UpdateKind,
    /// How far the device has got.
    pub fetched: Arc<Fetched>,
    until: Option<UnixMillis>,
}

/// What devices are assigned, and what they may fetch for it.
pub struct Updates {
    secret: [u8; 32],
    assigned: DashMap<Box<str>, [Option<Assignment>; 2], ahash::RandomState>,
    downloads: DashMap<DownloadToken, Download, ahash::RandomState>,
    /// Endpoints with an assignment.
    count: AtomicUsize,
}

impl Updates {
    /// None yet. Tokens follow from `secret`: with the same secret a device finds its package under
    /// the same name after a restart.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"download tokens");
        hash.update(secret);
        Self {
            secret: hash.finalize().into(),
            assigned: DashMap::default(),
            downloads: DashMap::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Assigns a target to an endpoint in place of an earlier one of its kind. A device that fetches
    /// the same package at this moment goes on.
    pub fn assign(&self, endpoint: &str, target: Arc<UpdateTarget>) {
        let kind = target.kind;
        let token = self.token(endpoint, kind, &target.package);
        let mut of = self.assigned.entry(endpoint.into()).or_insert_with(|| {
            self.count.fetch_add(1, Relaxed);
            [None, None]
        });
        let before = of[kind as usize].take();
        let same = before.as_ref().filter(|before| before.token == token);
        let fetched = same.map_or_else(Arc::default, |same| Arc::clone(&same.fetched));
        if let Some(before) = &before
            && before.token != token
        {
            self.downloads.remove(&before.token);
        }
        if let Source::Image(image) = &target.source {
            let download = Download {
                image: Arc::clone(image),
                kind,
                fetched: Arc::clone(&fetched),
                until: target.fetch_until,
            };
            self.downloads.insert(token, download);
        } else {
            self.downloads.remove(&token);
        }
        of[kind as usize] = Some(Assignment {
            target,
            token,
            fetched,
            origin: None,
        });
    }

    /// Takes an assignment back, and what could be fetched for it. `false` when there was none.
    pub fn withdraw(&self, endpoint: &str, kind: UpdateKind) -> bool {
        let Some(mut of) = self.assigned.get_mut(endpoint) else {
            return false;
        };
        let Some(gone) = of[kind as usize].take() else {
            return false;
        };
        self.downloads.remove(&gone.token);
        drop(of);
        let emptied = self
            .assigned
            .remove_if(endpoint, |_, of| of.iter().all(Option::is_none));
        if emptied.is_some() {
            self.count.fetch_sub(1, Relaxed);
        }
        true
    }

    /// Takes everything back that an endpoint was assigned.
    pub fn forget(&self, endpoint: &str) {
        for kind in UpdateKind::ALL {
            self.withdraw(endpoint, kind);
        }
    }

    /// What an endpoint is assigned.
    #[must_use]
    pub fn of(&self, endpoint: &str) -> Option<[Option<Assignment>; 2]> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        self.assigned.get(endpoint).map(|of| of.clone())
    }

    /// What may be fetched under a token.
    #[must_use]
    pub fn download(&self, token: &DownloadToken, now: UnixMillis) -> Option<Download> {
        let found = self.downloads.get(token)?;
        found
            .until
            .is_none_or(|until| now < until)
            .then(|| found.clone())
    }

    /// Packages that may be fetched.
    #[must_use]
    pub fn offered(&self) -> usize {
        self.downloads.len()
    }

    fn token(&self, endpoint: &str, kind: UpdateKind, package: &str) -> DownloadToken {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update((endpoint.len() as u64).to_be_bytes());
        hash.update(endpoint);
        hash.update([kind as u8]);
        hash.update(package);
        let digest: [u8; 32] = hash.finalize().into();
        let mut token = [0; 16];
        token.copy_from_slice(&digest[..16]);
        DownloadToken(token)
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Updates({} endpoints)", self.count.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(package: &str) -> Arc<UpdateTarget> {
        let source = Source::Image(Arc::new(Image::new(*b"image")));
        Arc::new(UpdateTarget {
            fetch_until: Some(1_000),
            ..UpdateTarget::new(UpdateKind::Firmware, package, "title", "2", source)
        })
    }

    fn token(updates: &Updates, endpoint: &str) -> DownloadToken {
        let [firmware, _] = updates.of(endpoint).unwrap();
        firmware.unwrap().token
    }

    #[test]
    fn a_token_is_of_one_device_and_one_package_and_the_same_after_a_restart() {
        let updates = Updates::new(&[7; 32]);
        updates.assign("a", target("p"));
        updates.assign("b", target("p"));
        let (a, b) = (token(&updates, "a"), token(&updates, "b"));
        assert_ne!(a, b);
        assert_eq!(DownloadToken::parse(a.text().as_bytes()), Some(a));
        let restarted = Updates::new(&[7; 32]);
        restarted.assign("a", target("p"));
        assert_eq!(token(&restarted, "a"), a);
        let elsewhere = Updates::new(&[8; 32]);
        elsewhere.assign("a", target("p"));
        assert_ne!(token(&elsewhere, "a"), a);
    }

    #[test]
    fn a_download_ends_with_its_assignment_with_another_one_and_after_its_time() {
        let updates = Updates::new(&[7; 32]);
        updates.assign("a", target("p"));
        let first = token(&updates, "a");
        assert!(updates.download(&first, 1).is_some());
        assert!(updates.download(&first, 1_000).is_none());
        updates.assign("a", target("q"));
        assert!(updates.download(&first, 1).is_none());
        let second = token(&updates, "a");
        assert!(updates.withdraw("a", UpdateKind::Firmware));
        assert!(!updates.withdraw("a", UpdateKind::Firmware));
        assert!(updates.download(&second, 1).is_none());
        assert!(updates.of("a").is_none());
    }
}
