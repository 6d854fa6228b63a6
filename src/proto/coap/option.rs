//! Option numbers and what is defined for each (RFC 7252 §5.10 and the RFCs that add options).

use std::ops::RangeInclusive;

/// If-Match (RFC 7252 §5.10.8.1).
pub const IF_MATCH: u16 = 1;
/// Uri-Host (RFC 7252 §5.10.1).
pub const URI_HOST: u16 = 3;
/// ETag (RFC 7252 §5.10.6).
pub const ETAG: u16 = 4;
/// If-None-Match (RFC 7252 §5.10.8.2).
pub const IF_NONE_MATCH: u16 = 5;
/// Observe (RFC 7641).
pub const OBSERVE: u16 = 6;
/// Uri-Port (RFC 7252 §5.10.1).
pub const URI_PORT: u16 = 7;
/// Location-Path (RFC 7252 §5.10.7).
pub const LOCATION_PATH: u16 = 8;
/// OSCORE (RFC 8613).
pub const OSCORE: u16 = 9;
/// Uri-Path (RFC 7252 §5.10.1).
pub const URI_PATH: u16 = 11;
/// Content-Format (RFC 7252 §5.10.3).
pub const CONTENT_FORMAT: u16 = 12;
/// Max-Age (RFC 7252 §5.10.5).
pub const MAX_AGE: u16 = 14;
/// Uri-Query (RFC 7252 §5.10.1).
pub const URI_QUERY: u16 = 15;
/// Hop-Limit (RFC 8768).
pub const HOP_LIMIT: u16 = 16;
/// Accept (RFC 7252 §5.10.4).
pub const ACCEPT: u16 = 17;
/// Q-Block1 (RFC 9177).
pub const Q_BLOCK1: u16 = 19;
/// Location-Query (RFC 7252 §5.10.7).
pub const LOCATION_QUERY: u16 = 20;
/// Block2 (RFC 7959).
pub const BLOCK2: u16 = 23;
/// Block1 (RFC 7959).
pub const BLOCK1: u16 = 27;
/// Size2 (RFC 7959 §4).
pub const SIZE2: u16 = 28;
/// Q-Block2 (RFC 9177).
pub const Q_BLOCK2: u16 = 31;
/// Proxy-Uri (RFC 7252 §5.10.2).
pub const PROXY_URI: u16 = 35;
/// Proxy-Scheme (RFC 7252 §5.10.2).
pub const PROXY_SCHEME: u16 = 39;
/// Size1 (RFC 7252 §5.10.9, RFC 7959 §4).
pub const SIZE1: u16 = 60;
/// Echo (RFC 9175).
pub const ECHO: u16 = 252;
/// No-Response (RFC 7967).
pub const NO_RESPONSE: u16 = 258;
/// Request-Tag (RFC 9175).
pub const REQUEST_TAG: u16 = 292;

/// Name of the option, if it is one of those above.
#[must_use]
pub const fn name(number: u16) -> Option<&'static str> {
    Some(match number {
        IF_MATCH => "If-Match",
        URI_HOST => "Uri-Host",
        ETAG => "ETag",
        IF_NONE_MATCH => "If-None-Match",
        OBSERVE => "Observe",
        URI_PORT => "Uri-Port",
        LOCATION_PATH => "Location-Path",
        OSCORE => "OSCORE",
        URI_PATH => "Uri-Path",
        CONTENT_FORMAT => "Content-Format",
        MAX_AGE => "Max-Age",
        URI_QUERY => "Uri-Query",
        HOP_LIMIT => "Hop-Limit",
        ACCEPT => "Accept",
        Q_BLOCK1 => "Q-Block1",
        LOCATION_QUERY => "Location-Query",
        BLOCK2 => "Block2",
        BLOCK1 => "Block1",
        SIZE2 => "Size2",
        Q_BLOCK2 => "Q-Block2",
        PROXY_URI => "Proxy-Uri",
        PROXY_SCHEME => "Proxy-Scheme",
        SIZE1 => "Size1",
        ECHO => "Echo",
        NO_RESPONSE => "No-Response",
        REQUEST_TAG => "Request-Tag",
        _ => return None,
    })
}

