//! The HTTP API over a real listener, with a fake engine behind it.

mod attributes;
mod auth;
mod campaigns;
mod client;
mod devices;
mod documentation;
mod events;
mod fake_engine;
mod import;
mod models;
mod operations;
mod packages;
mod problems;
mod profiles;
mod rpc;
mod server;
mod updates;
mod values;
