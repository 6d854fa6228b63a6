//! The program as a person or a script uses it.

mod commands;
mod config;
mod credentials;
mod models;
mod packages;
mod profiles;
mod program;
mod rpc;
mod serving;
mod store;
