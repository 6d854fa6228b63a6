//! Time as the protocol layer sees it: milliseconds handed in by the caller.

mod tick;

pub use tick::{Now, Tick, UnixMillis};
