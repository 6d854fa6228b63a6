//! Object definitions: list, upload, show, remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State as Extract};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::Serialize;

use super::auth::{Operator, Viewer};
use super::extract::{Params, XmlBody};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::state::{Shared, State};
use crate::services::models::{
    MAX_PAGE, ModelKey, ModelPage, ModelQuery, ModelView, UploadedModel,
};

/// Definitions on a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

/// What became of an uploaded document.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Uploaded {
    /// One for each Object, in the order of the document.
    items: Vec<UploadedModel>,
}

/// The object id and version in the path.
pub(super) struct Key(ModelKey);

impl FromRequestParts<Arc<State>> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        let Path(key) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| {
                Problem::new(ProblemKind::InvalidModelKey, rejection.to_string())
            })?;
        Ok(Self(key.parse()?))
    }
}

/// List object definitions, a page at a time, by object id and version.
#[utoipa::path(
    get,
    path = "/api/v1/models",
    tag = "models",
    params(
        ("id" = Option<u16>, Query, description = "only versions of this Object"),
        ("limit" = Option<usize>, Query, description = "most definitions on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = ModelPage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    _: Viewer,
    Extract(state): Shared,
    uri: Uri,
) -> Result<Json<ModelPage>, Problem> {
    let mut params = Params::of(&uri, &["id", "limit", "cursor"])?;
    let query = ModelQuery {
        id: params.number("id", 0, u16::MAX - 1)?,
        limit: params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
        cursor: params.text("cursor"),
    };
    Ok(Json(state.models.list(&query)?))
}

/// Upload object definitions: an OMA XML document with one `<Object>` or several, all of which are
/// taken or none. A definition takes the place of any of the same Object and version.
#[utoipa::path(
    post,
    path = "/api/v1/models",
    tag = "models",
    request_body(content = String, content_type = "application/xml"),
    responses(
        (status = 201, body = Uploaded),
        (status = 400, description = "with `line` and `reason`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 413, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 415, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn upload(
    _: Operator,
    Extract(state): Shared,
    XmlBody(document): XmlBody,
) -> Result<(StatusCode, Json<Uploaded>), Problem> {
    let items = state.models.upload(&document).await?;
    Ok((StatusCode::CREATED, Json(Uploaded { items })))
}

/// Show an object definition.
#[utoipa::path(
    get,
    path = "/api/v1/models/{key}",
    tag = "models",
    params(("key" = String, Path, description = "object id and version, such as 3_1.2")),
    responses(
        (status = 200, body = ModelView),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    Key(key): Key,
) -> Result<Json<ModelView>, Problem> {
    Ok(Json(state.models.get(key)?))
}

/// Remove an uploaded object definition. One built in for the same Object and version is in force
/// again.
#[utoipa::path(
    delete,
    path = "/api/v1/models/{key}",
    tag = "models",
    params(("key" = String, Path, description = "object id and version, such as 3_1.2")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "built in", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    Key(key): Key,
) -> Result<StatusCode, Problem> {
    state.models.delete(key).await?;
    Ok(StatusCode::NO_CONTENT)
}
