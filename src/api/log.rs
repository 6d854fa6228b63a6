//! The transport log of a device.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::Uri;
use serde::Serialize;

use super::auth::Viewer;
use super::extract::{EndpointName, Params};
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::services::engine::LogEntry;

/// Entries when the caller does not say, and at most: as many as are kept.
const MAX_ENTRIES: usize = 100;

/// The transport log of a device.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Log {
    /// Newest first.
    items: Vec<LogEntry>,
}

/// Show what happened with a device lately, newest first: its registration, requests to it and their
/// answers, what went wrong.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/log",
    tag = "devices",
    params(
        ("endpoint" = String, Path, description = "endpoint client name, percent-encoded"),
        ("limit" = Option<usize>, Query, description = "most entries, 1 to 100; 100 when absent"),
    ),
    responses(
        (status = 200, body = Log),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    uri: Uri,
) -> Result<Json<Log>, Problem> {
    let mut params = Params::of(&uri, &["limit"])?;
    let limit = params.number("limit", 1, MAX_ENTRIES)?;
    let items = state
        .devices
        .log(&endpoint, limit.unwrap_or(MAX_ENTRIES))
        .await?;
    Ok(Json(Log { items }))
}
