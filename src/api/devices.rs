//! Devices: list, provision, show, remove.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{StatusCode, Uri};

use super::auth::{Operator, Viewer};
use super::extract::{EndpointName, JsonBody, Params};
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::services::devices::{DevicePage, DeviceView, DevicesError, ListQuery, MAX_PAGE};
use crate::services::engine::{DeviceFilter, DeviceState, SecurityMode};
use crate::services::provisioning::DeviceBody;

/// Devices on a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

const STATES: [&str; 4] = ["registered", "asleep", "expired", "never"];
const SECURITY_MODES: [&str; 1] = ["NO_SEC"];

/// List devices, a page at a time. A page may be short or empty although `next` is set: the server
/// looks at a bounded number of devices per request.
#[utoipa::path(
    get,
    path = "/api/v1/devices",
    tag = "devices",
    params(
        ("state" = Option<DeviceState>, Query, description = "only devices in this state"),
        ("profile" = Option<String>, Query, description = "only devices of this profile"),
        ("security" = Option<SecurityMode>, Query, description = "only devices of this security mode"),
        ("q" = Option<String>, Query, description = "only endpoints that contain this text"),
        ("limit" = Option<usize>, Query, description = "most devices on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = DevicePage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    _: Viewer,
    Extract(state): Shared,
    uri: Uri,
) -> Result<Json<DevicePage>, Problem> {
    let mut params = Params::of(
        &uri,
        &["state", "profile", "security", "q", "limit", "cursor"],
    )?;
    let query = ListQuery {
        filter: DeviceFilter {
            state: params.choice("state", &STATES)?,
            profile: params.text("profile"),
            security: params.choice("security", &SECURITY_MODES)?,
            contains: params.text("q"),
        },
        limit: params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
        cursor: params.text("cursor"),
    };
    Ok(Json(state.devices.list(query).await?))
}

/// Show a device. Secrets of its credentials are left out.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    responses(
        (status = 200, body = DeviceView),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
) -> Result<Json<DeviceView>, Problem> {
    Ok(Json(state.devices.get(&endpoint).await?))
}

/// Provision a device, or replace what was provisioned: it may register from now on.
#[utoipa::path(
    put,
    path = "/api/v1/devices/{endpoint}",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    request_body = DeviceBody,
    responses(
        (status = 200, description = "replaced", body = DeviceView),
        (status = 201, description = "created", body = DeviceView),
        (status = 422, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn provision(
    _: Operator,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    JsonBody(body): JsonBody<DeviceBody>,
) -> Result<(StatusCode, Json<DeviceView>), Problem> {
    let (device, created) = state.devices.put(&endpoint, body).await?;
    state.updates.provisioned(&endpoint).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(device)))
}

/// Remove a device: it may not register any more, its registration, values, attributes and commands are forgotten.
#[utoipa::path(
    delete,
    path = "/api/v1/devices/{endpoint}",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
) -> Result<StatusCode, Problem> {
    let deleted = state.devices.delete(&endpoint).await;
    // Also when it is gone already: what is kept of it may have outlived an attempt that was cut off.
    if matches!(deleted, Ok(()) | Err(DevicesError::NotFound { .. })) {
        state.rpc.forget(&endpoint).await?;
        state.attributes.forget(&endpoint).await?;
        state.history.forget(&endpoint).await?;
        state.updates.forget(&endpoint).await?;
    }
    deleted?;
    Ok(StatusCode::NO_CONTENT)
}
