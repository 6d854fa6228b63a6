//! Profiles that endpoints are served by.

use std::collections::HashMap;

use super::{EngineError, EngineHandle};
use crate::engine::command::Command;
use crate::engine::endpoint::profile_parts::ProfileParts;
use crate::engine::profiles::{ProfileError, ProfileId};
use crate::engine::view::RolloutView;

impl EngineHandle {
    /// Puts a profile in force; devices that have it use it from their next message on. A profile
    /// of the same name keeps its number.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn put_profile(&self, parts: ProfileParts) -> Result<ProfileId, ProfileError> {
        let ids = self.put_profiles(vec![parts])?;
        ids.first().copied().ok_or(ProfileError::TooManyProfiles)
    }

    /// Puts profiles in force, all of them or none; their numbers in the same order.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn put_profiles(&self, parts: Vec<ProfileParts>) -> Result<Vec<ProfileId>, ProfileError> {
        let ids = self.inner.shared.profiles.put(parts)?;
        self.look_at_profiles();
        Ok(ids)
    }

    /// Places of endpoints that a change of a profile has not reached yet.
    #[must_use]
    pub fn rollout(&self) -> u64 {
        self.inner.metrics.rollout()
    }

    /// How far the registered devices of each profile are with its present version.
    ///
    /// # Errors
    /// See [`summary`](Self::summary).
    pub async fn progress(&self) -> Result<HashMap<ProfileId, RolloutView>, EngineError> {
        let mut all: HashMap<ProfileId, RolloutView> = HashMap::new();
        for shard in 0..self.shards() {
            let of_shard = self.ask(shard, |reply| Command::Progress { reply }).await?;
            for (profile, progress) in of_shard {
                all.entry(profile).or_default().add(&progress);
            }
        }
        Ok(all)
    }

    /// Takes a profile out of force; `false` when there is none of that name, or it is the default.
    pub fn remove_profile(&self, name: &str) -> bool {
        let removed = self.inner.shared.profiles.remove(name);
        self.look_at_profiles();
        removed
    }

    /// How many provisioned devices have a profile.
    #[must_use]
    pub fn profile_users(&self, profile: ProfileId) -> usize {
        self.inner.shared.directory.users(profile)
    }

    /// Gives devices that nobody provisioned this profile, if they are let in at all. To be called
    /// before the engine runs.
    pub fn use_for_unknown(&self, profile: ProfileId) {
        self.inner.shared.directory.use_for_unknown(profile);
    }
}
