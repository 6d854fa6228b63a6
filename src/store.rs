//! Persistent state: implementations of the [`Store`](crate::services::storage::Store) trait.

mod embedded;
mod memory;

pub use embedded::{EmbeddedStore, FORMAT, OpenError};
pub use memory::MemoryStore;
