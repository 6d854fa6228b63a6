//! Persistent state: implementations of the [`Store`](crate::services::storage::Store) trait.

mod embedded;
mod memory;
mod state;

pub use embedded::{EmbeddedStore, FORMAT, OpenError};
pub use memory::MemoryStore;
pub use state::{EmbeddedState, FORMAT as STATE_FORMAT, OpenStateError, StateCounts, StateRecord};
