//! The HTTP API: routes under `/api/v1`, and `/metrics`, `/livez`, `/readyz` beside them.

mod accounting;
mod attributes;
mod auth;
mod bootstrap;
mod campaigns;
mod devices;
mod events;
mod extract;
mod import;
mod log;
mod models;
mod openapi;
mod packages;
mod probes;
mod problem;
mod profiles;
mod router;
mod rpc;
mod serve;
mod server;
mod spool;
mod state;
mod tokens;
mod trace;
mod updates;
mod values;

pub use openapi::document;
pub use problem::{Problem, ProblemKind};
pub use router::router;
pub use serve::{Peer, serve};
pub use state::{Api, ListenerView, Options};
