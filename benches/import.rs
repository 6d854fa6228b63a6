//! How long it takes to provision a fleet, and what memory: so many devices, one a line, are
//! imported by `rookery devices import` into a running `rookery serve`, twice, with the same result.
//! The second time replaces every device: the server grows by nothing but what an import needs.
//!
//! `cargo bench --bench import -- [devices]`

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../tests/support/support.rs"]
#[allow(dead_code, reason = "a bench uses its part of the support")]
mod support;

use support::engine::Engine;

fn main() {
    // Cargo passes `--bench`.
    let mut numbers = std::env::args().skip(1).filter(|text| text != "--bench");
    let devices = numbers.next();
    let devices = devices.map_or(1_000_000, |text| text.parse().expect("a number"));
    let directory = tempfile::tempdir().expect("a directory to work in");
    let file = directory.path().join("devices.ndjson");
    write(&file, devices);
    let engine = Engine::start();
    let empty = status(engine.process_id(), "VmRSS:");
    for what in ["created", "replaced"] {
        let began = Instant::now();
        let peak = import(&file, &engine.data());
        let took = began.elapsed();
        println!(
            "{devices} devices {what} in {took:.1?}, {:.0} a second; peaks: import {} MiB, server {} MiB",
            f64::from(devices) / took.as_secs_f64(),
            peak >> 10,
            status(engine.process_id(), "VmHWM:") >> 10,
        );
    }
    let full = status(engine.process_id(), "VmRSS:");
    println!(
        "the server has {} MiB now and had {} MiB when it was empty: {} bytes for each device",
        full >> 10,
        empty >> 10,
        (full.saturating_sub(empty) << 10) / u64::from(devices)
    );
}

fn write(file: &Path, devices: u32) {
    let mut out = BufWriter::new(File::create(file).expect("a file"));
    for number in 0..devices {
        writeln!(
            out,
            r#"{{"endpoint":"urn:imei:86{number:013}","profile":"default","transportConfiguration":{{"powerMode":"PSM"}}}}"#
        )
        .expect("the file takes a line");
    }
    out.flush().expect("the file is written");
}

/// Imports the file; returns the peak of the memory of the importing process in KiB.
fn import(file: &Path, data: &Path) -> u64 {
    let mut process = Command::new(env!("CARGO_BIN_EXE_rookery"))
        .args(["devices", "import"])
        .arg(file)
        .arg("--data")
        .arg(data)
        .stdout(Stdio::null())
        .spawn()
        .expect("the import starts");
    let mut peak = 0;
    loop {
        if let Some(ended) = process.try_wait().expect("the import is waited for") {
            assert!(ended.success(), "the import ended with {ended}");
            return peak;
        }
        peak = peak.max(status(process.id(), "VmHWM:"));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A line of the status of a process in KiB; 0 when it is over.
fn status(process: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
