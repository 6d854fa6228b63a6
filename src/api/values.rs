//! What a device reported: registration, telemetry.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::Uri;

use super::auth::Viewer;
use super::extract::{EndpointName, Params};
use super::problem::{Problem, ProblemSchema};
use super::state::Shared;
use crate::services::devices::TelemetryQuery;
use crate::services::engine::{RegistrationView, TelemetryView, TimedValue};

/// Values per key when the caller does not say, and at most.
const DEFAULT_VALUES: usize = 100;
const MAX_VALUES: usize = 1_000;

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

/// Show telemetry of a device by key, newest first: the latest values, and earlier ones where the
/// profile of the device keeps a history.
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
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
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
    let query = TelemetryQuery {
        keys: params.list("keys"),
        from: params.number("from", i64::MIN, i64::MAX)?,
        to: params.number("to", i64::MIN, i64::MAX)?,
        limit: params
            .number("limit", 1, MAX_VALUES)?
            .unwrap_or(DEFAULT_VALUES),
    };
    let latest = state.devices.telemetry(&endpoint, &query).await?;
    let latest = state.updates.add_latest(&endpoint, &query, latest).await?;
    Ok(Json(state.history.add(&endpoint, &query, latest)?))
}
