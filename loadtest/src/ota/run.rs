//! Leads a run: from the profile to the clean-up.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use thiserror::Error;
use tokio::task::LocalSet;

use super::bystanders::Bystanders;
use super::device::Terms;
use super::fleet::{Counted, Fleet, Progress};
use super::floor;
use super::image::{Digest, Image, ImageError};
use super::report::{Findings, OtaReport};
use super::scenario::OtaScenario;
use super::server::{Server, Standing};
use crate::clock::Clock;
use crate::engine::{RunError, resolve};
use crate::observe::ApiError;
use crate::process::Usage;
use crate::scenario::{ScenarioError, within};
use crate::security::{Security, SecurityError};

/// What a run needs besides what is simulated.
#[derive(Clone, Debug, Default)]
pub struct OtaOptions {
    /// API token, of role operator.
    pub token: Option<String>,
    /// Process id of the server, to know its CPU time and memory.
    pub server_pid: Option<u32>,
    /// Leaves devices, profile, package and campaign at the server.
    pub keep: bool,
    /// No progress lines.
    pub quiet: bool,
}

/// Why a run could not take place.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OtaError {
    /// What is to be simulated cannot be.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There are no credentials for the devices.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// OpenSSL failed.
    #[error("OpenSSL: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// A fleet could not run.
    #[error(transparent)]
    Fleet(#[from] RunError),
    /// The API refused, or is not there.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The API answered something else than it does.
    #[error("{path}: the answer has no id: {answer}")]
    Answer { path: String, answer: String },
    /// This machine failed.
    #[error("the run failed: {0}")]
    Io(#[from] io::Error),
    /// The server refused devices of the fleet.
    #[error("the server refuses a device of the fleet: {0}")]
    Import(String),
    /// The fleet did not get ready.
    #[error(
        "{registered} of {clients} devices are registered after {seconds} s{hint}; is `server` the CoAP address of \
         the server whose API is `api`?"
    )]
    NotReady {
        registered: u32,
        clients: u32,
        seconds: u64,
        hint: String,
    },
}

/// How long a fleet may take to register, besides the time that its rate takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often memory is looked at, and whether to go on.
const LOOK: Duration = Duration::from_millis(50);
/// How often the server is asked how the devices stand.
const ASK: Duration = Duration::from_millis(500);
/// Between the last registration and the order: the server observes what it wants to know.
const SETTLE: Duration = Duration::from_secs(1);
/// How long the echo is measured for.
const FLOOR: Duration = Duration::from_millis(500);
/// Between two progress lines.
const SAY: Duration = Duration::from_secs(5);

/// Runs a scenario. `interrupted` ends it early, with a report of what was done.
///
/// # Errors
/// [`OtaError`] when it could not take place; what was put to the server is removed nevertheless. That devices fail
/// is no error but a result.
pub fn run(
    scenario: &OtaScenario,
    options: &OtaOptions,
    interrupted: &AtomicBool,
) -> Result<OtaReport, OtaError> {
    scenario.check()?;
    let image = match &scenario.image {
        Some(path) => Image::read(path)?,
        None => Image::generated(scenario.image_bytes, scenario.seed),
    };
    let size = image.digest.size;
    let fits = OtaScenario::SIZES.contains(&size);
    within("the length of the image", size, fits, "1 to 1073741824")?;
    let lead = Lead {
        scenario,
        options,
        interrupted,
        address: resolve(&scenario.server)?,
        digest: image.digest,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut server = Server::connect(scenario, options.token.clone()).await?;
        let outcome = lead.lead(&mut server, image).await;
        let cleaned = if options.keep {
            Ok(())
        } else {
            lead.say("cleaning up");
            server.clean_up().await
        };
        let report = outcome?;
        cleaned?;
        Ok(report)
    })
}

struct Lead<'a> {
    scenario: &'a OtaScenario,
    options: &'a OtaOptions,
    interrupted: &'a AtomicBool,
    address: SocketAddr,
    digest: Digest,
}

/// A fleet at work in its thread, which ends when this is dropped.
struct Running {
    progress: Arc<Progress>,
    thread: Option<JoinHandle<io::Result<Counted>>>,
}

