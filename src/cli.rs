//! Commands, one file each.

mod arguments;
mod call;
mod check_config;
mod configuration;
mod credentials;
mod data_directory;
mod devices;
mod listeners;
mod models;
mod packages;
mod private_file;
mod profiles;
mod rpc;
mod run;
mod serve;
mod server_api;
mod server_keys;
mod store;
mod terminal;
mod tokens;

pub(crate) use arguments::Arguments;
pub(crate) use run::run;
