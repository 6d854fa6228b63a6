//! Who lives where: endpoint names to shards and slots, shared by all shards.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::Hasher as _;
use std::num::NonZeroU32;

use crate::net::PeerAddr;

use super::endpoint::identity::MAX_SLOTS;

/// Index of a device profile.
pub type ProfileId = u16;

/// The profile that is always there.
pub const DEFAULT_PROFILE: ProfileId = 0;

/// Where an endpoint lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Home {
    /// Index of the shard.
    pub shard: u8,
    /// Index of the slot in the shard.
    pub slot: u32,
}

/// What the directory knows of a name, in eight bytes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Known {
    /// Shard and slot in one word, one above what they are: zero stands for no home.
    home: Option<NonZeroU32>,
    /// Set when the device was provisioned.
    profile: Option<ProfileId>,
}

impl Known {
    fn home(self) -> Option<Home> {
        let word = self.home?.get() - 1;
        Some(Home {
            shard: (word / MAX_SLOTS) as u8,
            slot: word % MAX_SLOTS,
        })
    }

    fn set_home(&mut self, home: Home) {
        // The last slot of the last shard would not fit; shards are at most 255, numbered from 0.
        self.home = NonZeroU32::new(u32::from(home.shard) * MAX_SLOTS + home.slot + 1);
    }
}

/// A name under a keyed 128-bit hash. Names of endpoints lie in their slots; a million copies here
/// would cost more than the slots. Nobody can make two names collide without the key.
type Fingerprint = [u64; 2];

/// What a shard may do with a device that registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It lives here or elsewhere already.
    At(Home, ProfileId),
    /// It may get a slot.
    New(ProfileId),
    /// It is not known.
    Refused,
}

/// The directory.
#[derive(Debug)]
pub struct Directory {
    key: (u64, u64),
    names: DashMap<Fingerprint, Known, ahash::RandomState>,
    /// Addresses whose datagrams the kernel steers to another shard than the one that their endpoint,
    /// of several the one that came last, lives on.
    strays: DashMap<PeerAddr, u8, ahash::RandomState>,
    unknown: Option<ProfileId>,
}

/// Strays remembered at most; beyond that Sends from further ones are refused.
const MAX_STRAYS: usize = 1 << 20;

impl Directory {
    /// An empty directory. `unknown` is the profile of devices nobody provisioned, `None` to refuse them.
    #[must_use]
    pub fn new(unknown: Option<ProfileId>, key: (u64, u64)) -> Self {
        Self {
            key,
            names: DashMap::default(),
            strays: DashMap::default(),
            unknown,
        }
    }

    /// Whether and where a device may register.
    #[must_use]
    pub fn admission(&self, endpoint: &str) -> Admission {
        let known = self
            .names
            .get(&self.fingerprint(endpoint))
            .map(|known| *known);
        let profile = known.and_then(|known| known.profile).or(self.unknown);
        match (profile, known.and_then(Known::home)) {
            (None, _) => Admission::Refused,
            (Some(profile), Some(home)) => Admission::At(home, profile),
            (Some(profile), None) => Admission::New(profile),
        }
    }

    /// Gives an endpoint a home, unless it has one: then that one is returned.
    pub fn settle(&self, endpoint: &str, home: Home) -> Home {
        match self.names.entry(self.fingerprint(endpoint)) {
            Entry::Occupied(mut known) => known.get().home().unwrap_or_else(|| {
                known.get_mut().set_home(home);
                home
            }),
            Entry::Vacant(new) => {
                let mut known = Known::default();
                known.set_home(home);
                new.insert(known);
                home
            }
        }
    }

    /// Takes an endpoint's home away.
    pub fn leave(&self, endpoint: &str) {
        if let Entry::Occupied(mut known) = self.names.entry(self.fingerprint(endpoint)) {
            known.get_mut().home = None;
            if known.get().profile.is_none() {
                known.remove();
            }
        }
    }

    /// Where an endpoint lives.
    #[must_use]
    pub fn home(&self, endpoint: &str) -> Option<Home> {
        self.names.get(&self.fingerprint(endpoint))?.home()
    }

    /// Provisions a device: it may register, with this profile.
    pub fn admit(&self, endpoint: &str, profile: ProfileId) {
        self.names
            .entry(self.fingerprint(endpoint))
            .or_default()
            .profile = Some(profile);
    }

    /// Takes a device's provisioning back.
    pub fn withdraw(&self, endpoint: &str) {
        if let Entry::Occupied(mut known) = self.names.entry(self.fingerprint(endpoint)) {
            known.get_mut().profile = None;
            if known.get().home.is_none() {
                known.remove();
            }
        }
    }

    /// Whether a device is provisioned.
    #[must_use]
    pub fn is_admitted(&self, endpoint: &str) -> bool {
        let known = self.names.get(&self.fingerprint(endpoint));
        known.is_some_and(|known| known.profile.is_some())
    }

    /// Remembers that datagrams from `peer` belong to `shard`, though the kernel brings them elsewhere.
    pub fn stray(&self, peer: PeerAddr, shard: u8) {
        if self.strays.len() < MAX_STRAYS {
            self.strays.insert(peer, shard);
        }
    }

    /// Datagrams from `peer` belong to where the kernel brings them again.
    pub fn steered(&self, peer: &PeerAddr) {
        self.strays.remove(peer);
    }

    /// Forgets that datagrams from `peer` belong to `shard`.
    pub fn unstray(&self, peer: &PeerAddr, shard: u8) {
        self.strays.remove_if(peer, |_, home| *home == shard);
    }

    /// The shard that a stray address belongs to.
    #[must_use]
    pub fn stray_home(&self, peer: &PeerAddr) -> Option<u8> {
        self.strays.get(peer).map(|shard| *shard)
    }

    fn fingerprint(&self, endpoint: &str) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(endpoint.as_bytes());
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_keeps_the_home_it_got_first() {
        let directory = Directory::new(Some(DEFAULT_PROFILE), (1, 2));
        let first = Home {
            shard: 254,
            slot: MAX_SLOTS - 1,
        };
        assert_eq!(directory.admission("a"), Admission::New(DEFAULT_PROFILE));
        assert_eq!(directory.settle("a", first), first);
        assert_eq!(directory.settle("a", Home { shard: 0, slot: 0 }), first);
        assert_eq!(
            directory.admission("a"),
            Admission::At(first, DEFAULT_PROFILE)
        );
        directory.leave("a");
        assert_eq!(directory.home("a"), None);
    }

    #[test]
    fn only_provisioned_devices_are_admitted_where_unknown_ones_are_refused() {
        let directory = Directory::new(None, (1, 2));
        assert_eq!(directory.admission("a"), Admission::Refused);
        directory.admit("a", 3);
        assert_eq!(directory.admission("a"), Admission::New(3));
        assert_eq!(directory.admission("b"), Admission::Refused);
        directory.withdraw("a");
        assert_eq!(directory.admission("a"), Admission::Refused);
    }

    #[test]
    fn a_name_costs_twenty_four_bytes() {
        assert_eq!(size_of::<(Fingerprint, Known)>(), 24);
    }
}
