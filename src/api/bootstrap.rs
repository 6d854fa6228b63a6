//! Bootstrap sessions.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::Uri;
use serde::Serialize;

use super::auth::{Operator, Viewer};
use super::extract::{JsonBody, Params};
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::services::bootstrap::{Placement, SessionView};

/// Sessions when the caller does not say, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// Bootstrap sessions.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct BootstrapSessions {
    /// Newest first.
    items: Vec<SessionView>,
}

/// Show which servers devices are told in place of those of their profiles.
#[utoipa::path(
    get,
    path = "/api/v1/bootstrap/placement",
    tag = "bootstrap",
    responses((status = 200, body = Placement)),
)]
pub(super) async fn placement(_: Viewer, Extract(state): Shared) -> Json<Placement> {
    Json(Placement::clone(&state.bootstrap.placement()))
}

/// Spread devices over servers: the first rule that fits a device chooses among its targets. In force
/// from the next bootstrap of each device on.
#[utoipa::path(
    put,
    path = "/api/v1/bootstrap/placement",
    tag = "bootstrap",
    request_body = Placement,
    responses(
        (status = 200, body = Placement),
        (status = 422, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn place(
    _: Operator,
    Extract(state): Shared,
    JsonBody(placement): JsonBody<Placement>,
) -> Result<Json<Placement>, Problem> {
    let placement = state.bootstrap.place(placement).await?;
    Ok(Json(Placement::clone(&placement)))
}

/// Show the latest bootstrap session of each device, newest first: whether it runs, how it ended, and
/// why it failed.
#[utoipa::path(
    get,
    path = "/api/v1/bootstrap/sessions",
    tag = "bootstrap",
    params(
        ("endpoint" = Option<String>, Query, description = "only that of this device"),
        ("limit" = Option<usize>, Query, description = "most sessions, 1 to 1000; 100 when absent"),
    ),
    responses((status = 200, body = BootstrapSessions)),
)]
pub(super) async fn sessions(
    _: Viewer,
    Extract(state): Shared,
    uri: Uri,
) -> Result<Json<BootstrapSessions>, Problem> {
    let mut params = Params::of(&uri, &["endpoint", "limit"])?;
    let limit = params.number("limit", 1, MOST)?.unwrap_or(USUAL);
    let endpoint = params.text("endpoint");
    let items = state.bootstrap.sessions(endpoint.as_deref(), limit);
    Ok(Json(BootstrapSessions { items }))
}
