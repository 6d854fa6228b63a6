//! What the handlers work with.

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use crate::ops::health::Health;
use crate::ops::metrics::Exporter;
use crate::services::attributes::Attributes;
use crate::services::bootstrap::Bootstrap;
use crate::services::campaigns::Campaigns;
use crate::services::credentials::Credentials;
use crate::services::devices::Devices;
use crate::services::engine::Engine;
use crate::services::events::EventFeed;
use crate::services::history::History;
use crate::services::models::Models;
use crate::services::packages::Packages;
use crate::services::profiles::Profiles;
use crate::services::rpc::Rpc;
use crate::services::storage::Store;
use crate::services::tokens::Tokens;
use crate::services::updates::Updates;

/// Imports that may run at once; further ones are refused.
const MAX_IMPORTS: usize = 4;

/// What the API serves.
pub struct Api {
    /// The engine, for what it says about itself.
    pub engine: Arc<dyn Engine>,
    /// The device service.
    pub devices: Arc<Devices>,
    /// The credentials of devices and the keys of the server.
    pub credentials: Arc<Credentials>,
    /// The object definitions.
    pub models: Arc<Models>,
    /// The device profiles.
    pub profiles: Arc<Profiles>,
    /// The command service.
    pub rpc: Arc<Rpc>,
    /// The shared attributes.
    pub attributes: Arc<Attributes>,
    /// The update packages.
    pub packages: Arc<Packages>,
    /// Which packages are assigned, and how far the updates are.
    pub updates: Arc<Updates>,
    /// Updates of many devices.
    pub campaigns: Arc<Campaigns>,
    /// The kept telemetry.
    pub history: History,
    /// The bootstrap service.
    pub bootstrap: Arc<Bootstrap>,
    /// The token service.
    pub tokens: Arc<Tokens>,
    /// The event feed.
    pub events: EventFeed,
    /// The store, for what it says about itself.
    pub store: Arc<dyn Store>,
    /// Metrics.
    pub exporter: Exporter,
    /// Readiness.
    pub health: Arc<Health>,
    /// Becomes `true` when the server stops: event streams end then.
    pub stopping: watch::Receiver<bool>,
    /// How it is to behave.
    pub options: Options,
}

/// [`Api`] and what belongs to the running server.
pub(super) struct State {
    pub(super) api: Api,
    pub(super) started: Instant,
    pub(super) imports: Arc<Semaphore>,
}

impl State {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            started: Instant::now(),
            imports: Arc::new(Semaphore::new(MAX_IMPORTS)),
        }
    }
}

impl Deref for State {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// The state as handlers take it.
pub(super) type Shared = axum::extract::State<Arc<State>>;

/// How the API behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests from the machine itself need no token (`serve --dev`).
    pub open_on_loopback: bool,
    /// Largest body, and largest line of an import, in bytes.
    pub max_body: usize,
    /// Directory for the results of running imports.
    pub spool: PathBuf,
    /// Listeners besides those of the engine.
    pub listeners: Vec<ListenerView>,
    /// Whether devices that are not provisioned are let in.
    pub allow_unknown: bool,
    /// The profile of devices that name none.
    pub profile: String,
}

/// A socket the server listens on.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ListenerView {
    /// Name, as in the `[listen]` section of the configuration.
    pub name: &'static str,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// The address bound.
    #[schema(value_type = String)]
    pub address: SocketAddr,
}
