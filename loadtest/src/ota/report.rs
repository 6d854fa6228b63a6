//! What a run found, as JSON.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::fleet::Counted;
use super::image::Digest;
use super::scenario::OtaScenario;
use super::server::Standing;
use crate::observe::Percentiles;
use crate::threshold::Verdict;

/// What a run found. `ota-report-schema.json` says the same for programs.
#[derive(Clone, Debug, Serialize)]
pub struct OtaReport {
    /// Version of the schema.
    pub schema: u32,
    /// Who was tested.
    pub server_address: String,
    /// What was simulated.
    pub scenario: OtaScenario,
    /// What devices had to get.
    pub image: ImageReport,
    /// Whether it was ended early, by a signal.
    pub interrupted: bool,
    /// From the order to the end.
    pub duration_seconds: f64,
    /// How the devices stand at the end.
    pub devices: Devices,
    /// How many failed for each reason that the server gives.
    pub reasons: BTreeMap<String, u32>,
    /// What was transferred.
    pub transfer: Transfer,
    /// From the first block to the verified image, in seconds.
    pub transfer_s: Percentiles,
    /// From the order to the new version's being registered, in seconds.
    pub update_s: Percentiles,
    /// What went wrong on purpose.
    pub faults: Faults,
    /// The server's process.
    pub server: Option<ServerReport>,
    /// This process.
    pub generator: GeneratorReport,
    /// An echo of datagrams with 1,056 bytes on the same machine.
    pub echo: Echo,
    /// Updates of other devices.
    pub bystanders: Option<BystanderReport>,
    /// What became of the conditions.
    pub thresholds: Vec<Verdict>,
}

/// The image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// Devices.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Devices {
    /// All.
    pub clients: u32,
    /// The server says that they have the package.
    pub updated: u32,
    /// The server says that they have not.
    pub failed: u32,
    /// Those that refuse, as the scenario says.
    pub refusing: u32,
    /// Nobody knows yet.
    pub unfinished: u32,
    /// Those that run the new version, as they know themselves.
    pub installed: u32,
}

/// What was transferred.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Transfer {
    /// Blocks that came for the first time in their download.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks over the whole run's time.
    pub blocks_per_second: f64,
    /// Blocks that came again.
    pub repeated_blocks: u64,
    /// Messages of devices that were sent again.
    pub retransmissions: u64,
    /// Datagrams that the simulated network lost, of both directions.
    pub lost_datagrams: u64,
    /// Datagrams that the kernel dropped or did not take from the devices.
    pub dropped_datagrams: u64,
    /// Images that were whole and right, bit for bit.
    pub verified_images: u64,
    /// Images that were whole and wrong, though the device's own flash was in order. Must be 0.
    pub wrong_images: u64,
}

/// What went wrong on purpose.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Faults {
    /// Power cuts.
    pub power_cuts: u64,
    /// Images that a device's own flash spoilt, which the device noticed.
    pub spoilt_images: u64,
    /// Results that devices gave up with, by number.
    pub results: BTreeMap<u8, u64>,
}

/// The server's process, while it transferred.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ServerReport {
    /// CPU time.
    pub cpu_seconds: f64,
    /// CPU time for each block, in microseconds.
    pub cpu_us_per_block: f64,
    /// That, in times of what the echo takes for a datagram.
    pub cpu_per_echo: f64,
    /// Memory with all devices registered, before the upload.
    pub rss_bytes_before: u64,
    /// Most memory after that.
    pub rss_bytes_peak: u64,
    /// The difference.
    pub rss_bytes_more: u64,
}

/// This process: as busy as the machine lets it, it makes the server look slow.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct GeneratorReport {
    /// CPU time from the order to the end.
    pub cpu_seconds: f64,
    /// CPU time for each block, in microseconds.
    pub cpu_us_per_block: f64,
    /// Memory at the end.
    pub rss_bytes: u64,
}

/// The floor.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Echo {
    /// CPU time to take a datagram and to send it back, in microseconds.
    pub cpu_us_per_datagram: f64,
}

/// How long Updates of other devices took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct BystanderReport {
    /// How many there are.
    pub clients: u32,
    /// Before the order.
    pub quiet_ms: Percentiles,
    /// From the order to the end.
    pub meanwhile_ms: Percentiles,
}

