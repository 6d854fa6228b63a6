//! Observations of one endpoint.

use std::fmt;

use crate::proto::coap::observe::Freshness;
use crate::proto::lwm2m::Path;
use crate::proto::time::Tick;

/// What an observation is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observed {
    /// One path.
    Single(Path),
    /// Several paths, in the order in which they were asked for.
    Composite(Box<[Path]>),
}

impl Observed {
    /// Its paths.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        match self {
            Self::Single(path) => std::slice::from_ref(path),
            Self::Composite(paths) => paths,
        }
    }

    /// How it is observed.
    #[must_use]
    pub const fn kind(&self) -> ObservationKind {
        match self {
            Self::Single(_) => ObservationKind::Single,
            Self::Composite(_) => ObservationKind::Composite,
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = match self {
            Self::Single(path) => return path.fmt(f),
            Self::Composite(paths) => paths,
        };
        f.write_str("[")?;
        for (at, path) in paths.iter().enumerate() {
            write!(f, "{}{path}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

/// How something is observed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ObservationKind {
    /// By Observe.
    Single,
    /// By Observe-Composite.
    Composite,
}

impl ObservationKind {
    /// All kinds, in the order of their indices.
    pub const ALL: [Self; 2] = [Self::Single, Self::Composite];

    /// Stable name, as in the `strategy` label.
    #[must_use]
    pub const fn discriminant(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Composite => "composite",
        }
    }
}

/// One established observation.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// What is observed; [`Path::ROOT`] for a composite, whose paths are kept apart.
    path: Path,
    /// How it is observed.
    pub kind: ObservationKind,
    /// Sequence number in the token of the request that set it up.
    pub token: u16,
    /// Notifications received, saturating.
    pub notifications: u32,
    /// Newest notification seen.
    pub freshness: Freshness,
}

/// The observations of an endpoint; exact-size allocations, because they change rarely.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    list: Box<[Observation]>,
    /// Few devices have composite ones.
    composites: Option<Box<Composites>>,
}

/// Paths of composite observations by token.
type Composites = Vec<(u16, Box<[Path]>)>;

impl Observations {
    /// The observation whose request carried this token sequence number.
    pub fn by_token(&mut self, token: u16) -> Option<&mut Observation> {
        self.list
            .iter_mut()
            .find(|observation| observation.token == token)
    }

    /// What the observation with this token is about.
    #[must_use]
    pub fn observed(&self, token: u16) -> Option<Observed> {
        let observation = self.list.iter().find(|known| known.token == token)?;
        Some(self.target(observation))
    }

    /// The token of the observation of exactly this.
    #[must_use]
    pub fn token_of(&self, observed: &Observed) -> Option<u16> {
        let same = |known: &&Observation| match observed {
            Observed::Single(path) => known.kind == ObservationKind::Single && known.path == *path,
            Observed::Composite(paths) => self.composite(known.token) == Some(&paths[..]),
        };
        self.list.iter().find(same).map(|known| known.token)
    }

    /// An observation that stands in the way of another: one of them contains a path of the other,
    /// and they are not both single and of the same path. Returns the path asked for and what is
    /// observed.
    #[must_use]
    pub fn conflict(&self, wanted: &Observed) -> Option<(Path, Observed)> {
        self.list.iter().find_map(|known| {
            let target = self.target(known);
            if matches!(wanted, Observed::Single(_)) && target == *wanted {
                return None;
            }
            let overlaps = |asked: &&Path| {
                let known = target.paths().iter();
                known
                    .into_iter()
                    .any(|known| asked.starts_with(known) || known.starts_with(asked))
            };
            let asked = *wanted.paths().iter().find(overlaps)?;
            Some((asked, target))
        })
    }

    /// Adds an observation; one of the same is replaced. Returns whether there was none.
    pub fn insert(&mut self, observed: Observed, token: u16, freshness: Freshness) -> bool {
        let replaced = self.token_of(&observed);
        if let Some(known) = replaced {
            self.remove(known);
        }
        let (kind, path) = match observed {
            Observed::Single(path) => (ObservationKind::Single, path),
            Observed::Composite(paths) => {
                self.composites.get_or_insert_default().push((token, paths));
                (ObservationKind::Composite, Path::ROOT)
            }
        };
        let mut list = std::mem::take(&mut self.list).into_vec();
        list.reserve_exact(1);
        list.push(Observation {
            path,
            kind,
            token,
            notifications: 0,
            freshness,
        });
        self.list = list.into();
        replaced.is_none()
    }

    /// Observations as they were: what each is about, its token, how many notifications came, and
    /// sequence number and time of the newest.
    #[must_use]
    pub fn of(kept: impl IntoIterator<Item = (Observed, u16, u32, Option<(u32, Tick)>)>) -> Self {
        let mut observations = Self::default();
        for (observed, token, notifications, newest) in kept {
            let freshness = newest.map_or_else(Freshness::new, |(sequence, at)| {
                Freshness::after(sequence, at)
            });
            if observations.by_token(token).is_none() {
                observations.insert(observed, token, freshness);
            }
            if let Some(known) = observations.by_token(token) {
                known.notifications = notifications;
            }
        }
        observations
    }

