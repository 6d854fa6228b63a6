//! Commands, one file each.

mod arguments;
mod check_config;
mod configuration;
mod data_directory;
mod devices;
mod listeners;
mod local_api;
mod models;
mod profiles;
mod run;
mod serve;
mod tokens;

pub(crate) use arguments::Arguments;
pub(crate) use run::run;
