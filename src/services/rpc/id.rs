//! Ids of things in a device: `/3_1.2/0/9` is Resource 9 of instance 0 of object 3 in version 1.2.

use std::fmt;

use crate::proto::lwm2m::{Path, Version};

use super::refusal::{Refusal, quoted};

/// A path and the version of its object, if one is stated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct VersionedId {
    /// What is sent to the device.
    pub(super) path: Path,
    /// Version of the object.
    pub(super) version: Option<Version>,
}

impl VersionedId {
    /// Reads an id. The slash in front may be missing, one behind is passed over, and ids may have
    /// leading zeros, all as ThingsBoard has it.
    ///
    /// # Errors
    /// [`Refusal::InvalidId`] saying which part is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = |problem: String| Refusal::InvalidId {
            id: quoted(text),
            problem,
        };
        let trimmed = text.strip_prefix('/').unwrap_or(text);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        let mut id = Self {
            path: Path::ROOT,
            version: None,
        };
        if trimmed.is_empty() {
            return Ok(id);
        }
        for (at, segment) in trimmed.split('/').enumerate() {
            let number = match segment.split_once('_') {
                Some((number, version)) if at == 0 => {
                    let version = version.parse().map_err(|_| {
                        invalid(format!(
                            "\"{}\" is not the version of an object, expected one such as 1.2",
                            quoted(version)
                        ))
                    })?;
                    id.version = Some(version);
                    number
                }
                _ => segment,
            };
            let number = number_of(number).ok_or_else(|| {
                let segment = quoted(number);
                let position = at + 1;
                invalid(format!(
                    "part {position} is \"{segment}\", expected a decimal id from 0 to 65534"
                ))
            })?;
            id.path = id.path.child(number).ok_or_else(|| {
                invalid("more than 4 ids, expected /object/instance/resource/instance".into())
            })?;
        }
        Ok(id)
    }

    /// The same with another path of the same object.
    pub(super) fn with_path(self, path: Path) -> Self {
        Self { path, ..self }
    }
}

fn number_of(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = digits.then(|| text.parse().ok())??;
    (number <= Path::MAX_ID).then_some(number)
}

impl fmt::Display for VersionedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(version), [object, below @ ..]) = (self.version, self.path.segments()) else {
            return self.path.fmt(f);
        };
        write!(f, "/{object}_{version}")?;
        below.iter().try_for_each(|id| write!(f, "/{id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_and_printed() {
        for (text, printed) in [
            ("/3_1.2/0/9", "/3_1.2/0/9"),
            ("/3/0/9", "/3/0/9"),
            ("5/0/2", "/5/0/2"),
            ("/19_1.1/65533/", "/19_1.1/65533"),
            ("/3_1.2/07", "/3_1.2/7"),
            ("/19_1.1/1/0/0", "/19_1.1/1/0/0"),
            ("/", "/"),
        ] {
            let id = VersionedId::parse(text).expect(text);
            assert_eq!(id.to_string(), printed);
        }
    }

    #[test]
    fn an_id_that_is_none_is_refused_with_the_place() {
        for (text, problem) in [
            (
                "/3/65535",
                "part 2 is \"65535\", expected a decimal id from 0 to 65534",
            ),
            (
                "/3/-1/9",
                "part 2 is \"-1\", expected a decimal id from 0 to 65534",
            ),
            (
                "//3",
                "part 1 is \"\", expected a decimal id from 0 to 65534",
            ),
            (
                "/3/0_1.0",
                "part 2 is \"0_1.0\", expected a decimal id from 0 to 65534",
            ),
            (
                "/3_1/0",
                "\"1\" is not the version of an object, expected one such as 1.2",
            ),
            (
                "/1/2/3/4/5",
                "more than 4 ids, expected /object/instance/resource/instance",
            ),
            (
                "batteryLevel",
                "part 1 is \"batteryLevel\", expected a decimal id from 0 to 65534",
            ),
        ] {
            let error = VersionedId::parse(text).expect_err(text).to_string();
            assert_eq!(error, format!("id \"{text}\" is not valid: {problem}"));
        }
    }
}
