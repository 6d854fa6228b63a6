//! Running it: configuration, metrics, health, signals, logs.

pub mod health;
pub mod metrics;
