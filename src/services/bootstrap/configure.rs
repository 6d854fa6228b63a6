//! From a profile and the credentials of a device to what it is told.

use serde_json::Value;

use crate::engine::bootstrap::configuration::{
    Account, AccountMode, Configuration, ObjectInstance, Server,
};
use crate::engine::bootstrap::desk::{Asked, Refusal};
use crate::engine::view::SecurityMode;
use crate::proto::time::UnixMillis;
use crate::services::credentials::{AccountCredentials, DeviceCredentials, Mode, Role};
use crate::services::profiles::{BootstrapPlan, BootstrapServer, device_objects};
use crate::services::provisioning::{NotGenerated, Provisioning};
use crate::services::storage::StoreError;

use super::BootstrapSettings;
use super::placement::{Placed, Placement, Target};

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
    /// There are no credentials for it.
    #[error("no credentials were generated: {0}")]
    NotGenerated(#[from] NotGenerated),
}

impl Refused {
    pub(super) const fn refusal(&self) -> Refusal {
        match self {
            Self::Unknown | Self::Security { .. } => Refusal::Unauthorized,
            Self::NoCredentials | Self::DifferentModes | Self::NoProfile { .. } => {
                Refusal::NoConfiguration
            }
            Self::NotGenerated(NotGenerated::NotProvisioned) => Refusal::NoConfiguration,
            Self::Store(_) | Self::NotGenerated(_) => Refusal::Busy,
        }
    }
}

/// What a device is told, if it may be told at all.
pub(super) async fn configuration(
    provisioning: &Provisioning,
    settings: &BootstrapSettings,
    placement: &Placement,
    asked: &Asked,
    now: UnixMillis,
) -> Result<Configuration, Refused> {
    let record = provisioning.get(&asked.endpoint).await?;
    let profiles = provisioning.profiles();
    let (credentials, profile) = match &record {
        Some(record) => (record.credentials.as_ref(), record.profile.as_str()),
        None if settings.allow_unknown => (None, profiles.of_unnamed()),
        None => return Err(Refused::Unknown),
    };
    let own = AccountCredentials::of(credentials, Role::BootstrapServer);
    check_security(asked.security, credentials, own.as_ref())?;
    let own = own.ok_or(Refused::NoCredentials)?;
    let plan = profiles
        .bootstrap(profile)
        .ok_or_else(|| Refused::NoProfile {
            profile: profile.to_owned(),
        })?;
    let mut configuration = Configuration {
        objects: objects(&plan, credentials)?,
        cleared: plan.emptied.clone(),
        ..Configuration::default()
    };
    let own_account = plan.servers.iter().find(|server| server.is_bootstrap);
    configuration.bootstrap = own_account
        .map(|server| account(server, None, &own, &plan, settings))
        .transpose()?;
    // Only for a device that is told everything.
    let shared = match plan.generate {
        Some(mode) => provisioning.generate(&asked.endpoint, mode, now).await?,
        None => {
            AccountCredentials::of(credentials, Role::Lwm2mServer).ok_or(Refused::NoCredentials)?
        }
    };
    let device = Placed {
        endpoint: &asked.endpoint,
        profile,
        label: record.as_ref().and_then(|record| record.label.as_deref()),
    };
    for server in &plan.servers {
        if let Some(short_id) = server.short_id {
            let is_first = configuration.servers.is_empty();
            let target = placement.target(device, server, is_first);
            configuration.servers.push(Server {
                account: account(server, target, &shared, &plan, settings)?,
                short_id,
                lifetime: server.lifetime,
                min_period: server.min_period,
                stores_notifications: server.stores_notifications,
                binding: server.binding.as_str().into(),
            });
        }
    }
    Ok(configuration)
}

/// A device bootstraps with any identity of its own that DTLS has proven, or without security where its
/// credentials name none for the bootstrap server.
fn check_security(
    came: SecurityMode,
    credentials: Option<&Value>,
    own: Option<&AccountCredentials>,
) -> Result<(), Refused> {
    let client = DeviceCredentials::of_stored(credentials);
    let client = client.map_or(Mode::Unreadable, |client| client.mode());
    let wanted = own.map_or(client, |own| own.mode);
    if came != SecurityMode::NoSec || came.name() == wanted.name() {
        return Ok(());
    }
    Err(Refused::Security {
        wanted: wanted.name(),
        came: came.name(),
    })
}

/// Those of the profile, and those of the device in the place of the same ones.
fn objects(
    plan: &BootstrapPlan,
    credentials: Option<&Value>,
) -> Result<Vec<ObjectInstance>, Refused> {
    let mut objects = plan.objects.clone();
    let own = credentials.map(|all| &all["bootstrap"]["write"]);
    let Some(own) = own.and_then(Value::as_object) else {
        return Ok(objects);
    };
    for own in device_objects(own).map_err(|_| Refused::NoCredentials)? {
        match objects.iter_mut().find(|object| object.path == own.path) {
            Some(object) => *object = own,
            None => objects.push(own),
        }
    }
    Ok(objects)
}

fn account(
    server: &BootstrapServer,
    target: Option<&Target>,
    given: &AccountCredentials,
    plan: &BootstrapPlan,
    settings: &BootstrapSettings,
) -> Result<Account, Refused> {
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
    let host = match target.map_or(&*server.host, |target| &*target.host) {
        "0.0.0.0" if settings.public_host.is_empty() => "localhost",
        "0.0.0.0" => &settings.public_host,
        host => host,
    };
    let port = target.and_then(|target| target.port);
    let port = port.unwrap_or(server.port);
    let server_key = target.and_then(Target::key);
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
        server_key: server_key
            .as_ref()
            .unwrap_or(&server.server_key)
            .as_slice()
            .into(),
        oscore: plan.oscore.get(&server.short_id).copied(),
        hold_off: server.hold_off,
        account_timeout: server.account_timeout,
    })
}
