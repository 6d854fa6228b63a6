//! The actor system: shards, the endpoints they own, and the way in for everybody else.

mod arrivals;
pub mod bootstrap;
mod bus;
pub mod command;
pub mod config;
pub mod credentials;
pub mod directory;
pub mod endpoint;
pub mod event;
pub mod handle;
pub mod handoff;
pub mod history;
mod locals;
pub mod metrics;
mod newcomers;
pub mod peer;
pub mod persistence;
pub mod profiles;
pub mod shard;
mod slab;
mod supervisor;
pub mod trace;
pub mod update;
pub mod view;

pub use config::EngineConfig;
pub use handle::{Admission, Cursor, EngineError, EngineHandle};
pub use profiles::{ProfileError, ProfileId};
pub use supervisor::{PreparedEngine, RunningEngine, StartError, prepare, prepare_kept};
