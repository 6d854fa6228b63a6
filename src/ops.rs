//! Running it: configuration, metrics, health, logs.

pub mod config;
pub mod health;
pub mod logging;
pub mod metrics;
