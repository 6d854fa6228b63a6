//! Leads the benchmark: one strategy after the other, each from its profile to its clean-up.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::task::LocalSet;

use super::api::{Api, ApiError, Connection};
use super::events::Watching;
use super::fleet::{Counted, Fleet, Order, Progress};
use super::poll::{Polled, poll};
use super::report::{Findings, ObserveReport, StrategyReport};
use super::settings::{Settings, SettingsError};
use super::strategy::Strategy;
use super::{latency, metrics};
use crate::clock::{Clock, Micros};
use crate::engine::{RunError, resolve};
use crate::fleet::Names;
use crate::process::Usage;

/// What a benchmark needs besides what is simulated.
#[derive(Clone, Debug)]
pub struct ObserveOptions {
    /// Where devices reach the server, `host:port`.
    pub server: String,
    /// Where its API is, such as `http://127.0.0.1:8080`.
    pub api: String,
    /// API token, of role operator.
    pub token: Option<String>,
    /// What is compared.
    pub strategies: Vec<Strategy>,
    /// Process id of the server, to know its CPU time.
    pub server_pid: Option<u32>,
    /// Leaves devices and profiles at the server.
    pub keep: bool,
    /// No progress lines.
    pub quiet: bool,
}

/// Why a benchmark could not take place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// What is to be simulated cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The fleet could not run.
    #[error(transparent)]
    Fleet(#[from] RunError),
    /// The API refused, or is not there.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// This machine failed.
    #[error("the benchmark failed: {0}")]
    Io(#[from] io::Error),
    /// The server refused devices of the fleet.
    #[error("the server refuses a device of the fleet: {0}")]
    Import(String),
    /// The fleet did not get ready.
    #[error(
        "{strategy}: {ready} of {clients} devices were observed as the profile says after {seconds} s, {failed} could \
         not register; is --server the CoAP address of the server whose API is --api?"
    )]
    NotReady {
        strategy: &'static str,
        ready: u32,
        clients: u32,
        failed: u32,
        seconds: u64,
    },
}

/// How long a fleet may take to get ready, besides the time of its registrations.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Between the fleet's being ready and the measurement, and after it for events under way.
const SETTLE: Duration = Duration::from_millis(500);
/// The order to measure is given so long before the first change.
const HEAD_START_US: Micros = 20_000;
/// Devices removed at a time.
const REMOVING: usize = 8;

/// Runs the benchmark. `interrupted` ends it early, with a report of the strategies that were measured.
///
/// # Errors
/// [`ObserveError`] when it could not take place; what was put to the server is removed nevertheless.
pub fn run(
    settings: &Settings,
    options: &ObserveOptions,
    interrupted: &AtomicBool,
) -> Result<ObserveReport, ObserveError> {
    settings.check()?;
    let server = resolve(&options.server)?;
    let bench = Bench {
        settings,
        options,
        interrupted,
        server,
        api: Api::new(&options.api, options.token.clone())?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut measured = Vec::new();
    for &strategy in &options.strategies {
        let outcome = LocalSet::new().block_on(&runtime, bench.strategy(strategy));
        let cleaned = if options.keep {
            Ok(())
        } else {
            LocalSet::new().block_on(&runtime, bench.clean_up(strategy))
        };
        if let Some(findings) = outcome? {
            measured.push(StrategyReport::new(settings, &findings));
        }
        cleaned?;
        if bench.is_over() {
            break;
        }
    }
    let over = bench.is_over();
    Ok(ObserveReport::new(settings, server, measured, over))
}

struct Bench<'a> {
    settings: &'a Settings,
    options: &'a ObserveOptions,
    interrupted: &'a AtomicBool,
    server: SocketAddr,
    api: Api,
}

/// A fleet at work in its thread. It ends when nobody can give it orders any more.
struct Running {
    orders: Sender<Order>,
    progress: Arc<Progress>,
    thread: JoinHandle<io::Result<Counted>>,
}

/// What the server has used and counted so far.
struct Reading {
    cpu_seconds: Option<f64>,
    metrics: String,
}