impl Lead<'_> {
    async fn lead(&self, server: &mut Server<'_>, image: Image) -> Result<OtaReport, OtaError> {
        let scenario = self.scenario;
        let floor_us = floor::measure(FLOOR)?;
        let security = Security::new(&scenario.security)?.map(Arc::new);
        self.say("profile and devices are put to the server");
        server.provision(security.as_deref()).await?;
        let clock = Clock::start(1_000);
        let terms = Arc::new(Terms::new(scenario, self.digest, self.address));
        let fleet = Fleet::new(scenario, terms, security.as_ref(), self.address, clock)?;
        let fleet = Running::start(fleet)?;
        self.say("devices register");
        self.await_registered(&fleet).await?;
        let quiet = self.baseline().await?;
        let meanwhile = self.bystanders(None)?;
        tokio::time::sleep(SETTLE).await;

        let before = self.usage()?;
        self.say(&format!("{} bytes are uploaded", self.digest.size));
        server.upload(image).await?;
        let started = self.usage()?;
        let own_before = Usage::own()?;
        let ordered = Instant::now();
        fleet.progress.ordered.store(clock.now(), Ordering::Relaxed);
        server.order().await?;
        let (standing, peak) = self.await_end(server, &fleet, ordered).await?;
        let took = ordered.elapsed();
        let after = self.usage()?;
        let own = Usage::own()?;
        let unfinished = scenario
            .clients
            .saturating_sub(standing.updated + standing.failed);
        let reasons = server.reasons().await?;
        let meanwhile = meanwhile.map(Bystanders::finish).transpose()?;
        let counted = fleet.finish()?;
        Ok(OtaReport::new(
            scenario,
            Findings {
                address: self.address,
                digest: self.digest,
                interrupted: self.interrupted.load(Ordering::Relaxed),
                standing,
                unfinished,
                reasons,
                seconds: took.as_secs_f64(),
                counted,
                floor_us,
                cpu_seconds: started
                    .zip(after)
                    .map(|(a, b)| b.cpu_seconds - a.cpu_seconds),
                generator: (own.cpu_seconds - own_before.cpu_seconds, own.rss_bytes),
                rss: before.map(|before| (before.rss_bytes, peak)),
                quiet,
                meanwhile,
            },
        ))
    }

    async fn await_registered(&self, fleet: &Running) -> Result<(), OtaError> {
        let clients = self.scenario.clients;
        let registering = f64::from(clients) / self.scenario.register_rate;
        let patience = PATIENCE + Duration::from_secs_f64(registering);
        let began = Instant::now();
        loop {
            let registered = fleet.progress.registered.load(Ordering::Relaxed);
            if registered == clients || self.is_over() {
                return Ok(());
            }
            if began.elapsed() > patience || fleet.has_ended() {
                let failed = fleet.progress.handshakes_failed.load(Ordering::Relaxed);
                let hint = match failed {
                    0 => String::new(),
                    failed => format!(" ({failed} DTLS handshakes failed)"),
                };
                return Err(OtaError::NotReady {
                    registered,
                    clients,
                    seconds: began.elapsed().as_secs(),
                    hint,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What bystanders notice of a server that transfers nothing.
    async fn baseline(&self) -> Result<Option<crate::observe::Percentiles>, OtaError> {
        if self.scenario.baseline == 0.0 {
            return Ok(None);
        }
        let Some(bystanders) = self.bystanders(Some(self.scenario.baseline))? else {
            return Ok(None);
        };
        self.say("the others are measured while nothing is transferred");
        while !bystanders.has_ended() && !self.is_over() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(Some(bystanders.finish()?))
    }

    fn bystanders(&self, seconds: Option<f64>) -> Result<Option<Bystanders>, OtaError> {
        let any = self.scenario.bystanders > 0;
        Ok(any
            .then(|| Bystanders::start(self.scenario, seconds))
            .transpose()?)
    }

    /// Until no device is left, and the most memory that the server had meanwhile.
    async fn await_end(
        &self,
        server: &mut Server<'_>,
        fleet: &Running,
        ordered: Instant,
    ) -> Result<(Standing, u64), OtaError> {
        let clients = self.scenario.clients;
        let timeout = Duration::from_secs_f64(self.scenario.timeout);
        let (mut peak, mut asked, mut said) = (0, ordered, ordered);
        loop {
            tokio::time::sleep(LOOK).await;
            peak = peak.max(self.usage()?.map_or(0, |usage| usage.rss_bytes));
            let over = self.is_over() || ordered.elapsed() > timeout || fleet.has_ended();
            if asked.elapsed() < ASK && !over {
                continue;
            }
            asked = Instant::now();
            let standing = server.standing().await?;
            if said.elapsed() > SAY {
                said = Instant::now();
                let blocks = fleet.progress.blocks.load(Ordering::Relaxed);
                self.say(&format!(
                    "{:.0} s: {} of {clients} updated, {} failed, {blocks} blocks",
                    ordered.elapsed().as_secs_f64(),
                    standing.updated,
                    standing.failed
                ));
            }
            if over {
                return Ok((server.exact_standing().await?, peak));
            }
            if standing.updated + standing.failed >= clients {
                return Ok((standing, peak));
            }
        }
    }

    fn usage(&self) -> Result<Option<Usage>, OtaError> {
        let usage = self
            .options
            .server_pid
            .map(|pid| Usage::of(pid).map_err(|source| RunError::Process { pid, source }));
        Ok(usage.transpose()?)
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
        let progress = Arc::<Progress>::default();
        let shown = Arc::clone(&progress);
        let thread = thread::Builder::new()
            .name("fleet".into())
            .spawn(move || fleet.run(&shown))?;
        Ok(Self {
            progress,
            thread: Some(thread),
        })
    }

    fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn finish(mut self) -> io::Result<Counted> {
        self.progress.ends.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.progress.ends.store(true, Ordering::Relaxed);
    }
}
