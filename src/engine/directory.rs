//! Who lives where: endpoint names to shards and slots, shared by all shards.

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::collections::HashMap;
use std::hash::Hasher as _;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::net::PeerAddr;

use super::endpoint::identity::MAX_SLOTS;
use super::profiles::{MAX_POWER_MODES, PowerId, ProfileId};

/// Where an endpoint lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Home {
    /// Index of the shard.
    pub shard: u8,
    /// Index of the slot in the shard.
    pub slot: u32,
}

/// What the directory knows of a name, in eight bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Known {
    /// Shard and slot in one word, one above what they are: zero stands for no home.
    home: Option<NonZeroU32>,
    /// Means something when the device was provisioned.
    profile: ProfileId,
    /// [`NOT_PROVISIONED`], or how the device differs from its profile.
    power: PowerId,
}

/// In the place of a power mode, for a device that was not provisioned.
const NOT_PROVISIONED: PowerId = PowerId::MAX;
const _: () = assert!(MAX_POWER_MODES < NOT_PROVISIONED as usize);

impl Default for Known {
    fn default() -> Self {
        Self {
            home: None,
            profile: 0,
            power: NOT_PROVISIONED,
        }
    }
}

impl Known {
    fn provisioned(self) -> Option<Admitted> {
        let Self { profile, power, .. } = self;
        (power != NOT_PROVISIONED).then_some(Admitted { profile, power })
    }

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

/// How a device is let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admitted {
    /// Its profile.
    pub profile: ProfileId,
    /// Its own power mode; 0 for that of the profile.
    pub power: PowerId,
}

/// What a shard may do with a device that registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It lives here or elsewhere already.
    At(Home, Admitted),
    /// It may get a slot.
    New(Admitted),
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
    /// Profile of devices nobody provisioned, or [`NOBODY`]. Changes before the engine runs.
    unknown: AtomicU32,
    /// How many provisioned devices a profile has. Not touched by shards.
    users: Mutex<HashMap<ProfileId, usize>>,
    provisioned: AtomicUsize,
}

/// Devices nobody provisioned are refused.
const NOBODY: u32 = u32::MAX;

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
            unknown: AtomicU32::new(unknown.map_or(NOBODY, u32::from)),
            users: Mutex::default(),
            provisioned: AtomicUsize::new(0),
        }
    }

    /// Gives devices that nobody provisioned another profile, if they are let in at all.
    pub fn use_for_unknown(&self, profile: ProfileId) {
        if self.unknown.load(Relaxed) != NOBODY {
            self.unknown.store(profile.into(), Relaxed);
        }
    }

    /// Whether and where a device may register.
    #[must_use]
    pub fn standing(&self, endpoint: &str) -> Standing {
        let known = self
            .names
            .get(&self.fingerprint(endpoint))
            .map(|known| *known);
        let unknown = || {
            let profile = ProfileId::try_from(self.unknown.load(Relaxed)).ok()?;
            Some(Admitted { profile, power: 0 })
        };
        let admitted = known.and_then(Known::provisioned).or_else(unknown);
        match (admitted, known.and_then(Known::home)) {
            (None, _) => Standing::Refused,
            (Some(admitted), Some(home)) => Standing::At(home, admitted),
            (Some(admitted), None) => Standing::New(admitted),
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
            if known.get().provisioned().is_none() {
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
    pub fn admit(&self, endpoint: &str, admitted: Admitted) {
        let mut known = self.names.entry(self.fingerprint(endpoint)).or_default();
        let before = known.provisioned();
        known.profile = admitted.profile;
        known.power = admitted.power;
        self.count(before, Some(admitted));
    }

    /// Takes a device's provisioning back.
    pub fn withdraw(&self, endpoint: &str) {
        if let Entry::Occupied(mut known) = self.names.entry(self.fingerprint(endpoint)) {
            self.count(known.get().provisioned(), None);
            known.get_mut().power = NOT_PROVISIONED;
            if known.get().home.is_none() {
                known.remove();
            }
        }
    }

    /// Whether a device is provisioned.
    #[must_use]
    pub fn is_admitted(&self, endpoint: &str) -> bool {
        let known = self.names.get(&self.fingerprint(endpoint));
        known.is_some_and(|known| known.provisioned().is_some())
    }

    /// How many provisioned devices have this profile.
    #[must_use]
    pub fn users(&self, profile: ProfileId) -> usize {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(&profile).copied().unwrap_or_default()
    }

    fn count(&self, before: Option<Admitted>, after: Option<Admitted>) {
        match (before, after) {
            (None, Some(_)) => drop(self.provisioned.fetch_add(1, Relaxed)),
            (Some(_), None) => drop(self.provisioned.fetch_sub(1, Relaxed)),
            _ => {}
        }
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = before {
            let users = users.entry(before.profile).or_default();
            *users = users.saturating_sub(1);
        }
        if let Some(after) = after {
            *users.entry(after.profile).or_default() += 1;
        }
    }

    /// How many devices are provisioned.
    #[must_use]
    pub fn provisioned(&self) -> usize {
        self.provisioned.load(Relaxed)
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
    use crate::engine::profiles::DEFAULT_PROFILE;

    const fn of(profile: ProfileId) -> Admitted {
        Admitted { profile, power: 0 }
    }

    #[test]
    fn an_endpoint_keeps_the_home_it_got_first() {
        let directory = Directory::new(Some(DEFAULT_PROFILE), (1, 2));
        let first = Home {
            shard: 254,
            slot: MAX_SLOTS - 1,
        };
        assert_eq!(directory.standing("a"), Standing::New(of(DEFAULT_PROFILE)));
        assert_eq!(directory.settle("a", first), first);
        assert_eq!(directory.settle("a", Home { shard: 0, slot: 0 }), first);
        assert_eq!(
            directory.standing("a"),
            Standing::At(first, of(DEFAULT_PROFILE))
        );
        directory.leave("a");
        assert_eq!(directory.home("a"), None);
    }

    #[test]
    fn only_provisioned_devices_are_admitted_where_unknown_ones_are_refused() {
        let directory = Directory::new(None, (1, 2));
        directory.use_for_unknown(7);
        assert_eq!(directory.standing("a"), Standing::Refused);
        directory.admit("a", of(3));
        assert_eq!(directory.standing("a"), Standing::New(of(3)));
        assert_eq!(directory.standing("b"), Standing::Refused);
        directory.withdraw("a");
        assert_eq!(directory.standing("a"), Standing::Refused);
    }

    #[test]
    fn unknown_devices_get_the_profile_chosen_for_them_provisioned_ones_their_own() {
        let directory = Directory::new(Some(DEFAULT_PROFILE), (1, 2));
        directory.use_for_unknown(7);
        let own = Admitted {
            profile: 3,
            power: 2,
        };
        directory.admit("a", own);
        assert_eq!(directory.standing("a"), Standing::New(own));
        assert_eq!(directory.standing("b"), Standing::New(of(7)));
    }

    #[test]
    fn the_provisioned_devices_of_a_profile_are_counted() {
        let directory = Directory::new(None, (1, 2));
        directory.admit("a", of(1));
        directory.admit("b", of(1));
        directory.admit("b", of(1));
        assert_eq!(directory.users(1), 2);
        directory.admit("b", of(2));
        assert_eq!((directory.users(1), directory.users(2)), (1, 1));
        directory.withdraw("a");
        directory.withdraw("a");
        assert_eq!((directory.users(1), directory.users(2)), (0, 1));
    }

    #[test]
    fn a_name_costs_twenty_four_bytes() {
        assert_eq!(size_of::<(Fingerprint, Known)>(), 24);
    }
}
