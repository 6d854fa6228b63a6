//! The OpenAPI document.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::auth::Viewer;
use super::{
    attributes, bootstrap, campaigns, devices, events, import, log, models, packages, probes,
    profiles, rpc, server, tokens, trace, updates, values,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rookery",
        description = "LwM2M server: devices, their values, commands to them, events, profiles, object definitions. Errors are RFC 9457 problem details.",
    ),
    paths(
        devices::list,
        devices::show,
        devices::provision,
        devices::remove,
        import::devices,
        values::registration,
        values::telemetry,
        log::show,
        trace::follow,
        attributes::show,
        attributes::put,
        attributes::remove,
        rpc::call,
        rpc::list,
        rpc::show,
        rpc::remove,
        bootstrap::sessions,
        events::all,
        events::of_device,
        models::list,
        models::upload,
        models::show,
        models::remove,
        packages::list,
        packages::upload,
        packages::show,
        packages::remove,
        updates::firmware,
        updates::put_firmware,
        updates::delete_firmware,
        updates::software,
        updates::put_software,
        updates::delete_software,
        updates::profile_firmware,
        updates::put_profile_firmware,
        updates::delete_profile_firmware,
        updates::profile_software,
        updates::put_profile_software,
        updates::delete_profile_software,
        campaigns::list,
        campaigns::create,
        campaigns::show,
        campaigns::devices,
        campaigns::order,
        campaigns::remove,
        profiles::list,
        profiles::show,
        profiles::rollout,
        profiles::put,
        profiles::remove,
        tokens::list,
        tokens::create,
        tokens::revoke,
        server::show,
        show,
        probes::alive,
        probes::ready,
        probes::metrics,
    ),
    modifiers(&BearerTokens),
    security(("token" = [])),
)]
struct Document;

struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// The document, as JSON.
#[must_use]
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        Document::openapi()
            .to_pretty_json()
            .unwrap_or_else(|error| unreachable!("a document made of strings is JSON: {error}"))
    })
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "server",
    responses((status = 200, content_type = "application/json", body = Object)),
)]
pub(super) async fn show(_: Viewer) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document())
}
