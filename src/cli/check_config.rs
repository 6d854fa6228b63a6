//! `rookery check-config`.

use std::path::Path;
use std::process::ExitCode;

use super::arguments::Place;
use super::configuration;

/// Prints the configuration that results from `file` and the environment.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let place = Place {
        config: Some(file.to_owned()),
        data: None,
    };
    print!("{}", configuration::load(&place, false)?.render());
    Ok(ExitCode::SUCCESS)
}
