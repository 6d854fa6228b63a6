//! The command line.

mod client;
mod credentials;
pub mod demo_flags;
mod observe;
mod ota;
mod rpc;
mod security;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, process, thread};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::echo;
use crate::engine::{RunOptions, run};
use crate::report::{Report, table};
use crate::scenario::{Phase, Scenario};
use crate::threshold::Threshold;

/// Simulated LwM2M fleets.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a fleet against a server, at a stated rate, and report what it found.
    Run(Box<RunArgs>),
    /// Compare the observe strategies of a profile on the same fleet: packets, radio, server CPU, latency.
    Observe(Box<observe::ObserveArgs>),
    /// Update a fleet over the air: what it takes, what it costs the server, and what others notice.
    Ota(Box<ota::OtaArgs>),
    /// Be one device, with objects to play with and a console.
    Client(Box<client::ClientArgs>),
    /// List the devices of a fleet with their credentials, for `rookery devices import`.
    Credentials(credentials::CredentialsArgs),
    /// Give commands to the devices of a fleet through the server's API, at a stated rate.
    Rpc(rpc::RpcArgs),
    /// Send every datagram back: the floor that a server's cost is compared with.
    #[command(hide = true)]
    Echo(EchoArgs),
}

/// Flags override the scenario; without one, a hundred devices register, live for ten seconds and leave.
#[derive(Args, Debug)]
struct RunArgs {
    /// Scenario file (TOML).
    scenario: Option<PathBuf>,
    /// The server to test.
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// Number of devices; a scenario's fleets keep their proportions.
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// Length of the phase between registration and de-registration.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// Registrations (and de-registrations) a second.
    #[arg(long, value_name = "RATE")]
    register_rate: Option<f64>,
    /// Time between a device's registration updates; 0 for none.
    #[arg(long, value_name = "SECONDS")]
    update_every: Option<f64>,
    /// Time between the notifications of an observation; 0 for none.
    #[arg(long, value_name = "SECONDS")]
    notify_every: Option<f64>,
    /// Send confirmable notifications.
    #[arg(long)]
    con_notify: bool,
    /// Lifetime of registrations.
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
    /// Objects that each device announces.
    #[arg(long, value_name = "N")]
    objects: Option<u8>,
    /// Endpoint names are this and a number.
    #[arg(long, value_name = "TEXT")]
    endpoint_prefix: Option<String>,
    /// What all that is random follows from.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads of the generator.
    #[arg(long, value_name = "N")]
    threads: Option<u8>,
    /// Sockets towards a server on loopback.
    #[arg(long, value_name = "N")]
    sockets: Option<u16>,
    /// Microseconds of a tick: everything happens at a multiple of it.
    #[arg(long, value_name = "MICROSECONDS")]
    tick_us: Option<u32>,
    /// Devices bootstrap at the server, and register where they are told.
    #[arg(long)]
    bootstrap: bool,
    #[command(flatten)]
    security: security::SecurityArgs,
    /// Leave the devices registered.
    #[arg(long)]
    no_deregister: bool,
    /// Process id of the server: its CPU time and memory become part of the report.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Where to write the report (JSON).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A condition on the report, such as `update.p99<5ms`; may be repeated. The exit code is 1 when one is not met.
    #[arg(long = "threshold", value_name = "CONDITION")]
    thresholds: Vec<String>,
    /// No progress lines, no table unless a threshold is not met.
    #[arg(long)]
    quiet: bool,
    /// How the server answers; `echo` for `loadtest echo`.
    #[arg(long, value_enum, default_value_t = Answers::Lwm2m, hide = true)]
    answers: Answers,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Answers {
    Lwm2m,
    Echo,
}

#[derive(Args, Debug)]
struct EchoArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Sockets, each with its thread.
    #[arg(long, value_name = "N", default_value_t = 1)]
    shards: usize,
    /// Look for datagrams once in so many microseconds while busy, as the engine does; 0 wakes for each.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 1_000)]
    tick_us: u64,
}

impl Cli {
    /// Does what the command line says. `Ok(false)` when a threshold was not met.
    ///
    /// # Errors
    /// When it could not be done.
    pub fn execute(self) -> Result<bool> {
        match self.command {
            Command::Run(args) => args.execute(),
            Command::Observe(args) => args.execute().map(|()| true),
            Command::Ota(args) => args.execute(&*interrupted_by_signal()?),
            Command::Client(args) => args.execute().map(|()| true),
            Command::Credentials(args) => args.execute().map(|()| true),
            Command::Rpc(args) => args.execute(&*interrupted_by_signal()?),
            Command::Echo(args) => args.execute().map(|()| true),
        }
    }
}