/// What was found.
pub(super) struct Findings {
    pub(super) address: SocketAddr,
    pub(super) digest: Digest,
    pub(super) interrupted: bool,
    pub(super) standing: Standing,
    pub(super) unfinished: u32,
    pub(super) reasons: BTreeMap<String, u32>,
    pub(super) seconds: f64,
    pub(super) counted: Counted,
    pub(super) floor_us: f64,
    pub(super) cpu_seconds: Option<f64>,
    /// Of this process.
    pub(super) generator: (f64, u64),
    /// Before, and the peak.
    pub(super) rss: Option<(u64, u64)>,
    pub(super) quiet: Option<Percentiles>,
    pub(super) meanwhile: Option<Percentiles>,
}

impl OtaReport {
    pub(super) fn new(scenario: &OtaScenario, findings: Findings) -> Self {
        let counted = &findings.counted;
        let echo = findings.floor_us;
        let server = findings.cpu_seconds.zip(findings.rss);
        Self {
            schema: 1,
            server_address: findings.address.to_string(),
            scenario: scenario.clone(),
            image: ImageReport {
                bytes: findings.digest.size,
                sha256: HEXLOWER.encode(&findings.digest.sha256),
            },
            interrupted: findings.interrupted,
            duration_seconds: findings.seconds,
            devices: Devices {
                clients: scenario.clients,
                updated: findings.standing.updated,
                failed: findings.standing.failed,
                refusing: scenario.refusing(),
                unfinished: findings.unfinished,
                installed: counted.updated,
            },
            transfer: Transfer {
                blocks: counted.blocks,
                bytes: counted.bytes,
                blocks_per_second: counted.blocks as f64 / findings.seconds.max(1e-9),
                repeated_blocks: counted.repeated,
                retransmissions: counted.retransmitted,
                lost_datagrams: counted.lost,
                dropped_datagrams: counted.dropped,
                verified_images: counted.verified,
                wrong_images: counted.wrong,
            },
            transfer_s: Percentiles::of(&counted.transfer, 1e-6),
            update_s: Percentiles::of(&counted.update, 1e-6),
            faults: Faults {
                power_cuts: counted.cuts,
                spoilt_images: counted.spoilt,
                results: counted.refused.clone(),
            },
            server: server.map(|(cpu_seconds, (before, peak))| {
                let per_block = cpu_seconds * 1e6 / counted.blocks.max(1) as f64;
                ServerReport {
                    cpu_seconds,
                    cpu_us_per_block: per_block,
                    cpu_per_echo: per_block / echo.max(1e-9),
                    rss_bytes_before: before,
                    rss_bytes_peak: peak,
                    rss_bytes_more: peak.saturating_sub(before),
                }
            }),
            generator: GeneratorReport {
                cpu_seconds: findings.generator.0,
                cpu_us_per_block: findings.generator.0 * 1e6 / counted.blocks.max(1) as f64,
                rss_bytes: findings.generator.1,
            },
            echo: Echo {
                cpu_us_per_datagram: echo,
            },
            bystanders: findings.meanwhile.map(|meanwhile_ms| BystanderReport {
                clients: scenario.bystanders,
                quiet_ms: findings.quiet.unwrap_or_default(),
                meanwhile_ms,
            }),
            reasons: findings.reasons,
            thresholds: Vec::new(),
        }
    }

    /// Whether every condition was met.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.thresholds.iter().all(|verdict| verdict.passed)
    }

    /// A report with every member, which says what conditions can be about.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            schema: 1,
            server_address: String::new(),
            scenario: OtaScenario::default(),
            image: ImageReport {
                bytes: 0,
                sha256: String::new(),
            },
            interrupted: false,
            duration_seconds: 0.0,
            devices: Devices::default(),
            reasons: BTreeMap::new(),
            transfer: Transfer::default(),
            transfer_s: Percentiles::default(),
            update_s: Percentiles::default(),
            faults: Faults::default(),
            server: Some(ServerReport::default()),
            generator: GeneratorReport::default(),
            echo: Echo::default(),
            bystanders: Some(BystanderReport::default()),
            thresholds: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::ota::scenario::Refusals;
    use crate::report::tests::compare;
    use crate::threshold::Threshold;

    #[test]
    fn the_report_has_the_members_of_its_schema() {
        let text = include_str!("../../ota-report-schema.json");
        let schema: Value = serde_json::from_str(text).unwrap();
        let mut report = OtaReport::sample();
        let (share, result) = (0.1, 2);
        report.scenario.refusals.push(Refusals { share, result });
        let sample = serde_json::to_value(&report).unwrap();
        let threshold = Threshold::parse_for("update_s.p99<1m", &sample);
        assert!(threshold.is_err(), "minutes are no unit here");
        let threshold = Threshold::parse_for("devices.failed == 0", &sample).unwrap();
        report.thresholds.push(threshold.judge_value(&sample));
        let report = serde_json::to_value(report).unwrap();
        compare("", &report, &schema, &schema);
    }
}