    /// Removes the observation with this token. Returns what it was about.
    pub fn remove(&mut self, token: u16) -> Option<Observed> {
        let at = self.list.iter().position(|known| known.token == token)?;
        let observed = self.target(&self.list[at]);
        let mut list = std::mem::take(&mut self.list).into_vec();
        list.remove(at);
        self.list = list.into();
        if let Some(composites) = &mut self.composites {
            composites.retain(|(known, _)| *known != token);
            if composites.is_empty() {
                self.composites = None;
            }
        }
        Some(observed)
    }

    /// Removes all. Returns their tokens and what they were about.
    pub fn take_all(&mut self) -> Vec<(u16, Observed)> {
        let all = self.iter().map(|(known, target)| (known.token, target));
        let all = all.collect();
        *self = Self::default();
        all
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are of each kind.
    #[must_use]
    pub fn counts(&self) -> [i64; ObservationKind::ALL.len()] {
        ObservationKind::ALL
            .map(|kind| self.list.iter().filter(|known| known.kind == kind).count() as i64)
    }

    /// All observations and what they are about.
    pub fn iter(&self) -> impl Iterator<Item = (&Observation, Observed)> {
        self.list.iter().map(|known| (known, self.target(known)))
    }

    /// Reads something of the observations.
    #[must_use]
    pub fn touch(&self) -> u64 {
        self.list.first().map_or(0, |known| known.token.into())
    }

    fn target(&self, observation: &Observation) -> Observed {
        match observation.kind {
            ObservationKind::Single => Observed::Single(observation.path),
            ObservationKind::Composite => {
                let paths = self.composite(observation.token);
                Observed::Composite(paths.unwrap_or_default().into())
            }
        }
    }

    fn composite(&self, token: u16) -> Option<&[Path]> {
        let composites = self.composites.as_ref()?;
        let (_, paths) = composites.iter().find(|(known, _)| *known == token)?;
        Some(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(path: &str) -> Observed {
        Observed::Single(path.parse().unwrap())
    }

    fn composite(paths: &[&str]) -> Observed {
        Observed::Composite(paths.iter().map(|path| path.parse().unwrap()).collect())
    }

    fn observing(all: &[Observed]) -> Observations {
        let mut observations = Observations::default();
        for (token, observed) in all.iter().enumerate() {
            assert!(observations.insert(observed.clone(), token as u16, Freshness::default()));
        }
        observations
    }

    #[track_caller]
    fn conflicts(existing: &[Observed], wanted: &Observed, with: Option<(&str, &str)>) {
        let conflict = observing(existing).conflict(wanted);
        let conflict = conflict.map(|(path, existing)| (path.to_string(), existing.to_string()));
        let with = with.map(|(path, existing)| (path.to_owned(), existing.to_owned()));
        assert_eq!(conflict, with);
    }

    #[test]
    fn the_same_single_path_may_be_observed_again_one_around_or_below_it_not() {
        let existing = [single("/19/0/0")];
        conflicts(&existing, &single("/19/0/0"), None);
        conflicts(&existing, &single("/19/1"), None);
        conflicts(&existing, &single("/19/0/1"), None);
        conflicts(&existing, &single("/19"), Some(("/19", "/19/0/0")));
        conflicts(
            &existing,
            &single("/19/0/0/3"),
            Some(("/19/0/0/3", "/19/0/0")),
        );
    }

    #[test]
    fn overlaps_with_and_of_composites_are_found_by_path_not_by_text() {
        let existing = [composite(&["/3/0/11", "/5/0"])];
        conflicts(&existing, &single("/3/0/1"), None);
        conflicts(
            &existing,
            &single("/5/0/7"),
            Some(("/5/0/7", "[/3/0/11, /5/0]")),
        );
        conflicts(
            &existing,
            &composite(&["/6/0", "/5/0/3"]),
            Some(("/5/0/3", "[/3/0/11, /5/0]")),
        );
        conflicts(
            &[single("/3/0")],
            &composite(&["/3/0/9"]),
            Some(("/3/0/9", "/3/0")),
        );
        conflicts(
            &existing,
            &composite(&["/3/0/11", "/5/0"]),
            Some(("/3/0/11", "[/3/0/11, /5/0]")),
        );
    }

    #[test]
    fn an_observation_of_the_same_replaces_the_known_one() {
        let mut observations = observing(&[single("/3/0/9"), composite(&["/5/0", "/6/0"])]);
        assert!(!observations.insert(single("/3/0/9"), 7, Freshness::default()));
        assert!(!observations.insert(composite(&["/5/0", "/6/0"]), 8, Freshness::default()));
        assert_eq!(observations.counts(), [1, 1]);
        assert_eq!(observations.token_of(&single("/3/0/9")), Some(7));
        assert_eq!(observations.observed(8), Some(composite(&["/5/0", "/6/0"])));
        assert_eq!(
            observations.token_of(&composite(&["/6/0", "/5/0"])),
            None,
            "the order is part of it"
        );
    }

    #[test]
    fn what_is_removed_is_told_and_leaves_nothing_behind() {
        let mut observations = observing(&[composite(&["/5/0"]), single("/3")]);
        assert_eq!(observations.remove(0), Some(composite(&["/5/0"])));
        assert_eq!(observations.remove(0), None);
        assert!(observations.composites.is_none());
        assert_eq!(observations.take_all(), [(1, single("/3"))]);
        assert!(observations.is_empty());
    }
}
