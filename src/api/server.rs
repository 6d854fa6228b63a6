//! What the server says about itself.

use axum::Json;
use axum::extract::State as Extract;
use serde::Serialize;

use super::auth::Viewer;
use super::problem::Problem;
use super::state::{ListenerView, Shared};
use crate::services::credentials::ServerKeysView;
use crate::services::storage::StoreInfo;

/// The server.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerView {
    /// Version of the program.
    version: &'static str,
    /// `starting`, `ready` or `draining`.
    phase: &'static str,
    /// Seconds since the start.
    uptime_seconds: u64,
    /// Shards of the engine.
    shards: usize,
    /// Sockets it listens on.
    listeners: Vec<ListenerView>,
    /// Its persistent state.
    store: StoreInfo,
    /// Who is let in.
    provisioning: ProvisioningView,
    /// Keys and certificates for DTLS, public parts.
    keys: ServerKeysView,
}

/// Who is let in.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProvisioningView {
    /// Whether devices that are not provisioned are let in.
    allow_unknown: bool,
    /// The profile of devices that name none.
    profile: String,
}

/// Show version, listeners, shards and store.
#[utoipa::path(
    get,
    path = "/api/v1/server",
    tag = "server",
    responses((status = 200, body = ServerView)),
)]
pub(super) async fn show(_: Viewer, Extract(state): Shared) -> Result<Json<ServerView>, Problem> {
    let udp = state
        .engine
        .listeners()
        .into_iter()
        .map(|(name, address)| ListenerView {
            name,
            transport: "udp",
            address,
        });
    Ok(Json(ServerView {
        version: env!("CARGO_PKG_VERSION"),
        phase: state.health.phase().name(),
        uptime_seconds: state.started.elapsed().as_secs(),
        shards: state.engine.shards(),
        listeners: udp.chain(state.options.listeners.iter().cloned()).collect(),
        store: state.store.info()?,
        provisioning: ProvisioningView {
            allow_unknown: state.options.allow_unknown,
            profile: state.options.profile.clone(),
        },
        keys: state.credentials.keys().view(),
    }))
}
