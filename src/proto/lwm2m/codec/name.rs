//! Names in payloads: base name and name put together, read as paths.

use super::{DecodeError, Position};
use crate::proto::lwm2m::excerpt::excerpt;
use crate::proto::lwm2m::{Path, PathError};

/// Longest name that is looked at; the longest path has 24 bytes.
const MAX_BYTES: usize = 64;

/// Puts names together without allocating for each of them.
#[derive(Default)]
pub(super) struct NameBuilder {
    full: String,
    base_bytes: usize,
}

impl NameBuilder {
    /// From here on every name follows `base`.
    pub(super) fn set_base(&mut self, base: &str, offset: usize) -> Result<(), DecodeError> {
        self.full.clear();
        self.base_bytes = 0;
        self.append(base, offset)?;
        self.base_bytes = base.len();
        Ok(())
    }

    /// The path of `name` behind the base name.
    ///
    /// A single slash at the end, one too many between the two, and a missing one in front are put
    /// right. No name at all means `request`, the path asked for.
    pub(super) fn path(
        &mut self,
        name: &str,
        request: &Path,
        offset: usize,
    ) -> Result<Path, DecodeError> {
        self.full.truncate(self.base_bytes);
        let name = match name.strip_prefix('/') {
            Some(rest) if self.full.ends_with('/') => rest,
            _ => name,
        };
        self.append(name, offset)?;
        resolve(&self.full, request).map_err(|reason| invalid(&self.full, reason, offset))
    }

    fn append(&mut self, part: &str, offset: usize) -> Result<(), DecodeError> {
        if self.full.len() + part.len() > MAX_BYTES {
            return Err(invalid(
                part,
                PathError::TooDeep {
                    text: excerpt(part),
                },
                offset,
            ));
        }
        self.full.push_str(part);
        Ok(())
    }
}

fn resolve(name: &str, request: &Path) -> Result<Path, PathError> {
    match name {
        "" => Ok(*request),
        "/" => Ok(Path::ROOT),
        _ => {
            let name = name.strip_suffix('/').unwrap_or(name);
            if name.starts_with('/') {
                name.parse()
            } else {
                format!("/{name}").parse()
            }
        }
    }
}

fn invalid(name: &str, reason: PathError, offset: usize) -> DecodeError {
    DecodeError::InvalidPath {
        at: Position::byte(offset),
        name: excerpt(name),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, name: &str) -> Result<Path, DecodeError> {
        let mut builder = NameBuilder::default();
        builder.set_base(base, 0)?;
        builder.path(name, &Path::instance(3, 0), 0)
    }

    #[test]
    fn base_name_and_name_are_put_together_as_they_are() {
        for (base, name) in [
            ("/3/0", "/9"),
            ("/3/0/", "9"),
            ("", "/3/0/9"),
            ("/3/0/9", ""),
            ("/3/0/9/", ""),
        ] {
            assert_eq!(
                path(base, name),
                Ok(Path::resource(3, 0, 9)),
                "{base} {name}"
            );
        }
        assert_eq!(path("/3/0/1", "3"), Ok(Path::resource(3, 0, 13)));
    }

    #[test]
    fn slashes_too_many_or_too_few_are_put_right() {
        assert_eq!(path("/3/0/", "/9"), Ok(Path::resource(3, 0, 9)));
        assert_eq!(path("3/0/", "9"), Ok(Path::resource(3, 0, 9)));
    }

    #[test]
    fn no_name_at_all_means_the_path_asked_for() {
        assert_eq!(path("", ""), Ok(Path::instance(3, 0)));
    }

    #[test]
    fn a_base_name_that_lacks_its_slash_is_not_guessed() {
        assert!(matches!(
            path("/3/0", "9"),
            Err(DecodeError::InvalidPath { .. })
        ));
    }

    #[test]
    fn names_that_cannot_be_paths_are_refused_without_copying_them() {
        assert!(path(&"/1".repeat(100), "").is_err());
        assert!(path("/urn:dev:1234", "/9").is_err());
    }
}
