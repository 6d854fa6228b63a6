//! What a run found: for machines (JSON, `report-schema.json`), for people (a table), and while it goes on.

mod live;
mod table;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::process::Usage;
use crate::stats::{Counts, Operation, Stats};
use crate::threshold::Verdict;

pub use live::Live;
pub use table::table;

/// The outcome of a run, as the engine hands it over.
#[derive(Debug)]
pub struct RunRecord {
    /// Who was tested.
    pub server: SocketAddr,
    /// How many devices took part.
    pub clients: u32,
    /// How long it took.
    pub seconds: f64,
    /// Everything that was counted.
    pub stats: Stats,
    /// The phases that were begun.
    pub phases: Vec<PhaseRecord>,
    /// The generator's usage before and after.
    pub generator: (Usage, Usage),
    /// The server's process.
    pub server_pid: Option<u32>,
    /// The server's usage before and after, if it was still there.
    pub server_usage: Option<(Usage, Usage)>,
    /// Whether it was ended early.
    pub interrupted: bool,
}

/// The outcome of a phase: figures before and after.
#[derive(Debug)]
pub struct PhaseRecord {
    /// Its kind.
    pub name: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Counters.
    pub counts: (Counts, Counts),
    /// The generator's usage.
    pub generator: (Usage, Usage),
    /// The server's usage.
    pub server: Option<(Usage, Usage)>,
}

/// The report. Its members are those of `report-schema.json`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of the schema.
    pub schema: u32,
    /// Who was tested.
    pub server_address: String,
    /// How many devices took part.
    pub clients: u32,
    /// Devices that were registered at the end.
    pub registered: u64,
    /// How long it took.
    pub duration_seconds: f64,
    /// Whether it was ended early, by a signal.
    pub interrupted: bool,
    /// By operation.
    pub operations: BTreeMap<&'static str, OperationReport>,
    /// Messages that devices sent again.
    pub retransmissions: u64,
    /// Requests of the server that came more than once.
    pub duplicate_requests: u64,
    /// Datagrams that are no CoAP.
    pub malformed: u64,
    /// Well-formed messages that belong to nothing.
    pub unmatched: u64,
    /// Datagrams from elsewhere, or for no device.
    pub foreign: u64,
    /// Bootstraps that the server was too busy for and asked to try again later (5.03).
    pub bootstraps_put_off: u64,
    /// DTLS sessions and addresses.
    pub sessions: SessionsReport,
    /// Failures by operation and kind, such as `update.4.04`.
    pub errors: BTreeMap<String, u64>,
    /// One after the other.
    pub phases: Vec<PhaseReport>,
    /// This program.
    pub generator: GeneratorReport,
    /// The server's process, when its id was given.
    pub server: Option<ServerReport>,
    /// What was demanded.
    pub thresholds: Vec<Verdict>,
}

/// DTLS sessions, and the addresses of devices.
#[derive(Debug, Serialize)]
pub struct SessionsReport {
    /// Handshakes that were done.
    pub handshakes: u64,
    /// Those that went on with an earlier session.
    pub resumed: u64,
    /// Those that agreed on a connection identifier for the server's side.
    pub with_connection_id: u64,
    /// Sessions that the server ended.
    pub closed: u64,
    /// DTLS records that were for no session, not authentic, or came again.
    pub records_dropped: u64,
    /// Devices that got another address; each time counts.
    pub rebinds: u64,
    /// Datagrams that came to an address that a device had before, and did not reach it.
    pub to_old_address: u64,
}

/// One operation.
#[derive(Debug, Default, Serialize)]
pub struct OperationReport {
    /// First transmissions; for read and observe, requests of the server that came in.
    pub sent: u64,
    /// Ended well.
    pub ok: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Those that ended well, for each second of the phases in which there were any.
    pub rate: f64,
    /// How long it took.
    pub latency_us: Latency,
}

/// Latencies in microseconds; all 0 when none was measured.
#[derive(Debug, Default, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// One phase.
#[derive(Debug, Serialize)]
pub struct PhaseReport {
    /// `register`, `hold`, `rebind`, `reconnect` or `deregister`.
    pub name: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Devices registered at its end.
    pub registered: u64,
    /// Operations that ended well, by name.
    pub ok: BTreeMap<&'static str, u64>,
    /// CPU time of this program.
    pub generator_cpu_seconds: f64,
    /// CPU time of the server.
    pub server_cpu_seconds: Option<f64>,
    /// The server's memory at its end.
    pub server_rss_bytes: Option<u64>,
    /// The server's CPU time for each operation that ended, all kinds taken together. The cost of a kind, when the
    /// phase has but one.
    pub server_cpu_us_per_operation: Option<f64>,
    /// The server's CPU time for each device that was registered anew in the phase, all that it did for it counted.
    pub server_cpu_us_per_registration: Option<f64>,
    /// The same of this program.
    pub generator_cpu_us_per_operation: Option<f64>,
}

