//! A value as somebody gave it, and what it can be read as.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::DeValue;

/// A value from a file or from the environment.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// A string of a file.
    Text(String),
    /// An integer of a file.
    Integer(i64),
    /// A boolean of a file.
    Boolean(bool),
    /// A value of the environment: the key says what it is to be read as.
    Environment(String),
    /// A value of a file of a type that no key takes.
    Other(&'static str),
}

impl Given {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Self::Integer(number),
                    Err(_) => Self::Other("an integer beyond 64 bits"),
                }
            }
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Array(_) => Self::Other("an array"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Environment(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) | Self::Other(_) => None,
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Environment(text) => text.parse().ok(),
            Self::Text(_) | Self::Integer(_) | Self::Other(_) => None,
        }
    }

    pub(super) fn integer(&self, accepted: RangeInclusive<usize>) -> Option<usize> {
        let number = match self {
            Self::Integer(number) => usize::try_from(*number).ok()?,
            Self::Environment(text) => text.replace('_', "").parse().ok()?,
            Self::Text(_) | Self::Boolean(_) | Self::Other(_) => return None,
        };
        accepted.contains(&number).then_some(number)
    }

    /// `Some(None)` for the empty text, which is off.
    pub(super) fn address(&self) -> Option<Option<SocketAddr>> {
        match self.text()? {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        }
    }

    /// `Some(None)` for the empty text, which is none.
    pub(super) fn file(&self) -> Option<Option<PathBuf>> {
        let text = self.text()?;
        Some(
            Some(text)
                .filter(|text| !text.is_empty())
                .map(PathBuf::from),
        )
    }

    /// For error messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) | Self::Environment(text) => format!("{text:?}"),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}
