//! What identifies an object definition.

use std::fmt;
use std::str::FromStr;

use crate::proto::lwm2m::excerpt::excerpt;
use crate::proto::lwm2m::{Path, Version};

/// Id and version of an Object, written `3_1.2`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ModelKey {
    /// Object id.
    pub id: u16,
    /// Version of the Object.
    pub version: Version,
}

impl ModelKey {
    /// `id_version`
    #[must_use]
    pub const fn new(id: u16, version: Version) -> Self {
        Self { id, version }
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.id, self.version)
    }
}

impl fmt::Debug for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ModelKey {
    type Err = ParseModelKeyError;

    fn from_str(text: &str) -> Result<Self, ParseModelKeyError> {
        let parse = || {
            let (id, version) = text.split_once('_')?;
            let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
            let id: u16 = digits.then(|| id.parse().ok())??;
            (id <= Path::MAX_ID).then_some(Self::new(id, version.parse().ok()?))
        };
        parse().ok_or_else(|| ParseModelKeyError {
            text: excerpt(text),
        })
    }
}

/// A text is not the key of an object definition.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{text}\" is not an object id (0 to 65534) and a version, such as 3_1.2")]
pub struct ParseModelKeyError {
    text: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_object_id_and_a_version() {
        let key = ModelKey::new(3, Version::new(1, 2));
        assert_eq!("3_1.2".parse(), Ok(key));
        assert_eq!(key.to_string(), "3_1.2");
        for text in [
            "",
            "3",
            "3_",
            "_1.0",
            "+3_1.0",
            "3_1",
            "3_1.2_",
            "3-1.2",
            "65535_1.0",
        ] {
            assert!(text.parse::<ModelKey>().is_err(), "{text}");
        }
    }
}
