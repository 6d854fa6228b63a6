//! Bootstrap sessions.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::Uri;
use serde::Serialize;

use super::auth::Viewer;
use super::extract::Params;
use super::problem::Problem;
use super::state::Shared;
use crate::services::bootstrap::SessionView;

/// Sessions when the caller does not say, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// Bootstrap sessions.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct BootstrapSessions {
    /// Newest first.
    items: Vec<SessionView>,
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
