//! Other devices, which update their registrations meanwhile: what an update of many costs those that have none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::scenario::OtaScenario;
use super::server::bystander_prefix;
use crate::engine::{RunError, RunOptions, run};
use crate::observe::Percentiles;
use crate::report::Report;
use crate::scenario::{FleetSettings, Phase, Scenario};
use crate::stats::Operation;

/// Bystanders at work in a thread, which ends when this is dropped.
pub struct Bystanders {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Percentiles, RunError>>>,
}

/// Longer than any run.
const FOR_EVER: f64 = 1e6;

impl Bystanders {
    /// They register and update until [`Self::finish`], or for so many seconds.
    pub fn start(scenario: &OtaScenario, seconds: Option<f64>) -> std::io::Result<Self> {
        let fleet = FleetSettings {
            name: "bystanders".into(),
            clients: scenario.bystanders,
            lifetime: 86_400,
            update_every: scenario.bystander_update_every,
            notify_every: 0.0,
            ..FleetSettings::default()
        };
        let life = Scenario {
            server: Some(scenario.server.clone()),
            seed: scenario.seed,
            endpoint_prefix: bystander_prefix(scenario),
            grace: 1.0,
            fleets: vec![fleet],
            phases: vec![
                Phase::Register {
                    rate: scenario.register_rate,
                },
                Phase::Hold {
                    duration: seconds.unwrap_or(FOR_EVER),
                },
            ],
            ..Scenario::default()
        };
        let options = RunOptions {
            server_pid: None,
            quiet: true,
            echoed: false,
        };
        let ends = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ends);
        let thread = thread::Builder::new()
            .name("bystanders".into())
            .spawn(move || {
                let report = Report::new(&run(&life, &options, &ended)?);
                let latency = &report.operations[Operation::Update.name()].latency_us;
                Ok(Percentiles {
                    count: latency.count,
                    p50: latency.p50 as f64 / 1e3,
                    p99: latency.p99 as f64 / 1e3,
                    max: latency.max as f64 / 1e3,
                })
            })?;
        let thread = Some(thread);
        Ok(Self { ends, thread })
    }

    /// Whether they have ended by themselves.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// How long their Updates took, in milliseconds.
    pub fn finish(mut self) -> Result<Percentiles, RunError> {
        self.ends.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else {
            return Ok(Percentiles::default());
        };
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}
