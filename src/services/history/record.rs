//! Kept values in the store: one record each, newest first in the order of the store.
//!
//! A record lies under the endpoint, a zero byte, the key, a zero byte and the time, counted back from
//! the end of all times in hexadecimal. That of a profile which keeps the latest value only has no
//! time in its place, so that the next one replaces it.

use serde_json::Value;

use crate::proto::time::UnixMillis;
use crate::services::devices::TelemetryQuery;
use crate::services::engine::TimedValue;
use crate::services::storage::{Change, Store, StoreError, Table};

/// Records looked at in one step.
const CHUNK: usize = 1_000;

/// Length of the time in a key.
const DIGITS: usize = 16;

/// Stands for the time where the latest value only is kept; before all times.
const LATEST: &str = "-latest---------";

/// Behind all times of a key.
const AFTER_ALL: char = 'g';

/// A key of the table, taken apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key<'a> {
    pub(super) endpoint: &'a str,
    pub(super) key: &'a str,
    pub(super) is_latest: bool,
}

/// Takes a key apart; `None` when it is none.
pub(super) fn parse(text: &str) -> Option<Key<'_>> {
    let (endpoint, rest) = text.split_once('\0')?;
    let (key, time) = rest.rsplit_once('\0')?;
    Some(Key {
        endpoint,
        key,
        is_latest: time == LATEST,
    })
}

/// The change that keeps a value among others.
pub(super) fn keep(endpoint: &str, key: &str, value: &TimedValue) -> Result<Change, StoreError> {
    put(key_of(endpoint, key, &digits(value.ts)), value)
}

/// The change that keeps a value in place of an earlier one; `None` when a later one is kept.
pub(super) fn keep_latest(
    store: &dyn Store,
    endpoint: &str,
    key: &str,
    value: &TimedValue,
) -> Result<Option<Change>, StoreError> {
    let key = key_of(endpoint, key, LATEST);
    let known = store.get(Table::History, &key)?;
    let known = known.and_then(|bytes| decode(&bytes));
    if known.is_some_and(|known| known.ts > value.ts) {
        return Ok(None);
    }
    put(key, value).map(Some)
}

/// When the value of a record was measured.
pub(super) fn decode(bytes: &[u8]) -> Option<TimedValue> {
    let (ts, value): (UnixMillis, Value) = serde_json::from_slice(bytes).ok()?;
    Some(TimedValue { ts, value })
}

/// Names of the values kept of a device.
pub(super) fn keys(store: &dyn Store, endpoint: &str) -> Result<Vec<String>, StoreError> {
    let mut keys = Vec::new();
    let mut after = before_all(endpoint);
    loop {
        // One record tells the name; then on behind all of that name.
        let found = store.range(Table::History, Some(&after), 1)?;
        let Some(key) = found.first().and_then(|(text, _)| {
            let parsed = parse(text)?;
            (parsed.endpoint == endpoint).then(|| parsed.key.to_owned())
        }) else {
            return Ok(keys);
        };
        after = key_of(endpoint, &key, &AFTER_ALL.to_string());
        keys.push(key);
    }
}

/// Values of one key as they are asked for, newest first.
pub(super) fn read(
    store: &dyn Store,
    endpoint: &str,
    key: &str,
    query: &TelemetryQuery,
) -> Result<Vec<TimedValue>, StoreError> {
    let selected = |ts: UnixMillis| {
        query.from.is_none_or(|from| ts >= from) && query.to.is_none_or(|to| ts <= to)
    };
    let latest = store.get(Table::History, &key_of(endpoint, key, LATEST))?;
    let latest = latest.and_then(|bytes| decode(&bytes));
    let latest = latest.filter(|value| selected(value.ts));
    let mut values = Vec::new();
    let newest = query.to.map_or(LATEST.to_owned(), |to| {
        // The key before it, in the order of the store, is of one millisecond later.
        digits(to.saturating_add(1))
    });
    let mut after = key_of(endpoint, key, &newest);
    'all: while values.len() < query.limit {
        let wanted = (query.limit - values.len()).min(CHUNK);
        let found = store.range(Table::History, Some(&after), wanted)?;
        let at_end = found.len() < wanted;
        for (text, bytes) in found {
            let of_key = parse(&text).is_some_and(|k| k.endpoint == endpoint && k.key == key);
            let value = decode(&bytes).filter(|_| of_key);
            match value {
                Some(value) if selected(value.ts) => values.push(value),
                // Older ones follow, or another key.
                Some(_) => break 'all,
                None if !of_key => break 'all,
                None => {}
            }
            after = text;
        }
        if at_end {
            break;
        }
    }
    if let Some(latest) = latest {
        super::insert(&mut values, &latest);
        values.truncate(query.limit);
    }
    Ok(values)
}

/// Stands before all records of a device in the order of the store.
pub(super) fn before_all(endpoint: &str) -> String {
    format!("{endpoint}\0")
}

fn put(key: String, value: &TimedValue) -> Result<Change, StoreError> {
    Change::put(Table::History, key, &(value.ts, &value.value))
}

fn key_of(endpoint: &str, key: &str, time: &str) -> String {
    format!("{endpoint}\0{key}\0{time}")
}

/// Later times come first.
fn digits(ts: UnixMillis) -> String {
    // Shifted so that all times, those before 1970 too, are positive.
    let back = UnixMillis::MAX.abs_diff(ts);
    format!("{back:0DIGITS$x}")
}
