//! What ThingsBoard's own LwM2M tests demand of a server, line by line, with OMA's interoperability cases and what
//! callers and devices do wrong. The engine is the binary as users start it, the devices are those of `loadtest`.
//!
//! Each test tells in its comment which line it stands for: a test class and method of ThingsBoard, or a case
//! `LightweightM2M-…-int-…` of OMA's Enabler Test Specification. Where Rookery decides otherwise than ThingsBoard, the
//! test asserts what was decided and says so.

#[path = "../support/support.rs"]
#[allow(dead_code, reason = "every test binary uses its part of the support")]
mod support;

mod attributes;
mod bad_calls;
mod bad_devices;
mod composite;
mod create_delete;
mod discover;
mod execute;
mod fixture;
mod initial;
mod observe;
mod observe_composite;
mod oma_management;
mod oma_reporting;
mod parsers;
mod read;
mod sent;
mod truncated;
mod write;
