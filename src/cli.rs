//! Commands, one file each.

mod arguments;
mod call;
mod check_config;
mod configuration;
mod data_directory;
mod devices;
mod listeners;
mod models;
mod packages;
mod profiles;
mod rpc;
mod run;
mod serve;
mod server_api;
mod store;
mod terminal;
mod tokens;

pub(crate) use arguments::Arguments;
pub(crate) use run::run;
