//! Update packages: upload, list, show, remove.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, Uri};
use futures_util::StreamExt;

use super::auth::{Operator, Viewer};
use super::extract::{Params, content_length};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::state::{Shared, State};
use crate::services::packages::{
    Algorithm, MAX_PAGE, NewPackage, Package, PackageError, PackagePage, PackageQuery, PackageType,
};

/// Packages on a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

/// Bytes of a refused body that are read all the same.
const DRAINED: usize = 16 << 20;

/// List packages, a page at a time, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/packages",
    tag = "packages",
    params(
        ("type" = Option<PackageType>, Query, description = "only packages of this type"),
        ("q" = Option<String>, Query, description = "only packages whose title contains this text"),
        ("limit" = Option<usize>, Query, description = "most packages on the page, 1 to 1000; 100 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, body = PackagePage),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    _: Viewer,
    Extract(state): Shared,
    uri: Uri,
) -> Result<Json<PackagePage>, Problem> {
    let mut params = Params::of(&uri, &["type", "q", "limit", "cursor"])?;
    let query = PackageQuery {
        package_type: params.choice("type", &PackageType::NAMES)?,
        title_contains: params.text("q"),
        limit: params.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
        cursor: params.text("cursor"),
    };
    Ok(Json(state.packages.list(&query)?))
}

/// Upload a package: the bytes of the image as body, of any content type, streamed to disk and
/// verified. Or name a URL from which devices fetch it, without body.
#[utoipa::path(
    post,
    path = "/api/v1/packages",
    tag = "packages",
    params(
        ("type" = PackageType, Query, description = "what it updates"),
        ("title" = String, Query, description = "name of the firmware or software"),
        ("version" = String, Query, description = "its version"),
        ("tag" = Option<String>, Query, description = "what a device reports as its version once it has it, where that is not title and version"),
        ("fileName" = Option<String>, Query, description = "name of the file, as object 19 tells devices"),
        ("checksumAlgorithm" = Option<Algorithm>, Query, description = "SHA256 when absent"),
        ("checksum" = Option<String>, Query, description = "hexadecimal, as ThingsBoard writes it; computed when absent"),
        ("url" = Option<String>, Query, description = "where devices fetch it, instead of a body"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, body = Package),
        (status = 400, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "there is such a package, or there are too many", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 413, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "the checksum is another", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 507, description = "the disk is full", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn upload(
    _: Operator,
    Extract(state): Shared,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Package>), Problem> {
    let mut body = body.into_data_stream();
    let package = take(&state, &uri, &headers, &mut body).await;
    if package.is_err() {
        drain(&mut body).await;
    }
    Ok((StatusCode::CREATED, Json(package?.as_ref().clone())))
}

async fn take(
    state: &State,
    uri: &Uri,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Arc<Package>, Problem> {
    let (package, url) = described(uri)?;
    if let Some(url) = url {
        no_bytes(body).await?;
        return Ok(state.packages.refer(package, url).await?);
    }
    let limit = state.packages.max_bytes();
    if content_length(headers).is_some_and(|length| length > limit) {
        return Err(PackageError::TooLarge { limit }.into());
    }
    let mut upload = state.packages.begin(package)?;
    while let Some(chunk) = body.next().await {
        upload.write(&chunk.map_err(cut_off)?).await?;
    }
    Ok(state.packages.finish(upload).await?)
}

/// Reads what is left of a body that is refused, within bounds: most clients look at the answer only
/// when they have sent everything.
async fn drain(body: &mut BodyDataStream) {
    let mut left = DRAINED;
    while let Some(Ok(chunk)) = body.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
    }
}

/// Show a package.
#[utoipa::path(
    get,
    path = "/api/v1/packages/{id}",
    tag = "packages",
    params(("id" = String, Path, description = "id of the package")),
    responses(
        (status = 200, body = Package),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    _: Viewer,
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<Json<Package>, Problem> {
    Ok(Json(state.packages.get(&id)?.as_ref().clone()))
}

/// Remove a package. One that devices, profiles or campaigns need stays, unless `force` is given:
/// then updates to it fail, saying why.
#[utoipa::path(
    delete,
    path = "/api/v1/packages/{id}",
    tag = "packages",
    params(
        ("id" = String, Path, description = "id of the package"),
        ("force" = Option<bool>, Query, description = "also when it is in use"),
    ),
    responses(
        (status = 204, description = "removed"),
        (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "in use", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    _: Operator,
    Extract(state): Shared,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let mut params = Params::of(&uri, &["force"])?;
    let force = params.flag("force")?;
    state.updates.delete_package(&id, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The package in the query, and its URL.
fn described(uri: &Uri) -> Result<(NewPackage, Option<String>), Problem> {
    let accepted = [
        "type",
        "title",
        "version",
        "tag",
        "fileName",
        "checksumAlgorithm",
        "checksum",
        "url",
    ];
    let mut params = Params::of(uri, &accepted)?;
    let package = NewPackage {
        package_type: params
            .choice("type", &PackageType::NAMES)?
            .ok_or_else(|| missing("type"))?,
        title: params.text("title").ok_or_else(|| missing("title"))?,
        version: params.text("version").ok_or_else(|| missing("version"))?,
        tag: params.text("tag"),
        file_name: params.text("fileName"),
        checksum_algorithm: params
            .choice("checksumAlgorithm", &Algorithm::NAMES)?
            .unwrap_or_default(),
        checksum: params.text("checksum"),
    };
    Ok((package, params.text("url")))
}

fn missing(parameter: &str) -> Problem {
    let detail = format!("query parameter `{parameter}` is missing");
    Problem::new(ProblemKind::InvalidParameter, detail).with("parameter", parameter)
}

async fn no_bytes(body: &mut BodyDataStream) -> Result<(), Problem> {
    while let Some(chunk) = body.next().await {
        if !chunk.map_err(cut_off)?.is_empty() {
            let detail = "there is a body and a `url`; accepted is one of them";
            return Err(Problem::new(ProblemKind::InvalidPackage, detail));
        }
    }
    Ok(())
}

fn cut_off(error: axum::Error) -> Problem {
    let detail = format!("{error}; nothing was kept");
    Problem::new(ProblemKind::IncompleteBody, detail)
}
