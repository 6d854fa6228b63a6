//! The bootstrap server: tells devices which servers they are to register with (LwM2M Core §6.1).
//!
//! A session is a state machine ([`session`]) that is fed messages and time and hands out messages;
//! what is to be written comes from services, which are asked over a bounded queue ([`desk`]). Each
//! shard has a [`server`] with its own sockets, its own table of sessions and its own DTLS layer.

pub mod configuration;
pub mod desk;
pub mod instances;
pub mod pack;
pub mod request;
mod secured;
pub mod server;
pub mod session;
mod table;

#[cfg(test)]
mod tests;
