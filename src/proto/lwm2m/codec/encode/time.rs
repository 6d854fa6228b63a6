//! Times of records, in seconds since 1970 with a fraction (RFC 8428 §4.5.3).

use super::EncodeError;
use crate::proto::lwm2m::Record;
use crate::proto::time::UnixMillis;

/// The time all records share; it goes to the front as base time.
///
/// # Errors
/// [`EncodeError::TimeOutOfRange`] for any of them that a reader would not take as it is meant.
pub(super) fn common(records: &[Record]) -> Result<Option<UnixMillis>, EncodeError> {
    for record in records {
        if record.time.is_some_and(|time| !ABSOLUTE.contains(&time)) {
            return Err(EncodeError::TimeOutOfRange { path: record.path });
        }
    }
    let first = records.first().and_then(|record| record.time);
    let is_shared = records.iter().all(|record| record.time == first);
    Ok(first.filter(|_| is_shared))
}

/// From 2^28 seconds, below which a time is relative to now, to the end of the year 9999.
const ABSOLUTE: std::ops::RangeInclusive<UnixMillis> = 268_435_456_000..=253_402_300_799_999;

/// Seconds in decimal with as many digits of the fraction as there are.
pub(super) struct Seconds(pub(super) UnixMillis);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, millis) = (self.0 / 1000, self.0 % 1000);
        match millis {
            0 => write!(f, "{seconds}"),
            _ if millis % 100 == 0 => write!(f, "{seconds}.{}", millis / 100),
            _ if millis % 10 == 0 => write!(f, "{seconds}.{:02}", millis / 10),
            _ => write!(f, "{seconds}.{millis:03}"),
        }
    }
}
