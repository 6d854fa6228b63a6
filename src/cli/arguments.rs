//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rookery::services::credentials::Curve;
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
    /// Give a device one command. The exit code is 0 when the result is one of success.
    Rpc {
        /// Endpoint client name of the device.
        endpoint: String,
        /// Name of the operation: Read, WriteReplace, Execute, …
        method: String,
        /// Parameters: '{"id":"/3/0/9"}', or short /3/0/9, or a key of the profile; a value after it.
        #[arg(allow_negative_numbers = true)]
        params: Vec<String>,
        #[command(flatten)]
        call: CallArguments,
        #[command(flatten)]
        place: ServerPlace,
    },
    /// Give a device commands, line by line: Read {"id":"/3/0/9"}, or short Read /3/0/9.
    Terminal {
        /// Endpoint client name of the device.
        endpoint: String,
        #[command(flatten)]
        call: CallArguments,
        #[command(flatten)]
        place: ServerPlace,
    },
    /// Manage devices.
    Devices {
        #[command(subcommand)]
        command: DevicesCommand,
    },
    /// Make keys and certificates for DTLS.
    Credentials {
        #[command(subcommand)]
        command: CredentialsCommand,
    },
    /// Manage firmware and software packages of a running server.
    Packages {
        #[command(subcommand)]
        command: PackagesCommand,
    },
    /// Manage device profiles.
    Profiles {
        #[command(subcommand)]
        command: ProfilesCommand,
    },
    /// Look after the data directory of a server that does not run.
    Store {
        #[command(subcommand)]
        command: StoreCommand,
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
pub(super) enum PackagesCommand {
    /// Upload an image, or name a URL from which devices fetch it. Prints the id of the package.
    Upload {
        /// The image; none with --url.
        #[arg(required_unless_present = "url", conflicts_with = "url")]
        file: Option<PathBuf>,
        /// What it updates.
        #[arg(long = "type", value_enum, default_value_t = PackageTypeArgument::Firmware)]
        package_type: PackageTypeArgument,
        /// Name of the firmware or software.
        #[arg(long)]
        title: String,
        /// Its version.
        #[arg(long)]
        version: String,
        /// What a device reports as its version once it has it, where that is not title and version.
        #[arg(long)]
        tag: Option<String>,
        /// How --checksum is computed: MD5, SHA256, SHA384, SHA512, CRC32, MURMUR3_32, MURMUR3_128.
        #[arg(long, value_name = "ALGORITHM")]
        checksum_algorithm: Option<String>,
        /// What the checksum must be, hexadecimal.
        #[arg(long)]
        checksum: Option<String>,
        /// Where devices fetch the image.
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        place: ServerPlace,
    },
    /// List packages.
    List {
        #[command(flatten)]
        place: ServerPlace,
    },
    /// Delete a package.
    Delete {
        /// Id of the package, as listed.
        id: String,
        /// Also when it is in use: updates to it fail then.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        place: ServerPlace,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum CredentialsCommand {
    /// Make keys, with the device as the API takes it. Files are for their owner only.
    Generate {
        #[command(subcommand)]
        what: Generate,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Generate {
    /// A pre-shared key.
    Psk {
        /// Endpoint client name of the device.
        #[arg(long)]
        endpoint: String,
        /// PSK identity, instead of the endpoint.
        #[arg(long)]
        identity: Option<String>,
        /// Length of the key in bytes: 16, 32 or 64.
        #[arg(long, default_value_t = 16)]
        bytes: usize,
        #[command(flatten)]
        output: Output,
    },
    /// A key pair, for a raw public key.
    Rpk {
        /// Endpoint client name of the device.
        #[arg(long)]
        endpoint: String,
        /// Curve of the key.
        #[arg(long, value_enum, default_value_t = CurveArgument::P256)]
        curve: CurveArgument,
        #[command(flatten)]
        output: Output,
    },
    /// A key pair and a certificate, whose common name is the endpoint.
    X509 {
        /// Endpoint client name of the device.
        #[arg(long)]
        endpoint: String,
        /// Curve of the key.
        #[arg(long, value_enum, default_value_t = CurveArgument::P256)]
        curve: CurveArgument,
        /// How long the certificate is valid.
        #[arg(long, default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
        /// Any certificate of the authority will do, not this one alone.
        #[arg(long)]
        trusted: bool,
        /// Directory of the authority, instead of that of the other files. It is made when it is not
        /// there.
        #[arg(long, value_name = "DIR")]
        ca: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Key and certificate of this server.
    Server {
        /// Common name of the certificate: the host that devices connect to.
        #[arg(long, default_value = "rookery")]
        name: String,
        /// Curve of the key.
        #[arg(long, value_enum, default_value_t = CurveArgument::P256)]
        curve: CurveArgument,
        /// How long the certificate is valid.
        #[arg(long, default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
        /// Directory of the authority, instead of that of the other files. It is made when it is not
        /// there.
        #[arg(long, value_name = "DIR")]
        ca: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
}

/// Where files are written.
#[derive(Args, Clone, Debug)]
pub(super) struct Output {
    /// Directory of the files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) out: PathBuf,
    /// Replace files that exist. An authority is never replaced.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum CurveArgument {
    #[value(name = "P-256")]
    P256,
    #[value(name = "P-384")]
    P384,
}

impl From<CurveArgument> for Curve {
    fn from(curve: CurveArgument) -> Self {
        match curve {
            CurveArgument::P256 => Self::P256,
            CurveArgument::P384 => Self::P384,
        }
    }
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
pub(super) enum StoreCommand {
    /// Read every record and say how many there are and how many cannot be read. The exit code is 0
    /// when all can.
    Check {
        #[command(flatten)]
        place: Place,
    },
    /// Write every record to a file of JSON lines, or to standard output. It holds secrets.
    Export {
        /// The file, which must not exist; - for standard output.
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Fill an empty data directory from a file that `store export` wrote.
    Import {
        /// The file; - for standard input.
        file: PathBuf,
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

/// How commands are given.
#[derive(Args, Clone, Debug)]
pub(super) struct CallArguments {
    /// Whether to wait for the answer, not to wait, or to keep the command until the device can be
    /// asked.
    #[arg(long, value_enum, default_value_t = RpcMode::Twoway)]
    pub(super) mode: RpcMode,
    /// How long the device has, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(super) timeout: Option<u64>,
    /// How values are shown.
    #[arg(long, value_enum, default_value_t = FormatArgument::Text)]
    pub(super) format: FormatArgument,
    /// How often a persistent command is sent again when the device does not answer.
    #[arg(long, value_name = "N")]
    pub(super) retries: Option<u32>,
    /// Content format of the request, by name or number, instead of the one negotiated.
    #[arg(long, value_name = "FORMAT")]
    pub(super) content_format: Option<String>,
}

/// Which running server is meant.
#[derive(Args, Clone, Debug)]
pub(super) struct ServerPlace {
    #[command(flatten)]
    pub(super) place: Place,
    /// A server elsewhere, instead of that of the data directory.
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// Token for `--server`.
    #[arg(long, env = "ROOKERY_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum RpcMode {
    Twoway,
    Oneway,
    Persistent,
}

impl RpcMode {
    /// As in the API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Twoway => "twoway",
            Self::Oneway => "oneway",
            Self::Persistent => "persistent",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormatArgument {
    Text,
    Json,
}

impl FormatArgument {
    /// As in the API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PackageTypeArgument {
    Firmware,
    Software,
}

impl PackageTypeArgument {
    /// As in the API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Firmware => "FIRMWARE",
            Self::Software => "SOFTWARE",
        }
    }
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
