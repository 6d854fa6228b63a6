//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rookery::services::tokens::Role;

/// LwM2M server.
#[derive(Debug, Parser)]
#[command(name = "rookery", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve devices and the API until told to stop.
    Serve {
        /// For trying out: endpoints that are not provisioned may register, and the API needs no
        /// token from this machine.
        #[arg(long)]
        dev: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Check a configuration file and print the configuration that results from it.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Manage the tokens of the API.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Manage devices.
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Manage device profiles.
    Profiles {
        #[command(subcommand)]
        command: ProfilesCommand,
    },
    /// Manage object definitions.
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it. It is not shown again.
    Create {
        /// What its bearer may do.
        #[arg(long)]
        role: RoleArgument,
        /// What it is for.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List tokens, without the tokens themselves.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a token, at once.
    Revoke {
        /// Id of the token, as listed.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DevicesCommand {
    /// Provision the devices of a file: FILE.ndjson, FILE.csv, or - for NDJSON on standard input.
    Import {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfilesCommand {
    /// Put a profile: a device profile as ThingsBoard exports it, or a transport configuration alone.
    Import {
        /// The file.
        file: PathBuf,
        /// Name of the profile, instead of the one in the file.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// Upload object definitions in OMA's XML: a file, or every .xml below a directory.
    Import {
        /// The file or directory.
        path: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

/// Which server is meant.
#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Data directory, instead of `path` under [store].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleArgument {
    Admin,
    Operator,
    Viewer,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Admin => Self::Admin,
            RoleArgument::Operator => Self::Operator,
            RoleArgument::Viewer => Self::Viewer,
        }
    }
}
