//! From a command to what does it.

use std::process::ExitCode;

use anyhow::Context;

use super::arguments::{
    Arguments, Command, CredentialsCommand, DevicesCommand, ModelsCommand, ProfilesCommand,
    StoreCommand,
};
use super::{
    check_config, credentials, devices, models, packages, profiles, rpc, serve, store, terminal,
    tokens,
};

/// Does what `arguments` say. An error is for the caller to print.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve { dev, place } => serve::serve(dev, &place),
        Command::CheckConfig { file } => check_config::check(&file),
        Command::Token { command } => short_runtime()?.block_on(tokens::run(command)),
        Command::Rpc {
            endpoint,
            method,
            params,
            call,
            place,
        } => short_runtime()?.block_on(rpc::run(&endpoint, &method, &params, &call, &place)),
        Command::Terminal {
            endpoint,
            call,
            place,
        } => terminal::run(short_runtime()?, &endpoint, &call, &place),
        Command::Devices {
            command: DevicesCommand::Import { file, place },
        } => short_runtime()?.block_on(devices::import(&file, &place)),
        Command::Credentials {
            command: CredentialsCommand::Generate { what },
        } => credentials::generate(what),
        Command::Profiles {
            command: ProfilesCommand::Import { file, name, place },
        } => short_runtime()?.block_on(profiles::import(&file, name, &place)),
        Command::Packages { command } => short_runtime()?.block_on(packages::run(command)),
        Command::Store { command } => short_runtime()?.block_on(async {
            match command {
                StoreCommand::Check { place } => store::check(&place),
                StoreCommand::Export { file, place } => store::export(&file, &place),
                StoreCommand::Import { file, place } => store::import(&file, &place).await,
            }
        }),
        Command::Models {
            command: ModelsCommand::Import { path, place },
        } => short_runtime()?.block_on(models::import(&path, &place)),
    }
}

/// For commands that talk to a server or a store and end.
fn short_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")
}
