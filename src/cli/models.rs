//! `rookery models import`: through the running server, or into the store when none runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::arguments::Place;
use super::data_directory::owner;

mod report;
mod target;

use report::Report;
use target::Target;

/// Imports `path`. The exit code says whether every file was taken.
pub(super) async fn import(path: &Path, place: &Place) -> anyhow::Result<ExitCode> {
    let files = files(path)?;
    let target = Target::new(owner(place).await?).await?;
    let mut report = Report::default();
    for file in &files {
        match fs::read(file) {
            Ok(document) => report.note(file, target.upload(document).await?),
            Err(error) => report.note(file, Err(error.to_string())),
        }
    }
    Ok(report.finish())
}

/// `path`, or the XML files below it when it is a directory, in order of their names.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let about = |path: &Path| path.display().to_string();
    if !fs::metadata(path).with_context(|| about(path))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| about(&folder))? {
            let entry = entry.with_context(|| about(&folder))?;
            let path = entry.path();
            // Links to directories are not followed: they may lead back.
            if entry.file_type().with_context(|| about(&path))?.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("xml"))
            {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        bail!("{}: there is no .xml file in it", path.display());
    }
    files.sort();
    Ok(files)
}
