//! Configuration: documented defaults, then a TOML file, then the environment.
//!
//! [`settings::SETTINGS`] is the one list of keys. Reading, the effective configuration, the
//! example file and the table in `docs/configuration.md` come from it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

mod effective;
mod error;
mod given;
mod reader;
mod render;
mod settings;

pub use effective::{Changed, Effective, Origin};
pub use error::{ConfigError, Fault};
pub use render::{example, reference_table};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the server listens.
    pub listen: Listen,
    /// The engine.
    pub engine: Engine,
    /// Persistent state.
    pub store: Store,
    /// Who is let in.
    pub provisioning: Provisioning,
    /// DTLS.
    pub dtls: Dtls,
    /// Firmware and software packages.
    pub packages: Packages,
    /// The HTTP API.
    pub api: Api,
    /// Logs.
    pub log: Log,
}

/// Where the server listens; `None` is off.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// CoAP over UDP.
    pub coap: Option<SocketAddr>,
    /// CoAP over DTLS.
    pub coaps: Option<SocketAddr>,
    /// Bootstrap over CoAP.
    pub bootstrap_coap: Option<SocketAddr>,
    /// Bootstrap over DTLS.
    pub bootstrap_coaps: Option<SocketAddr>,
    /// HTTP: API and metrics.
    pub http: Option<SocketAddr>,
}

/// The engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    /// Shards; 0 is one per core.
    pub shards: usize,
    /// Most endpoints held.
    pub max_endpoints: usize,
    /// Receive buffer of each UDP socket in bytes.
    pub receive_buffer: usize,
    /// Send buffer of each UDP socket in bytes.
    pub send_buffer: usize,
    /// Whether each shard stays on one core.
    pub pin: bool,
    /// Devices per second that are asked something because their profile has changed.
    pub profile_changes_per_second: u32,
}

/// Persistent state.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// The data directory.
    pub path: PathBuf,
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Provisioning {
    /// Whether endpoints that are not provisioned may register without security.
    pub allow_unknown: bool,
    /// The profile of devices that name none.
    pub profile: String,
}

/// DTLS: keys of the server, and what devices may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Dtls {
    /// Whether devices with pre-shared keys are served.
    pub psk: bool,
    /// Whether devices with raw public keys are served.
    pub rpk: bool,
    /// Whether devices with certificates are served.
    pub x509: bool,
    /// File of the server's private key.
    pub server_key: Option<PathBuf>,
    /// File of the server's certificates.
    pub server_certificate: Option<PathBuf>,
    /// File with the password of `server_key`.
    pub server_key_password_file: Option<PathBuf>,
    /// File of the authorities whose devices are believed.
    pub trust_store: Option<PathBuf>,
    /// File with the password of `trust_store`.
    pub trust_store_password_file: Option<PathBuf>,
    /// Whether certificates of devices must be valid at the time.
    pub check_certificate_dates: bool,
    /// Bytes of the server's connection identifiers.
    pub cid_length: usize,
    /// Handshakes in flight per shard.
    pub max_handshakes: usize,
    /// Sessions with CBC and without encrypt-then-MAC per shard.
    pub max_sessions_without_etm: usize,
    /// Sessions that can be resumed by id, per kind of hello.
    pub session_ids: usize,
    /// Longest handshake in ms.
    pub handshake_timeout: usize,
}

/// Firmware and software packages.
#[derive(Clone, Debug, PartialEq)]
pub struct Packages {
    /// Largest image in bytes.
    pub max_bytes: u64,
}

/// The HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Api {
    /// Largest request body, and largest line of an import, in bytes.
    pub max_body: usize,
    /// Event streams that may be open at once.
    pub max_event_streams: usize,
}

/// Logs.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Levels, as directives of `tracing-subscriber`.
    pub level: String,
    /// Shape of a line.
    pub format: LogFormat,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            listen: Listen {
                coap: Some(SocketAddr::new(any, 5685)),
                coaps: Some(SocketAddr::new(any, 5686)),
                bootstrap_coap: Some(SocketAddr::new(any, 5687)),
                bootstrap_coaps: Some(SocketAddr::new(any, 5688)),
                http: Some(SocketAddr::new(loopback, 8080)),
            },
            engine: Engine {
                shards: 0,
                max_endpoints: 2_000_000,
                receive_buffer: 4 << 20,
                send_buffer: 4 << 20,
                pin: true,
                profile_changes_per_second: 2_000,
            },
            store: Store {
                path: PathBuf::from("rookery-data"),
            },
            provisioning: Provisioning {
                allow_unknown: false,
                profile: "default".to_owned(),
            },
            dtls: Dtls {
                psk: true,
                rpk: true,
                x509: true,
                server_key: None,
                server_certificate: None,
                server_key_password_file: None,
                trust_store: None,
                trust_store_password_file: None,
                check_certificate_dates: true,
                cid_length: 8,
                max_handshakes: 2_000,
                max_sessions_without_etm: 500,
                session_ids: 10_000,
                handshake_timeout: 60_000,
            },
            packages: Packages {
                max_bytes: 512 << 20,
            },
            api: Api {
                max_body: 1 << 20,
                max_event_streams: 256,
            },
            log: Log {
                level: "info".to_owned(),
                format: LogFormat::Text,
            },
        }
    }
}

#[cfg(test)]
mod tests;
