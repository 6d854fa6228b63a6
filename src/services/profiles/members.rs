//! Members of a JSON object, each read as what it must be. What it is not is found out loud; a
//! member that is `null` counts as absent, as in ThingsBoard.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::findings::Findings;
use super::json::{Node, quoted};

/// An object and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    place: String,
    members: &'a [(String, Node)],
}

impl<'a> Members<'a> {
    /// The outermost object; `None` when it is something else.
    pub(super) fn outermost(node: &'a Node, place: &str, findings: &mut Findings) -> Option<Self> {
        object(node, place.to_owned(), findings)
    }

    /// Path of the object itself.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Path of a member.
    pub(super) fn at(&self, name: &str) -> String {
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place)
        }
    }

    /// All members in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        self.members
            .iter()
            .map(|(name, node)| (name.as_str(), node))
    }

    /// A member that is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.given(name).filter(|node| **node != Node::Null)
    }

    /// A member that is there, also when it is `null`.
    pub(super) fn given(&self, name: &str) -> Option<&'a Node> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, node)| node)
    }

    /// The member as an object.
    pub(super) fn object(&self, name: &str, findings: &mut Findings) -> Option<Self> {
        object(self.get(name)?, self.at(name), findings)
    }

    /// The member as an array, each value with its path.
    pub(super) fn array(&self, name: &str, findings: &mut Findings) -> Vec<(String, &'a Node)> {
        match self.get(name) {
            None => Vec::new(),
            Some(Node::Array(values)) => {
                let at = self.at(name);
                let values = values.iter().enumerate();
                values
                    .map(|(index, value)| (format!("{at}[{index}]"), value))
                    .collect()
            }
            Some(other) => {
                findings.refuse(&self.at(name), unlike(other, "an array"));
                Vec::new()
            }
        }
    }

    /// The member as a text.
    pub(super) fn text(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        match self.get(name)? {
            Node::String(text) => Some(text),
            other => {
                findings.refuse(&self.at(name), unlike(other, "a string"));
                None
            }
        }
    }

    /// The member as `true` or `false`.
    pub(super) fn boolean(&self, name: &str, findings: &mut Findings) -> Option<bool> {
        match self.get(name)? {
            Node::Boolean(value) => Some(*value),
            other => {
                findings.refuse(&self.at(name), unlike(other, "true or false"));
                None
            }
        }
    }

    /// The member as a whole number of `what` within `range`.
    pub(super) fn number(
        &self,
        name: &str,
        what: &str,
        range: RangeInclusive<u32>,
        findings: &mut Findings,
    ) -> Option<u32> {
        let node = self.get(name)?;
        let number = whole(node).filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            let accepted = format!("{what} from {least} to {most}");
            findings.refuse(&self.at(name), unlike(node, accepted));
        }
        number
    }

    /// The member as one of `choices`; its index.
    pub(super) fn choice(
        &self,
        name: &str,
        choices: &[&str],
        findings: &mut Findings,
    ) -> Option<usize> {
        let node = self.get(name)?;
        let chosen = match node {
            Node::String(text) => choices.iter().position(|choice| choice == text),
            _ => None,
        };
        if chosen.is_none() {
            let accepted = format!("one of {}", choices.join(", "));
            findings.refuse(&self.at(name), unlike(node, accepted));
        }
        chosen
    }

    /// Tells of members that are none of `known`. They are kept and have no effect.
    pub(super) fn warn_of_unknown(&self, known: &[&str], findings: &mut Findings) {
        for (name, _) in self.iter().filter(|(name, _)| !known.contains(name)) {
            let hint = hint(name, known);
            findings.warn(
                &self.at(name),
                format!("is not known: it is kept and has no effect{hint}"),
            );
        }
    }

    /// Refuses members that are none of `known`.
    pub(super) fn refuse_unknown(&self, known: &[&str], findings: &mut Findings) {
        for (name, _) in self.iter().filter(|(name, _)| !known.contains(name)) {
            let hint = hint(name, known);
            let known = known.join(", ");
            findings.refuse(
                &self.at(name),
                format!("is not known; accepted: {known}{hint}"),
            );
        }
    }
}

fn object<'a>(node: &'a Node, place: String, findings: &mut Findings) -> Option<Members<'a>> {
    match node {
        Node::Object(members) => Some(Members { place, members }),
        other => {
            if place.is_empty() {
                let problem = unlike(other, "an object");
                findings.refuse_as("", format!("the transport configuration {problem}"));
            } else {
                findings.refuse(&place, unlike(other, "an object"));
            }
            None
        }
    }
}

/// "is … ; accepted is …"
pub(super) fn unlike(node: &Node, accepted: impl Display) -> String {
    format!("is {}; accepted is {accepted}", node.described())
}

fn whole(node: &Node) -> Option<u32> {
    match node {
        Node::Number(number) => number.as_u64()?.try_into().ok(),
        _ => None,
    }
}

fn hint(name: &str, known: &[&str]) -> String {
    let likeness = |known: &&&str| (strsim::jaro_winkler(name, known) * 1000.0) as u32;
    match known.iter().max_by_key(likeness) {
        Some(nearest) if likeness(&nearest) > 850 => {
            format!("; did you mean {}?", quoted(nearest))
        }
        _ => String::new(),
    }
}
