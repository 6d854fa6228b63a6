//! Real LwM2M clients against the engine, judged by what its API tells (docs/interop.md).

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod aiocoap;
mod bootstrap;
mod client;
mod leshan;
mod libcoap;
mod nat;
mod operations;
mod rules;
mod secured;
