//! Commands to devices.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::{Operator, Viewer};
use super::extract::{EndpointName, JsonBody, Params};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::state::Shared;
use crate::services::rpc::{
    CallOptions, DEFAULT_RETRIES, DEFAULT_TIMEOUT_MILLIS, MAX_PAGE, MAX_RETRIES,
    MAX_TIMEOUT_MILLIS, MIN_TIMEOUT_MILLIS, NewCommand, RpcCall, RpcCommand, RpcPage, RpcQuery,
    RpcResponse, RpcState, ValueFormat,
};

/// Commands on a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

/// A command as ThingsBoard takes it. What the query says as well, the query decides.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RpcBody {
    /// Name of the operation, such as `Read`. Case matters.
    method: String,
    /// What it is about: an object, text that holds one, or nothing.
    #[schema(value_type = Option<Object>)]
    params: Option<Value>,
    /// As in the query.
    timeout: Option<u64>,
    /// Whether the command is kept until the device can be asked.
    #[serde(default)]
    persistent: bool,
    /// As in the query.
    retries: Option<u32>,
    /// As in the query.
    expiration_time: Option<i64>,
    /// Kept with a persistent command.
    #[schema(value_type = Option<Object>)]
    additional_info: Option<Value>,
}

/// The answer to a persistent command that is kept.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    /// Its id.
    rpc_id: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Twoway,
    Oneway,
    Persistent,
}

/// Ask a device for something. A refusal, of this server or of the device, is status 200 as well:
/// `result` and `error` tell.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{endpoint}/rpc",
    tag = "rpc",
    params(
        ("endpoint" = String, Path, description = "endpoint client name, percent-encoded"),
        ("mode" = Option<Mode>, Query, description = "`twoway` waits for the answer; `oneway` does not; `persistent` keeps the command until the device can be asked; twoway when absent"),
        ("timeout" = Option<u64>, Query, description = "how long the device has to take the command up and, after that, to answer, in milliseconds, 1000 to 3600000; 10000 when absent"),
        ("format" = Option<ValueFormat>, Query, description = "how values are shown; `text` when absent"),
        ("retries" = Option<u32>, Query, description = "how often a persistent command is sent again when the device does not answer, 0 to 100; 5 when absent"),
        ("expirationTime" = Option<i64>, Query, description = "until when a persistent command may be sent, milliseconds since 1970; in 7 days when absent"),
    ),
    request_body = RpcBody,
    responses(
        (status = 200, description = "the answer; nothing for `oneway`; `{\"rpcId\":\"…\"}` for `persistent`", body = RpcResponse),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 504, description = "the device did not answer in time", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn call(
    _: Operator,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    uri: Uri,
    JsonBody(body): JsonBody<RpcBody>,
) -> Result<Response, Problem> {
    let asked = Asked::read(&uri, body)?;
    if asked.persistent {
        let id = state.rpc.submit(&endpoint, asked.into_command()).await?;
        let rpc_id = id.to_string();
        return Ok(Json(Kept { rpc_id }).into_response());
    }
    let (rpc, request, options) = (&state.rpc, &asked.request, asked.options);
    Ok(if asked.oneway {
        match rpc.oneway(&endpoint, request, options).await? {
            Some(refusal) => Json(refusal).into_response(),
            None => StatusCode::OK.into_response(),
        }
    } else {
        Json(rpc.twoway(&endpoint, request, options).await?).into_response()
    })
}

/// List persistent commands of a device, in the order in which they are delivered.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{endpoint}/rpc",
    tag = "rpc",
    params(
        ("endpoint" = String, Path, description = "endpoint client name, percent-encoded"),
        ("state" = Option<RpcState>, Query, description = "only commands in this state"),
        ("limit" = Option<usize>, Query, description = "most commands on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = RpcPage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    _: Viewer,
    Extract(state): Shared,
    EndpointName(endpoint): EndpointName,
    uri: Uri,
) -> Result<Json<RpcPage>, Problem> {
    let mut params = Params::of(&uri, &["state", "limit", "cursor"])?;
    let query = RpcQuery {
        state: params.choice("state", &RpcState::ALL.map(RpcState::name))?,
        limit: params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
        cursor: params.text("cursor"),
    };
    Ok(Json(state.rpc.list(&endpoint, &query).await?))
}

/// Show a persistent command and its result.
#[utoipa::path(
    get,
    path = "/api/v1/rpc/{id}",
    tag = "rpc",
    params(("id" = String, Path, description = "id of the command")),
    responses(
        (status = 200, body = RpcCommand),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<Json<RpcCommand>, Problem> {
    Ok(Json(state.rpc.get(&id).await?))
}

/// Remove a persistent command. One that waits is not delivered any more.
#[utoipa::path(
    delete,
    path = "/api/v1/rpc/{id}",
    tag = "rpc",
    params(("id" = String, Path, description = "id of the command")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.rpc.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What query and body ask for together.
struct Asked {
    request: RpcCall,
    options: CallOptions,
    oneway: bool,
    persistent: bool,
    retries: u32,
    expiration: Option<i64>,
    additional_info: Option<Value>,
}

impl Asked {
    fn read(uri: &Uri, body: RpcBody) -> Result<Self, Problem> {
        let known = ["mode", "timeout", "format", "retries", "expirationTime"];
        let mut params = Params::of(uri, &known)?;
        let mode = params.choice("mode", &["twoway", "oneway", "persistent"])?;
        let format = params.choice("format", &["text", "json"])?;
        let timeout = params.number("timeout", MIN_TIMEOUT_MILLIS, MAX_TIMEOUT_MILLIS)?;
        let retries = params.number("retries", 0, MAX_RETRIES)?;
        let expiration = params.number("expirationTime", 0, i64::MAX)?;
        let of_body = member(
            "timeout",
            body.timeout,
            MIN_TIMEOUT_MILLIS,
            MAX_TIMEOUT_MILLIS,
        )?;
        let retries_of_body = member("retries", body.retries, 0, MAX_RETRIES)?;
        Ok(Self {
            request: RpcCall {
                method: body.method,
                params: body.params,
            },
            options: CallOptions {
                timeout_millis: timeout.or(of_body).unwrap_or(DEFAULT_TIMEOUT_MILLIS),
                format: format.unwrap_or_default(),
            },
            oneway: mode == Some(Mode::Oneway),
            persistent: mode == Some(Mode::Persistent) || body.persistent,
            retries: retries.or(retries_of_body).unwrap_or(DEFAULT_RETRIES),
            expiration: expiration.or(body.expiration_time),
            additional_info: body.additional_info,
        })
    }

    fn into_command(self) -> NewCommand {
        NewCommand {
            request: self.request,
            oneway: self.oneway,
            timeout_millis: self.options.timeout_millis,
            format: self.options.format,
            retries: self.retries,
            expiration: self.expiration,
            additional_info: self.additional_info,
        }
    }
}

/// A number of the body from `least` to `most`.
fn member<T: Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    value: Option<T>,
    least: T,
    most: T,
) -> Result<Option<T>, Problem> {
    match value {
        Some(number) if number < least || number > most => {
            let detail =
                format!("`{name}` is {number}; accepted is a whole number from {least} to {most}");
            Err(Problem::new(ProblemKind::InvalidBody, detail).with("member", name))
        }
        other => Ok(other),
    }
}
