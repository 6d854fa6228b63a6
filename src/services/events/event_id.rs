//! Ids of events, as in the SSE `id:` field and in `Last-Event-ID`.

use std::fmt;
use std::str::FromStr;

/// The place of an event in the feed: a run of the feed and a sequence number in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventId {
    pub(super) run: u64,
    pub(super) sequence: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.run, self.sequence)
    }
}

/// The text is not an id of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the id of an event")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (run, sequence) = text.split_once('-').ok_or(EventIdError)?;
        Ok(Self {
            run: u64::from_str_radix(run, 16).map_err(|_| EventIdError)?,
            sequence: sequence.parse().map_err(|_| EventIdError)?,
        })
    }
}
