//! `rookery devices import`: through the running server, or into the store when none runs.

use std::path::Path;
use std::process::ExitCode;

use super::arguments::Place;
use super::data_directory::{Owner, owner};

mod offline;
mod online;
mod report;
mod source;

use report::Report;
use source::Source;

/// Imports `file`. The exit code says whether every device was taken.
pub(super) async fn import(file: &Path, place: &Place) -> anyhow::Result<ExitCode> {
    let source = Source::open(file)?;
    let mut report = Report::new(file);
    match owner(place).await? {
        Owner::Server(api) => online::import(&api, source, &mut report).await?,
        Owner::Nobody { store, profiles } => {
            offline::import(store, profiles, source, &mut report).await?;
        }
    }
    Ok(report.finish())
}
