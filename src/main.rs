//! The command line of Rookery.

use std::process::ExitCode;

use clap::Parser;

mod cli;

/// Its figures are in `lwm2m_memory_bytes`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let outcome = cli::run(cli::Arguments::parse());
    outcome.unwrap_or_else(|error| {
        eprintln!("rookery: {error:#}");
        ExitCode::FAILURE
    })
}
