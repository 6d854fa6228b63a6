//! The device profiles in force and their numbers, and the power settings that devices have of their own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::proto::lwm2m::{Path, Version};

use super::endpoint::plan::{Destination, Mapping, ProfilePlan};
use super::endpoint::profile_parts::{PowerSettings, ProfileParts};

/// Number of a device profile.
pub type ProfileId = u16;

/// The profile that is always there.
pub const DEFAULT_PROFILE: ProfileId = 0;

/// Number of a power mode, from 1; 0 stands for that of the profile.
pub type PowerId = u16;

/// Profiles that can be made while the engine lives: numbers are not given out twice, since
/// endpoints may still bear one that is gone.
const MAX_PROFILES: usize = 1 << 16;

/// Mappings a profile can have while the engine lives, those it had before included.
const MAX_MAPPINGS: usize = 1 << 16;

/// Earlier versions of profiles that are kept for devices that sleep.
const MAX_OLD: usize = 256;

/// Different power modes that devices can have of their own while the engine lives.
pub const MAX_POWER_MODES: usize = (1 << 16) - 2;

/// Why profiles are not put in force.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// No number is left.
    #[error(
        "{MAX_PROFILES} profiles have been made since the server started, which is as many as it has numbers for; a restart frees those of removed profiles"
    )]
    TooManyProfiles,
    /// No index is left for a mapping.
    #[error(
        "profile \"{profile}\" has mapped {MAX_MAPPINGS} different resources and keys since the server started, which is as many as it can; a restart frees those of removed mappings"
    )]
    TooManyMappings {
        /// Name of the profile.
        profile: String,
    },
}

impl ProfileError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::TooManyProfiles => "too_many_profiles",
            Self::TooManyMappings { .. } => "too_many_mappings",
        }
    }
}

/// Profiles and power modes, changed by services and read by shards.
#[derive(Debug)]
pub struct Profiles {
    table: ArcSwap<ProfileTable>,
    /// Grows after the table has changed.
    generation: AtomicU64,
    /// Numbers by what they stand for. Held while the table changes.
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    profiles: HashMap<Arc<str>, ProfileId>,
    power_modes: HashMap<PowerSettings, PowerId>,
}

impl Profiles {
    /// Only the profile that is always there.
    #[must_use]
    pub fn new(default: ProfilePlan) -> Self {
        let numbers = Numbers {
            profiles: HashMap::from([(Arc::clone(&default.name), DEFAULT_PROFILE)]),
            ..Numbers::default()
        };
        let table = ProfileTable {
            plans: vec![Arc::new(default)],
            power_modes: Vec::new(),
        };
        Self {
            table: ArcSwap::from_pointee(table),
            generation: AtomicU64::new(0),
            numbers: Mutex::new(numbers),
        }
    }

