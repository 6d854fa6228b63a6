//! Notification attributes: pmin, pmax, gt, lt, st, epmin, epmax, edge, con, hqmax.

use std::fmt::Write;

use super::options::Version;
use super::refusal::Refusal;

/// The attributes attached to one path, in the order in which they were first written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    entries: Vec<(&'static str, f64)>,
}

/// What a query parameter of Write-Attributes or of a 1.2 Observe says: a value, or that the attribute goes.
pub type Change = (&'static str, Option<f64>);

const PERIODS: [&str; 4] = ["pmin", "pmax", "epmin", "epmax"];
const STEPS: [&str; 3] = ["gt", "lt", "st"];
const ONLY_1_2: [&str; 3] = ["edge", "con", "hqmax"];

/// Reads one `name=value` or `name`.
///
/// # Errors
///
/// 4.00 when the attribute is unknown in this version of LwM2M, or its value is out of range.
pub fn parse_change(query: &str, version: Version) -> Result<Change, Refusal> {
    let (name, value) = match query.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (query, None),
    };
    let known = PERIODS
        .iter()
        .chain(&STEPS)
        .chain(&ONLY_1_2)
        .find(|&&known| known == name);
    let Some(&known) = known else {
        return Err(Refusal::bad_request(format!(
            "attribute `{name}` cannot be written"
        )));
    };
    if ONLY_1_2.contains(&known) && version != Version::V1_2 {
        return Err(Refusal::bad_request(format!(
            "attribute `{name}` came with LwM2M 1.2"
        )));
    }
    let Some(text) = value else {
        return Ok((known, None));
    };
    let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.is_finite());
    let fits = |n: &f64| match known {
        "gt" | "lt" => true,
        "st" => *n >= 0.0,
        "edge" | "con" => *n == 0.0 || *n == 1.0,
        _ => *n >= 0.0 && n.fract() == 0.0,
    };
    match number.filter(fits) {
        Some(number) => Ok((known, Some(number))),
        None => Err(Refusal::bad_request(format!(
            "attribute `{name}` cannot be `{text}`"
        ))),
    }
}

impl Attributes {
    /// An attribute's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// Sets or removes an attribute.
    pub fn apply(&mut self, (name, value): Change) {
        match (
            value,
            self.entries.iter().position(|(known, _)| *known == name),
        ) {
            (Some(value), Some(at)) => self.entries[at].1 = value,
            (Some(value), None) => self.entries.push((name, value)),
            (None, Some(at)) => drop(self.entries.remove(at)),
            (None, None) => {}
        }
    }

    /// Whether the attributes contradict each other (OMA LwM2M Core, "Attributes").
    ///
    /// # Errors
    ///
    /// 4.00 naming the two.
    pub fn check(&self) -> Result<(), Refusal> {
        let above = |low: &str, high: &str| matches!((self.get(low), self.get(high)), (Some(low), Some(high)) if low > high);
        if above("pmin", "pmax") {
            return Err(Refusal::bad_request("pmin is greater than pmax"));
        }
        if above("epmin", "epmax") {
            return Err(Refusal::bad_request("epmin is greater than epmax"));
        }
        if let (Some(lt), Some(gt)) = (self.get("lt"), self.get("gt"))
            && lt + 2.0 * self.get("st").unwrap_or(0.0) >= gt
        {
            return Err(Refusal::bad_request("lt + 2 * st is not less than gt"));
        }
        Ok(())
    }

    /// These, with those of a path above where nothing is said here.
    #[must_use]
    pub fn inheriting(mut self, above: Option<&Self>) -> Self {
        for &(name, value) in above.iter().flat_map(|above| &above.entries) {
            if self.get(name).is_none() {
                self.entries.push((name, value));
            }
        }
        self
    }

    /// Whether none is attached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// As link attributes, each with a leading semicolon.
    #[must_use]
    pub fn to_link(&self) -> String {
        self.entries
            .iter()
            .fold(String::new(), |mut text, (name, value)| {
                // Writing into a String cannot fail.
                let _ = write!(text, ";{name}={value}");
                text
            })
    }
}
