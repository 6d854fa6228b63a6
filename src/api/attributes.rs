//! Attributes: those a device reported, and those the server sets.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::Uri;
use serde::Serialize;
use serde_json::{Map, Value};

use super::auth::{Operator, Viewer};
use super::extract::{EndpointName, JsonBody, Params};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::state::Shared;
use crate::services::attributes::{SharedAttribute, SharedAttributes};
use crate::services::engine::{AttributesView, TimedValue};

/// Attributes of a device.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Attributes {
    /// Those the device reported, by key.
    #[schema(value_type = BTreeMap<String, TimedValue>)]
    client: AttributesView,
    /// Those the server sets, by key.
    #[schema(value_type = BTreeMap<String, SharedAttribute>)]
    shared: SharedAttributes,
}

/// Show the attributes of a device.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/attributes",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    responses(
        (status = 200, body = Attributes),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
) -> Result<Json<Attributes>, Problem> {
    Ok(Json(Attributes {
        client: state.devices.attributes(&endpoint).await?,
        shared: state.attributes.get(&endpoint).await?,
    }))
}

/// Set shared attributes, all of them or none. Those that the profile maps to a Resource are written
/// to the device: now, or when it registers or wakes up.
#[utoipa::path(
    put,
    path = "/api/v1/devices/{endpoint}/attributes/shared",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    request_body(content = Object, description = "values by attribute name"),
    responses(
        (status = 200, description = "all shared attributes of the device", body = BTreeMap<String, SharedAttribute>),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn put(
    _: Operator,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    JsonBody(values): JsonBody<Map<String, Value>>,
) -> Result<Json<SharedAttributes>, Problem> {
    Ok(Json(state.attributes.put(&endpoint, values).await?))
}

/// Remove shared attributes. The device keeps the values that were written.
#[utoipa::path(
    delete,
    path = "/api/v1/devices/{endpoint}/attributes/shared",
    tag = "devices",
    params(
        ("endpoint" = String, Path, description = "endpoint client name, percent-encoded"),
        ("keys" = String, Query, description = "names of the attributes, separated by commas"),
    ),
    responses(
        (status = 200, description = "what is left", body = BTreeMap<String, SharedAttribute>),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    uri: Uri,
) -> Result<Json<SharedAttributes>, Problem> {
    let keys = Params::of(&uri, &["keys"])?.list("keys");
    if keys.is_empty() {
        let detail =
            "query parameter `keys` names no attribute; accepted are names separated by commas";
        return Err(Problem::new(ProblemKind::InvalidParameter, detail).with("parameter", "keys"));
    }
    Ok(Json(state.attributes.delete(&endpoint, &keys).await?))
}
