//! What is wrong with a transport configuration, and what is merely odd.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Findings of one kind that are kept; further ones are counted only.
const KEPT: usize = 50;

/// Something found in a transport configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Finding {
    /// Path of the member, such as `observeAttr.observe[2]`.
    pub member: String,
    /// What was found there, and what is accepted.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Everything found in one transport configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// It is refused for these.
    pub(super) errors: Faults,
    /// It is accepted in spite of these.
    pub(super) warnings: Vec<Finding>,
}

/// Why a transport configuration is refused.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// The first ones, in the order in which they were found.
    pub first: Vec<Finding>,
    /// How many there are beyond those.
    pub more: usize,
}

impl fmt::Display for Faults {
    /// The first one, and how many there are besides.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.first.first() else {
            return Ok(());
        };
        first.fmt(f)?;
        match self.first.len() - 1 + self.more {
            0 => Ok(()),
            others => write!(f, " (and {others} more)"),
        }
    }
}

impl Findings {
    /// `member` cannot be as it is: "`member` `problem`".
    pub(super) fn refuse(&mut self, member: &str, problem: impl fmt::Display) {
        self.refuse_as(member, format!("`{member}` {problem}"));
    }

    /// `member` cannot be as it is, in words of their own.
    pub(super) fn refuse_as(&mut self, member: &str, detail: impl Into<String>) {
        if self.errors.first.len() == KEPT {
            self.errors.more += 1;
            return;
        }
        self.errors.first.push(finding(member, detail.into()));
    }

    /// `member` has no effect, or not the one it seems to have.
    pub(super) fn warn(&mut self, member: &str, problem: impl fmt::Display) {
        if self.warnings.len() < KEPT {
            let detail = format!("`{member}` {problem}");
            self.warnings.push(finding(member, detail));
        }
    }
}

fn finding(member: &str, detail: String) -> Finding {
    Finding {
        member: member.to_owned(),
        detail,
    }
}
