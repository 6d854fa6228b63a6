//! Where in the object tree something is.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The root, an object, an object instance, a resource or a resource instance.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Path {
    ids: [u16; 4],
    depth: u8,
}

/// A text that is no path.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "`{0}` is no path: it takes up to four numbers from 0 to 65534, such as /3, /3/0, /3/0/9 or /3/0/7/1"
)]
pub struct PathError(pub String);

impl Path {
    /// The root: every object.
    pub const ROOT: Self = Self {
        ids: [0; 4],
        depth: 0,
    };

    /// Of up to four ids; more are left out.
    #[must_use]
    pub fn new(ids: &[u16]) -> Self {
        ids.iter()
            .take(4)
            .fold(Self::ROOT, |path, &id| path.child(id))
    }

    /// The path one level below. A resource instance has none and stays itself.
    #[must_use]
    pub fn child(self, id: u16) -> Self {
        let mut child = self;
        if let Some(slot) = child.ids.get_mut(usize::from(self.depth)) {
            *slot = id;
            child.depth += 1;
        }
        child
    }

    /// The ids that are there.
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        &self.ids[..self.depth()]
    }

    /// 0 for the root to 4 for a resource instance.
    #[must_use]
    pub fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    /// The object's id.
    #[must_use]
    pub fn object(&self) -> Option<u16> {
        self.ids().first().copied()
    }

    /// The object instance's id.
    #[must_use]
    pub fn instance(&self) -> Option<u16> {
        self.ids().get(1).copied()
    }

    /// The resource's id.
    #[must_use]
    pub fn resource(&self) -> Option<u16> {
        self.ids().get(2).copied()
    }

    /// The resource instance's id.
    #[must_use]
    pub fn resource_instance(&self) -> Option<u16> {
        self.ids().get(3).copied()
    }

    /// The first `depth` ids.
    #[must_use]
    pub fn ancestor(&self, depth: usize) -> Self {
        Self::new(&self.ids()[..depth.min(self.depth())])
    }

    /// Whether `other` is this path or below it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.ids().starts_with(self.ids())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.depth == 0 {
            return f.write_str("/");
        }
        self.ids().iter().try_for_each(|id| write!(f, "/{id}"))
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let error = || PathError(text.to_owned());
        let mut path = Self::ROOT;
        for segment in text.split('/').filter(|segment| !segment.is_empty()) {
            let plain = segment.bytes().all(|byte| byte.is_ascii_digit());
            let id: u16 = segment.parse().map_err(|_| error())?;
            if !plain || id == u16::MAX || path.depth() == 4 {
                return Err(error());
            }
            path = path.child(id);
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_up_to_four_numbers() {
        for text in ["/", "/3", "/3/0", "/3/0/9", "/65534/65534/65534/65534"] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
        for text in ["/65535", "/3/-1", "/3/+1", "/a", "/1/2/3/4/5"] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_contains_itself_and_what_is_below() {
        let path = |text: &str| text.parse::<Path>().unwrap();
        assert!(path("/3/0").contains(&path("/3/0/9")));
        assert!(path("/").contains(&path("/3")));
        assert!(!path("/3/0").contains(&path("/3/1/9")));
        assert!(!path("/3/0/9").contains(&path("/3/0")));
    }
}
