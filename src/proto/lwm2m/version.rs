//! Versions of objects and of the enabler itself.

use std::fmt;
use std::str::FromStr;

use super::excerpt::excerpt;

/// Version of an object: `major.minor`, each 0 to 255.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// Incompatible changes.
    pub major: u8,
    /// Compatible additions.
    pub minor: u8,
}

impl Version {
    /// `1.0`, the version of an object that states none and has no other default.
    pub const V1_0: Self = Self::new(1, 0);

    /// `major.minor`
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (major, minor) = text
            .split_once('.')
            .ok_or_else(|| VersionError::malformed(text))?;
        match (parse_number(major), parse_number(minor)) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(VersionError::malformed(text)),
        }
    }
}

/// Version of LwM2M a device registers with (`lwm2m=`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LwM2mVersion {
    /// LwM2M 1.0; also assumed when the device states none (LwM2M Core 1.0 §5.3.1).
    #[default]
    V1_0,
    /// LwM2M 1.1
    V1_1,
    /// LwM2M 1.2
    V1_2,
}

impl From<LwM2mVersion> for Version {
    /// The object version that is called like the LwM2M version.
    fn from(version: LwM2mVersion) -> Self {
        match version {
            LwM2mVersion::V1_0 => Self::V1_0,
            LwM2mVersion::V1_1 => Self::new(1, 1),
            LwM2mVersion::V1_2 => Self::new(1, 2),
        }
    }
}

impl LwM2mVersion {
    /// `1.0`, `1.1` or `1.2`
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }
}

impl fmt::Display for LwM2mVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LwM2mVersion {
    type Err = VersionError;

    /// Reads `1.0`, `1.1`, `1.2`, also with the number of a correction release behind (`1.2.1`).
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let release = match text.match_indices('.').nth(1) {
            Some((end, _)) if parse_number(&text[end + 1..]).is_some() => &text[..end],
            _ => text,
        };
        match release {
            "1.0" => Ok(Self::V1_0),
            "1.1" => Ok(Self::V1_1),
            "1.2" => Ok(Self::V1_2),
            _ => Err(VersionError::Unsupported {
                text: excerpt(text),
            }),
        }
    }
}

fn parse_number(digits: &str) -> Option<u8> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().ok())?
}

/// Why a text is not an accepted version.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VersionError {
    /// Not `major.minor`.
    #[error("version \"{text}\" is not major.minor with numbers from 0 to 255")]
    Malformed {
        /// The beginning of the text.
        text: Box<str>,
    },
    /// An LwM2M version this engine does not speak.
    #[error("LwM2M version \"{text}\" is not one of 1.0, 1.1, 1.2")]
    Unsupported {
        /// The beginning of the text.
        text: Box<str>,
    },
}

impl VersionError {
    fn malformed(text: &str) -> Self {
        Self::Malformed {
            text: excerpt(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_version_is_major_dot_minor() {
        assert_eq!("1.2".parse(), Ok(Version::new(1, 2)));
        assert_eq!(Version::new(2, 10).to_string(), "2.10");
        for text in ["", "1", "1.", ".1", "1.2.3", "1.256", "+1.0", "a.b"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn object_versions_order_by_number_not_by_text() {
        assert!(Version::new(1, 9) < Version::new(1, 10));
    }

    #[test]
    fn a_correction_release_counts_as_its_release() {
        assert_eq!("1.0.2".parse(), Ok(LwM2mVersion::V1_0));
        assert_eq!("1.1.1".parse(), Ok(LwM2mVersion::V1_1));
        assert_eq!("1.2.2".parse(), Ok(LwM2mVersion::V1_2));
        for text in ["1.3", "2.0", "1", "1.2.", "1.2.x", "1.20", ""] {
            assert!(
                matches!(
                    text.parse::<LwM2mVersion>(),
                    Err(VersionError::Unsupported { .. })
                ),
                "{text}"
            );
        }
    }
}
