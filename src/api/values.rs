//! What a device reported: registration, telemetry, attributes.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::Uri;
use serde::Serialize;

use super::auth::Viewer;
use super::extract::{EndpointName, Params};
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::services::devices::TelemetryQuery;
use crate::services::engine::{AttributesView, RegistrationView, TelemetryView, TimedValue};

/// Values per key when the caller does not say, and at most.
const DEFAULT_VALUES: usize = 100;
const MAX_VALUES: usize = 1_000;

/// Attributes of a device.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Attributes {
    /// Those the device reported, by key.
    #[schema(value_type = BTreeMap<String, TimedValue>)]
    client: AttributesView,
    /// Those the server sets, by key.
    #[schema(value_type = BTreeMap<String, TimedValue>)]
    shared: AttributesView,
}

/// Show the registration of a device.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/registration",
    tag = "devices",
    params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
    responses(
        (status = 200, body = RegistrationView),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn registration(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
) -> Result<Json<Box<RegistrationView>>, Problem> {
    Ok(Json(state.devices.registration(&endpoint).await?))
}

/// Show telemetry of a device by key, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/telemetry",
    tag = "devices",
    params(
        ("endpoint" = String, Path, description = "endpoint client name, percent-encoded"),
        ("keys" = Option<String>, Query, description = "only these keys, separated by commas"),
        ("from" = Option<i64>, Query, description = "not before, milliseconds since 1970"),
        ("to" = Option<i64>, Query, description = "not after, milliseconds since 1970"),
        ("limit" = Option<usize>, Query, description = "most values per key, 1 to 1000; 100 when absent"),
    ),
    responses(
        (status = 200, body = BTreeMap<String, Vec<TimedValue>>),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn telemetry(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    uri: Uri,
) -> Result<Json<TelemetryView>, Problem> {
    let mut params = Params::of(&uri, &["keys", "from", "to", "limit"])?;
    let keys = params.text("keys").unwrap_or_default();
    let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
    let query = TelemetryQuery {
        keys: keys.map(str::to_owned).collect(),
        from: params.number("from", i64::MIN, i64::MAX)?,
        to: params.number("to", i64::MIN, i64::MAX)?,
        limit: params
            .number("limit", 1, MAX_VALUES)?
            .unwrap_or(DEFAULT_VALUES),
    };
    Ok(Json(state.devices.telemetry(&endpoint, &query).await?))
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
pub(super) async fn attributes(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
) -> Result<Json<Attributes>, Problem> {
    Ok(Json(Attributes {
        client: state.devices.attributes(&endpoint).await?,
        shared: AttributesView::default(),
    }))
}
