//! The configuration that holds, and where each value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Config;
use super::error::ConfigError;
use super::reader::Reader;
use super::settings::{SETTINGS, Setting};

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Nobody gave another.
    Default,
    /// The file.
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// An option of the command line.
    CommandLine(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::CommandLine(option) => f.write_str(option),
        }
    }
}

/// A configuration with the origin of each value.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The values.
    pub config: Config,
    pub(super) origins: BTreeMap<String, Origin>,
}

/// A key whose value differs between two configurations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// `section.key`.
    pub key: String,
    /// The new value as TOML.
    pub value: String,
    /// Whether it can be applied without a restart.
    pub reloads: bool,
}

impl Effective {
    /// Defaults, then `file`, then `environment`.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it or in the environment is not accepted.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| ConfigError::one(file.display().to_string(), error.to_string()))?;
            reader.read_file(file, &text);
        }
        reader.read_environment(environment);
        reader.finish()
    }

    /// Where the value of `section.key` comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Says that an option of the command line changed `section.key` of [`Self::config`].
    pub fn note_command_line(&mut self, key: &str, option: &'static str) {
        let origin = Origin::CommandLine(option);
        self.origins.insert(key.to_owned(), origin);
    }

    /// The keys whose value in `newer` differs.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Vec<Changed> {
        let differs =
            |setting: &&Setting| (setting.get)(&self.config) != (setting.get)(&newer.config);
        SETTINGS
            .iter()
            .filter(differs)
            .map(|setting| Changed {
                key: setting.path(),
                value: (setting.get)(&newer.config),
                reloads: setting.reloads,
            })
            .collect()
    }
}
