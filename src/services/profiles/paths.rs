//! Paths as a profile writes them: `/3_1.2/0/9`, or `/3/0/9` for every version.

use std::fmt;

use crate::engine::endpoint::profile_parts::PlannedPath;
use crate::proto::lwm2m::{Path, Version};

use super::json::quoted;

/// Most ids of a path, and least.
pub(super) type Depth = std::ops::RangeInclusive<usize>;

/// Reads a path with as many ids as `depth` says; in words what is wrong, and what is accepted.
pub(super) fn parse(text: &str, depth: &Depth) -> Result<PlannedPath, String> {
    let planned = read(text)?;
    let ids = planned.path.len();
    if !depth.contains(&ids) {
        let shape = shape(depth);
        return Err(format!(
            "is {}; accepted is {shape}, with or without the version of the object",
            quoted(text)
        ));
    }
    if planned.path.object_id() == Some(0) {
        return Err(format!(
            "is {}; object 0 (Security) is not open to servers, accepted are objects 1 to 65534",
            quoted(text)
        ));
    }
    Ok(planned)
}

fn read(text: &str) -> Result<PlannedPath, String> {
    let wrong = |error: &dyn fmt::Display| format!("is no path: {error}; {EXAMPLE}");
    let (object, below) = match text.get(1..).and_then(|rest| rest.find('/')) {
        Some(end) => text.split_at(end + 1),
        None => (text, ""),
    };
    let (unversioned, version) = match object.split_once('_') {
        Some((id, version)) => {
            let version: Version = version.parse().map_err(|error| wrong(&error))?;
            (format!("{id}{below}"), Some(version))
        }
        None => (text.to_owned(), None),
    };
    let path: Path = unversioned.parse().map_err(|error| wrong(&error))?;
    Ok(PlannedPath { path, version })
}

const EXAMPLE: &str = "accepted is a path such as /3_1.2/0/9 or /3/0/9";

fn shape(depth: &Depth) -> &'static str {
    match (*depth.start(), *depth.end()) {
        (3, 3) => "the path of a Resource, /object/instance/resource",
        _ => {
            "the path of an Object, an Object Instance, a Resource or a Resource Instance, /object/instance/resource/instance"
        }
    }
}

/// A planned path as profiles write it.
pub(super) struct Written(pub(super) PlannedPath);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlannedPath { path, version } = self.0;
        match (version, path.segments()) {
            (Some(version), [object, below @ ..]) => {
                write!(f, "/{object}_{version}")?;
                below.iter().try_for_each(|id| write!(f, "/{id}"))
            }
            _ => path.fmt(f),
        }
    }
}

/// Whether a device can have both: the versions are equal, or one of them is any.
pub(super) fn meet(a: &PlannedPath, b: &PlannedPath) -> bool {
    a.version.is_none() || b.version.is_none() || a.version == b.version
}

/// Whether a device can have both, and `inner` is `outer` or lies below it.
pub(super) fn covers(outer: &PlannedPath, inner: &PlannedPath) -> bool {
    meet(outer, inner) && inner.path.starts_with(&outer.path)
}

/// Whether every device that has `inner` has it below `outer`.
pub(super) fn always_covers(outer: &PlannedPath, inner: &PlannedPath) -> bool {
    let every = outer.version.is_none() || outer.version == inner.version;
    every && inner.path.starts_with(&outer.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_written_with_its_version_or_without() {
        for text in [
            "/3_1.2/0/9",
            "/3/0/9",
            "/65534_255.0/65534/65534",
            "/19_1.1",
            "/3/0/11/0",
        ] {
            let planned = parse(text, &(1..=4)).unwrap();
            assert_eq!(Written(planned).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_the_reason() {
        let cases = [
            ("", "must start with '/'"),
            ("3/0/9", "must start with '/'"),
            ("batteryLevel", "must start with '/'"),
            ("/3_1/0/9", "version \"1\" is not major.minor"),
            ("/3_1.2.3/0/9", "is not major.minor"),
            ("/3_/0/9", "version \"\" is not"),
            ("/_1.2/0/9", "segment 1"),
            ("/3/0_1.0/9", "segment 2"),
            ("/3/0/65535", "segment 3"),
            ("/3/00/9", "segment 2"),
            ("/3/0/9/", "segment 4"),
            ("/1/2/3/4/5", "more than 4 ids"),
            ("/3_1.2/0", "accepted is the path of a Resource"),
            ("/3/0/9/0", "accepted is the path of a Resource"),
            ("/", "accepted is the path of a Resource"),
            ("/0_1.2/0/1", "object 0 (Security)"),
        ];
        for (text, reason) in cases {
            let refused = parse(text, &(3..=3)).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
            assert!(refused.contains("accepted"), "{text}: {refused}");
        }
    }
}
