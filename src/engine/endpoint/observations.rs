//! Observations of one endpoint.

use std::fmt;

use crate::proto::coap::observe::Freshness;
use crate::proto::lwm2m::Path;

/// What an observation is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observed {
    /// One path.
    Single(Path),
    /// Several paths, in the order in which they were asked for.
    Composite(Box<[Path]>),
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

/// One established observation.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// What is observed.
    pub path: Path,
    /// Sequence number in the token of the request that set it up.
    pub token: u16,
    /// Notifications received, saturating.
    pub notifications: u32,
    /// Newest notification seen.
    pub freshness: Freshness,
}

/// The observations of an endpoint; an exact-size allocation, because they change rarely.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    list: Box<[Observation]>,
}

impl Observations {
    /// The observation whose request carried this token sequence number.
    pub fn by_token(&mut self, token: u16) -> Option<&mut Observation> {
        self.list
            .iter_mut()
            .find(|observation| observation.token == token)
    }

    /// Whether the path is observed.
    #[must_use]
    pub fn observes(&self, path: &Path) -> bool {
        self.list
            .iter()
            .any(|observation| observation.path == *path)
    }

    /// Adds an observation; one of the same path is replaced. Returns whether there was none.
    pub fn insert(&mut self, observation: Observation) -> bool {
        if let Some(known) = self
            .list
            .iter_mut()
            .find(|known| known.path == observation.path)
        {
            *known = observation;
            return false;
        }
        let mut list = std::mem::take(&mut self.list).into_vec();
        list.reserve_exact(1);
        list.push(observation);
        self.list = list.into();
        true
    }

    /// Removes the observation with this token. Returns it if there was one.
    pub fn remove(&mut self, token: u16) -> Option<Observation> {
        let at = self
            .list
            .iter()
            .position(|observation| observation.token == token)?;
        let mut list = std::mem::take(&mut self.list).into_vec();
        let removed = list.remove(at);
        self.list = list.into();
        Some(removed)
    }

    /// Keeps those that `wanted` selects. Returns how many were removed.
    pub fn retain(&mut self, wanted: impl FnMut(&Observation) -> bool) -> usize {
        let mut list = std::mem::take(&mut self.list).into_vec();
        let before = list.len();
        list.retain(wanted);
        self.list = list.into();
        before - self.list.len()
    }

    /// Removes all. Returns how many there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.list).len()
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

    /// All observations.
    pub fn iter(&self) -> impl Iterator<Item = &Observation> {
        self.list.iter()
    }
}
