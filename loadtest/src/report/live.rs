//! A line each second while a run goes on.

use std::io::Write;

use crate::clock::Micros;
use crate::process::Usage;
use crate::stats::{Counts, Operation};

use super::table::{grouped, micros};

/// Writes progress lines to standard error.
pub struct Live {
    clients: u32,
    quiet: bool,
    next: Micros,
    last: Option<Reading>,
}

struct Reading {
    at: Micros,
    counts: Counts,
    generator: Usage,
    server: Option<Usage>,
}

const SECOND: Micros = 1_000_000;

impl Live {
    /// For a run of `clients` devices.
    #[must_use]
    pub const fn new(clients: u32, quiet: bool) -> Self {
        Self {
            clients,
            quiet,
            next: SECOND,
            last: None,
        }
    }

    /// Writes a line, when it is time for one.
    pub fn show(
        &mut self,
        now: Micros,
        counts: &Counts,
        p99_us: u64,
        server: impl FnOnce() -> Option<Usage>,
    ) {
        if self.quiet || now < self.next {
            return;
        }
        self.next = now / SECOND * SECOND + SECOND;
        let reading = Reading {
            at: now,
            counts: *counts,
            generator: Usage::own().unwrap_or_default(),
            server: server(),
        };
        let line = self.line(&reading, p99_us);
        self.last = Some(reading);
        // Nobody reads it any more: no reason to stop.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    fn line(&self, reading: &Reading, p99_us: u64) -> String {
        let start = Reading {
            at: 0,
            counts: Counts::default(),
            generator: Usage::default(),
            server: None,
        };
        let last = self.last.as_ref().unwrap_or(&start);
        let seconds = (reading.at - last.at) as f64 / 1e6;
        let counts = &reading.counts;
        let mut line = format!(
            "{:>4} s  registered {}/{}",
            reading.at / SECOND,
            grouped(counts.registered),
            grouped(u64::from(self.clients))
        );
        for operation in Operation::ALL {
            let ended =
                counts.ok[operation as usize].saturating_sub(last.counts.ok[operation as usize]);
            if ended > 0 {
                let rate = (ended as f64 / seconds).round() as u64;
                line.push_str(&format!("  {} {}/s", operation.name(), grouped(rate)));
            }
        }
        let failed: u64 = counts.failed.iter().sum();
        line.push_str(&format!(
            "  p99 {}  in flight {}  resent {}  failed {}",
            if p99_us == 0 {
                "-".into()
            } else {
                micros(p99_us)
            },
            grouped(counts.in_flight),
            grouped(counts.retransmissions),
            grouped(failed)
        ));
        if counts.late_starts > last.counts.late_starts {
            line.push_str(&format!(
                "  LATE {}",
                grouped(counts.late_starts - last.counts.late_starts)
            ));
        }
        let percent = |now: f64, before: f64| (now - before) / seconds * 100.0;
        line.push_str(&format!(
            "  generator {:.0} %",
            percent(reading.generator.cpu_seconds, last.generator.cpu_seconds)
        ));
        if let (Some(now), Some(before)) = (reading.server, last.server) {
            line.push_str(&format!(
                "  server {:.0} % {} MB",
                percent(now.cpu_seconds, before.cpu_seconds),
                now.rss_bytes / 1_000_000
            ));
        }
        line
    }
}
