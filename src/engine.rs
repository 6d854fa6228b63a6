//! The actor system: shards, the endpoints they own, and the way in for everybody else.

pub mod command;
pub mod event;
pub mod handle;
pub mod view;

pub use handle::{
    Cursor, EngineConfig, EngineError, EngineHandle, EngineMetrics, ProfileId, RunningEngine,
    StartError, start,
};
