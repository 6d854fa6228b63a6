//! Conditions on the report, such as `update.p99 < 5ms`, that decide the exit code.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::report::Report;
use crate::scenario::nearest;
use crate::stats::Operation;

/// A condition on one number of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    /// Where the number stands in the report.
    path: Vec<String>,
    comparison: Comparison,
    /// In the unit of the report's member.
    limit: f64,
}

/// What became of a threshold.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// As it was demanded.
    pub threshold: String,
    /// Whether it was met.
    pub passed: bool,
    /// What was found, for people.
    pub found: String,
}

/// Why a threshold makes no sense.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ThresholdError {
    /// No comparison in it.
    #[error("threshold {0:?} has no comparison: NAME<VALUE, with one of < <= > >= == !=")]
    NoComparison(String),
    /// The value is no number.
    #[error("threshold {text:?}: {value:?} is not a number with an optional unit ({accepted})")]
    BadValue {
        text: String,
        value: String,
        accepted: &'static str,
    },
    /// The report has no such number.
    #[error("threshold {text:?}: the report has no number {name:?}{hint}")]
    UnknownName {
        text: String,
        name: String,
        hint: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// What a member of the report counts in, by the end of its name.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Micros,
    Seconds,
    Bytes,
    Plain,
}

/// Longer ones first, so that `<=` is not taken for `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Threshold {
    /// From `NAME<VALUE`: a name is an operation and a member of it (`update.p99`, `register.failed`), or the path of
    /// any number in the report (`generator.late_starts`, `phases.register.seconds`); times take us, ms, s, sizes kB,
    /// MB, GB.
    ///
    /// # Errors
    /// [`ThresholdError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let sample = serde_json::to_value(Report::sample()).unwrap_or_default();
        Self::parse_for(text, &sample)
    }

    /// The same for another report, of which this is one with every member.
    ///
    /// # Errors
    /// [`ThresholdError`] says what is wrong with it.
    pub fn parse_for(text: &str, sample: &Value) -> Result<Self, ThresholdError> {
        let found = COMPARISONS
            .iter()
            .filter_map(|&(sign, comparison)| Some((text.find(sign)?, sign, comparison)));
        let first = found.min_by_key(|&(at, sign, _)| (at, std::cmp::Reverse(sign.len())));
        let Some((at, sign, comparison)) = first else {
            return Err(ThresholdError::NoComparison(text.to_owned()));
        };
        let (name, value) = (text[..at].trim(), text[at + sign.len()..].trim());
        let path = path_of(name);
        if !look_up(sample, &path).is_some_and(Value::is_number) {
            let hint = nearest(name, names(sample).iter().map(String::as_str))
                .map(|known| format!("; did you mean {known:?}?"))
                .unwrap_or_default();
            return Err(ThresholdError::UnknownName {
                text: text.to_owned(),
                name: name.to_owned(),
                hint,
            });
        }
        let unit = Unit::of(&path);
        let limit = unit.parse(value).ok_or_else(|| ThresholdError::BadValue {
            text: text.to_owned(),
            value: value.to_owned(),
            accepted: unit.accepted(),
        })?;
        Ok(Self {
            text: text.to_owned(),
            path,
            comparison,
            limit,
        })
    }

    /// Compares with what was found. A number that is not there, such as those of a server without `--server-pid`,
    /// meets no threshold; nor does a latency of which there is no measurement.
    #[must_use]
    pub fn judge(&self, report: &Report) -> Verdict {
        self.judge_value(&serde_json::to_value(report).unwrap_or_default())
    }

    /// The same for another report, as JSON.
    #[must_use]
    pub fn judge_value(&self, report: &Value) -> Verdict {
        let value = look_up(report, &self.path)
            .and_then(Value::as_f64)
            .filter(|_| self.is_measured(report));
        Verdict {
            threshold: self.text.clone(),
            passed: value.is_some_and(|value| self.comparison.holds(value, self.limit)),
            found: match value {
                Some(value) => Unit::of(&self.path).show(value),
                None => "nothing was measured".into(),
            },
        }
    }

    fn is_measured(&self, report: &Value) -> bool {
        let Some(at) = self.path.iter().position(|part| part == "latency_us") else {
            return true;
        };
        let mut count = self.path[..=at].to_vec();
        count.push("count".into());
        look_up(report, &count)
            .and_then(Value::as_u64)
            .is_some_and(|count| count > 0)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
            Self::Equal => value == limit,
            Self::NotEqual => value != limit,
        }
    }
}

impl Unit {
    fn of(path: &[String]) -> Self {
        let last = path.last().map_or("", String::as_str);
        let in_latency = path.iter().any(|part| part == "latency_us") && last != "count";
        match last {
            _ if in_latency || last.ends_with("_us") || last.contains("_us_") => Self::Micros,
            _ if last.ends_with("seconds") => Self::Seconds,
            _ if last.contains("bytes") => Self::Bytes,
            _ => Self::Plain,
        }
    }

