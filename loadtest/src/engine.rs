//! Runs a scenario: threads that send and receive, and a controller that leads them through the phases.

mod calendar;
mod control;
mod links;
mod outbox;
mod run;
mod simulation;
#[cfg(test)]
mod tests;
mod worker;

pub(crate) use links::{Links, Outcome};
pub(crate) use outbox::{Outbox, Sink};
pub use run::{RunError, RunOptions, run};
pub(crate) use run::{open_sockets, resolve};
