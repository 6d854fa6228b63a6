//! What became of the devices of a file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints refusals as they come and counts the rest.
pub(super) struct Report {
    file: PathBuf,
    created: u64,
    replaced: u64,
    refused: u64,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            created: 0,
            replaced: 0,
            refused: 0,
        }
    }

    pub(super) fn taken(&mut self, created: bool) {
        if created {
            self.created += 1;
        } else {
            self.replaced += 1;
        }
    }

    pub(super) fn refused(&mut self, line: u64, why: &str) {
        self.refused += 1;
        eprintln!("{}:{line}: {why}", self.file.display());
    }

    pub(super) fn finish(self) -> ExitCode {
        println!(
            "{} created, {} replaced, {} refused",
            self.created, self.replaced, self.refused
        );
        if self.refused == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
