//! Leads the workers through the phases of a scenario.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rookery::net::{BindError, ShardSocket, SocketGroup, SocketOptions};
use rustix::process::{Resource, getrlimit, setrlimit};
use thiserror::Error;

use super::calendar::MAX_DEVICES;
use super::control::{Order, Orders, Progress, lock};
use super::links::Links;
use super::outbox::Outbox;
use super::simulation::{Bootstrap, Simulation, Terms};
use super::worker::Worker;
use crate::clock::{Clock, Micros};
use crate::fleet::{Addresses, Fleet, Names};
use crate::process::Usage;
use crate::report::{Live, PhaseRecord, RunRecord};
use crate::scenario::{Phase, Scenario};
use crate::security::{Security, SecurityError};
use crate::stats::{Counts, Stats};

/// What a run needs besides its scenario.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Process id of the server, to watch its CPU time and memory.
    pub server_pid: Option<u32>,
    /// No progress lines.
    pub quiet: bool,
    /// The server only echoes: the floor that a real one is compared with.
    pub echoed: bool,
}

/// Why a run could not take place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// No server was named.
    #[error("no server: give --server HOST:PORT, or `server` in the scenario")]
    NoServer,
    /// Its name means no address.
    #[error("cannot resolve {server:?}: {source}")]
    Resolve { server: String, source: io::Error },
    /// A socket could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Each device needs a socket, and there are not so many.
    #[error(
        "{clients} devices towards {server} need as many sockets, {limit} are allowed (ulimit -n); only a server on \
         127.0.0.0/8 can be tested with more devices than sockets"
    )]
    TooManySockets {
        clients: u32,
        server: SocketAddr,
        limit: u64,
    },
    /// The server's process cannot be looked at.
    #[error("cannot read the usage of process {pid}: {source}")]
    Process { pid: u32, source: io::Error },
    /// The credentials of the devices.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// A worker failed.
    #[error("the generator failed: {0}")]
    Worker(#[from] io::Error),
}

/// How often the controller looks at the workers.
const LOOK: Duration = Duration::from_millis(10);
/// After this long without an end, a phase that waits for answers gives up: MAX_TRANSMIT_WAIT twice, for the exchange
/// and what queued behind it.
const PATIENCE_US: Micros = 190_000_000;
/// An order is given this long before it counts: a worker that has nothing to do looks for orders every 20 ms.
const HEAD_START_US: Micros = 30_000;
/// File descriptors that are not for devices.
const OTHER_FILES: u64 = 64;

/// Runs a checked scenario. `interrupted` ends it early, with a report of what was done.
///
/// # Errors
/// [`RunError`] when it could not take place; a server that does not answer is no error but a result.
pub fn run(
    scenario: &Scenario,
    options: &RunOptions,
    interrupted: &AtomicBool,
) -> Result<RunRecord, RunError> {
    let server = resolve(scenario.server.as_deref().ok_or(RunError::NoServer)?)?;
    let watch = Watch {
        pid: options.server_pid,
    };
    let before = (Usage::own()?, watch.usage()?);
    let clock = Clock::start(scenario.tick_us);
    let orders = Orders::new();
    let workers = build_workers(scenario, options, server, clock)?;
    let told: Vec<Mutex<Progress>> = workers.iter().map(|_| Mutex::default()).collect();

    thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .zip(&told)
            .map(|(worker, told)| scope.spawn(|| worker.run(&orders, told)))
            .collect();
        let mut controller = Controller {
            orders: &orders,
            told: &told,
            clock,
            watch,
            interrupted,
            live: Live::new(scenario.clients(), options.quiet),
            phases: Vec::new(),
            failed: || threads.iter().any(thread::ScopedJoinHandle::is_finished),
        };
        scenario
            .timeline()
            .iter()
            .for_each(|phase| controller.lead(phase));
        controller.wind_up(scenario.grace);
        let phases = controller.phases;
        // While the devices still are in memory.
        let after = (Usage::own()?, watch.usage().ok().flatten());
        orders.give(Order::Quit);

        let mut stats = Stats::default();
        for thread in threads {
            let counted = thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            stats.merge(&counted);
        }
        Ok(RunRecord {
            server,
            clients: scenario.clients(),
            seconds: clock.now() as f64 / 1e6,
            stats,
            phases,
            generator: (before.0, after.0),
            server_pid: options.server_pid,
            server_usage: before.1.zip(after.1),
            interrupted: interrupted.load(Ordering::Relaxed),
        })
    })
}