/// This program.
#[derive(Debug, Serialize)]
pub struct GeneratorReport {
    /// User and system time.
    pub cpu_seconds: f64,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// Resident memory for each device, all of this program counted that came after its start.
    pub bytes_per_client: u64,
    /// Operations that started more than 10 ms after their intended time: the generator could not keep up.
    pub late_starts: u64,
    /// The latest of all starts.
    pub max_lateness_us: u64,
    /// Datagrams that the kernel refused to send.
    pub send_failures: u64,
    /// Datagrams that the kernel dropped because this program did not read fast enough.
    pub receive_drops: u64,
}

/// The server's process.
#[derive(Debug, Serialize)]
pub struct ServerReport {
    /// Its id.
    pub pid: u32,
    /// User and system time during the run.
    pub cpu_seconds: f64,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// Resident memory at the beginning.
    pub rss_bytes_before: u64,
    /// The most that was resident since the server began.
    pub peak_rss_bytes: u64,
    /// Resident memory, all of it, for each registered device, at the end of the phase with the most of them.
    pub bytes_per_client: Option<u64>,
}

impl Report {
    /// From what the engine found.
    #[must_use]
    pub fn new(record: &RunRecord) -> Self {
        let counts = &record.stats.counts;
        let operation = |operation| {
            (
                Operation::name(operation),
                operation_report(record, operation),
            )
        };
        let (before, after) = &record.generator;
        Self {
            schema: 1,
            server_address: record.server.to_string(),
            clients: record.clients,
            registered: counts.registered,
            duration_seconds: record.seconds,
            interrupted: record.interrupted,
            operations: Operation::ALL.into_iter().map(operation).collect(),
            retransmissions: counts.retransmissions,
            duplicate_requests: counts.duplicates,
            malformed: counts.malformed,
            unmatched: counts.unmatched,
            foreign: counts.foreign,
            bootstraps_put_off: counts.put_off,
            sessions: SessionsReport {
                handshakes: counts.ok[Operation::Handshake as usize],
                resumed: counts.resumed,
                with_connection_id: counts.with_connection_id,
                closed: counts.sessions_closed,
                records_dropped: counts.records_dropped,
                rebinds: counts.rebinds,
                to_old_address: counts.to_old_address,
            },
            errors: errors(&record.stats),
            phases: record.phases.iter().map(phase_report).collect(),
            generator: GeneratorReport {
                cpu_seconds: after.cpu_seconds - before.cpu_seconds,
                rss_bytes: after.rss_bytes,
                bytes_per_client: after.rss_bytes.saturating_sub(before.rss_bytes)
                    / u64::from(record.clients.max(1)),
                late_starts: counts.late_starts,
                max_lateness_us: counts.max_lateness_us,
                send_failures: counts.send_failures,
                receive_drops: counts.receive_drops,
            },
            server: server_report(record),
            thresholds: Vec::new(),
        }
    }

    /// A report in which every member is present, to look names up in.
    #[must_use]
    pub fn sample() -> Self {
        let usage = Usage::default();
        let mut counts = Counts {
            registered: 1,
            ..Counts::default()
        };
        counts.ok[Operation::Update as usize] = 1;
        counts.ok[Operation::Register as usize] = 1;
        let phase = |name| PhaseRecord {
            name,
            seconds: 1.0,
            counts: (Counts::default(), counts),
            generator: (usage, usage),
            server: Some((usage, usage)),
        };
        Self::new(&RunRecord {
            server: SocketAddr::from(([127, 0, 0, 1], 5685)),
            clients: 1,
            seconds: 1.0,
            stats: Stats::default(),
            phases: ["register", "hold", "rebind", "reconnect", "deregister"]
                .map(phase)
                .into(),
            generator: (usage, usage),
            server_pid: Some(1),
            server_usage: Some((usage, usage)),
            interrupted: false,
        })
    }

    /// Whether all thresholds were met.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.thresholds.iter().all(|verdict| verdict.passed)
    }
}

