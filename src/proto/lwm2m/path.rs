//! Where a value lives: object, Object Instance, Resource, Resource Instance (LwM2M Core,
//! "Identifiers").

use std::fmt;
use std::str::FromStr;

use super::excerpt::excerpt;

/// A path of up to four ids. Ten bytes, `Copy`; a path sorts before everything below it.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Path {
    ids: [u16; 4],
    len: u8,
}

impl Path {
    /// `/`
    pub const ROOT: Self = Self {
        ids: [0; 4],
        len: 0,
    };

    /// Largest id that may be used; 65535 is reserved (LwM2M Core, "Identifiers").
    pub const MAX_ID: u16 = u16::MAX - 1;

    /// `/object`. Like the other constructors it takes ids as given; parsing and [`Path::child`]
    /// refuse 65535.
    #[must_use]
    pub const fn object(object: u16) -> Self {
        Self {
            ids: [object, 0, 0, 0],
            len: 1,
        }
    }

    /// `/object/instance`
    #[must_use]
    pub const fn instance(object: u16, instance: u16) -> Self {
        Self {
            ids: [object, instance, 0, 0],
            len: 2,
        }
    }

    /// `/object/instance/resource`
    #[must_use]
    pub const fn resource(object: u16, instance: u16, resource: u16) -> Self {
        Self {
            ids: [object, instance, resource, 0],
            len: 3,
        }
    }

    /// `/object/instance/resource/resource_instance`
    #[must_use]
    pub const fn resource_instance(
        object: u16,
        instance: u16,
        resource: u16,
        resource_instance: u16,
    ) -> Self {
        Self {
            ids: [object, instance, resource, resource_instance],
            len: 4,
        }
    }

    /// Object id.
    #[must_use]
    pub fn object_id(&self) -> Option<u16> {
        self.id(0)
    }

    /// Object Instance id.
    #[must_use]
    pub fn instance_id(&self) -> Option<u16> {
        self.id(1)
    }

    /// Resource id.
    #[must_use]
    pub fn resource_id(&self) -> Option<u16> {
        self.id(2)
    }

    /// Resource Instance id.
    #[must_use]
    pub fn resource_instance_id(&self) -> Option<u16> {
        self.id(3)
    }

    /// The ids, from the object down.
    #[must_use]
    pub fn segments(&self) -> &[u16] {
        &self.ids[..self.len()]
    }

    /// Number of ids: 0 for the root, 4 for a Resource Instance.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// `true` for `/`, the path without ids.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `true` for `/`.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.len == 0
    }

    /// `true` for a Resource or a Resource Instance: a path that can hold one value.
    #[must_use]
    pub const fn holds_value(&self) -> bool {
        self.len >= 3
    }

    /// The path one level below, or `None` below a Resource Instance or for the reserved id 65535.
    #[must_use]
    pub fn child(&self, id: u16) -> Option<Self> {
        if self.len == 4 || id > Self::MAX_ID {
            return None;
        }
        let mut child = *self;
        child.ids[self.len()] = id;
        child.len += 1;
        Some(child)
    }

    /// The path one level above, or `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let mut parent = *self;
        parent.len = self.len.checked_sub(1)?;
        parent.ids[parent.len()] = 0;
        Some(parent)
    }

    /// `true` when `self` is `base` or lies below it.
    #[must_use]
    pub fn starts_with(&self, base: &Self) -> bool {
        self.segments().starts_with(base.segments())
    }

    fn id(&self, level: usize) -> Option<u16> {
        self.segments().get(level).copied()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str("/");
        }
        self.segments().iter().try_for_each(|id| write!(f, "/{id}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Path {
    type Err = PathError;

    /// Reads the one canonical spelling: `/` or one to four decimal ids, each after a slash.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::NoLeadingSlash {
                text: excerpt(text),
            });
        };
        if rest.is_empty() {
            return Ok(Self::ROOT);
        }
        let mut path = Self::ROOT;
        for segment in rest.split('/') {
            let id = parse_id(segment).ok_or_else(|| PathError::InvalidId {
                position: path.len() + 1,
                segment: excerpt(segment),
            })?;
            path = path.child(id).ok_or_else(|| PathError::TooDeep {
                text: excerpt(text),
            })?;
        }
        Ok(path)
    }
}

