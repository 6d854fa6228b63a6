//! Simulated LwM2M fleets: what a server looks like from the devices' side, at a stated rate.
//!
//! The CoAP spoken here is built on coap-lite and shares no code with the server's, so that no bug is shared either.
//! Only the batched sockets of `rookery::net` are common to both, and [`client`] does without those too.

pub mod cli;
pub mod client;
pub mod clock;
pub mod coap;
pub mod device;
pub mod dtls;
pub mod echo;
pub mod engine;
pub mod fleet;
pub mod observe;
pub mod ota;
pub mod process;
pub mod report;
pub mod rpc;
pub mod scenario;
pub mod security;
pub mod stats;
pub mod threshold;
