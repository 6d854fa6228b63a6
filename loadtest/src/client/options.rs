//! What a simulated device is like.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::path::Path;
use super::storage::PackageStorage;
use super::tree::ObjectModel;
use crate::dtls::{Login, Trust};

/// The LwM2M version that is spoken.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Version {
    V1_0,
    V1_1,
    V1_2,
}

/// Which values and behaviours the objects have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fixture {
    /// The demo device: battery 0 to 100, reboot with de-registration.
    #[default]
    Demo,
    /// The device of `ThingsBoard`'s own LwM2M tests.
    Thingsboard13,
}

/// What happens to a firmware or software package.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PackageMode {
    /// A package is accepted, and nothing happens.
    #[default]
    None,
    /// The states follow each other on a timer, as if the package had been stored and installed.
    Simulated,
    /// The package is checked and stored in [`ClientOptions::storage`], and a URL is fetched.
    Stored,
}

/// How a device misbehaves when asked something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It never answers, nor acknowledges.
    NeverAnswer,
    /// It acknowledges and never answers.
    AcknowledgeOnly,
    /// It answers with bytes that are no CoAP.
    NotCoap,
    /// Its payload is nonsense in the right format.
    Garbage,
    /// It answers with another token.
    WrongToken,
    /// It answers with a Content-Format that nobody asked for and nobody knows (65000).
    WrongFormat,
    /// The second half of its payload is missing.
    TruncatedPayload,
    /// It drops every n-th datagram that comes in; 1 drops all.
    DropEvery(u32),
}

/// How a device uses DTLS.
#[derive(Clone, Debug)]
pub struct ClientSecurity {
    /// What the device proves itself with.
    pub login: Login,
    /// Which server is the right one.
    pub trust: Trust,
    /// The length of the connection identifier that the server is to put on its records: 0 offers identifiers for the
    /// other direction only, `None` none at all (RFC 9146).
    pub connection_id: Option<u8>,
    /// Cipher suites, colons between them; `None`: all that there are for the credentials.
    pub suites: Option<String>,
    /// Whether a later handshake resumes the session.
    pub resumes: bool,
}

impl ClientSecurity {
    /// Any server, no connection identifiers, all suites, resumption.
    #[must_use]
    pub const fn new(login: Login) -> Self {
        Self {
            login,
            trust: Trust::Anyone,
            connection_id: None,
            suites: None,
            resumes: true,
        }
    }
}

/// How a device bootstraps.
#[derive(Clone, Debug)]
pub struct BootstrapOptions {
    /// The bootstrap server.
    pub server: SocketAddr,
    /// DTLS with it; `None`: plain CoAP.
    pub security: Option<ClientSecurity>,
    /// Whether the device knows no other server at first. Otherwise it registers at [`ClientOptions::server`], and
    /// bootstraps when it is told to or cannot register.
    pub first: bool,
    /// The content format that it prefers for what it is told (`pct`); `None`: it says nothing.
    pub format: Option<u16>,
    /// Additional query parameters of the Bootstrap-Request.
    pub additional_attributes: Vec<(String, String)>,
    /// Values that it has from the factory, as texts, in place of those that follow from these options.
    pub factory_values: Vec<(Path, String)>,
}

impl BootstrapOptions {
    /// A device that knows this server only and comes with these credentials.
    #[must_use]
    pub const fn new(server: SocketAddr, security: Option<ClientSecurity>) -> Self {
        Self {
            server,
            security,
            first: true,
            format: None,
            additional_attributes: Vec::new(),
            factory_values: Vec::new(),
        }
    }
}

/// Options of a [`Client`](super::Client); start from [`ClientOptions::new`] and change what matters.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The server's CoAP address.
    pub server: SocketAddr,
    /// DTLS, and what the device proves itself with; `None`: plain CoAP.
    pub security: Option<ClientSecurity>,
    /// A bootstrap server; `None`: the device knows none.
    pub bootstrap: Option<BootstrapOptions>,
    /// Where the device sends from; port 0 takes any.
    pub local: SocketAddr,
    pub endpoint: String,
    pub version: Version,
    /// Lifetime of the registration, in seconds.
    pub lifetime: u32,
    /// Time between Updates; `None`: at nine tenths of the lifetime, or half of one below 60 s.
    pub update_period: Option<Duration>,
    /// Versions to announce in place of the usual ones, by object: `(3, "1.0")`. An object's resources follow the nearest
    /// model that is at hand.
    pub object_versions: BTreeMap<u16, String>,
    /// The content formats that are announced and understood, and no others; `None`: all of this LwM2M version.
    pub formats: Option<Vec<u16>>,
    /// Time between the changes of the simulated values (`-tFreq`).
    pub time_frequency: Duration,
    /// After this time without traffic a device in queue mode does not listen until it has something to send itself.
    /// `None`: no queue mode.
    pub queue_awake: Option<Duration>,
    pub fixture: Fixture,
    pub packages: PackageMode,
    /// Where [`PackageMode::Stored`] keeps packages.
    pub storage: Option<Arc<dyn PackageStorage>>,
    /// Models of further objects, each with one instance.
    pub models: Vec<Arc<ObjectModel>>,
    /// Additional query parameters of the Register, such as `("imei", "1234")`.
    pub additional_attributes: Vec<(String, String)>,
    /// Latitude, longitude.
    pub position: Option<(f64, f64)>,
    /// What a step of `move` in the console is multiplied by, in degrees.
    pub position_scale: f64,
    /// Understand the content formats 1542 and 1543 too, and announce them.
    pub old_formats: bool,
    pub fault: Option<Fault>,
    /// Largest block in bytes: 16, 32, … 1024.
    pub block_size: usize,
    /// Largest body taken in blocks; above it, 4.13.
    pub largest_body: usize,
    /// Every n-th notification of an observation is confirmable; 0: none is.
    pub confirmable_every: u32,
    /// Time between attempts to register.
    pub register_retry: Duration,
    /// What all that is random follows from; `None`: another seed each time.
    pub seed: Option<u64>,
}

impl ClientOptions {
    /// A demo device, LwM2M 1.1, lifetime 300 s, values changing every 5 s.
    #[must_use]
    pub fn new(server: SocketAddr, endpoint: &str) -> Self {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        Self {
            server,
            security: None,
            bootstrap: None,
            local: SocketAddr::new(any, 0),
            endpoint: endpoint.to_owned(),
            version: Version::V1_1,
            lifetime: 300,
            update_period: None,
            object_versions: BTreeMap::new(),
            formats: None,
            time_frequency: Duration::from_secs(5),
            queue_awake: None,
            fixture: Fixture::Demo,
            packages: PackageMode::None,
            storage: None,
            models: Vec::new(),
            additional_attributes: Vec::new(),
            position: None,
            position_scale: 1.0,
            old_formats: false,
            fault: None,
            block_size: 1_024,
            largest_body: 16 << 20,
            confirmable_every: 10,
            register_retry: Duration::from_secs(5),
            seed: None,
        }
    }

    /// The device of `ThingsBoard`'s own LwM2M tests: LwM2M 1.1, an Update every 5 s, values changing each second.
    #[must_use]
    pub fn thingsboard(server: SocketAddr, endpoint: &str) -> Self {
        Self {
            fixture: Fixture::Thingsboard13,
            update_period: Some(Duration::from_secs(5)),
            time_frequency: Duration::from_secs(1),
            ..Self::new(server, endpoint)
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        })
    }
}
