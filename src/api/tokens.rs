//! Tokens: list, make, revoke.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::auth::Admin;
use super::extract::JsonBody;
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::services::tokens::{NewToken, Role, TokenInfo};

/// A token to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRequest {
    /// What its bearer may do.
    role: Role,
    /// What it is for, in words.
    name: Option<String>,
}

/// Every token.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct TokenList {
    /// Oldest first.
    items: Vec<TokenInfo>,
    /// Always `null`: tokens fit on one page.
    next: Option<String>,
}

/// List tokens, without the tokens themselves.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    responses((status = 200, body = TokenList)),
)]
pub(super) async fn list(_: Admin, Extract(state): Shared) -> Json<TokenList> {
    Json(TokenList {
        items: state.tokens.list(),
        next: None,
    })
}

/// Make a token. This is the only time it is shown.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    request_body = TokenRequest,
    responses(
        (status = 201, body = NewToken),
        (status = 409, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    _: Admin,
    Extract(state): Shared,
    JsonBody(request): JsonBody<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let token = state.tokens.create(request.role, request.name).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// Revoke a token, at once.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    tag = "tokens",
    params(("id" = String, Path, description = "id of the token")),
    responses(
        (status = 204, description = "revoked"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn revoke(
    _: Admin,
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.tokens.revoke(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
