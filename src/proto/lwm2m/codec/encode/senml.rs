//! What the two SenML notations and the JSON format decide alike: how values are named.

use super::name::Name;
use crate::proto::lwm2m::{Path, Record};

/// How the names of a payload are written.
pub(super) enum Naming {
    /// A base name in front, the rest of the path in each record.
    Below(Path),
    /// The full path in each record.
    Full,
}

impl Naming {
    /// A base name is worth its bytes when everything lies below the path of the request. A value of
    /// that very path is named in full, as is everything in a composite request.
    pub(super) fn choose(base: &Path, records: &[Record]) -> Self {
        let all_below = records.iter().all(|record| record.path.len() > base.len());
        if base.is_root() || !all_below {
            Self::Full
        } else {
            Self::Below(*base)
        }
    }

    pub(super) fn base(&self) -> Option<Name> {
        match self {
            Self::Below(base) => Some(Name::base(base)),
            Self::Full => None,
        }
    }

    pub(super) fn name(&self, path: &Path) -> Name {
        match self {
            Self::Below(base) => Name::below(path, base),
            Self::Full => Name::full(path),
        }
    }
}
