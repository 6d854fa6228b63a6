//! The configuration as text: effective, as the example file, as a table for the documentation.

use std::fmt::Write as _;

use super::Config;
use super::effective::Effective;
use super::settings::SETTINGS;

impl Effective {
    /// As TOML, with the origin of each value behind it.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in SETTINGS {
            if setting.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = setting.section;
                line(&mut text, format_args!("{gap}[{section}]"));
            }
            let assignment = format!("{} = {}", setting.key, (setting.get)(&self.config));
            let origin = self.origin(&setting.path());
            line(&mut text, format_args!("{assignment:<40} # {origin}"));
        }
        text
    }
}

/// The content of `rookery.example.toml`: every key with its meaning and default.
#[must_use]
pub fn example() -> String {
    let defaults = Config::default();
    let mut text = String::from(
        "# Every key with its default. Each can be given in the environment as well, as\n\
         # ROOKERY_SECTION__KEY, which wins over the file. `rookery check-config FILE` shows what\n\
         # holds. Tokens and devices are not here: they are in the data directory.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            line(&mut text, format_args!("\n[{section}]"));
        }
        line(&mut text, format_args!("# {}", setting.doc));
        line(&mut text, format_args!("# Accepted: {}.", setting.accepts));
        line(
            &mut text,
            format_args!("{} = {}", setting.key, (setting.get)(&defaults)),
        );
    }
    text
}

/// The table of keys in `docs/configuration.md`.
#[must_use]
pub fn reference_table() -> String {
    let defaults = Config::default();
    let mut text =
        String::from("| key | default | accepted | meaning | SIGHUP |\n|---|---|---|---|---|\n");
    for setting in SETTINGS {
        let reload = if setting.reloads {
            "applied"
        } else {
            "restart"
        };
        line(
            &mut text,
            format_args!(
                "| `{}` | `{}` | {} | {} | {reload} |",
                setting.path(),
                (setting.get)(&defaults),
                setting.accepts,
                setting.doc,
            ),
        );
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}
