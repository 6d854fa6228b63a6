//! What can be wrong with the credentials of a device. Texts that end in an exclamation mark are
//! ThingsBoard's, word for word.

/// Why the credentials of a device are not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CredentialsError {
    /// A rule of ThingsBoard's, in its words.
    #[error("{text}")]
    Rule {
        /// Path of the member.
        member: String,
        /// ThingsBoard's text.
        text: String,
    },
    /// A member of another type, or with a value that no rule of ThingsBoard's covers.
    #[error("`{member}` {problem}")]
    Member {
        /// Path of the member.
        member: String,
        /// What is wrong and what is accepted.
        problem: String,
    },
    /// Another device has this PSK identity, public key or certificate.
    #[error(
        "Specified credentials are already registered! `{member}` is that of another device; it must be unique"
    )]
    Taken {
        /// Path of the member.
        member: &'static str,
    },
}

impl CredentialsError {
    /// Stable name of the case.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Rule { .. } => "rule",
            Self::Member { .. } => "member",
            Self::Taken { .. } => "taken",
        }
    }

    /// Path of the member that is wrong.
    #[must_use]
    pub fn member(&self) -> &str {
        match self {
            Self::Rule { member, .. } | Self::Member { member, .. } => member,
            Self::Taken { member } => member,
        }
    }

    pub(super) fn rule(member: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Rule {
            member: member.into(),
            text: text.into(),
        }
    }

    pub(super) fn of_member(member: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Member {
            member: member.into(),
            problem: problem.into(),
        }
    }
}
