//! The report for people.

use super::Report;
use crate::stats::Operation;

/// The whole report as text.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut lines = vec![
        format!(
            "{} devices against {}, {:.1} s{}",
            grouped(u64::from(report.clients)),
            report.server_address,
            report.duration_seconds,
            if report.interrupted {
                ", interrupted"
            } else {
                ""
            }
        ),
        String::new(),
        format!(
            "{:<11}{:>12}{:>12}{:>9}{:>11}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "operation", "sent", "ok", "failed", "rate/s", "p50", "p90", "p99", "p99.9", "max"
        ),
    ];
    for operation in Operation::ALL {
        let o = &report.operations[operation.name()];
        if o.sent == 0 {
            continue;
        }
        let latency = &o.latency_us;
        let mut line = format!(
            "{:<11}{:>12}{:>12}{:>9}{:>11}",
            operation.name(),
            grouped(o.sent),
            grouped(o.ok),
            grouped(o.failed),
            grouped(o.rate.round() as u64)
        );
        for value in [
            latency.p50,
            latency.p90,
            latency.p99,
            latency.p999,
            latency.max,
        ] {
            line.push_str(&format!(
                "{:>10}",
                if latency.count == 0 {
                    "-".into()
                } else {
                    micros(value)
                }
            ));
        }
        lines.push(line);
    }
    lines.push(String::new());
    push_phases(report, &mut lines);
    push_ends(report, &mut lines);
    lines.join("\n")
}

/// Digits in groups of three.
#[must_use]
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that suits it.
#[must_use]
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

fn push_phases(report: &Report, lines: &mut Vec<String>) {
    for phase in &report.phases {
        let ok: Vec<_> = phase
            .ok
            .iter()
            .map(|(name, count)| format!("{} {name}", grouped(*count)))
            .collect();
        let mut line = format!(
            "phase {:<11}{:>8.1} s  {}",
            phase.name,
            phase.seconds,
            ok.join(", ")
        );
        if let Some(us) = phase.generator_cpu_us_per_operation {
            line.push_str(&format!("; CPU per operation: generator {us:.1} us"));
        }
        if let Some(us) = phase.server_cpu_us_per_operation {
            line.push_str(&format!(", server {us:.1} us"));
        }
        if let Some(us) = phase.server_cpu_us_per_registration {
            line.push_str(&format!("; server's CPU per registration: {us:.1} us"));
        }
        lines.push(line);
    }
}

fn push_ends(report: &Report, lines: &mut Vec<String>) {
    let generator = &report.generator;
    lines.push(format!(
        "generator: {:.2} s CPU, {} MB, {} B per device",
        generator.cpu_seconds,
        generator.rss_bytes / 1_000_000,
        generator.bytes_per_client
    ));
    if let Some(server) = &report.server {
        let mut line = format!(
            "server: {:.2} s CPU, {} MB, at most {} MB",
            server.cpu_seconds,
            server.rss_bytes / 1_000_000,
            server.peak_rss_bytes / 1_000_000
        );
        if let Some(bytes) = server.bytes_per_client {
            line.push_str(&format!(
                ", {} B per registered device, all of it counted",
                grouped(bytes)
            ));
        }
        lines.push(line);
    }
    for (count, what) in [
        (report.retransmissions, "messages sent again"),
        (
            report.duplicate_requests,
            "requests of the server came again",
        ),
        (report.malformed, "datagrams were no CoAP"),
        (report.unmatched, "messages belonged to nothing"),
        (report.foreign, "datagrams came from elsewhere"),
        (
            report.bootstraps_put_off,
            "bootstraps were put off by a busy server (5.03)",
        ),
        (report.sessions.resumed, "handshakes resumed a session"),
        (report.sessions.closed, "sessions were ended by the server"),
        (
            report.sessions.records_dropped,
            "DTLS records were dropped: for no session, not authentic, or repeated",
        ),
        (report.sessions.rebinds, "devices got another address"),
        (
            report.sessions.to_old_address,
            "datagrams went to an address that a device had before",
        ),
        (generator.send_failures, "datagrams could not be sent"),
        (
            generator.receive_drops,
            "datagrams were dropped at the generator: it did not read fast enough",
        ),
    ] {
        if count > 0 {
            lines.push(format!("{} {what}", grouped(count)));
        }
    }
    if generator.late_starts > 0 {
        lines.push(format!(
            "the generator could not keep up: {} operations started more than 10 ms late, the latest by {}",
            grouped(generator.late_starts),
            micros(generator.max_lateness_us)
        ));
    }
    lines.extend(
        report
            .errors
            .iter()
            .map(|(kind, count)| format!("error {kind}: {}", grouped(*count))),
    );
    for verdict in &report.thresholds {
        let outcome = if verdict.passed { "met" } else { "FAILED" };
        lines.push(format!(
            "threshold {}: {outcome}, {}",
            verdict.threshold, verdict.found
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_times_have_units() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [7, 1_500, 2_345_000].map(micros),
            ["7 us", "1.5 ms", "2.35 s"]
        );
    }

    #[test]
    fn the_table_shows_what_took_place_only() {
        let mut report = Report::sample();
        report.operations.get_mut("update").unwrap().sent = 5;
        report.generator.late_starts = 3;
        let text = table(&report);
        assert!(text.contains("\nupdate"));
        assert!(!text.contains("\nnotify"));
        assert!(text.contains("could not keep up: 3 operations"));
    }
}
