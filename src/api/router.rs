//! Which handler serves which route.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::from_fn;
use axum::routing::{delete, get, post, put};

use super::problem::{Problem, ProblemKind};
use super::state::{Api, State};
use super::{
    accounting, attributes, bootstrap, campaigns, devices, events, import, log, models, openapi,
    packages, probes, profiles, rpc, server, tokens, trace, updates, values,
};

/// The routes of `api`.
pub fn router(api: Api) -> Router {
    let device = get(devices::show)
        .put(devices::provision)
        .delete(devices::remove);
    let profile = get(profiles::show)
        .put(profiles::put)
        .delete(profiles::remove);
    Router::new()
        .route("/api/v1/devices", get(devices::list))
        .route("/api/v1/devices:import", post(import::devices))
        .route("/api/v1/devices/{endpoint}", device)
        .route(
            "/api/v1/devices/{endpoint}/registration",
            get(values::registration),
        )
        .route(
            "/api/v1/devices/{endpoint}/telemetry",
            get(values::telemetry),
        )
        .route(
            "/api/v1/devices/{endpoint}/attributes",
            get(attributes::show),
        )
        .route(
            "/api/v1/devices/{endpoint}/attributes/shared",
            put(attributes::put).delete(attributes::remove),
        )
        .route("/api/v1/devices/{endpoint}/log", get(log::show))
        .route("/api/v1/devices/{endpoint}/trace", get(trace::follow))
        .route("/api/v1/devices/{endpoint}/events", get(events::of_device))
        .route(
            "/api/v1/devices/{endpoint}/rpc",
            get(rpc::list).post(rpc::call),
        )
        .route("/api/v1/rpc/{id}", get(rpc::show).delete(rpc::remove))
        .route("/api/v1/bootstrap/sessions", get(bootstrap::sessions))
        .route("/api/v1/events", get(events::all))
        .route("/api/v1/models", get(models::list).post(models::upload))
        .route(
            "/api/v1/models/{key}",
            get(models::show).delete(models::remove),
        )
        .route(
            "/api/v1/packages",
            get(packages::list)
                .post(packages::upload)
                .layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/api/v1/packages/{id}",
            get(packages::show).delete(packages::remove),
        )
        .merge(updates::routes())
        .route(
            "/api/v1/campaigns",
            get(campaigns::list).post(campaigns::create),
        )
        .route(
            "/api/v1/campaigns/{id}",
            get(campaigns::show)
                .post(campaigns::order)
                .delete(campaigns::remove),
        )
        .route("/api/v1/campaigns/{id}/devices", get(campaigns::devices))
        .route("/api/v1/profiles", get(profiles::list))
        .route("/api/v1/profiles/{name}", profile)
        .route("/api/v1/profiles/{name}/rollout", get(profiles::rollout))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/api/v1/tokens/{id}", delete(tokens::revoke))
        .route("/api/v1/server", get(server::show))
        .route("/api/v1/openapi.json", get(openapi::show))
        .route("/livez", get(probes::alive))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn(accounting::account))
        .with_state(Arc::new(State::new(api)))
}

async fn no_route(uri: Uri) -> Problem {
    let detail = format!("{} is not a route; see /api/v1/openapi.json", uri.path());
    Problem::new(ProblemKind::RouteNotFound, detail)
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{} does not have {method}; the Allow header names what it has",
        uri.path()
    );
    Problem::new(ProblemKind::MethodNotAllowed, detail)
}
