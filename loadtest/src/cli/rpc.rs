//! `loadtest rpc`: commands to a fleet that another `loadtest run` keeps registered.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::rpc::{RpcOptions, RpcReport, run};

/// A fleet has to be there: `loadtest run --no-deregister --duration …` keeps one.
#[derive(Args, Debug)]
pub(super) struct RpcArgs {
    /// Where the server's API listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    api: SocketAddr,
    /// Token for the API.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Endpoint names of the fleet are this and a number.
    #[arg(long, value_name = "TEXT", default_value = "sim-")]
    endpoint_prefix: String,
    /// Number of devices of the fleet.
    #[arg(long, value_name = "N")]
    clients: u32,
    /// Commands a second.
    #[arg(long, value_name = "RATE", default_value_t = 1000.0)]
    rate: f64,
    /// How long.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    duration: f64,
    /// Connections to the API.
    #[arg(long, value_name = "N", default_value_t = 32)]
    connections: u32,
    /// Method of the command.
    #[arg(long, value_name = "METHOD", default_value = "Read")]
    method: String,
    /// Parameters of the command.
    #[arg(long, value_name = "JSON", default_value = r#"{"id":"/3/0/9"}"#)]
    params: String,
    /// Process id of the server: its CPU time and memory become part of the report.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Where to write the report (JSON).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl RpcArgs {
    /// Whether every command was answered with success.
    pub(super) fn execute(&self, stop: &AtomicBool) -> Result<bool> {
        ensure!(
            self.rate > 0.0 && self.rate * self.duration <= f64::from(u32::MAX),
            "--rate and --duration must be above 0 and make fewer than {} commands",
            u32::MAX
        );
        ensure!(
            self.clients > 0 && self.connections > 0,
            "--clients and --connections must be above 0"
        );
        let params: serde_json::Value =
            serde_json::from_str(&self.params).context("--params is not JSON")?;
        let command = serde_json::json!({"method": self.method, "params": params});
        let options = RpcOptions {
            api: self.api,
            token: self.token.clone(),
            endpoint_prefix: self.endpoint_prefix.clone(),
            devices: self.clients,
            rate: self.rate,
            duration: Duration::try_from_secs_f64(self.duration)
                .context("--duration is no length of time")?,
            connections: self.connections,
            command: command.to_string(),
            server_pid: self.server_pid,
        };
        let report = run(&options, stop)?;
        if let Some(path) = &self.report {
            let json = serde_json::to_string_pretty(&report)?;
            fs::write(path, json + "\n")
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        super::say(&described(&report));
        Ok(report.failed == 0)
    }
}

fn described(report: &RpcReport) -> String {
    let latency = report.latency_us;
    let mut text = format!(
        "{} commands, {} answered with success, {:.0} a second\n\
         from due to answered, in microseconds: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        report.sent,
        report.ok,
        report.rate,
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.max
    );
    if let Some(seconds) = report.server_cpu_seconds {
        let micros = seconds * 1e6 / report.sent.max(1) as f64;
        text += &format!("\nserver: {micros:.1} microseconds of CPU time a command");
    }
    if let Some(failure) = &report.first_failure {
        text += &format!("\nfirst failure: {failure}");
    }
    text
}
