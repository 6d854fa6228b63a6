//! `loadtest ota`.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clap::Args;

use super::security::SecurityArgs;
use super::{say, set};
use crate::ota::{
    Assign, OtaOptions, OtaReport, OtaScenario, PackageKind, Refusals, Way, ota_table, run,
};
use crate::threshold::Threshold;

/// Flags override the scenario; without one, a hundred devices get a mebibyte of firmware pushed. Devices, profile,
/// package and campaign are put to the server by its API, and removed at the end.
#[derive(Args, Debug)]
pub struct OtaArgs {
    /// Scenario file (TOML).
    scenario: Option<PathBuf>,
    /// Where devices reach the server (CoAP, or DTLS with --security).
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// The server's API.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// API token, of role operator; needed unless the server runs with --dev on this machine.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Number of devices.
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// What is updated.
    #[arg(long, value_enum)]
    package: Option<PackageKind>,
    /// How the image gets to devices.
    #[arg(long, value_enum)]
    strategy: Option<Way>,
    /// Where devices fetch the image, such as coap://127.0.0.1:5685 [default: the address they talk to].
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// File with the image.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Length of the image that is made up without --image.
    #[arg(long, value_name = "BYTES")]
    image_bytes: Option<u64>,
    /// What orders the update.
    #[arg(long, value_enum)]
    assign: Option<Assign>,
    /// Devices that a campaign updates at the same time; 0 for all.
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Share of the datagrams that are lost, of each direction: 0.01 for one in a hundred.
    #[arg(long, value_name = "SHARE")]
    loss: Option<f64>,
    /// Time that each datagram takes, of each direction.
    #[arg(long, value_name = "MILLISECONDS")]
    delay_ms: Option<f64>,
    /// Time that the flash of a device takes for a block.
    #[arg(long, value_name = "MILLISECONDS")]
    flash_ms: Option<f64>,
    /// Devices acknowledge a block before it is in the flash, and answer by a message of its own after.
    #[arg(long)]
    separate: bool,
    /// Probability that the power is cut in an update.
    #[arg(long, value_name = "SHARE")]
    power_cuts: Option<f64>,
    /// Probability that the flash of a device spoils a download.
    #[arg(long, value_name = "SHARE")]
    corrupt: Option<f64>,
    /// Devices that refuse with a result of object 5 or 9, such as 2=0.1 for a tenth; may be repeated.
    #[arg(long = "refuse", value_name = "RESULT=SHARE", value_parser = refusal)]
    refusals: Vec<Refusals>,
    /// How long to wait for the end.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Other devices that update their registrations meanwhile.
    #[arg(long, value_name = "N")]
    bystanders: Option<u32>,
    /// Registrations a second.
    #[arg(long, value_name = "RATE")]
    register_rate: Option<f64>,
    /// Names of endpoints, profile and package begin with it. What has such a name is replaced, and removed at the end.
    #[arg(long, value_name = "TEXT")]
    endpoint_prefix: Option<String>,
    /// What all that is random follows from.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    security: SecurityArgs,
    /// Process id of the server: its CPU time and memory become part of the report.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Where to write the report (JSON).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A condition on the report, such as `devices.failed==0`; may be repeated. The exit code is 1 when one is not met.
    #[arg(long = "threshold", value_name = "CONDITION")]
    thresholds: Vec<String>,
    /// Leave devices, profile, package and campaign at the server.
    #[arg(long)]
    keep: bool,
    /// No progress lines, no table unless a threshold is not met.
    #[arg(long)]
    quiet: bool,
}

