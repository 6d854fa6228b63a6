//! Campaigns: begin, list, show, tell, remove; their devices.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{StatusCode, Uri};

use super::auth::{Operator, Viewer};
use super::extract::{JsonBody, Params};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::state::Shared;
use crate::services::campaigns::{
    CampaignDevicePage, CampaignPage, CampaignView, DeviceQuery, MAX_PAGE, NewCampaign, Order,
    Standing,
};

/// Campaigns or devices on a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

const STANDINGS: [&str; 7] = [
    "waiting",
    "absent",
    "running",
    "updated",
    "failed",
    "skipped",
    "cancelled",
];

/// List campaigns, a page at a time, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/campaigns",
    tag = "updates",
    params(
        ("limit" = Option<usize>, Query, description = "most campaigns on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = CampaignPage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    _: Viewer,
    Extract(state): Shared,
    uri: Uri,
) -> Result<Json<CampaignPage>, Problem> {
    let mut params = Params::of(&uri, &["limit", "cursor"])?;
    let limit = params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE);
    let cursor = params.text("cursor");
    Ok(Json(state.campaigns.list(limit, cursor.as_deref())?))
}

/// Begin a campaign: a package for devices by name, of a profile, or under a filter.
#[utoipa::path(
    post,
    path = "/api/v1/campaigns",
    tag = "updates",
    request_body = NewCampaign,
    responses(
        (status = 201, body = CampaignView),
        (status = 409, description = "too many", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    _: Operator,
    Extract(state): Shared,
    JsonBody(new): JsonBody<NewCampaign>,
) -> Result<(StatusCode, Json<CampaignView>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(state.campaigns.create(new).await?),
    ))
}

/// Show a campaign and how many of its devices stand how.
#[utoipa::path(
    get,
    path = "/api/v1/campaigns/{id}",
    tag = "updates",
    params(("id" = String, Path, description = "id of the campaign")),
    responses(
        (status = 200, body = CampaignView),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<Json<CampaignView>, Problem> {
    Ok(Json(state.campaigns.get(&id)?))
}

/// List the devices of a campaign, a page at a time. A page may be short or empty although `next` is
/// set.
#[utoipa::path(
    get,
    path = "/api/v1/campaigns/{id}/devices",
    tag = "updates",
    params(
        ("id" = String, Path, description = "id of the campaign"),
        ("state" = Option<Standing>, Query, description = "only devices that stand so"),
        ("limit" = Option<usize>, Query, description = "most devices on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = CampaignDevicePage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn devices(
    _: Viewer,
    Extract(state): Shared,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<CampaignDevicePage>, Problem> {
    let mut params = Params::of(&uri, &["state", "limit", "cursor"])?;
    let query = DeviceQuery {
        standing: params.choice("state", &STANDINGS)?,
        limit: params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
        cursor: params.text("cursor"),
    };
    Ok(Json(state.campaigns.devices(&id, &query).await?))
}

/// Tell a campaign something: `pause`, `resume` (also one that stopped because too many failed),
/// `cancel` (what runs is taken back), or `retry` (failed and skipped devices have another turn).
#[utoipa::path(
    post,
    path = "/api/v1/campaigns/{id}:{order}",
    tag = "updates",
    params(
        ("id" = String, Path, description = "id of the campaign"),
        ("order" = String, Path, description = "`pause`, `resume`, `cancel` or `retry`"),
    ),
    responses(
        (status = 200, body = CampaignView),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "it is not in a state for that", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn order(
    _: Operator,
    Extract(state): Shared,
    Path(told): Path<String>,
) -> Result<Json<CampaignView>, Problem> {
    let (id, order) = told.rsplit_once(':').unwrap_or((&told, ""));
    let order = match order {
        "pause" => Order::Pause,
        "resume" => Order::Resume,
        "cancel" => Order::Cancel,
        "retry" => Order::Retry,
        _ => {
            let detail = format!(
                "/api/v1/campaigns/{told} takes no POST; :pause, :resume, :cancel and :retry behind an id do"
            );
            return Err(Problem::new(ProblemKind::RouteNotFound, detail));
        }
    };
    Ok(Json(state.campaigns.order(id, order).await?))
}

/// Remove a campaign that is over, and its report.
#[utoipa::path(
    delete,
    path = "/api/v1/campaigns/{id}",
    tag = "updates",
    params(("id" = String, Path, description = "id of the campaign")),
    responses(
        (status = 204, description = "removed"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "it is not over", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.campaigns.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