    /// Puts profiles in force, all of them or none, and returns their numbers. One that exists under
    /// the same name keeps its number, and its mappings that stay keep their indices: endpoints
    /// refer to their values by them.
    ///
    /// # Errors
    /// Numbers or indices are used up.
    pub fn put(&self, profiles: Vec<ProfileParts>) -> Result<Vec<ProfileId>, ProfileError> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = ProfileTable::clone(&self.table.load());
        let mut made = Vec::new();
        let mut ids = Vec::with_capacity(profiles.len());
        for parts in profiles {
            let id = numbers.profiles.get(&*parts.name).copied();
            match id.and_then(|id| table.plans.get_mut(usize::from(id)).zip(Some(id))) {
                Some((plan, id)) => {
                    *plan = Arc::new(succeeding(plan, parts)?.after(plan));
                    ids.push(id);
                }
                None => {
                    let id = table.plans.len();
                    if id == MAX_PROFILES {
                        return Err(ProfileError::TooManyProfiles);
                    }
                    let id = id as ProfileId;
                    made.push((Arc::from(parts.name.as_str()), id));
                    let mappings = in_place(&parts.name, &[], parts.mappings)?;
                    let plan = ProfilePlan::compile(ProfileParts { mappings, ..parts });
                    table.plans.push(Arc::new(plan));
                    ids.push(id);
                }
            }
        }
        numbers.profiles.extend(made);
        self.publish(table);
        Ok(ids)
    }

    /// Takes a profile out of force; `false` when there is none of that name, or it is the one that
    /// is always there. Endpoints that still bear its number have a profile that asks for nothing.
    pub fn remove(&self, name: &str) -> bool {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(id) = numbers.profiles.get(name).copied() else {
            return false;
        };
        if id == DEFAULT_PROFILE {
            return false;
        }
        numbers.profiles.remove(name);
        let mut table = ProfileTable::clone(&self.table.load());
        if let Some(plan) = table.plans.get_mut(usize::from(id)) {
            let nothing = ProfilePlan::compile(ProfileParts {
                name: name.to_owned(),
                ..ProfileParts::default()
            });
            *plan = Arc::new(nothing.after(plan));
        }
        self.publish(table);
        true
    }

    /// The number of a power mode; 0, that of the profile, when there are more different ones than
    /// [`MAX_POWER_MODES`].
    pub fn power_id(&self, mode: PowerSettings) -> PowerId {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = numbers.power_modes.get(&mode) {
            return *id;
        }
        let mut table = ProfileTable::clone(&self.table.load());
        if table.power_modes.len() == MAX_POWER_MODES {
            return 0;
        }
        table.power_modes.push(mode);
        let id = table.power_modes.len() as PowerId;
        numbers.power_modes.insert(mode, id);
        self.publish(table);
        id
    }

    /// What is in force now.
    #[must_use]
    pub fn table(&self) -> Arc<ProfileTable> {
        self.table.load_full()
    }

    fn publish(&self, table: ProfileTable) {
        self.table.store(Arc::new(table));
        // Whoever sees the new generation sees the table too.
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// Profiles and power modes by number.
#[derive(Clone, Debug, Default)]
pub struct ProfileTable {
    plans: Vec<Arc<ProfilePlan>>,
    power_modes: Vec<PowerSettings>,
}

impl ProfileTable {
    /// The profile with this number.
    #[must_use]
    pub fn plan(&self, id: ProfileId) -> Option<&Arc<ProfilePlan>> {
        self.plans.get(usize::from(id))
    }

    /// The power mode with this number; `None` for that of the profile.
    #[must_use]
    pub fn power_mode(&self, id: PowerId) -> Option<PowerSettings> {
        self.power_modes
            .get(usize::from(id).checked_sub(1)?)
            .copied()
    }
}

/// What a shard knows of [`Profiles`]. Looking something up costs neither a lock nor a count.
#[derive(Debug)]
pub struct KnownProfiles {
    table: Arc<ProfileTable>,
    generation: u64,
    /// Earlier versions that endpoints may still live under.
    old: HashMap<(ProfileId, u16), Arc<ProfilePlan>>,
}

impl KnownProfiles {
    /// What is in force now.
    #[must_use]
    pub fn of(profiles: &Profiles) -> Self {
        // In this order: what is known may be newer than the generation says, never older.
        let generation = profiles.generation.load(Ordering::Acquire);
        Self {
            table: profiles.table(),
            generation,
            old: HashMap::new(),
        }
    }

    /// Takes over what has changed. Returns whether a profile is another one now.
    pub fn refresh(&mut self, profiles: &Profiles) -> bool {
        if profiles.generation.load(Ordering::Acquire) == self.generation {
            return false;
        }
        let before = std::mem::replace(self, Self::of(profiles));
        self.old = before.old;
        let mut changed = false;
        for (id, plan) in (0..).zip(&before.table.plans) {
            if self.plan(id).version() != plan.version() {
                self.old.insert((id, plan.version()), Arc::clone(plan));
                changed = true;
            }
        }
        changed
    }

    /// One version of a profile: the present one, or an earlier one that is not forgotten yet.
    #[must_use]
    pub fn version(&self, (id, version): (ProfileId, u16)) -> Option<&Arc<ProfilePlan>> {
        let present = self.table.plan(id);
        let present = present.filter(|plan| plan.version() == version);
        present.or_else(|| self.old.get(&(id, version)))
    }

    /// Endpoints may live under this version, which came before the present one.
    pub fn remember(&mut self, version: (ProfileId, u16), plan: Arc<ProfilePlan>) {
        self.old.insert(version, plan);
    }

    /// Forgets earlier versions under which no endpoint lives any more.
    pub fn forget_old(&mut self, lives: impl Fn((ProfileId, u16)) -> bool) {
        self.old.retain(|version, _| lives(*version));
        self.old.shrink_to_fit();
    }

    /// Whether so many earlier versions are kept that no endpoint may stay under one.
    #[must_use]
    pub fn has_too_many_old(&self) -> bool {
        self.old.len() > MAX_OLD
    }

    /// The profile with this number. One that is newer than the last [`refresh`](Self::refresh)
    /// looks like the profile that is always there.
    #[must_use]
    pub fn plan(&self, id: ProfileId) -> &Arc<ProfilePlan> {
        let default = || &self.table.plans[usize::from(DEFAULT_PROFILE)];
        self.table.plan(id).unwrap_or_else(default)
    }

    /// The power mode with this number; `None` for that of the profile.
    #[must_use]
    pub fn power_mode(&self, id: PowerId) -> Option<PowerSettings> {
        self.table.power_mode(id)
    }
}

/// The plan of `parts` for endpoints that have values under the indices of `old`.
fn succeeding(old: &ProfilePlan, parts: ProfileParts) -> Result<ProfilePlan, ProfileError> {
    let mappings = in_place(&parts.name, old.mappings(), parts.mappings)?;
    Ok(ProfilePlan::compile(ProfileParts { mappings, ..parts }))
}

/// Each of `new` where `old` has it, others behind, and nothing in the places of those that went.
fn in_place(
    profile: &str,
    old: &[Mapping],
    new: Vec<Mapping>,
) -> Result<Vec<Mapping>, ProfileError> {
    let mut places: HashMap<_, _> = old
        .iter()
        .enumerate()
        .filter(|(_, mapping)| !is_vacant(mapping))
        .map(|(place, mapping)| (meaning(mapping), place))
        .collect();
    let mut mappings: Vec<_> = old.iter().map(|_| vacant()).collect();
    let mut fresh = Vec::new();
    for mapping in new {
        match places.remove(&meaning(&mapping)) {
            Some(place) => mappings[place] = mapping,
            None => fresh.push(mapping),
        }
    }
    mappings.append(&mut fresh);
    if mappings.len() > MAX_MAPPINGS {
        return Err(ProfileError::TooManyMappings {
            profile: profile.to_owned(),
        });
    }
    Ok(mappings)
}

/// What makes values of two mappings the same.
fn meaning(mapping: &Mapping) -> (Path, Option<Version>, Arc<str>) {
    (mapping.path, mapping.version, Arc::clone(&mapping.key))
}

/// Holds the place of a mapping that went. The reserved id 65535 is in no path of a device.
fn vacant() -> Mapping {
    static NO_KEY: LazyLock<Arc<str>> = LazyLock::new(|| "".into());
    Mapping {
        path: NOWHERE,
        version: None,
        key: Arc::clone(&NO_KEY),
        destination: Destination {
            attribute: false,
            telemetry: false,
        },
        resource_type: None,
    }
}

const NOWHERE: Path = Path::resource(u16::MAX, u16::MAX, u16::MAX);

fn is_vacant(mapping: &Mapping) -> bool {
    mapping.path == NOWHERE
}

#[cfg(test)]
mod tests;
