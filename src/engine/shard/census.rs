//! How many endpoints live under which version of a profile, and how far they are with it.

use std::collections::HashMap;

use crate::engine::endpoint::slot::Progress;
use crate::engine::profiles::ProfileId;
use crate::engine::view::RolloutView;

/// A version of a profile.
pub(super) type Version = (ProfileId, u16);

const KINDS: usize = Progress::Failed as usize + 1;

/// The endpoints of a shard by version and progress.
#[derive(Debug, Default)]
pub(super) struct Census {
    counts: HashMap<Version, [u32; KINDS]>,
}

impl Census {
    /// An endpoint stands there now, or nowhere any more.
    pub(super) fn count(
        &mut self,
        before: Option<(Version, Progress)>,
        now: Option<(Version, Progress)>,
    ) {
        if let Some((version, progress)) = before
            && let Some(counts) = self.counts.get_mut(&version)
        {
            let count = &mut counts[progress as usize];
            *count = count.saturating_sub(1);
            if *counts == [0; KINDS] {
                self.counts.remove(&version);
            }
        }
        if let Some((version, progress)) = now {
            self.counts.entry(version).or_default()[progress as usize] += 1;
        }
    }

    /// Whether an endpoint lives under this version.
    pub(super) fn has(&self, version: Version) -> bool {
        self.counts.contains_key(&version)
    }

    /// How far each profile is whose present version `present` tells.
    pub(super) fn progress(
        &self,
        present: impl Fn(ProfileId) -> u16,
    ) -> Vec<(ProfileId, RolloutView)> {
        let mut profiles: HashMap<ProfileId, RolloutView> = HashMap::new();
        for (&(profile, version), counts) in &self.counts {
            let count = |progress: Progress| u64::from(counts[progress as usize]);
            let (awake, asleep) = (count(Progress::Settled), count(Progress::Asleep));
            let mut part = RolloutView {
                waiting: count(Progress::Waiting),
                failed: count(Progress::Failed),
                ..RolloutView::default()
            };
            if version == present(profile) {
                part.asked = count(Progress::Asked);
                part.done = awake + asleep;
            } else {
                part.left = awake + count(Progress::Asked);
                part.waiting += asleep;
            }
            profiles.entry(profile).or_default().add(&part);
        }
        profiles.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_earlier_versions_are_left_or_wait_and_the_others_are_done() {
        let mut census = Census::default();
        let all = [
            ((7, 1), Progress::Settled),
            ((7, 1), Progress::Asleep),
            ((7, 1), Progress::Absent),
            ((7, 2), Progress::Settled),
            ((7, 2), Progress::Asleep),
            ((7, 2), Progress::Asked),
            ((7, 2), Progress::Failed),
            ((8, 0), Progress::Waiting),
        ];
        for progress in all {
            census.count(None, Some(progress));
        }
        let mut progress = census.progress(|profile| if profile == 7 { 2 } else { 0 });
        progress.sort_by_key(|(profile, _)| *profile);
        let seven = RolloutView {
            running: true,
            devices: 6,
            done: 2,
            asked: 1,
            left: 1,
            waiting: 1,
            failed: 1,
        };
        let eight = RolloutView {
            devices: 1,
            waiting: 1,
            ..RolloutView::default()
        };
        assert_eq!(progress, [(7, seven), (8, eight)]);
        for progress in all {
            census.count(Some(progress), None);
        }
        assert!(!census.has((7, 1)));
        assert!(census.progress(|_| 0).is_empty());
    }
}
