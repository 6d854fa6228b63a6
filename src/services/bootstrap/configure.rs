//! From a profile and the credentials of a device to what it is told.

use serde_json::Value;

use crate::engine::bootstrap::configuration::{Account, AccountMode, Configuration, Server};
use crate::engine::bootstrap::desk::{Asked, Refusal};
use crate::engine::view::SecurityMode;
use crate::services::credentials::{AccountCredentials, DeviceCredentials, Mode, Role};
use crate::services::profiles::BootstrapServer;
use crate::services::provisioning::Provisioning;
use crate::services::storage::StoreError;

/// Why a device is told nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Nobody provisioned it.
    #[error("the device is not provisioned")]
    Unknown,
    /// It proved its identity in another way than it has to.
    #[error("the device has to bootstrap with security {wanted}, it came with {came}")]
    Security {
        wanted: &'static str,
        came: &'static str,
    },
    /// What is stored for it does not say how it bootstraps.
    #[error("the credentials of the device say nothing about bootstrap")]
    NoCredentials,
    /// Profile and credentials do not fit.
    #[error("Different values SecurityMode between of client and profile.")]
    DifferentModes,
    /// Its profile is gone.
    #[error("the profile \"{profile}\" of the device does not exist")]
    NoProfile { profile: String },
    /// What is stored cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    pub(super) const fn refusal(&self) -> Refusal {
        match self {
            Self::Unknown | Self::Security { .. } => Refusal::Unauthorized,
            Self::NoCredentials | Self::DifferentModes | Self::NoProfile { .. } => {
                Refusal::NoConfiguration
            }
            Self::Store(_) => Refusal::Busy,
        }
    }
}

/// What a device is told, if it may be told at all.
pub(super) async fn configuration(
    provisioning: &Provisioning,
    allow_unknown: bool,
    asked: &Asked,
) -> Result<Configuration, Refused> {
    let record = provisioning.get(&asked.endpoint).await?;
    let profiles = provisioning.profiles();
    let (credentials, profile) = match &record {
        Some(record) => (record.credentials.as_ref(), record.profile.as_str()),
        None if allow_unknown => (None, profiles.of_unnamed()),
        None => return Err(Refused::Unknown),
    };
    let own = AccountCredentials::of(credentials, Role::BootstrapServer);
    check_security(asked.security, credentials, own.as_ref())?;
    let own = own.ok_or(Refused::NoCredentials)?;
    let shared =
        AccountCredentials::of(credentials, Role::Lwm2mServer).ok_or(Refused::NoCredentials)?;
    let plan = profiles
        .bootstrap(profile)
        .ok_or_else(|| Refused::NoProfile {
            profile: profile.to_owned(),
        })?;
    let mut configuration = Configuration {
        objects: plan.objects.clone(),
        cleared: plan.emptied.clone(),
        ..Configuration::default()
    };
    for server in &plan.servers {
        let given = if server.is_bootstrap { &own } else { &shared };
        let account = account(server, given)?;
        match server.short_id {
            Some(short_id) => configuration.servers.push(Server {
                account,
                short_id,
                lifetime: server.lifetime,
                min_period: server.min_period,
                stores_notifications: server.stores_notifications,
                binding: server.binding.as_str().into(),
            }),
            None => configuration.bootstrap = Some(account),
        }
    }
    Ok(configuration)
}

/// A device bootstraps with the security that its credentials name for the bootstrap server, or with
/// that of its `client` part. In both, DTLS has proven its identity.
fn check_security(
    came: SecurityMode,
    credentials: Option<&Value>,
    own: Option<&AccountCredentials>,
) -> Result<(), Refused> {
    let client = DeviceCredentials::of_stored(credentials);
    let client = client.map_or(Mode::Unreadable, |client| client.mode());
    let wanted = own.map_or(client, |own| own.mode);
    let proven = came != SecurityMode::NoSec && came.name() == client.name();
    if proven || came.name() == wanted.name() {
        return Ok(());
    }
    Err(Refused::Security {
        wanted: wanted.name(),
        came: came.name(),
    })
}

fn account(server: &BootstrapServer, given: &AccountCredentials) -> Result<Account, Refused> {
    if server.mode != given.mode {
        return Err(Refused::DifferentModes);
    }
    let (scheme, mode) = match server.mode {
        Mode::Psk => ("coaps", AccountMode::Psk),
        Mode::Rpk => ("coaps", AccountMode::Rpk),
        Mode::X509 => ("coaps", AccountMode::X509),
        Mode::NoSec | Mode::Unreadable => ("coap", AccountMode::NoSec),
    };
    // What a server listens on is nothing to connect to; ThingsBoard writes the same.
    let host = match server.host.as_str() {
        "0.0.0.0" => "localhost",
        host => host,
    };
    let port = server.port;
    let uri = if host.contains(':') && !host.starts_with('[') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    };
    Ok(Account {
        uri: uri.into(),
        mode,
        identity: given.identity.as_slice().into(),
        secret: given.secret.clone(),
        server_key: server.server_key.as_slice().into(),
        hold_off: server.hold_off,
        account_timeout: server.account_timeout,
    })
}
