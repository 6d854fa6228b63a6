//! The actor system: shards, the endpoints they own, and the way in for everybody else.

pub mod command;
pub mod event;
pub mod view;