/// An id in its canonical form: decimal digits without leading zero, 0 to 65534.
fn parse_id(segment: &str) -> Option<u16> {
    let canonical = match segment.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let id = canonical.then(|| segment.parse().ok())??;
    (id <= Path::MAX_ID).then_some(id)
}

/// Why a text is not a path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathError {
    /// The text does not begin with a slash.
    #[error("path \"{text}\" must start with '/'")]
    NoLeadingSlash {
        /// The beginning of the text.
        text: Box<str>,
    },
    /// A segment is not an id.
    #[error(
        "segment {position} of the path is \"{segment}\", expected a decimal id from 0 to 65534"
    )]
    InvalidId {
        /// Which segment, counted from 1.
        position: usize,
        /// The beginning of the segment.
        segment: Box<str>,
    },
    /// More than four segments.
    #[error(
        "path \"{text}\" has more than 4 ids, expected /object/instance/resource/resource-instance at most"
    )]
    TooDeep {
        /// The beginning of the text.
        text: Box<str>,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> PathError {
        text.parse::<Path>()
            .expect_err("the path should be refused")
    }

    #[test]
    fn a_path_is_at_most_ten_bytes_and_copy() {
        fn assert_copy<T: Copy>() {}
        assert_copy::<Path>();
        assert!(size_of::<Path>() <= 10);
    }

    #[test]
    fn every_level_parses_and_prints_the_same() {
        for text in ["/", "/3", "/3/0", "/3/0/9", "/65534/65534/65534/65534"] {
            assert_eq!(text.parse::<Path>().expect(text).to_string(), text);
        }
        assert_eq!("/3/0/7/1".parse(), Ok(Path::resource_instance(3, 0, 7, 1)));
    }

    #[test]
    fn an_error_says_which_segment_is_wrong_and_what_is_accepted() {
        assert_eq!(
            error("/3/65535").to_string(),
            "segment 2 of the path is \"65535\", expected a decimal id from 0 to 65534"
        );
        assert_eq!(error("3/0").to_string(), "path \"3/0\" must start with '/'");
        assert!(matches!(error("/1/2/3/4/5"), PathError::TooDeep { .. }));
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        for text in ["/+3", "/03", "/3/", "//3", "/-1", "/3.0", "/ 3", "/99999"] {
            assert!(matches!(error(text), PathError::InvalidId { .. }), "{text}");
        }
    }

    #[test]
    fn a_path_starts_with_itself_and_its_ancestors_only() {
        let resource = Path::resource(3, 0, 9);
        for base in [Path::ROOT, Path::object(3), Path::instance(3, 0), resource] {
            assert!(resource.starts_with(&base));
        }
        assert!(!resource.starts_with(&Path::instance(3, 1)));
        assert!(!Path::object(3).starts_with(&resource));
    }

    #[test]
    fn a_path_sorts_before_everything_below_it() {
        let sorted = [
            Path::ROOT,
            Path::object(3),
            Path::instance(3, 0),
            Path::resource(3, 0, 0),
            Path::resource_instance(3, 0, 0, 0),
            Path::resource(3, 0, 1),
            Path::instance(3, 1),
            Path::object(4),
        ];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn the_reserved_id_has_no_path() {
        assert_eq!(Path::object(3).child(u16::MAX), None);
        assert_eq!(Path::resource_instance(1, 2, 3, 4).child(0), None);
    }

    proptest! {
        #[test]
        fn parent_undoes_child(ids in prop::collection::vec(0..=Path::MAX_ID, 0..4), id in 0..=Path::MAX_ID) {
            let path = ids.iter().fold(Path::ROOT, |path, &id| path.child(id).expect("at most four ids"));
            let child = path.child(id).expect("at most four ids");
            prop_assert_eq!(child.parent(), Some(path));
            prop_assert_eq!(child.to_string().parse(), Ok(child));
        }
    }
}