struct Controller<'a, F> {
    orders: &'a Orders,
    told: &'a [Mutex<Progress>],
    clock: Clock,
    watch: Watch,
    interrupted: &'a AtomicBool,
    live: Live,
    phases: Vec<PhaseRecord>,
    /// Whether a worker came home on its own.
    failed: F,
}

impl<F: Fn() -> bool> Controller<'_, F> {
    fn lead(&mut self, phase: &Phase) {
        if self.is_over() {
            return;
        }
        let start = self.clock.now() + HEAD_START_US;
        let (usage, counts) = (self.usage(), self.progress().counts);
        match *phase {
            Phase::Register { rate } => {
                let order = self.orders.give(Order::Register { from: start, rate });
                self.until_settled(order);
            }
            Phase::Deregister { rate } => {
                let order = self.orders.give(Order::Deregister { from: start, rate });
                self.until_settled(order);
            }
            Phase::Reconnect { rate, share } => {
                let order = self.orders.give(Order::Reconnect {
                    from: start,
                    rate,
                    share,
                });
                self.until_settled(order);
            }
            Phase::Rebind { share } => {
                let order = self.orders.give(Order::Rebind { share });
                self.watch_until(|_, progress| progress.order >= order);
            }
            Phase::Hold { duration } => {
                let end = start + (duration * 1e6) as Micros;
                self.watch_until(|controller, _| controller.clock.now() >= end);
            }
        }
        let after = self.progress().counts;
        self.phases.push(PhaseRecord {
            name: phase.name(),
            seconds: self.clock.now().saturating_sub(start) as f64 / 1e6,
            counts: (counts, after),
            generator: (usage.0, Usage::own().unwrap_or_default()),
            server: usage.1.zip(self.watch.usage().ok().flatten()),
        });
    }

    /// Waits, at most `grace` seconds, for what is under way; after a signal, not longer than one.
    fn wind_up(&mut self, grace: f64) {
        let grace = if self.is_over() {
            grace.min(1.0)
        } else {
            grace
        };
        let order = self.orders.give(Order::Wind);
        let end = self.clock.now() + (grace * 1e6) as Micros;
        while self.clock.now() < end && !(self.failed)() {
            thread::sleep(LOOK);
            let progress = self.progress();
            if progress.order >= order && progress.counts.in_flight == 0 {
                // One more round for answers to what was sent unconfirmed.
                thread::sleep(LOOK * 4);
                return;
            }
        }
    }

    fn until_settled(&mut self, order: u64) {
        let mut last_start = self.clock.now();
        self.watch_until(|controller, progress| {
            if progress.order < order || progress.to_start > 0 {
                last_start = controller.clock.now();
                return false;
            }
            progress.unsettled == 0 || controller.clock.now() > last_start + PATIENCE_US
        });
    }

    fn watch_until(&mut self, mut done: impl FnMut(&Self, &Progress) -> bool) {
        while !self.is_over() {
            thread::sleep(LOOK);
            let progress = self.progress();
            let usage = &self.watch;
            self.live.show(
                self.clock.now(),
                &progress.counts,
                progress.recent_p99_us,
                || usage.usage().ok().flatten(),
            );
            if done(self, &progress) {
                return;
            }
        }
    }

    /// All workers as one.
    fn progress(&self) -> Progress {
        let mut all = Progress {
            order: u64::MAX,
            ..Progress::default()
        };
        let mut counts = Counts::default();
        for told in self.told {
            let one = *lock(told);
            all.order = all.order.min(one.order);
            all.to_start += one.to_start;
            all.unsettled += one.unsettled;
            all.recent_p99_us = all.recent_p99_us.max(one.recent_p99_us);
            counts.add(&one.counts);
        }
        Progress { counts, ..all }
    }

    fn usage(&self) -> (Usage, Option<Usage>) {
        (
            Usage::own().unwrap_or_default(),
            self.watch.usage().ok().flatten(),
        )
    }

    fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || (self.failed)()
    }
}

/// The server's process, if it is known.
#[derive(Clone, Copy)]
struct Watch {
    pid: Option<u32>,
}

impl Watch {
    fn usage(self) -> Result<Option<Usage>, RunError> {
        let of = |pid| Usage::of(pid).map_err(|source| RunError::Process { pid, source });
        self.pid.map(of).transpose()
    }
}

