//! One device: its state machine (`core`), where it lives (`slot`) and how it runs when something is
//! going on (`actor`).

pub mod actor;
pub mod conversation;
pub mod core;
pub mod describe;
pub mod identity;
mod notification;
pub mod observations;
pub mod outputs;
pub mod plan;
pub mod problems;
pub mod profile_parts;
pub mod registration;
pub mod reply;
pub mod request;
pub mod slot;
mod telemetry;
pub mod values;
