//! An import takes the memory of a few lines, however many there are.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::engine::Engine;

const LINES: usize = 40_000;
const LINE: usize = 1_000;
/// A fraction of what all lines take.
const MOST_KIB: u64 = (LINES * LINE / 4) as u64 >> 10;

#[test]
fn an_import_holds_a_few_lines_at_a_time_on_both_sides() {
    let engine = Engine::start();
    let (few, many) = (write(&engine, 1_000), write(&engine, LINES));
    let import_of_few = import(&few, &engine.data());
    let server = status(engine.process_id(), "VmHWM:");
    let import_of_many = import(&many, &engine.data());
    let grown = status(engine.process_id(), "VmHWM:") - server;
    assert!(grown < MOST_KIB, "the server took {grown} KiB more");
    let more = import_of_many.saturating_sub(import_of_few);
    assert!(more < MOST_KIB, "the import took {more} KiB more");
}

/// Lines that are read, checked and answered, and leave nothing: their profile does not exist.
fn write(engine: &Engine, lines: usize) -> std::path::PathBuf {
    let path = engine.data().join(format!("{lines}.ndjson"));
    let mut out = BufWriter::new(File::create(&path).expect("a file"));
    let padding = "x".repeat(LINE);
    for line in 0..lines {
        let device = serde_json::json!({
            "endpoint": format!("d{line}"), "profile": "none",
            "transportConfiguration": {"padding": padding}
        });
        writeln!(out, "{device}").expect("the file takes a line");
    }
    out.flush().expect("the file is written");
    path
}

/// Imports a file; returns the peak of the memory of the importing process in KiB.
fn import(file: &Path, data: &Path) -> u64 {
    let mut process = Command::new(env!("CARGO_BIN_EXE_rookery"))
        .args(["devices", "import"])
        .arg(file)
        .arg("--data")
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the import starts");
    let mut peak = 0;
    while process
        .try_wait()
        .expect("the import is waited for")
        .is_none()
    {
        peak = peak.max(status(process.id(), "VmHWM:"));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(peak > 0, "the import was seen");
    peak
}

/// A line of the status of a process in KiB; 0 when it is over.
fn status(process: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
