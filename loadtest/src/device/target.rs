//! Paths into a device's resource tree.

use std::fmt;

/// A path of up to three levels: object, instance, resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    ids: [u16; 3],
}

/// No id at this level; it is reserved (LwM2M 1.1 core §7.2).
const NONE: u16 = u16::MAX;

impl Target {
    /// `/`
    pub const ROOT: Self = Self { ids: [NONE; 3] };

    /// `/object/instance/resource`
    #[must_use]
    pub const fn resource(object: u16, instance: u16, resource: u16) -> Self {
        Self {
            ids: [object, instance, resource],
        }
    }

    /// From the segments of a Uri-Path. `None` for what is no number, or deeper than a resource.
    pub fn from_segments<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut ids = [NONE; 3];
        for (level, segment) in segments.enumerate() {
            let id = std::str::from_utf8(segment)
                .ok()?
                .parse()
                .ok()
                .filter(|&id| id != NONE)?;
            *ids.get_mut(level)? = id;
        }
        Some(Self { ids })
    }

    /// The object.
    #[must_use]
    pub const fn object(self) -> Option<u16> {
        Self::present(self.ids[0])
    }

    /// The object instance.
    #[must_use]
    pub const fn instance(self) -> Option<u16> {
        Self::present(self.ids[1])
    }

    /// The resource.
    #[must_use]
    pub const fn resource_id(self) -> Option<u16> {
        Self::present(self.ids[2])
    }

    const fn present(id: u16) -> Option<u16> {
        if id == NONE { None } else { Some(id) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ROOT {
            return f.write_str("/");
        }
        self.ids
            .iter()
            .take_while(|&&id| id != NONE)
            .try_for_each(|id| write!(f, "/{id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<String> {
        Target::from_segments(path.split('/').filter(|s| !s.is_empty()).map(str::as_bytes))
            .map(|t| t.to_string())
    }

    #[test]
    fn paths_of_numbers_are_taken_and_others_are_not() {
        for path in ["/", "/3", "/3/0", "/3/0/9", "/65534/65534/65534"] {
            assert_eq!(parse(path).as_deref(), Some(path));
        }
        for path in ["/3/0/9/1", "/rd", "/65535", "/3/-1", "/99999"] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
