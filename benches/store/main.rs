//! Which storage takes the state of a fleet: 1,000,000 records of 400 to 600 bytes, then 20,000
//! changes a second at random keys, committed ten times a second, then opened after a kill.
//!
//! `cargo bench --bench store -- [redb|fjall] [records] [seconds]`. It works in the directory that
//! `ROOKERY_BENCH_DIR` names, else under `target`: that should be the disk that counts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

mod engines;

/// Changes per commit, and how often one is due.
const GROUP: usize = 2_000;
const INTERVAL: Duration = Duration::from_millis(100);

/// Longest record, and how much shorter the shortest is.
const LONGEST: usize = 600;
const SPREAD: usize = 200;

/// In the environment of the process that opens what another one left behind.
const REOPEN: &str = "ROOKERY_BENCH_REOPEN";

fn main() {
    // Cargo passes `--bench`.
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|text| text != "--bench")
        .collect();
    let number = |at: usize, default: u32| {
        let text = arguments.get(at);
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let names: Vec<_> = match arguments.first() {
        Some(name) => vec![name.as_str()],
        None => vec!["redb", "fjall"],
    };
    let base = std::env::var_os("ROOKERY_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-store"),
        PathBuf::from,
    );
    for name in names {
        let directory = base.join(name);
        if std::env::var_os(REOPEN).is_some() {
            reopen(name, &directory);
            continue;
        }
        // What an earlier run left is of no use, and may not be there.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a directory to work in");
        if std::env::var_os("ROOKERY_BENCH_RUN").is_some() {
            run(name, &directory, number(1, 1_000_000), number(2, 60));
        }
        let program = std::env::current_exe().expect("this program");
        let child = |variable: &str| {
            let mut command = Command::new(&program);
            command.env(variable, "1").arg(name);
            command.args(arguments.iter().skip(1));
            command
        };
        // It ends itself as a kill would, so its exit code says nothing.
        let _ = child("ROOKERY_BENCH_RUN").status().expect("it runs");
        assert!(child(REOPEN).status().expect("it runs").success());
        std::fs::remove_dir_all(&directory).expect("it is removed");
    }
}

/// Loads and changes records, and ends without closing anything.
fn run(name: &str, directory: &Path, records: u32, seconds: u32) -> ! {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut storage = engines::open(name, directory);
    let usage = Usage::now();
    for first in (0..records).step_by(5_000) {
        let keys = first..records.min(first + 5_000);
        storage.put(&keys.map(|key| (key, record(&mut rng))).collect::<Vec<_>>());
    }
    println!(
        "{name}: {records} records loaded: {}",
        usage.since(directory)
    );

    let usage = Usage::now();
    let start = Instant::now();
    let mut commits = Vec::new();
    for due in (0..seconds * 10).map(|tick| start + INTERVAL * tick) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // What cannot keep up is measured for twice the time and no longer.
        if start.elapsed() > Duration::from_secs(u64::from(seconds) * 2) {
            break;
        }
        let changes = (0..GROUP).map(|_| (rng.u32(0..records), record(&mut rng)));
        let mut changes: Vec<_> = changes.collect();
        changes.sort_unstable_by_key(|(key, _)| *key);
        let began = Instant::now();
        storage.put(&changes);
        commits.push(began.elapsed());
    }
    let rate = (commits.len() * GROUP) as f64 / start.elapsed().as_secs_f64();
    commits.sort_unstable();
    let at = |permille: usize| commits[(commits.len() - 1) * permille / 1_000];
    println!(
        "{name}: {rate:.0} changes/s of 20000; commit p50 {:.1?}, p99 {:.1?}, max {:.1?}; {}",
        at(500),
        at(990),
        at(1_000),
        usage.since(directory)
    );
    std::process::abort()
}

fn reopen(name: &str, directory: &Path) {
    let began = Instant::now();
    let mut storage = engines::open(name, directory);
    let opened = began.elapsed();
    let began = Instant::now();
    let (records, bytes) = storage.read_all();
    println!(
        "{name}: opened after a kill in {opened:.2?}; {records} records of {} MB read in {:.2?}\n",
        bytes >> 20,
        began.elapsed()
    );
}

fn record(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut record = vec![0; LONGEST - rng.usize(0..=SPREAD)];
    rng.fill(&mut record);
    record
}

/// What the process has used so far.
struct Usage {
    at: Instant,
    written: u64,
    cpu: f64,
}

impl Usage {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            written: field("/proc/self/io", "write_bytes:"),
            cpu: cpu_seconds(),
        }
    }

    fn since(&self, directory: &Path) -> String {
        let seconds = self.at.elapsed().as_secs_f64();
        let written = field("/proc/self/io", "write_bytes:") - self.written;
        format!(
            "{seconds:.1} s, {:.1} MB/s written, {:.0} % of a core, {} MB on disk, {} MB of memory",
            written as f64 / seconds / (1 << 20) as f64,
            (cpu_seconds() - self.cpu) / seconds * 100.0,
            size(directory) >> 20,
            field("/proc/self/status", "VmRSS:") >> 10,
        )
    }
}

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).expect("procfs");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}

fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("procfs");
    let fields = text.rsplit(')').next().expect("fields").split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}

fn size(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path);
    entries.map_or_else(
        |_| path.metadata().map_or(0, |file| file.len()),
        |entries| entries.flatten().map(|entry| size(&entry.path())).sum(),
    )
}
