//! The report for people.

use super::report::OtaReport;

/// The whole report as text.
#[must_use]
pub fn ota_table(report: &OtaReport) -> String {
    let (devices, transfer) = (&report.devices, &report.transfer);
    let mut lines = vec![
        format!(
            "{} devices against {}, an image of {} bytes, {:.1} s{}",
            devices.clients,
            report.server_address,
            report.image.bytes,
            report.duration_seconds,
            if report.interrupted {
                ", interrupted"
            } else {
                ""
            }
        ),
        String::new(),
        row("updated", format!("{}", devices.updated)),
        row(
            "failed",
            match devices.refusing {
                0 => format!("{}", devices.failed),
                refusing => format!("{}, of which {refusing} refuse", devices.failed),
            },
        ),
    ];
    if devices.unfinished > 0 {
        lines.push(row("unfinished", devices.unfinished.to_string()));
    }
    for (reason, count) in &report.reasons {
        lines.push(row("", format!("{count}: {reason}")));
    }
    lines.push(row(
        "blocks",
        format!(
            "{}, {:.0} a second, {} came again",
            transfer.blocks, transfer.blocks_per_second, transfer.repeated_blocks
        ),
    ));
    lines.push(row(
        "images",
        format!(
            "{} right bit for bit, {} wrong",
            transfer.verified_images, transfer.wrong_images
        ),
    ));
    for (what, times) in [
        ("first block to verified", &report.transfer_s),
        ("order to new version", &report.update_s),
    ] {
        if times.count > 0 {
            let (p50, p99, max) = (times.p50, times.p99, times.max);
            let text = format!("p50 {p50:.2} s, p99 {p99:.2} s, longest {max:.2} s");
            lines.push(row(what, text));
        }
    }
    let faults = &report.faults;
    if faults.power_cuts + faults.spoilt_images + transfer.lost_datagrams > 0 {
        lines.push(row(
            "on purpose",
            format!(
                "{} datagrams lost, {} power cuts, {} images spoilt by flash",
                transfer.lost_datagrams, faults.power_cuts, faults.spoilt_images
            ),
        ));
    }
    if transfer.dropped_datagrams > 0 {
        let text = format!("{} datagrams", transfer.dropped_datagrams);
        lines.push(row("dropped by the kernel", text));
    }
    if let Some(server) = &report.server {
        lines.push(row(
            "server, a block",
            format!(
                "{:.2} us of CPU time, {:.1} times an echo's {:.2} us",
                server.cpu_us_per_block, server.cpu_per_echo, report.echo.cpu_us_per_datagram
            ),
        ));
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        lines.push(row(
            "server, memory",
            format!(
                "{:.1} MiB over the {:.1} MiB of the fleet at rest",
                mib(server.rss_bytes_more),
                mib(server.rss_bytes_before)
            ),
        ));
    }
    lines.push(row(
        "generator, a block",
        format!("{:.2} us of CPU time", report.generator.cpu_us_per_block),
    ));
    if let Some(others) = &report.bystanders {
        lines.push(row(
            "Updates of the others",
            format!(
                "p99 {:.2} ms, and {:.2} ms before",
                others.meanwhile_ms.p99, others.quiet_ms.p99
            ),
        ));
    }
    for verdict in &report.thresholds {
        let word = if verdict.passed { "met" } else { "NOT MET" };
        let text = format!("{}: {}", verdict.threshold, verdict.found);
        lines.push(row(word, text));
    }
    lines.join("\n")
}

fn row(what: &str, text: String) -> String {
    format!("{what:<26}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_was_measured_and_nothing_else() {
        let mut report = OtaReport::sample();
        let all = ota_table(&report);
        assert!(all.contains("server, a block") && all.contains("Updates of the others"));
        assert!(!all.contains("on purpose") && !all.contains("unfinished"));
        (report.server, report.bystanders) = (None, None);
        report.devices.unfinished = 3;
        report.reasons.insert("Integrity check failure".into(), 2);
        let text = ota_table(&report);
        assert!(!text.contains("server, ") && !text.contains("others"));
        assert!(text.contains("2: Integrity check failure"));
    }
}