impl Bench<'_> {
    /// Measures one strategy; `None` when it was interrupted.
    async fn strategy(&self, strategy: Strategy) -> Result<Option<Findings>, ObserveError> {
        let mut api = self.api.connect().await?;
        self.say(&format!("{}: provisioning", strategy.name()));
        self.provision(&mut api, strategy).await?;
        let clock = Clock::start(1_000);
        let fleet = Fleet::new(self.settings, strategy, self.server, clock)?;
        let fleet = Running::start(fleet)?;
        self.say(&format!("{}: devices register", strategy.name()));
        self.await_ready(strategy, &fleet).await?;
        tokio::time::sleep(SETTLE).await;

        let names = Names::new(
            &self.settings.endpoint_prefix(strategy),
            self.settings.clients,
        );
        let followed = latency::followed(self.settings.clients)
            .map(|number| (number, names.of(number)))
            .collect();
        let watching = Watching::start(&self.api, self.settings, followed, clock).await?;
        let clock_seconds = self.settings.duration / self.settings.speed;
        self.say(&format!(
            "{}: measuring for {clock_seconds:.0} s",
            strategy.name()
        ));
        let before = self.read(&mut api).await?;
        let from = clock.now() + HEAD_START_US;
        let until = from + (clock_seconds * 1e6) as Micros;
        // A fleet that has ended is noticed when it is asked for what it counted.
        let _ = fleet.orders.send(Order::Measure { from, until });
        let polled = if strategy.polls() {
            let polling = poll(&self.api, self.settings, strategy, clock, (from, until));
            tokio::select! {
                polled = polling => polled?,
                () = self.interruption() => Polled::default(),
            }
        } else {
            Polled::default()
        };
        while clock.now() < until && !self.is_over() {
            let left = Duration::from_micros(until.saturating_sub(clock.now()));
            tokio::time::sleep(left.min(LOOK)).await;
        }
        let after = self.read(&mut api).await?;
        tokio::time::sleep(SETTLE).await;
        let seen = watching.stop();
        let counted = fleet.finish()?;
        if self.is_over() {
            return Ok(None);
        }
        let grown = |name: &str, labels: &[_]| {
            metrics::sum(&after.metrics, name, labels) - metrics::sum(&before.metrics, name, labels)
        };
        Ok(Some(Findings {
            strategy,
            counted,
            seen,
            polled,
            values_taken: grown("lwm2m_values_total", &[("kind", "telemetry")]),
            values_dropped: grown("lwm2m_values_dropped_total", &[]),
            cpu_seconds: after
                .cpu_seconds
                .zip(before.cpu_seconds)
                .map(|(after, before)| after - before),
        }))
    }

    /// Puts the profile, and the devices that have it.
    async fn provision(
        &self,
        api: &mut Connection,
        strategy: Strategy,
    ) -> Result<(), ObserveError> {
        let profile = self.settings.profile_name(strategy);
        let path = format!("/api/v1/profiles/{profile}");
        let body = self.settings.profile(strategy);
        api.call(Method::PUT, &path, Some(&body)).await?;
        let prefix = self.settings.endpoint_prefix(strategy);
        let names = Names::new(&prefix, self.settings.clients);
        let lines: String = (0..self.settings.clients)
            .map(|number| {
                let device = json!({
                    "endpoint": names.of(number),
                    "profile": profile,
                    "credentials": {"client": {"securityConfigClientMode": "NO_SEC"}},
                });
                format!("{device}\n")
            })
            .collect();
        let results = api
            .text(
                Method::POST,
                "/api/v1/devices:import",
                "application/x-ndjson",
                lines,
            )
            .await?;
        let mut refused = results
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|result| result["result"] != "created" && result["result"] != "replaced");
        match refused.next() {
            Some(result) => Err(ObserveError::Import(result.to_string())),
            None => Ok(()),
        }
    }

    async fn await_ready(&self, strategy: Strategy, fleet: &Running) -> Result<(), ObserveError> {
        let clients = self.settings.clients;
        let registering = f64::from(clients) / self.settings.register_rate;
        let patience = PATIENCE + Duration::from_secs_f64(registering * 2.0);
        let began = tokio::time::Instant::now();
        loop {
            let ready = fleet.progress.ready.load(Ordering::Relaxed);
            let failed = fleet.progress.failed.load(Ordering::Relaxed);
            if ready == clients || self.is_over() {
                return Ok(());
            }
            let late = began.elapsed() > patience;
            if late || ready + failed == clients || fleet.thread.is_finished() {
                return Err(ObserveError::NotReady {
                    strategy: strategy.name(),
                    ready,
                    clients,
                    failed,
                    seconds: began.elapsed().as_secs(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn read(&self, api: &mut Connection) -> Result<Reading, ObserveError> {
        let usage = self
            .options
            .server_pid
            .map(|pid| Usage::of(pid).map_err(|source| RunError::Process { pid, source }));
        let cpu_seconds = usage.transpose()?.map(|usage| usage.cpu_seconds);
        let metrics = api
            .text(Method::GET, "/metrics", "text/plain", String::new())
            .await?;
        Ok(Reading {
            cpu_seconds,
            metrics,
        })
    }

    /// Removes the devices and the profile of a strategy. What is not there need not be removed.
    async fn clean_up(&self, strategy: Strategy) -> Result<(), ObserveError> {
        let names = Names::new(
            &self.settings.endpoint_prefix(strategy),
            self.settings.clients,
        );
        let mut removing = Vec::new();
        for first in 0..REMOVING.min(self.settings.clients as usize) {
            let (mut api, names) = (self.api.connect().await?, names.clone());
            let numbers = (first as u32..self.settings.clients).step_by(REMOVING);
            removing.push(tokio::task::spawn_local(async move {
                for number in numbers {
                    let path = format!("/api/v1/devices/{}", names.of(number));
                    remove(&mut api, &path).await?;
                }
                Ok::<_, ApiError>(())
            }));
        }
        for removed in removing {
            removed
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        }
        let mut api = self.api.connect().await?;
        let profile = self.settings.profile_name(strategy);
        Ok(remove(&mut api, &format!("/api/v1/profiles/{profile}")).await?)
    }

    async fn interruption(&self) {
        while !self.is_over() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn say(&self, text: &str) {
        if !self.options.quiet {
            // That nobody reads it is no reason to stop.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

impl Running {
    fn start(fleet: Fleet) -> io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let progress = Arc::<Progress>::default();
        let shown = Arc::clone(&progress);
        let thread = thread::Builder::new()
            .name("fleet".into())
            .spawn(move || fleet.run(&received, &shown))?;
        Ok(Self {
            orders,
            progress,
            thread,
        })
    }

    fn finish(self) -> io::Result<Counted> {
        drop(self.orders);
        self.thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn remove(api: &mut Connection, path: &str) -> Result<(), ApiError> {
    match api.call(Method::DELETE, path, None).await {
        Err(ApiError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(()),
        other => other.map(|_| ()),
    }
}
