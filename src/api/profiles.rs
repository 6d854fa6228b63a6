//! Device profiles: list, show, put, remove.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, State as Extract};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde_json::value::RawValue;

use super::auth::{Operator, Viewer};
use super::extract::{JsonBody, Params};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::state::{Shared, State};
use crate::services::engine::RolloutView;
use crate::services::profiles::{
    MAX_PAGE, ProfilePage, ProfileQuery, PutProfile, PutResult, check_name,
};

/// Profiles on a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

/// The name of a profile in the path, percent-decoded.
pub(super) struct ProfileName(pub(super) String);

impl FromRequestParts<Arc<State>> for ProfileName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| {
                let detail = format!("the path is not percent-encoded UTF-8: {rejection}");
                Problem::new(ProblemKind::InvalidProfileName, detail)
            })?;
        check_name(&name)?;
        Ok(Self(name))
    }
}

/// List profiles, a page at a time, by name.
#[utoipa::path(
    get,
    path = "/api/v1/profiles",
    tag = "profiles",
    params(
        ("limit" = Option<usize>, Query, description = "most profiles on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = ProfilePage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    _: Viewer,
    Extract(state): Shared,
    uri: Uri,
) -> Result<Json<ProfilePage>, Problem> {
    let mut params = Params::of(&uri, &["limit", "cursor"])?;
    let query = ProfileQuery {
        limit: params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
        cursor: params.text("cursor"),
    };
    Ok(Json(state.profiles.list(&query).await?))
}

/// Show a profile: its transport configuration as it was put.
#[utoipa::path(
    get,
    path = "/api/v1/profiles/{name}",
    tag = "profiles",
    params(("name" = String, Path, description = "name of the profile")),
    responses(
        (status = 200, description = "ThingsBoard's LwM2M transport configuration", body = Object),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    ProfileName(name): ProfileName,
) -> Result<impl IntoResponse, Problem> {
    let configuration = state.profiles.get(&name).await?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((json, configuration))
}

/// Show how far the registered devices of a profile are with it, after it has changed.
#[utoipa::path(
    get,
    path = "/api/v1/profiles/{name}/rollout",
    tag = "profiles",
    params(("name" = String, Path, description = "name of the profile")),
    responses(
        (status = 200, body = RolloutView),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn rollout(
    _: Viewer,
    Extract(state): Shared,
    ProfileName(name): ProfileName,
) -> Result<Json<RolloutView>, Problem> {
    Ok(Json(state.profiles.rollout(&name).await?))
}

/// Put a profile: ThingsBoard's LwM2M transport configuration, kept as it comes. Devices of the
/// profile use it at once.
#[utoipa::path(
    put,
    path = "/api/v1/profiles/{name}",
    tag = "profiles",
    params(("name" = String, Path, description = "name of the profile")),
    request_body(content = Object, description = "ThingsBoard's LwM2M transport configuration"),
    responses(
        (status = 200, description = "replaced", body = PutProfile),
        (status = 201, description = "created", body = PutProfile),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "too many", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 413, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "with `errors`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn put(
    _: Operator,
    Extract(state): Shared,
    ProfileName(name): ProfileName,
    JsonBody(configuration): JsonBody<Box<RawValue>>,
) -> Result<(StatusCode, Json<PutProfile>), Problem> {
    let put = state.profiles.put(&name, configuration).await?;
    let status = match put.result {
        PutResult::Created => StatusCode::CREATED,
        PutResult::Replaced => StatusCode::OK,
    };
    Ok((status, Json(put)))
}

/// Remove a profile that no provisioned device has. In the place of `default` the built-in one comes
/// back.
#[utoipa::path(
    delete,
    path = "/api/v1/profiles/{name}",
    tag = "profiles",
    params(("name" = String, Path, description = "name of the profile")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "in use, with `devices`, or built in", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    ProfileName(name): ProfileName,
) -> Result<StatusCode, Problem> {
    state.profiles.delete(&name).await?;
    state.updates.forget_profile(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