fn operation_report(record: &RunRecord, operation: Operation) -> OperationReport {
    let stats = record.stats.operation(operation);
    let index = operation as usize;
    let busy = record
        .phases
        .iter()
        .filter(|phase| phase.counts.1.sent[index] > phase.counts.0.sent[index]);
    let seconds: f64 = busy.map(|phase| phase.seconds).sum();
    OperationReport {
        sent: stats.sent,
        ok: stats.ok,
        failed: stats.failed,
        rate: if seconds > 0.0 {
            stats.ok as f64 / seconds
        } else {
            0.0
        },
        latency_us: Latency::of(&stats.latency),
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

fn phase_report(phase: &PhaseRecord) -> PhaseReport {
    let (before, after) = &phase.counts;
    let ended = after.ended() - before.ended();
    let registered = after.ok[Operation::Register as usize]
        .saturating_sub(before.ok[Operation::Register as usize]);
    let per_operation = |cpu_seconds: f64| (ended > 0).then(|| cpu_seconds * 1e6 / ended as f64);
    let server_cpu = phase
        .server
        .map(|(before, after)| after.cpu_seconds - before.cpu_seconds);
    let generator_cpu = phase.generator.1.cpu_seconds - phase.generator.0.cpu_seconds;
    let ok = Operation::ALL.into_iter().map(|o| {
        (
            o.name(),
            after.ok[o as usize].saturating_sub(before.ok[o as usize]),
        )
    });
    PhaseReport {
        name: phase.name,
        seconds: phase.seconds,
        registered: after.registered,
        ok: ok.filter(|(_, count)| *count > 0).collect(),
        generator_cpu_seconds: generator_cpu,
        server_cpu_seconds: server_cpu,
        server_rss_bytes: phase.server.map(|(_, after)| after.rss_bytes),
        server_cpu_us_per_registration: server_cpu
            .filter(|_| registered > 0)
            .map(|seconds| seconds * 1e6 / registered as f64),
        server_cpu_us_per_operation: server_cpu.and_then(per_operation),
        generator_cpu_us_per_operation: per_operation(generator_cpu),
    }
}

fn server_report(record: &RunRecord) -> Option<ServerReport> {
    let (before, after) = record.server_usage?;
    let fullest = record
        .phases
        .iter()
        .max_by_key(|phase| phase.counts.1.registered)?;
    let registered = fullest.counts.1.registered;
    let rss = fullest.server.map(|(_, after)| after.rss_bytes);
    Some(ServerReport {
        pid: record.server_pid?,
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        rss_bytes: after.rss_bytes,
        rss_bytes_before: before.rss_bytes,
        peak_rss_bytes: after.peak_rss_bytes,
        bytes_per_client: rss.and_then(|rss| rss.checked_div(registered)),
    })
}

fn errors(stats: &Stats) -> BTreeMap<String, u64> {
    stats
        .failures()
        .map(|(operation, failure, count)| (format!("{}.{failure}", operation.name()), count))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Value;

    use super::*;

    /// Members of the report and properties of the schema, by path.
    pub(crate) fn compare(path: &str, report: &Value, schema: &Value, root: &Value) {
        // The other possibility is null.
        let schema = schema["oneOf"].get(0).unwrap_or(schema);
        let schema = match schema["$ref"].as_str() {
            Some(reference) => &root["$defs"][reference.trim_start_matches("#/$defs/")],
            None => schema,
        };
        match report {
            Value::Object(members) if schema["properties"].is_object() => {
                let known = schema["properties"].as_object().unwrap();
                for (name, value) in members {
                    let property = known.get(name);
                    assert!(property.is_some(), "{path}/{name} is not in the schema");
                    compare(&format!("{path}/{name}"), value, property.unwrap(), root);
                }
                for required in schema["required"].as_array().unwrap() {
                    assert!(
                        members.contains_key(required.as_str().unwrap()),
                        "{path} lacks {required}"
                    );
                }
                assert_eq!(schema["additionalProperties"], Value::Bool(false), "{path}");
            }
            Value::Array(items) => items
                .iter()
                .for_each(|item| compare(path, item, &schema["items"], root)),
            _ => assert!(
                schema["type"].is_string() || schema["type"].is_array(),
                "{path} has no type in the schema"
            ),
        }
    }

    #[test]
    fn the_report_has_the_members_of_its_schema() {
        let schema: Value = serde_json::from_str(include_str!("../report-schema.json")).unwrap();
        let mut report = Report::sample();
        report.thresholds.push(
            crate::threshold::Threshold::parse("update.p99<5ms")
                .unwrap()
                .judge(&report),
        );
        compare("", &serde_json::to_value(report).unwrap(), &schema, &schema);
    }

    #[test]
    fn rates_are_over_the_phases_that_had_the_operation() {
        let counts = |sent| {
            let mut counts = Counts::default();
            counts.sent[Operation::Update as usize] = sent;
            counts
        };
        let phase = |name, seconds, from, to| PhaseRecord {
            name,
            seconds,
            counts: (counts(from), counts(to)),
            generator: Default::default(),
            server: None,
        };
        let mut record = RunRecord {
            server: SocketAddr::from(([127, 0, 0, 1], 1)),
            clients: 1,
            seconds: 15.0,
            stats: Stats::default(),
            phases: vec![phase("register", 5.0, 0, 0), phase("hold", 10.0, 0, 200)],
            generator: Default::default(),
            server_pid: None,
            server_usage: None,
            interrupted: false,
        };
        (0..100).for_each(|_| record.stats.succeeded(Operation::Update));
        assert_eq!(Report::new(&record).operations["update"].rate, 10.0);
        assert_eq!(Report::new(&record).operations["register"].rate, 0.0);
    }
}
