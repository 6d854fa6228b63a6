//! `loadtest observe`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::{interrupted_by_signal, say};
use crate::client::formats;
use crate::observe::{ObserveOptions, Pattern, Settings, Strategy, observe_table, page, run};

/// Durations are of device time: it passes `--speed` times as fast as the clock, so that an hour is measured in a
/// minute.
#[derive(Args, Debug)]
pub struct ObserveArgs {
    /// Where devices reach the server (CoAP).
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5685")]
    server: String,
    /// The server's API.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    api: String,
    /// API token, of role operator; needed unless the server runs with --dev on this machine.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// What to compare, in this order.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME,…", default_values_t = Strategy::USUAL)]
    strategies: Vec<Strategy>,
    /// Number of devices.
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// Objects that the resources are spread over, 1 to 8.
    #[arg(long, value_name = "N")]
    objects: Option<u8>,
    /// Resources of each device, 1 to 30, at most 5 of each object.
    #[arg(long, value_name = "N")]
    resources: Option<u8>,
    /// Mean time between two changes of a resource.
    #[arg(long, value_name = "SECONDS")]
    change_every: Option<f64>,
    /// How the changes of a device's resources fall together.
    #[arg(long, value_enum)]
    pattern: Option<Pattern>,
    /// Minimum period of every resource, written by the server as the attribute pmin.
    #[arg(long, value_name = "SECONDS")]
    pmin: Option<u32>,
    /// Maximum period of every resource, written by the server as the attribute pmax.
    #[arg(long, value_name = "SECONDS")]
    pmax: Option<u32>,
    /// How long to measure each strategy.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// Seconds of device time in a second of the clock.
    #[arg(long, value_name = "FACTOR")]
    speed: Option<f64>,
    /// Time between two polls of a device, where the strategy is to poll; half of --change-every when absent.
    #[arg(long, value_name = "SECONDS")]
    poll_every: Option<f64>,
    /// What all that is random follows from.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Content format of composite requests and notifications.
    #[arg(long, value_enum, default_value_t = CompositeFormat::SenmlCbor)]
    composite_format: CompositeFormat,
    /// Registrations a second (of the clock).
    #[arg(long, value_name = "RATE")]
    register_rate: Option<f64>,
    /// Radio model: how long a radio stays connected after its last packet.
    #[arg(long, value_name = "SECONDS")]
    inactivity: Option<f64>,
    /// Radio model: how long it listens after that.
    #[arg(long, value_name = "SECONDS")]
    active_time: Option<f64>,
    /// Names of endpoints and profiles begin with it. What has such a name is replaced, and removed at the end.
    #[arg(long, value_name = "TEXT")]
    endpoint_prefix: Option<String>,
    /// Process id of the server: its CPU time becomes part of the report.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Where to write the report (JSON).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Where to write the report as a page with charts.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Leave devices and profiles at the server.
    #[arg(long)]
    keep: bool,
    /// Print nothing.
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CompositeFormat {
    SenmlCbor,
    SenmlJson,
}

impl ObserveArgs {
    pub(super) fn execute(&self) -> Result<()> {
        let settings = self.settings();
        let options = ObserveOptions {
            server: self.server.clone(),
            api: self.api.clone(),
            token: self.token.clone(),
            strategies: self.strategies.clone(),
            server_pid: self.server_pid,
            keep: self.keep,
            quiet: self.quiet,
        };
        for (index, strategy) in self.strategies.iter().enumerate() {
            ensure!(
                !self.strategies[..index].contains(strategy),
                "--strategies names {} twice",
                strategy.slug()
            );
        }
        let interrupted = interrupted_by_signal()?;
        let report = run(&settings, &options, &interrupted)?;
        let write = |path: &PathBuf, text: String| {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        if let Some(path) = &self.report {
            write(path, serde_json::to_string_pretty(&report)? + "\n")?;
        }
        if let Some(path) = &self.html {
            write(path, page(&report))?;
        }
        if !self.quiet {
            say(&observe_table(&report));
        }
        Ok(())
    }

    fn settings(&self) -> Settings {
        let usual = Settings::default();
        let change_every = self.change_every.unwrap_or(usual.change_every);
        let objects = self.objects.unwrap_or(usual.objects);
        Settings {
            clients: self.clients.unwrap_or(usual.clients),
            objects,
            resources: self.resources.unwrap_or(usual.resources),
            change_every,
            pattern: self.pattern.unwrap_or(usual.pattern),
            pmin: self.pmin,
            pmax: self.pmax,
            duration: self.duration.unwrap_or(usual.duration),
            speed: self.speed.unwrap_or(usual.speed),
            poll_every: self.poll_every.unwrap_or(change_every / 2.0),
            seed: self.seed.unwrap_or(usual.seed),
            composite_format: match self.composite_format {
                CompositeFormat::SenmlCbor => formats::SENML_CBOR,
                CompositeFormat::SenmlJson => formats::SENML_JSON,
            },
            prefix: self.endpoint_prefix.clone().unwrap_or(usual.prefix),
            register_rate: self.register_rate.unwrap_or(usual.register_rate),
            inactivity: self.inactivity.unwrap_or(usual.inactivity),
            active_time: self.active_time.unwrap_or(usual.active_time),
        }
    }
}
