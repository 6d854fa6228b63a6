//! Rookery: an LwM2M transport engine where every registered device is an actor.
//!
//! `ARCHITECTURE.md` is the map of this crate; `tests/architecture.rs` enforces it.

pub mod api;
pub mod engine;
pub mod net;
pub mod ops;
pub mod proto;
pub mod services;
pub mod store;
