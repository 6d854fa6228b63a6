//! For orchestrators and Prometheus: alive, ready, metrics.

use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::auth::Probe;
use super::state::Shared;
use crate::ops::health::Phase;

/// Say that the process runs.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses((status = 200, content_type = "text/plain", body = String)),
)]
pub(super) async fn alive(_: Probe) -> &'static str {
    "alive\n"
}

/// Say whether the server takes traffic. It stops being ready as soon as it is told to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, content_type = "text/plain", body = String),
        (status = 503, content_type = "text/plain", body = String),
    ),
)]
pub(super) async fn ready(_: Probe, Extract(state): Shared) -> impl IntoResponse {
    let phase = state.health.phase();
    let status = if phase == Phase::Ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, format!("{}\n", phase.name()))
}

/// Metrics in the Prometheus text format 0.0.4.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses((status = 200, content_type = "text/plain", body = String)),
)]
pub(super) async fn metrics(_: Probe, Extract(state): Shared) -> impl IntoResponse {
    let content_type = (
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    );
    ([content_type], state.exporter.render())
}
