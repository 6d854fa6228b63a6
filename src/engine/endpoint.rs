//! One device: its state machine (`core`), where it lives (`slot`) and how it runs when something is
//! going on (`actor`).

pub mod actor;
mod answer;
pub mod commands;
pub mod conversation;
pub mod core;
pub mod describe;
mod exchange;
mod flights;
pub mod identity;
pub mod journal;
mod notification;
pub mod observations;
pub mod outputs;
pub mod plan;
pub mod problems;
pub mod profile_parts;
pub mod registration;
mod replan;
pub mod reply;
pub mod request;
pub mod slot;
pub mod snapshot;
pub mod splitting;
mod steps;
mod telemetry;
mod types;
pub mod update;
pub mod values;
