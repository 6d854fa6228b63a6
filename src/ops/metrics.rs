//! Prometheus metrics: what exists, and the text a scrape gets.
//!
//! The engine counts on its own, per shard, and appends its text at a scrape. Everything that is
//! not on the datagram path goes through the `metrics` crate into one recorder.

mod catalogue;
mod exporter;
mod memory;

pub use catalogue::{METRICS, MetricDoc, MetricType};
pub use exporter::{Exporter, write_header};