/// The first IPv4 address, or else the first.
pub(crate) fn resolve(server: &str) -> Result<SocketAddr, RunError> {
    let failed = |source| RunError::Resolve {
        server: server.to_owned(),
        source,
    };
    let found: Vec<_> = server.to_socket_addrs().map_err(failed)?.collect();
    let first = found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first());
    first
        .copied()
        .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// The address of a server that devices are told, if they can reach it as they reach `first`.
fn told_server(told: &str, first: SocketAddr) -> Option<SocketAddr> {
    let found: Vec<_> = told.to_socket_addrs().ok()?.collect();
    let is_near = |address: &SocketAddr| {
        address.is_ipv4() == first.is_ipv4()
            && address.ip().is_loopback() == first.ip().is_loopback()
    };
    found.into_iter().find(is_near)
}

fn build_workers(
    scenario: &Scenario,
    options: &RunOptions,
    server: SocketAddr,
    clock: Clock,
) -> Result<Vec<Worker>, RunError> {
    let clients = scenario.clients();
    let names = Names::new(&scenario.endpoint_prefix, clients);
    let mut members = 0;
    let fleets: Arc<[Fleet]> = scenario
        .fleets
        .iter()
        .map(|settings| {
            let from = members;
            members += settings.clients;
            Fleet::new(settings.clone(), from..members, names.clone())
        })
        .collect();

    let threads = u32::from(scenario.threads).min(clients);
    let security = Security::new(&scenario.security)?.map(Arc::new);
    let moves = |phase: &Phase| matches!(phase, Phase::Rebind { .. });
    let moves = scenario.timeline().iter().any(moves);
    let terms = Terms {
        clock,
        seed: scenario.seed,
        echoed: options.echoed,
    };
    let mut workers = Vec::new();
    let mut first = 0;
    for thread in 0..threads {
        let count = clients / threads + u32::from(thread < clients % threads);
        let sockets = u32::from(scenario.sockets).div_ceil(threads);
        let addresses = Addresses::new(server, count.min(MAX_DEVICES), sockets);
        let mut sockets = open_sockets(&addresses, count, clients, server)?;
        if moves {
            sockets.extend(open_sockets(&addresses, count, clients, server)?);
        }
        let share = f64::from(count) / f64::from(clients);
        let links = match scenario.bootstrap {
            Some(_) => Links::with_told_keys,
            None => Links::new,
        };
        let links = links(&scenario.security, security.as_ref(), count, share)?;
        let mut simulation = Simulation::new(Arc::clone(&fleets), first, count, links, &terms);
        let mut outbox = Outbox::new(server.into(), addresses, sockets.len());
        if let Some(settings) = scenario.bootstrap {
            let bootstrap = Bootstrap::new(settings, server, &fleets, count, told_server);
            simulation = simulation.with_bootstrap(bootstrap);
            outbox = outbox.with_servers(count);
        }
        if moves {
            outbox = outbox.with_rebinds(count);
        }
        workers.push(Worker::new(simulation, sockets, outbox, clock, share)?);
        first += count;
    }
    Ok(workers)
}

/// The sockets of `count` devices, out of `clients` that need some.
pub(crate) fn open_sockets(
    addresses: &Addresses,
    count: u32,
    clients: u32,
    server: SocketAddr,
) -> Result<Vec<ShardSocket>, RunError> {
    let sockets = addresses.sockets(count);
    let limit = raise_file_limit().saturating_sub(OTHER_FILES);
    if u64::from(addresses.sockets(clients)) > limit {
        return Err(RunError::TooManySockets {
            clients,
            server,
            limit,
        });
    }
    let buffer = if sockets > 1_024 { 64 << 10 } else { 4 << 20 };
    let buffers = SocketOptions {
        recv_buffer: buffer,
        send_buffer: buffer,
    };
    let mut opened = Vec::with_capacity(sockets as usize);
    for _ in 0..sockets {
        opened.extend(SocketGroup::bind(addresses.bind_to(server), 1, &buffers)?);
    }
    Ok(opened)
}

/// Lets this process have as many files as it may, and says how many.
fn raise_file_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let now = if setrlimit(Resource::Nofile, limit).is_ok() {
        limit.current
    } else {
        before
    };
    now.unwrap_or(u64::MAX)
}
