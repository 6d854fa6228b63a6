//! Which paths an operation takes (LwM2M Core §6.3 and §6.4), and since which version.

use super::{Operation, OperationError, WriteMode};
use crate::proto::lwm2m::{LwM2mVersion, Path};

impl Operation {
    /// The path the operation is about; `/` for composite operations.
    #[must_use]
    pub const fn target(&self) -> Path {
        match self {
            Self::Read { path }
            | Self::Discover { path, .. }
            | Self::Write { path, .. }
            | Self::WriteAttributes { path, .. }
            | Self::Execute { path, .. }
            | Self::Delete { path }
            | Self::Observe { path, .. }
            | Self::CancelObservation { path } => *path,
            Self::Create { object, .. } => Path::object(*object),
            Self::ReadComposite { .. }
            | Self::WriteComposite { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObservationComposite { .. } => Path::ROOT,
        }
    }

    /// The paths a composite operation reads; empty for all others.
    #[must_use]
    pub fn composite_paths(&self) -> &[Path] {
        match self {
            Self::ReadComposite { paths }
            | Self::ObserveComposite { paths, .. }
            | Self::CancelObservationComposite { paths } => paths,
            _ => &[],
        }
    }

    /// The paths the operation is about: its target, or those of a composite operation.
    #[must_use]
    pub fn asked_paths(&self) -> Vec<Path> {
        match self {
            Self::WriteComposite { records } => records.iter().map(|record| record.path).collect(),
            _ if self.is_composite() => self.composite_paths().to_vec(),
            _ => vec![self.target()],
        }
    }

    pub(super) const fn is_composite(&self) -> bool {
        matches!(
            self,
            Self::ReadComposite { .. }
                | Self::WriteComposite { .. }
                | Self::ObserveComposite { .. }
                | Self::CancelObservationComposite { .. }
        )
    }

    /// Checks the paths against the operation and the version of the device.
    pub(super) fn check_paths(&self, version: LwM2mVersion) -> Result<(), OperationError> {
        if self.is_composite() {
            require("a composite operation", LwM2mVersion::V1_1, version)?;
            if !matches!(self, Self::WriteComposite { .. }) {
                check_list(self.name(), self.composite_paths())?;
            }
            return Ok(());
        }
        let path = self.target();
        check_ids(&path)?;
        let levels = self.levels();
        let level = path.len();
        match levels.since.get(level).copied().flatten() {
            Some(since) => require(self.later_addition(), since, version),
            None => Err(OperationError::InvalidTarget {
                operation: self.name(),
                path,
                level: LEVELS[level],
                accepted: levels.accepted,
            }),
        }
    }

    /// What of the operation came with a version later than 1.0.
    const fn later_addition(&self) -> &'static str {
        match self {
            Self::Write {
                mode: WriteMode::Update,
                ..
            } => "a partial update of a Resource",
            Self::Delete { .. } => "Delete of a Resource Instance",
            _ => "an operation on a Resource Instance",
        }
    }

    const fn levels(&self) -> Levels {
        const V1_0: Option<LwM2mVersion> = Some(LwM2mVersion::V1_0);
        const V1_1: Option<LwM2mVersion> = Some(LwM2mVersion::V1_1);
        const V1_2: Option<LwM2mVersion> = Some(LwM2mVersion::V1_2);
        match self {
            Self::Discover { .. } => Levels {
                since: [None, V1_0, V1_0, V1_0, None],
                accepted: "an object, Object Instance or Resource",
            },
            Self::Write {
                mode: WriteMode::Replace,
                ..
            } => Levels {
                since: [None, None, V1_0, V1_0, V1_1],
                accepted: "an Object Instance, Resource or Resource Instance",
            },
            Self::Write {
                mode: WriteMode::Update,
                ..
            } => Levels {
                since: [None, None, V1_0, V1_1, None],
                accepted: "an Object Instance or a multiple Resource for a partial update",
            },
            Self::Execute { .. } => Levels {
                since: [None, None, None, V1_0, None],
                accepted: "a Resource",
            },
            Self::Create { .. } => Levels {
                since: [None, V1_0, None, None, None],
                accepted: "an object",
            },
            Self::Delete { .. } => Levels {
                since: [None, None, V1_0, None, V1_2],
                accepted: "an Object Instance or Resource Instance",
            },
            _ => Levels {
                since: [None, V1_0, V1_0, V1_0, V1_1],
                accepted: "an object, Object Instance, Resource or Resource Instance",
            },
        }
    }
}

/// The levels an operation has, by number of ids.
struct Levels {
    since: [Option<LwM2mVersion>; 5],
    accepted: &'static str,
}

const LEVELS: [&str; 5] = [
    "the root",
    "object",
    "Object Instance",
    "Resource",
    "Resource Instance",
];

pub(super) fn require(
    what: &'static str,
    required: LwM2mVersion,
    version: LwM2mVersion,
) -> Result<(), OperationError> {
    if version >= required {
        return Ok(());
    }
    Err(OperationError::RequiresVersion {
        what,
        required,
        version,
    })
}

/// A list has paths, and none lies at or below another.
pub(super) fn check_list(operation: &'static str, paths: &[Path]) -> Result<(), OperationError> {
    if paths.is_empty() {
        return Err(OperationError::NoPaths { operation });
    }
    paths.iter().try_for_each(check_ids)?;
    let mut sorted = paths.to_vec();
    sorted.sort_unstable();
    // What lies below a path comes right behind it.
    match sorted.windows(2).find(|pair| pair[1].starts_with(&pair[0])) {
        Some(pair) => Err(OperationError::OverlappingPaths {
            path: pair[0],
            other: pair[1],
        }),
        None => Ok(()),
    }
}

fn check_ids(path: &Path) -> Result<(), OperationError> {
    if path.segments().iter().any(|id| *id > Path::MAX_ID) {
        return Err(OperationError::ReservedId { path: *path });
    }
    Ok(())
}