impl RunArgs {
    fn execute(&self) -> Result<bool> {
        let scenario = self.scenario()?;
        let thresholds = scenario
            .thresholds
            .iter()
            .map(|text| Threshold::parse(text))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RunOptions {
            server_pid: self.server_pid,
            quiet: self.quiet,
            echoed: self.answers == Answers::Echo,
        };
        let interrupted = interrupted_by_signal()?;
        let record = run(&scenario, &options, &interrupted)?;

        let mut report = Report::new(&record);
        report.thresholds = thresholds
            .iter()
            .map(|threshold| threshold.judge(&report))
            .collect();
        if let Some(path) = &self.report {
            let json = serde_json::to_string_pretty(&report)?;
            fs::write(path, json + "\n")
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if !self.quiet || !report.passed() {
            say(&table(&report));
        }
        Ok(report.passed())
    }

    fn scenario(&self) -> Result<Scenario> {
        let mut scenario = self
            .scenario
            .as_deref()
            .map(Scenario::load)
            .transpose()?
            .unwrap_or_default();
        if let Some(server) = &self.server {
            scenario.server = Some(server.clone());
        }
        if let Some(prefix) = &self.endpoint_prefix {
            scenario.endpoint_prefix.clone_from(prefix);
        }
        set(&mut scenario.seed, self.seed);
        set(&mut scenario.threads, self.threads);
        set(&mut scenario.sockets, self.sockets);
        set(&mut scenario.tick_us, self.tick_us);
        scenario.thresholds.extend(self.thresholds.iter().cloned());
        self.security.apply(&mut scenario.security);
        if self.bootstrap {
            scenario.bootstrap.get_or_insert_default();
        }
        for fleet in &mut scenario.fleets {
            set(&mut fleet.update_every, self.update_every);
            set(&mut fleet.notify_every, self.notify_every);
            set(&mut fleet.lifetime, self.lifetime);
            set(&mut fleet.objects, self.objects);
            fleet.confirm_notifications |= self.con_notify;
        }
        for phase in &mut scenario.phases {
            match phase {
                Phase::Register { rate } | Phase::Deregister { rate } => {
                    set(rate, self.register_rate)
                }
                Phase::Hold { duration } => set(duration, self.duration),
                Phase::Rebind { .. } | Phase::Reconnect { .. } => {}
            }
        }
        if self.no_deregister {
            scenario
                .phases
                .retain(|phase| !matches!(phase, Phase::Deregister { .. }));
        }
        scenario.check()?;
        if let Some(clients) = self.clients {
            scenario.set_clients(clients);
            scenario.check()?;
        }
        Ok(scenario)
    }
}

impl EchoArgs {
    fn execute(&self) -> Result<()> {
        let group = echo::open(self.listen, self.shards)?;
        say(&format!(
            "echoing on {} with process id {}",
            group[0].local_addr(),
            process::id()
        ));
        let stop = interrupted_by_signal()?;
        let (tick, echoed) = (Duration::from_micros(self.tick_us), AtomicU64::new(0));
        thread::scope(|scope| {
            let threads: Vec<_> = group
                .iter()
                .map(|socket| scope.spawn(|| echo::serve(socket, tick, &stop, &echoed)))
                .collect();
            threads.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        say(&format!(
            "{} datagrams echoed",
            echoed.load(Ordering::Relaxed)
        ));
        Ok(())
    }
}

/// Writes a line to standard output. That nobody reads it (any more) is no reason to fail.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn set<T: Copy>(value: &mut T, flag: Option<T>) {
    if let Some(flag) = flag {
        *value = flag;
    }
}

/// Becomes true at the first SIGINT or SIGTERM; the second ends the process at once.
fn interrupted_by_signal() -> Result<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};

    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if flag.swap(true, Ordering::Relaxed) {
                        process::exit(130);
                    }
                }
            });
        })?;
    Ok(interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(flags: &[&str]) -> Result<Scenario> {
        let all = ["loadtest", "run"].iter().chain(flags);
        match Cli::try_parse_from(all)?.command {
            Command::Run(args) => args.scenario(),
            _ => unreachable!("the command is run"),
        }
    }

    #[test]
    fn flags_override_the_defaults() {
        let s = scenario(&[
            "--server",
            "127.0.0.1:5685",
            "--clients",
            "7",
            "--duration",
            "3",
            "--register-rate",
            "50",
            "--update-every",
            "1.5",
            "--notify-every",
            "0",
            "--con-notify",
            "--no-deregister",
            "--security",
            "psk",
            "--connection-id",
            "false",
            "--rebind-at",
            "2",
        ])
        .unwrap();
        assert_eq!(s.server.as_deref(), Some("127.0.0.1:5685"));
        assert_eq!(s.clients(), 7);
        assert_eq!(
            s.phases,
            [
                Phase::Register { rate: 50.0 },
                Phase::Hold { duration: 3.0 }
            ]
        );
        assert_eq!(
            (s.fleets[0].update_every, s.fleets[0].notify_every),
            (1.5, 0.0)
        );
        assert!(s.fleets[0].confirm_notifications);
        assert!(s.security.mode.credentials().is_some() && !s.security.connection_id);
        assert_eq!(s.timeline()[2], Phase::Rebind { share: 1.0 });
    }

    #[test]
    fn bad_values_are_refused() {
        for flags in [
            &["--clients", "0"][..],
            &["--tick-us", "1"],
            &["--objects", "99"],
            &["--register-rate", "0"],
        ] {
            assert!(scenario(flags).is_err(), "{flags:?}");
        }
    }
}