impl OtaArgs {
    /// Whether every threshold was met.
    pub(super) fn execute(&self, interrupted: &AtomicBool) -> Result<bool> {
        let scenario = self.scenario()?;
        let sample = serde_json::to_value(OtaReport::sample())?;
        let thresholds = scenario
            .thresholds
            .iter()
            .map(|text| Threshold::parse_for(text, &sample))
            .collect::<Result<Vec<_>, _>>()?;
        let options = OtaOptions {
            token: self.token.clone(),
            server_pid: self.server_pid,
            keep: self.keep,
            quiet: self.quiet,
        };
        let mut report = run(&scenario, &options, interrupted)?;
        let found = serde_json::to_value(&report)?;
        report.thresholds = thresholds
            .iter()
            .map(|threshold| threshold.judge_value(&found))
            .collect();
        if let Some(path) = &self.report {
            let json = serde_json::to_string_pretty(&report)?;
            fs::write(path, json + "\n")
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if !self.quiet || !report.passed() {
            say(&ota_table(&report));
        }
        Ok(report.passed())
    }

    fn scenario(&self) -> Result<OtaScenario> {
        let loaded = self
            .scenario
            .as_deref()
            .map(OtaScenario::load)
            .transpose()?;
        let mut scenario = loaded.unwrap_or_default();
        if let Some(server) = &self.server {
            scenario.server.clone_from(server);
        }
        if let Some(api) = &self.api {
            scenario.api.clone_from(api);
        }
        if let Some(prefix) = &self.endpoint_prefix {
            scenario.endpoint_prefix.clone_from(prefix);
        }
        if let Some(image) = &self.image {
            scenario.image = Some(image.clone());
        }
        if let Some(resource) = &self.resource {
            scenario.resource = Some(resource.clone());
        }
        set(&mut scenario.clients, self.clients);
        set(&mut scenario.package, self.package);
        set(&mut scenario.strategy, self.strategy);
        set(&mut scenario.image_bytes, self.image_bytes);
        set(&mut scenario.assign, self.assign);
        set(&mut scenario.concurrency, self.concurrency);
        set(&mut scenario.loss, self.loss);
        set(&mut scenario.delay_ms, self.delay_ms);
        set(&mut scenario.flash_ms, self.flash_ms);
        scenario.separate |= self.separate;
        set(&mut scenario.power_cuts, self.power_cuts);
        set(&mut scenario.corrupt, self.corrupt);
        if !self.refusals.is_empty() {
            scenario.refusals.clone_from(&self.refusals);
        }
        set(&mut scenario.timeout, self.timeout);
        set(&mut scenario.bystanders, self.bystanders);
        set(&mut scenario.register_rate, self.register_rate);
        set(&mut scenario.seed, self.seed);
        self.security.apply(&mut scenario.security);
        scenario.thresholds.extend(self.thresholds.iter().cloned());
        scenario.check()?;
        Ok(scenario)
    }
}

fn refusal(text: &str) -> Result<Refusals, String> {
    let parts = text.split_once('=');
    let parsed = parts.and_then(|(result, share)| {
        Some(Refusals {
            result: result.parse().ok()?,
            share: share.parse().ok()?,
        })
    });
    parsed.ok_or_else(|| "not RESULT=SHARE, such as 2=0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn scenario(flags: &[&str]) -> Result<OtaScenario> {
        let all = ["loadtest", "ota"].iter().chain(flags);
        match Cli::try_parse_from(all)?.command {
            Command::Ota(args) => args.scenario(),
            _ => unreachable!("the command is ota"),
        }
    }

    #[test]
    fn flags_override_the_scenario() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/ota-pull.toml");
        let flags = [
            "--clients",
            "7",
            "--loss",
            "0.1",
            "--refuse",
            "7=0.5",
            "--separate",
        ];
        let scenario = scenario(&[&[path][..], &flags].concat()).unwrap();
        assert_eq!((scenario.clients, scenario.loss), (7, 0.1));
        assert_eq!(scenario.strategy, Way::Pull);
        assert!(scenario.separate && scenario.refusals[0].result == 7);
    }

    #[test]
    fn bad_values_are_refused() {
        for flags in [
            &["--loss", "1"][..],
            &["--rebind-at", "2"],
            &["--refuse", "2"],
            &["--refuse", "200=0.1"],
            &["--strategy", "carry"],
            &["--package", "software", "--strategy", "push19"],
        ] {
            assert!(scenario(flags).is_err(), "{flags:?}");
        }
    }
}
