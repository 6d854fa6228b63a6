//! What became of the files.

use std::path::Path;
use std::process::ExitCode;

use super::target::Outcome;

/// Prints a line for each file, refusals on standard error, and counts.
#[derive(Default)]
pub(super) struct Report {
    created: usize,
    replaced: usize,
    refused: usize,
}

impl Report {
    pub(super) fn note(&mut self, file: &Path, outcome: Outcome) {
        let file = file.display();
        match outcome {
            Ok(taken) => {
                let mut models = Vec::with_capacity(taken.len());
                for model in taken {
                    if model.result == "created" {
                        self.created += 1;
                    } else {
                        self.replaced += 1;
                    }
                    models.push(format!("{} {} {}", model.key, model.name, model.result));
                }
                println!("{file}: {}", models.join(", "));
            }
            Err(why) => {
                self.refused += 1;
                eprintln!("{file}: {why}");
            }
        }
    }

    pub(super) fn finish(self) -> ExitCode {
        println!(
            "{} definitions created, {} replaced; {} files refused",
            self.created, self.replaced, self.refused
        );
        if self.refused == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
