//! Conversations in bytes with the engine: recordings of real clients, and what no client should send.

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod blocks;
mod bootstrap;
mod composite_and_observing;
mod managing;
mod messages;
mod reading;
mod registration;
mod replay;
mod reporting;
