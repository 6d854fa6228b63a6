//! What the tests share that run the engine as a process.

pub mod datagram;
pub mod engine;
pub mod http;
pub mod peer;
pub mod secured;
pub mod updates;
pub mod wait;
