//! Assigned packages: of devices and of profiles, firmware and software.

use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::auth::{Operator, Viewer};
use super::extract::{EndpointName, JsonBody};
use super::problem::{Problem, ProblemSchema};
use super::profiles::ProfileName;
use super::state::{Shared, State};
use crate::services::packages::PackageType;
use crate::services::updates::{DeviceUpdate, ProfileUpdate};

/// Which package is assigned.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AssignedPackage {
    /// Id of the package.
    package_id: String,
}

/// The routes of assignments.
pub(super) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route(
            "/api/v1/devices/{endpoint}/firmware",
            get(firmware).put(put_firmware).delete(delete_firmware),
        )
        .route(
            "/api/v1/devices/{endpoint}/software",
            get(software).put(put_software).delete(delete_software),
        )
        .route(
            "/api/v1/profiles/{name}/firmware",
            get(profile_firmware)
                .put(put_profile_firmware)
                .delete(delete_profile_firmware),
        )
        .route(
            "/api/v1/profiles/{name}/software",
            get(profile_software)
                .put(put_profile_software)
                .delete(delete_profile_software),
        )
}

macro_rules! of_devices {
    ($kind:expr, $path:literal, $show:ident, $put:ident, $delete:ident) => {
        /// Show the update of a device: the assigned package, its own or its profile's, and how far
        /// the device is.
        #[utoipa::path(
            get,
            path = $path,
            tag = "updates",
            params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
            responses(
                (status = 200, body = DeviceUpdate),
                (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
            ),
        )]
        pub(super) async fn $show(
            _: Viewer,
            Extract(state): Shared,
            EndpointName(endpoint): EndpointName,
        ) -> Result<Json<DeviceUpdate>, Problem> {
            Ok(Json(state.updates.show(&endpoint, $kind).await?))
        }

        /// Assign a package to a device, in place of its profile's. The device is updated now, or when
        /// it registers. The same package again begins anew.
        #[utoipa::path(
            put,
            path = $path,
            tag = "updates",
            params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
            request_body = AssignedPackage,
            responses(
                (status = 200, body = DeviceUpdate),
                (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
                (status = 422, description = "there is no such package for this", body = ProblemSchema, content_type = "application/problem+json"),
            ),
        )]
        pub(super) async fn $put(
            _: Operator,
            Extract(state): Shared,
            EndpointName(endpoint): EndpointName,
            JsonBody(body): JsonBody<AssignedPackage>,
        ) -> Result<Json<DeviceUpdate>, Problem> {
            state.updates.assign(&endpoint, $kind, &body.package_id).await?;
            Ok(Json(state.updates.show(&endpoint, $kind).await?))
        }

        /// Take back what a device itself is assigned. An update that runs is cancelled where that is
        /// possible; what the profile is assigned counts again.
        #[utoipa::path(
            delete,
            path = $path,
            tag = "updates",
            params(("endpoint" = String, Path, description = "endpoint client name, percent-encoded")),
            responses(
                (status = 204, description = "taken back"),
                (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
            ),
        )]
        pub(super) async fn $delete(
            _: Operator,
            Extract(state): Shared,
            EndpointName(endpoint): EndpointName,
        ) -> Result<StatusCode, Problem> {
            state.updates.take_back(&endpoint, $kind).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    };
}

macro_rules! of_profiles {
    ($kind:expr, $path:literal, $show:ident, $put:ident, $delete:ident) => {
        /// Show what the devices of a profile are assigned.
        #[utoipa::path(
            get,
            path = $path,
            tag = "updates",
            params(("name" = String, Path, description = "name of the profile")),
            responses(
                (status = 200, body = ProfileUpdate),
                (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
            ),
        )]
        pub(super) async fn $show(
            _: Viewer,
            Extract(state): Shared,
            ProfileName(name): ProfileName,
        ) -> Result<Json<ProfileUpdate>, Problem> {
            Ok(Json(state.updates.show_profile(&name, $kind)?))
        }

        /// Assign a package to all devices of a profile that are assigned none themselves. They are
        /// updated at once; a campaign updates them in steps.
        #[utoipa::path(
            put,
            path = $path,
            tag = "updates",
            params(("name" = String, Path, description = "name of the profile")),
            request_body = AssignedPackage,
            responses(
                (status = 200, body = ProfileUpdate),
                (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
                (status = 422, description = "there is no such package for this", body = ProblemSchema, content_type = "application/problem+json"),
            ),
        )]
        pub(super) async fn $put(
            _: Operator,
            Extract(state): Shared,
            ProfileName(name): ProfileName,
            JsonBody(body): JsonBody<AssignedPackage>,
        ) -> Result<Json<ProfileUpdate>, Problem> {
            state.updates.assign_profile(&name, $kind, &body.package_id).await?;
            Ok(Json(state.updates.show_profile(&name, $kind)?))
        }

        /// Take back what the devices of a profile are assigned. Updates that run are cancelled where
        /// that is possible.
        #[utoipa::path(
            delete,
            path = $path,
            tag = "updates",
            params(("name" = String, Path, description = "name of the profile")),
            responses(
                (status = 204, description = "taken back"),
                (status = 404, body = ProblemSchema, content_type = "application/problem+json"),
            ),
        )]
        pub(super) async fn $delete(
            _: Operator,
            Extract(state): Shared,
            ProfileName(name): ProfileName,
        ) -> Result<StatusCode, Problem> {
            state.updates.take_back_profile(&name, $kind).await?;
            Ok(StatusCode::NO_CONTENT)
        }
    };
}

of_devices!(
    PackageType::Firmware,
    "/api/v1/devices/{endpoint}/firmware",
    firmware,
    put_firmware,
    delete_firmware
);
of_devices!(
    PackageType::Software,
    "/api/v1/devices/{endpoint}/software",
    software,
    put_software,
    delete_software
);
of_profiles!(
    PackageType::Firmware,
    "/api/v1/profiles/{name}/firmware",
    profile_firmware,
    put_profile_firmware,
    delete_profile_firmware
);
of_profiles!(
    PackageType::Software,
    "/api/v1/profiles/{name}/software",
    profile_software,
    put_profile_software,
    delete_profile_software
);
