//! `rookery profiles import`: through the running server, or into the store when none runs.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::arguments::Place;
use super::data_directory::owner;

mod source;
mod target;

use source::Profile;
use target::{Refusals, Target};

/// Imports the profile in `file`, under `name` or the name in the file. The exit code says whether
/// it was taken.
pub(super) async fn import(
    file: &Path,
    name: Option<String>,
    place: &Place,
) -> anyhow::Result<ExitCode> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| shown.to_string())?;
    let profile = Profile::read(&text, name).with_context(|| shown.to_string())?;
    let target = Target::new(owner(place).await?).await?;
    match target.put(profile).await? {
        Ok(taken) => {
            for warning in &taken.warnings {
                eprintln!("{shown}: warning: {}", warning.detail);
            }
            println!("{shown}: profile {} {}", taken.name, taken.result);
            Ok(ExitCode::SUCCESS)
        }
        Err(Refusals(refusals)) => {
            for why in refusals {
                eprintln!("{shown}: {why}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