    const fn accepted(self) -> &'static str {
        match self {
            Self::Micros => "us, ms, s; us if none is given",
            Self::Seconds => "us, ms, s; s if none is given",
            Self::Bytes => "B, kB, MB, GB; B if none is given",
            Self::Plain => "none here",
        }
    }

    fn parse(self, value: &str) -> Option<f64> {
        let digits = value
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(value.len());
        let number: f64 = value[..digits]
            .trim()
            .replace(['_', ','], "")
            .parse()
            .ok()?;
        let factor = match (self, &value[digits..]) {
            (_, "") => 1.0,
            (Self::Micros, "us") | (Self::Seconds, "s") | (Self::Bytes, "B") => 1.0,
            (Self::Micros, "ms") | (Self::Bytes, "kB") => 1e3,
            (Self::Micros, "s") | (Self::Bytes, "MB") => 1e6,
            (Self::Bytes, "GB") => 1e9,
            (Self::Seconds, "ms") => 1e-3,
            (Self::Seconds, "us") => 1e-6,
            _ => return None,
        };
        Some(number * factor)
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Micros => format!("{value} us"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes => format!("{value} B"),
            Self::Plain => value.to_string(),
        }
    }
}

/// `update.p99` stands for `operations.update.latency_us.p99`.
fn path_of(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let is_operation = Operation::ALL
        .iter()
        .any(|operation| Some(&operation.name()) == parts.first());
    let path = match parts[..] {
        [operation, member @ ("p50" | "p90" | "p99" | "p999" | "max")] if is_operation => {
            vec!["operations", operation, "latency_us", member]
        }
        [operation, member] if is_operation => vec!["operations", operation, member],
        _ => parts,
    };
    path.into_iter().map(str::to_owned).collect()
}

/// Follows member names; in a list, the name of an item.
fn look_up<'a>(report: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(report, |value, part| match value {
        Value::Array(items) => items.iter().find(|item| item["name"] == part.as_str()),
        _ => value.get(part),
    })
}

/// All names that a threshold may have.
fn names(sample: &Value) -> Vec<String> {
    let mut names = Vec::new();
    collect_names("", sample, &mut names);
    let short = names
        .iter()
        .filter_map(|name| name.strip_prefix("operations."))
        .map(|name| name.replace(".latency_us", ""));
    let short: Vec<_> = short.collect();
    names.extend(short);
    names
}

fn collect_names(path: &str, value: &Value, names: &mut Vec<String>) {
    let under = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| collect_names(&under(name), value, names)),
        Value::Array(items) => {
            for item in items {
                if let Some(name) = item["name"].as_str() {
                    collect_names(&under(name), item, names);
                }
            }
        }
        Value::Number(_) => names.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::sample();
        let update = report.operations.get_mut("update").unwrap();
        update.failed = 2;
        update.latency_us.count = 10;
        update.latency_us.p99 = 4_900;
        report.generator.bytes_per_client = 350;
        report.phases[0].seconds = 31.5;
        report
    }

    #[test]
    fn thresholds_are_judged_in_the_units_of_the_report() {
        for (text, passed) in [
            ("update.p99<5ms", true),
            ("update.p99 < 4.9ms", false),
            ("update.p99 <= 4900", true),
            ("operations.update.latency_us.p99 < 0.01s", true),
            ("update.failed == 0", false),
            ("update.failed != 0", true),
            ("phases.register.seconds < 60", true),
            ("phases.register.seconds > 31_000ms", true),
            ("generator.bytes_per_client <= 0.35kB", true),
            ("retransmissions >= 1", false),
        ] {
            let verdict = Threshold::parse(text).unwrap().judge(&report());
            assert_eq!(verdict.passed, passed, "{text}: {}", verdict.found);
        }
    }

    #[test]
    fn what_was_not_measured_meets_no_threshold() {
        let verdict = Threshold::parse("notify.p99 < 1s")
            .unwrap()
            .judge(&report());
        assert!(!verdict.passed);
        assert_eq!(verdict.found, "nothing was measured");
        let mut without_server = report();
        without_server.server = None;
        assert!(
            !Threshold::parse("server.rss_bytes<9GB")
                .unwrap()
                .judge(&without_server)
                .passed
        );
    }

    #[test]
    fn nonsense_is_refused_with_advice() {
        let refused = |text: &str| Threshold::parse(text).unwrap_err().to_string();
        assert!(refused("update.p99").contains("no comparison"));
        assert!(
            refused("update.p98<5ms").contains("did you mean \"update.p9"),
            "{}",
            refused("update.p98<5ms")
        );
        assert!(refused("updat.p99<5ms").contains("did you mean \"update.p99\"?"));
        assert!(refused("update.p99<5MB").contains("us, ms, s"));
        assert!(refused("update.failed<x").contains("not a number"));
        assert!(refused("update<5").contains("no number"));
    }
}
