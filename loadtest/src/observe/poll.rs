//! The naive way: a program that asks the server to read every resource, time and again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::api::{Api, ApiError, Connection};
use super::settings::Settings;
use super::strategy::Strategy;
use crate::client::Path;
use crate::clock::{Clock, Micros};
use crate::fleet::Names;

/// What was asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Polled {
    /// Commands given.
    pub commands: u64,
    /// Those that brought no value.
    pub failed: u64,
    /// Devices whose turn came late because the commands before took too long.
    pub late: u64,
}

/// Commands under way at a time.
const CONNECTIONS: usize = 32;
/// A turn that starts so much after its time is late.
const LATE_US: Micros = 100_000;

/// What is asked, of whom, and when.
struct Plan {
    names: Names,
    commands: Vec<Value>,
    clients: u32,
    from: Micros,
    until: Micros,
    /// Microseconds of the clock between two turns.
    spacing: f64,
    clock: Clock,
    /// The next turn: each device has one in every period.
    next: Cell<u64>,
    polled: Cell<Polled>,
}

/// Polls until `until`. Has to run in a `LocalSet`.
///
/// # Errors
/// When the API cannot be reached.
pub async fn poll(
    api: &Api,
    settings: &Settings,
    strategy: Strategy,
    clock: Clock,
    (from, until): (Micros, Micros),
) -> Result<Polled, ApiError> {
    let period = settings.poll_every * 1e6 / settings.speed;
    let plan = Rc::new(Plan {
        names: Names::new(&settings.endpoint_prefix(strategy), settings.clients),
        commands: commands(settings, strategy),
        clients: settings.clients,
        from,
        until,
        spacing: period / f64::from(settings.clients),
        clock,
        next: Cell::new(0),
        polled: Cell::default(),
    });
    let mut workers = Vec::new();
    for _ in 0..CONNECTIONS.min(settings.clients as usize) {
        let connection = api.connect().await?;
        workers.push(tokio::task::spawn_local(work(Rc::clone(&plan), connection)));
    }
    for worker in workers {
        let ended = worker.await;
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    }
    Ok(plan.polled.get())
}

async fn work(plan: Rc<Plan>, mut connection: Connection) -> Result<(), ApiError> {
    loop {
        let turn = plan.next.get();
        plan.next.set(turn + 1);
        let at = plan.from + (turn as f64 * plan.spacing) as Micros;
        if at >= plan.until {
            return Ok(());
        }
        let now = plan.clock.now();
        if at > now {
            tokio::time::sleep(Duration::from_micros(at - now)).await;
        } else if now > at + LATE_US {
            plan.count(|polled| polled.late += 1);
        }
        if plan.clock.now() >= plan.until {
            return Ok(());
        }
        let name = plan.names.of((turn % u64::from(plan.clients)) as u32);
        let path = format!("/api/v1/devices/{name}/rpc?format=json");
        for command in &plan.commands {
            let answer = connection.call(Method::POST, &path, Some(command)).await;
            let read = match answer {
                Ok(answer) => answer["result"] == "CONTENT",
                Err(ApiError::Refused { .. }) => false,
                Err(error) => return Err(error),
            };
            plan.count(|polled| {
                polled.commands += 1;
                polled.failed += u64::from(!read);
            });
        }
    }
}

impl Plan {
    fn count(&self, count: impl FnOnce(&mut Polled)) {
        let mut polled = self.polled.get();
        count(&mut polled);
        self.polled.set(polled);
    }
}

/// What one turn of a device asks for.
fn commands(settings: &Settings, strategy: Strategy) -> Vec<Value> {
    let paths: Vec<_> = settings.paths().iter().map(Path::to_string).collect();
    match strategy {
        Strategy::PollComposite => {
            vec![json!({"method": "ReadComposite", "params": {"ids": paths}})]
        }
        _ => paths
            .iter()
            .map(|path| json!({"method": "Read", "params": {"id": path}}))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_asks_for_every_resource() {
        let settings = Settings::default();
        assert_eq!(commands(&settings, Strategy::Poll).len(), 10);
        let together = commands(&settings, Strategy::PollComposite);
        assert_eq!(together.len(), 1);
        assert_eq!(together[0]["params"]["ids"].as_array().unwrap().len(), 10);
    }
}
