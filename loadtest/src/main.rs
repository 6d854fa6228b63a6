//! The load generator's binary.

use std::env;
use std::process::ExitCode;

use clap::Parser;
use loadtest::cli::{Cli, demo_flags};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("loadtest: {}", with_causes(&error));
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<bool> {
    Cli::parse_from(demo_flags::expanded(env::args_os())?).execute()
}

/// The error and what it was caused by; most errors tell their cause themselves.
fn with_causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .fold(error.to_string(), |text, cause| {
            let cause = cause.to_string();
            if text.contains(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
}
