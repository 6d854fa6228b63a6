//! The binding (`b=`): over which transports a device can be reached, and its rules per version.

use std::fmt;
use std::str::FromStr;

use super::LwM2mVersion;
use super::excerpt::excerpt;

/// A set of transports, with the queue mode mark `Q` of LwM2M 1.0. One byte.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Binding(u8);

impl Binding {
    /// UDP
    pub const U: Self = Self(1);
    /// TCP (LwM2M 1.1)
    pub const T: Self = Self(1 << 1);
    /// SMS
    pub const S: Self = Self(1 << 2);
    /// Non-IP transport (LwM2M 1.1)
    pub const N: Self = Self(1 << 3);
    /// MQTT (LwM2M 1.2)
    pub const M: Self = Self(1 << 4);
    /// HTTP (LwM2M 1.2)
    pub const H: Self = Self(1 << 5);
    /// Queue mode as LwM2M 1.0 writes it; later versions have the parameter `Q` of its own.
    pub const Q: Self = Self(1 << 6);

    /// Letters in the order they are printed.
    const LETTERS: [(char, Self); 6] = [
        ('U', Self::U),
        ('T', Self::T),
        ('S', Self::S),
        ('N', Self::N),
        ('M', Self::M),
        ('H', Self::H),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `true` when every member of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// `true` when the binding itself asks for queue mode (`UQ`, `SQ`, `UQS`).
    #[must_use]
    pub const fn queue_mode(self) -> bool {
        self.contains(Self::Q)
    }

    /// Whether `version` defines this binding.
    ///
    /// 1.0: one of `U UQ S SQ US UQS` (LwM2M 1.0 §5.3.1.1). 1.1: any set of `U T S N`.
    /// 1.2: also `M H`.
    ///
    /// # Errors
    /// [`BindingError::NotInVersion`] with what the version accepts.
    pub fn check(self, version: LwM2mVersion) -> Result<(), BindingError> {
        let allowed = match version {
            LwM2mVersion::V1_0 => Self::U.union(Self::S).union(Self::Q),
            LwM2mVersion::V1_1 => Self::U.union(Self::T).union(Self::S).union(Self::N),
            LwM2mVersion::V1_2 => Self(Self::Q.0 - 1),
        };
        if allowed.contains(self) && self != Self::Q {
            Ok(())
        } else {
            Err(BindingError::NotInVersion {
                binding: self,
                version,
            })
        }
    }
}

impl Default for Binding {
    /// `U`, the binding of a device that states none.
    fn default() -> Self {
        Self::U
    }
}

impl fmt::Display for Binding {
    /// `Q` stands after the first letter, as LwM2M 1.0 writes it (`UQS`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut queue = if self.queue_mode() { "Q" } else { "" };
        for (letter, member) in Self::LETTERS {
            if self.contains(member) {
                write!(f, "{letter}{queue}")?;
                queue = "";
            }
        }
        f.write_str(queue)
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Binding {
    type Err = BindingError;

    /// Reads any set of known letters in any order; [`Binding::check`] tells whether a version
    /// allows it.
    fn from_str(text: &str) -> Result<Self, BindingError> {
        let mut binding = Self(0);
        for letter in text.chars() {
            let member = match letter {
                'Q' => Some(Self::Q),
                _ => Self::LETTERS
                    .iter()
                    .find(|(known, _)| *known == letter)
                    .map(|(_, member)| *member),
            };
            let member = member.ok_or_else(|| BindingError::UnknownLetter {
                text: excerpt(text),
                letter,
            })?;
            binding = binding.union(member);
        }
        if binding == Self(0) {
            Err(BindingError::Empty)
        } else {
            Ok(binding)
        }
    }
}

/// Why a binding is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BindingError {
    /// No letter at all.
    #[error("b is empty, expected letters of U T S N M H Q")]
    Empty,
    /// A letter no version defines.
    #[error("b={text} is not a binding, expected letters of U T S N M H Q")]
    UnknownLetter {
        /// The beginning of the value.
        text: Box<str>,
        /// The letter.
        letter: char,
    },
    /// Defined, but not by the version the device registered with.
    #[error("b={binding} is not a binding of LwM2M {version}, expected {}", accepted(*.version))]
    NotInVersion {
        /// The binding.
        binding: Binding,
        /// The version.
        version: LwM2mVersion,
    },
}

const fn accepted(version: LwM2mVersion) -> &'static str {
    match version {
        LwM2mVersion::V1_0 => "one of U UQ S SQ US UQS",
        LwM2mVersion::V1_1 => "letters of U T S N",
        LwM2mVersion::V1_2 => "letters of U T S N M H",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(text: &str) -> Binding {
        text.parse().expect(text)
    }

    #[test]
    fn version_1_0_has_six_bindings() {
        for text in ["U", "UQ", "S", "SQ", "US", "UQS"] {
            assert_eq!(binding(text).check(LwM2mVersion::V1_0), Ok(()), "{text}");
            assert_eq!(binding(text).to_string(), text);
        }
        for text in ["UT", "T", "N", "Q", "UM", "UH"] {
            assert!(binding(text).check(LwM2mVersion::V1_0).is_err(), "{text}");
        }
    }

    #[test]
    fn later_versions_have_sets_without_q() {
        for text in ["U", "UT", "TS", "UTSN", "N"] {
            assert_eq!(binding(text).check(LwM2mVersion::V1_1), Ok(()), "{text}");
            assert_eq!(binding(text).check(LwM2mVersion::V1_2), Ok(()), "{text}");
        }
        for version in [LwM2mVersion::V1_1, LwM2mVersion::V1_2] {
            assert!(binding("UQ").check(version).is_err());
        }
        assert!(binding("UM").check(LwM2mVersion::V1_1).is_err());
        assert_eq!(binding("UMH").check(LwM2mVersion::V1_2), Ok(()));
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        assert_eq!(binding("SU"), binding("US"));
        assert_eq!(binding("UU"), Binding::U);
    }

    #[test]
    fn an_error_names_the_value_and_what_is_accepted() {
        assert_eq!(
            "UX".parse::<Binding>()
                .expect_err("X is no letter")
                .to_string(),
            "b=UX is not a binding, expected letters of U T S N M H Q"
        );
        assert_eq!(
            binding("UT")
                .check(LwM2mVersion::V1_0)
                .expect_err("T came with 1.1")
                .to_string(),
            "b=UT is not a binding of LwM2M 1.0, expected one of U UQ S SQ US UQS"
        );
        assert_eq!("".parse::<Binding>(), Err(BindingError::Empty));
    }
}
