//! What is wrong with a configuration: all of it at once, each with its place.

use std::fmt;

/// A configuration that is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub faults: Vec<Fault>,
}

/// One thing wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// File and line, or the variable of the environment.
    pub place: String,
    /// What is wrong and what is accepted.
    pub what: String,
}

impl ConfigError {
    /// One fault.
    #[must_use]
    pub fn one(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            faults: vec![Fault {
                place: place.into(),
                what: what.into(),
            }],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.faults.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {}", fault.place, fault.what)?;
        }
        Ok(())
    }
}