/// Whether a message with this option must be refused by those who do not understand it
/// (RFC 7252 §5.4.1): odd numbers are critical, even ones elective.
#[must_use]
pub const fn is_critical(number: u16) -> bool {
    number & 1 == 1
}

/// Whether the option does not take part in telling two requests apart
/// (`NoCacheKey`, RFC 7252 §5.4.6).
#[must_use]
pub const fn is_no_cache_key(number: u16) -> bool {
    number & 0x1e == 0x1c
}

/// Whether the option may occur more than once in a message (RFC 7252 §5.4.5).
///
/// Numbers not named here count as repeatable: nothing is known that would forbid it.
#[must_use]
pub const fn is_repeatable(number: u16) -> bool {
    !matches!(
        number,
        URI_HOST
            | IF_NONE_MATCH
            | OBSERVE
            | URI_PORT
            | OSCORE
            | CONTENT_FORMAT
            | MAX_AGE
            | HOP_LIMIT
            | ACCEPT
            | Q_BLOCK1
            | BLOCK2
            | BLOCK1
            | SIZE2
            | PROXY_URI
            | PROXY_SCHEME
            | SIZE1
            | ECHO
            | NO_RESPONSE
    )
}

/// The lengths in bytes that an option's value may have; `None` for numbers not named here.
///
/// A value of another length makes the option count as not recognised (RFC 7252 §5.4.3).
#[must_use]
pub const fn length_range(number: u16) -> Option<RangeInclusive<usize>> {
    Some(match number {
        IF_NONE_MATCH => 0..=0,
        NO_RESPONSE => 0..=1,
        HOP_LIMIT => 1..=1,
        URI_PORT | CONTENT_FORMAT | ACCEPT => 0..=2,
        OBSERVE | Q_BLOCK1 | BLOCK2 | BLOCK1 | Q_BLOCK2 => 0..=3,
        MAX_AGE | SIZE1 | SIZE2 => 0..=4,
        IF_MATCH | REQUEST_TAG => 0..=8,
        ETAG => 1..=8,
        ECHO => 1..=40,
        URI_HOST | PROXY_SCHEME => 1..=255,
        OSCORE | LOCATION_PATH | URI_PATH | URI_QUERY | LOCATION_QUERY => 0..=255,
        PROXY_URI => 1..=1034,
        _ => return None,
    })
}

/// Whether a value of `length` bytes is within [`length_range`]; always `true` for numbers not
/// named here.
#[must_use]
pub fn has_valid_length(number: u16, length: usize) -> bool {
    length_range(number).is_none_or(|range| range.contains(&length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_are_critical() {
        for critical in [IF_MATCH, URI_HOST, URI_PATH, ACCEPT, BLOCK1, BLOCK2, OSCORE] {
            assert!(is_critical(critical), "{critical}");
        }
        for elective in [ETAG, OBSERVE, CONTENT_FORMAT, SIZE1, NO_RESPONSE, ECHO] {
            assert!(!is_critical(elective), "{elective}");
        }
    }

    #[test]
    fn only_the_size_options_are_no_cache_key() {
        assert!(is_no_cache_key(SIZE1));
        assert!(is_no_cache_key(SIZE2));
        for part_of_key in [URI_PATH, URI_QUERY, ACCEPT, CONTENT_FORMAT, REQUEST_TAG] {
            assert!(!is_no_cache_key(part_of_key), "{part_of_key}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_registry() {
        assert!(has_valid_length(ACCEPT, 2));
        assert!(!has_valid_length(ACCEPT, 3));
        assert!(!has_valid_length(ETAG, 0));
        assert!(!has_valid_length(URI_PATH, 256));
        assert!(has_valid_length(65_000, 4_000));
    }
}
