//! Reads files and the environment into a configuration, collecting everything that is wrong.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::effective::{Effective, Origin};
use super::error::{ConfigError, Fault};
use super::given::Given;
use super::settings::{SETTINGS, find};

/// What every variable begins with.
const PREFIX: &str = "ROOKERY_";

#[derive(Default)]
pub(super) struct Reader {
    config: Config,
    origins: BTreeMap<String, Origin>,
    faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn read_file(&mut self, file: &Path, text: &str) {
        let line_of = |position: usize| 1 + text[..position].matches('\n').count();
        let origin_at = |position: usize| Origin::File {
            file: file.to_owned(),
            line: line_of(position),
        };
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => {
                let origin = origin_at(error.span().map_or(0, |span| span.start));
                return self.fault(&origin, error.message());
            }
        };
        for (section, value) in document.get_ref() {
            let origin = origin_at(section.span().start);
            let name = section.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(keys) => self.read_section(name, keys, &origin, origin_at),
                _ => self.fault(&origin, unknown_top_level(name)),
            }
        }
    }

    fn read_section(
        &mut self,
        section: &str,
        keys: &DeTable<'_>,
        origin: &Origin,
        origin_at: impl Fn(usize) -> Origin,
    ) {
        if !SETTINGS.iter().any(|setting| setting.section == section) {
            return self.fault(origin, unknown_section(section));
        }
        for (key, value) in keys {
            let origin = origin_at(Spanned::span(key).start);
            let given = Given::from_toml(value.get_ref());
            self.take(section, key.get_ref().as_ref(), &given, origin);
        }
    }

    /// Variables with two underscores are keys; others, such as `ROOKERY_TOKEN`, are not ours.
    pub(super) fn read_environment(&mut self, environment: impl Iterator<Item = (String, String)>) {
        for (variable, value) in environment {
            let Some((section, key)) = variable
                .strip_prefix(PREFIX)
                .and_then(|name| name.split_once("__"))
            else {
                continue;
            };
            let (section, key) = (section.to_lowercase(), key.to_lowercase());
            let origin = Origin::Environment(variable);
            self.take(&section, &key, &Given::Environment(value), origin);
        }
    }

    pub(super) fn finish(self) -> Result<Effective, ConfigError> {
        if self.faults.is_empty() {
            Ok(Effective {
                config: self.config,
                origins: self.origins,
            })
        } else {
            Err(ConfigError {
                faults: self.faults,
            })
        }
    }

    fn take(&mut self, section: &str, key: &str, given: &Given, origin: Origin) {
        let Some(setting) = find(section, key) else {
            return self.fault(&origin, unknown_key(section, key, &origin));
        };
        if (setting.set)(&mut self.config, given).is_some() {
            self.origins.insert(setting.path(), origin);
        } else {
            let path = setting.path();
            let what = format!(
                "{path} is {}; accepted: {}",
                given.describe(),
                setting.accepts
            );
            self.fault(&origin, what);
        }
    }

    fn fault(&mut self, origin: &Origin, what: impl Into<String>) {
        self.faults.push(Fault {
            place: origin.to_string(),
            what: what.into(),
        });
    }
}

fn unknown_top_level(name: &str) -> String {
    let sections = sections();
    match SETTINGS.iter().find(|setting| setting.key == name) {
        Some(setting) => format!(
            "unknown key {name} outside of a section; did you mean {}?",
            setting.path()
        ),
        None if sections.contains(&name) => {
            format!("{name} is a section: write [{name}] and its keys below")
        }
        None => format!(
            "unknown key {name} outside of a section; sections: {}",
            sections.join(", ")
        ),
    }
}

fn unknown_section(name: &str) -> String {
    let sections = sections();
    let nearest = sections
        .iter()
        .min_by_key(|section| strsim::damerau_levenshtein(section, name))
        .copied()
        .unwrap_or_default();
    format!(
        "unknown section [{name}]; did you mean [{nearest}]? Sections: {}",
        sections.join(", ")
    )
}

fn unknown_key(section: &str, key: &str, origin: &Origin) -> String {
    let wanted = format!("{section}.{key}");
    let distance = |setting: &&super::settings::Setting| {
        // The right key in the wrong section is nearest of all.
        if setting.key == key {
            0
        } else {
            strsim::damerau_levenshtein(&setting.path(), &wanted)
        }
    };
    let nearest = SETTINGS.iter().min_by_key(distance);
    let nearest = nearest.map_or_else(String::new, |setting| match origin {
        Origin::Environment(_) => setting.variable(),
        Origin::Default | Origin::File { .. } | Origin::CommandLine(_) => setting.path(),
    });
    format!("unknown key {wanted}; did you mean {nearest}?")
}

fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = SETTINGS.iter().map(|setting| setting.section).collect();
    sections.dedup();
    sections
}
