//! `rookery.history`: which telemetry values are kept.

use super::findings::Findings;
use super::json::Node;
use super::members::{Members, unlike};

/// Which telemetry values of a device are kept in the store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum History {
    /// None.
    #[default]
    None,
    /// The latest of each key.
    Latest,
    /// All, for so many milliseconds.
    For(i64),
}

const MEMBER: &str = "history";
const ACCEPTED: &str = "\"none\", \"latest\", {\"days\": number} or {\"hours\": number}";
const HOUR_MILLIS: i64 = 3_600_000;
const MAX_HOURS: u32 = 87_600;
const MAX_DAYS: u32 = 3_650;

/// Reads the member.
pub(super) fn read(members: &Members<'_>, findings: &mut Findings) -> History {
    match members.get(MEMBER) {
        None => History::None,
        Some(Node::String(text)) if text == "none" => History::None,
        Some(Node::String(text)) if text == "latest" => History::Latest,
        Some(Node::Object(_)) => members
            .object(MEMBER, findings)
            .map_or(History::None, |age| read_age(&age, findings)),
        Some(other) => {
            findings.refuse(&members.at(MEMBER), unlike(other, ACCEPTED));
            History::None
        }
    }
}

fn read_age(age: &Members<'_>, findings: &mut Findings) -> History {
    age.refuse_unknown(&["days", "hours"], findings);
    let days = age.number("days", "a whole number of days", 1..=MAX_DAYS, findings);
    let hours = age.number("hours", "a whole number of hours", 1..=MAX_HOURS, findings);
    match (age.get("days"), age.get("hours")) {
        (Some(_), Some(_)) => {
            findings.refuse(
                &age.at("hours"),
                "stands beside days; accepted is one of both",
            );
        }
        (None, None) => {
            findings.refuse(&age.at("days"), "is absent; accepted is days or hours");
        }
        _ => {}
    }
    let hours = hours.or(days.map(|days| days * 24));
    hours.map_or(History::None, |hours| {
        History::For(i64::from(hours) * HOUR_MILLIS)
    })
}
