//! Errors as RFC 9457 problem details with stable types.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::services::attributes::AttributesError;
use crate::services::credentials::CredentialsError;
use crate::services::devices::DevicesError;
use crate::services::engine::EngineError;
use crate::services::events::TooManyReaders;
use crate::services::history::HistoryError;
use crate::services::models::{MAX_UPLOADED, ModelsError, ParseModelKeyError};
use crate::services::profiles::{MAX_BYTES, MAX_PROFILES, ProfilesError};
use crate::services::provisioning::DeviceError;
use crate::services::rpc::RpcError;
use crate::services::storage::StoreError;
use crate::services::tokens::TokenError;

mod updates;

macro_rules! problem_kinds {
    ($($(#[$doc:meta])* $kind:ident $status:ident $name:literal $title:literal,)+) => {
        /// The types of problems. Names and meanings are stable.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum ProblemKind {
            $($(#[$doc])* $kind,)+
        }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The last part of the `type` URI.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// The `title`.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)+ }
            }

            /// The status of the response.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }
        }
    };
}

problem_kinds! {
    /// The body is not JSON.
    InvalidJson BAD_REQUEST "invalid-json" "The body is not valid JSON",
    /// The body ended early.
    IncompleteBody BAD_REQUEST "incomplete-body" "The body could not be read to its end",
    /// A query parameter is unknown, repeated or has a value it cannot have.
    InvalidParameter BAD_REQUEST "invalid-parameter" "A query parameter is not accepted",
    /// The cursor is not one of this list.
    InvalidCursor BAD_REQUEST "invalid-cursor" "The cursor is not accepted",
    /// The endpoint name in the path cannot be one.
    InvalidEndpoint BAD_REQUEST "invalid-endpoint" "The endpoint name is not accepted",
    /// An object definition is refused.
    InvalidModel BAD_REQUEST "invalid-model" "The object definition is not accepted",
    /// The name of a profile cannot be one.
    InvalidProfileName BAD_REQUEST "invalid-profile-name" "The profile name is not accepted",
    /// What is said of a package cannot be.
    InvalidPackage BAD_REQUEST "invalid-package" "The package is not accepted",
    /// The path names no object id and version.
    InvalidModelKey BAD_REQUEST "invalid-model-key" "The object id and version are not accepted",
    /// The request carries no token, or none of this server.
    Unauthorized UNAUTHORIZED "unauthorized" "A valid token is needed",
    /// The role of the token is not enough.
    Forbidden FORBIDDEN "forbidden" "The role of the token is not enough",
    /// There is no such route.
    RouteNotFound NOT_FOUND "route-not-found" "There is no such route",
    /// There is no such device.
    DeviceNotFound NOT_FOUND "device-not-found" "There is no such device",
    /// The device has not registered since the server started.
    NeverRegistered NOT_FOUND "never-registered" "The device has not registered",
    /// There is no such token.
    TokenNotFound NOT_FOUND "token-not-found" "There is no such token",
    /// There is no such object definition.
    ModelNotFound NOT_FOUND "model-not-found" "There is no such object definition",
    /// There is no such profile.
    ProfileNotFound NOT_FOUND "profile-not-found" "There is no such profile",
    /// There is no such persistent command.
    RpcNotFound NOT_FOUND "rpc-not-found" "There is no such command",
    /// There is no such package.
    PackageNotFound NOT_FOUND "package-not-found" "There is no such package",
    /// There is no such campaign.
    CampaignNotFound NOT_FOUND "campaign-not-found" "There is no such campaign",
    /// No package is assigned.
    NothingAssigned NOT_FOUND "nothing-assigned" "No package is assigned",
    /// The route does not have this method.
    MethodNotAllowed METHOD_NOT_ALLOWED "method-not-allowed" "The route does not have this method",
    /// There are as many tokens as there may be.
    TooManyTokens CONFLICT "too-many-tokens" "There are too many tokens",
    /// The object definition is part of the program.
    BuiltInModel CONFLICT "built-in-model" "The object definition is built in",
    /// There are as many uploaded object definitions as there may be.
    TooManyModels CONFLICT "too-many-models" "There are too many object definitions",
    /// Devices have the profile, or the configuration names it.
    ProfileInUse CONFLICT "profile-in-use" "The profile is in use",
    /// The profile is part of the program.
    BuiltInProfile CONFLICT "built-in-profile" "The profile is built in",
    /// Another device has this PSK identity, public key or certificate.
    CredentialsTaken CONFLICT "credentials-taken" "Another device has these credentials",
    /// There are as many profiles as there may be.
    TooManyProfiles CONFLICT "too-many-profiles" "There are too many profiles",
    /// There is a package of this type, title and version.
    PackageExists CONFLICT "package-exists" "There is such a package already",
    /// Devices, profiles or campaigns need the package.
    PackageInUse CONFLICT "package-in-use" "The package is in use",
    /// The campaign is not in a state in which that is possible.
    CampaignState CONFLICT "campaign-state" "The campaign is not in a state for that",
    /// There are as many campaigns as there may be.
    TooManyCampaigns CONFLICT "too-many-campaigns" "There are too many campaigns",
    /// There are as many packages as there may be.
    TooManyPackages CONFLICT "too-many-packages" "There are too many packages",
    /// The body or a line of it is too large.
    BodyTooLarge PAYLOAD_TOO_LARGE "body-too-large" "The body is too large",
    /// The body is not of the type the route takes.
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body is not of the type this route takes",
    /// The body is JSON, but not what the route takes.
    InvalidBody UNPROCESSABLE_ENTITY "invalid-body" "The body is not what this route takes",
    /// The persistent command could not be delivered any more.
    RpcExpired UNPROCESSABLE_ENTITY "rpc-expired" "The command has expired",
    /// The device is not as a device must be.
    InvalidDevice UNPROCESSABLE_ENTITY "invalid-device" "The device is not accepted",
    /// A shared attribute is refused.
    InvalidAttribute UNPROCESSABLE_ENTITY "invalid-attribute" "The attribute is not accepted",
    /// The transport configuration is not as it must be.
    InvalidProfile UNPROCESSABLE_ENTITY "invalid-profile" "The profile is not accepted",
    /// The bytes of the package are not those meant.
    ChecksumMismatch UNPROCESSABLE_ENTITY "checksum-mismatch" "The checksum is not that of the image",
    /// There is no such package, or it is of the other type.
    UnknownPackage UNPROCESSABLE_ENTITY "unknown-package" "There is no such package for this",
    /// A campaign is not as it must be.
    InvalidCampaign UNPROCESSABLE_ENTITY "invalid-campaign" "The campaign is not accepted",
    /// The body names another endpoint than the path.
    EndpointMismatch UNPROCESSABLE_ENTITY "endpoint-mismatch" "The body names another endpoint",
    /// There is no such profile.
    UnknownProfile UNPROCESSABLE_ENTITY "unknown-profile" "There is no such profile",
    /// The server failed.
    Internal INTERNAL_SERVER_ERROR "internal" "The server failed",
    /// The store failed.
    StoreFailed INTERNAL_SERVER_ERROR "store-failed" "The store failed",
    /// The engine has too much to do.
    EngineBusy SERVICE_UNAVAILABLE "engine-busy" "The engine is busy",
    /// Too many changes wait for the store.
    StoreBusy SERVICE_UNAVAILABLE "store-busy" "The store is busy",
    /// Too many commands wait for the device, or for all devices.
    TooManyCommands SERVICE_UNAVAILABLE "too-many-commands" "There are too many commands",
    /// There are as many event streams as there may be.
    TooManyStreams SERVICE_UNAVAILABLE "too-many-streams" "There are too many event streams",
    /// There are as many imports as there may be.
    TooManyImports SERVICE_UNAVAILABLE "too-many-imports" "There are too many imports",
    /// There are as many uploads as there may be.
    TooManyUploads SERVICE_UNAVAILABLE "too-many-uploads" "There are too many uploads",
    /// The server is stopping.
    Stopping SERVICE_UNAVAILABLE "stopping" "The server is stopping",
    /// The data directory is full.
    NoSpace INSUFFICIENT_STORAGE "no-space" "There is no space left",
    /// The device did not answer in time.
    DeviceTimeout GATEWAY_TIMEOUT "device-timeout" "The device did not answer in time",
}

/// What every `type` begins with.
const TYPE_PREFIX: &str = "urn:rookery:problem:";

/// A problem, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem described by `detail`.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// Adds a member of the problem's type.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = self.members.clone();
        members.insert(
            "type".into(),
            json!(format!("{TYPE_PREFIX}{}", self.kind.name())),
        );
        members.insert("title".into(), json!(self.kind.title()));
        members.insert("status".into(), json!(self.kind.status().as_u16()));
        members.insert("detail".into(), json!(self.detail));
        Value::Object(members)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let mut response = (kind.status(), self.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        match kind.status() {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"rookery\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// How a problem looks, for the OpenAPI document. A type may have further members.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemSchema {
    /// `urn:rookery:problem:` and the name of the problem's type.
    #[serde(rename = "type")]
    kind: String,
    /// The problem's type in words.
    title: String,
    /// Status of the response.
    status: u16,
    /// What was wrong this time, and what is accepted.
    detail: String,
}

impl From<DevicesError> for Problem {
    fn from(error: DevicesError) -> Self {
        let detail = error.to_string();
        match error {
            DevicesError::NotFound { .. } => Self::new(ProblemKind::DeviceNotFound, detail),
            DevicesError::NeverRegistered { .. } => Self::new(ProblemKind::NeverRegistered, detail),
            DevicesError::TooManyTraces(_) => Self::new(ProblemKind::TooManyStreams, detail),
            DevicesError::Cursor(_) => Self::new(ProblemKind::InvalidCursor, detail),
            DevicesError::Invalid(error) => error.into(),
            DevicesError::Engine(error) => error.into(),
            DevicesError::Store(error) => error.into(),
        }
    }
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        let detail = error.to_string();
        match error {
            DeviceError::Endpoint { .. } => Self::new(ProblemKind::InvalidEndpoint, detail),
            DeviceError::EndpointMissing => Self::new(ProblemKind::InvalidDevice, detail),
            DeviceError::EndpointMismatch { member, .. } => {
                Self::new(ProblemKind::EndpointMismatch, detail).with("member", member)
            }
            DeviceError::Credentials(error) => {
                let kind = match error {
                    CredentialsError::Taken { .. } => ProblemKind::CredentialsTaken,
                    CredentialsError::Rule { .. } | CredentialsError::Member { .. } => {
                        ProblemKind::InvalidDevice
                    }
                };
                Self::new(kind, detail).with("member", error.member())
            }
            DeviceError::UnknownProfile { known, .. } => {
                Self::new(ProblemKind::UnknownProfile, detail).with("known", known.first)
            }
            DeviceError::TransportConfiguration(fault) => {
                Self::new(ProblemKind::InvalidDevice, detail).with("member", fault.member)
            }
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Busy => Self::new(
                ProblemKind::EngineBusy,
                "too many commands wait for the engine; try again",
            ),
            EngineError::Stopped => Self::new(ProblemKind::Stopping, "the engine has stopped"),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Busy => ProblemKind::StoreBusy,
            StoreError::Closed => ProblemKind::Stopping,
            StoreError::Failed { .. } => ProblemKind::StoreFailed,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let detail = error.to_string();
        match error {
            TokenError::NotFound { .. } => Self::new(ProblemKind::TokenNotFound, detail),
            TokenError::TooMany => Self::new(ProblemKind::TooManyTokens, detail),
            TokenError::Name => Self::new(ProblemKind::InvalidBody, detail).with("member", "name"),
            TokenError::Random(_) => Self::new(ProblemKind::Internal, detail),
            TokenError::Store(error) => error.into(),
        }
    }
}

impl From<ModelsError> for Problem {
    fn from(error: ModelsError) -> Self {
        let detail = error.to_string();
        match error {
            ModelsError::NotFound { .. } => Self::new(ProblemKind::ModelNotFound, detail),
            ModelsError::BuiltIn { .. } => Self::new(ProblemKind::BuiltInModel, detail),
            ModelsError::Invalid(error) => Self::new(ProblemKind::InvalidModel, detail)
                .with("line", error.line)
                .with("reason", error.refusal.to_string()),
            ModelsError::TooMany => {
                Self::new(ProblemKind::TooManyModels, detail).with("limit", MAX_UPLOADED)
            }
            ModelsError::Cursor(_) => Self::new(ProblemKind::InvalidCursor, detail),
            ModelsError::Store(error) => error.into(),
        }
    }
}

impl From<RpcError> for Problem {
    fn from(error: RpcError) -> Self {
        let detail = error.to_string();
        match error {
            RpcError::Device(error) => error.into(),
            RpcError::NotFound { .. } => Self::new(ProblemKind::RpcNotFound, detail),
            RpcError::Timeout { .. } => Self::new(ProblemKind::DeviceTimeout, detail),
            RpcError::QueueFull(_) | RpcError::DeviceFull | RpcError::Full => {
                Self::new(ProblemKind::TooManyCommands, detail)
            }
            RpcError::Expired { .. } => {
                Self::new(ProblemKind::RpcExpired, detail).with("member", "expirationTime")
            }
            RpcError::Cursor(_) => Self::new(ProblemKind::InvalidCursor, detail),
            RpcError::Engine(error) => error.into(),
            RpcError::Store(error) => error.into(),
        }
    }
}

impl From<AttributesError> for Problem {
    fn from(error: AttributesError) -> Self {
        let detail = error.to_string();
        match error {
            AttributesError::Device(error) => error.into(),
            AttributesError::Refused(fault) => {
                let problem = Self::new(ProblemKind::InvalidAttribute, detail);
                match fault.key() {
                    Some(key) => problem.with("member", key),
                    None => problem,
                }
            }
            AttributesError::Store(error) => error.into(),
        }
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        let detail = error.to_string();
        match error {
            HistoryError::TooMany { .. } => {
                Self::new(ProblemKind::InvalidParameter, detail).with("parameter", "limit")
            }
            HistoryError::Store(error) => error.into(),
        }
    }
}

impl From<ParseModelKeyError> for Problem {
    fn from(error: ParseModelKeyError) -> Self {
        Self::new(ProblemKind::InvalidModelKey, error.to_string())
    }
}

impl From<ProfilesError> for Problem {
    fn from(error: ProfilesError) -> Self {
        let detail = error.to_string();
        match error {
            ProfilesError::NotFound { .. } => Self::new(ProblemKind::ProfileNotFound, detail),
            ProfilesError::Name { .. } => Self::new(ProblemKind::InvalidProfileName, detail),
            ProfilesError::Json(error) => Self::new(ProblemKind::InvalidBody, detail)
                .with("line", error.line())
                .with("column", error.column()),
            ProfilesError::Invalid(faults) => {
                let errors: Vec<_> = faults
                    .first
                    .iter()
                    .map(|fault| json!({"member": fault.member, "detail": fault.detail}))
                    .collect();
                Self::new(ProblemKind::InvalidProfile, detail).with("errors", errors)
            }
            ProfilesError::TooLarge { .. } => {
                Self::new(ProblemKind::BodyTooLarge, detail).with("limit", MAX_BYTES)
            }
            ProfilesError::TooMany => {
                Self::new(ProblemKind::TooManyProfiles, detail).with("limit", MAX_PROFILES)
            }
            ProfilesError::InUse { devices, .. } => {
                Self::new(ProblemKind::ProfileInUse, detail).with("devices", devices)
            }
            ProfilesError::Configured { .. } => Self::new(ProblemKind::ProfileInUse, detail),
            ProfilesError::BuiltIn { .. } => Self::new(ProblemKind::BuiltInProfile, detail),
            ProfilesError::Cursor(_) => Self::new(ProblemKind::InvalidCursor, detail),
            ProfilesError::Engine(_) => Self::new(ProblemKind::TooManyProfiles, detail),
            ProfilesError::Progress(error) => error.into(),
            ProfilesError::Store(error) => error.into(),
        }
    }
}

impl From<TooManyReaders> for Problem {
    fn from(error: TooManyReaders) -> Self {
        Self::new(ProblemKind::TooManyStreams, error.to_string()).with("limit", error.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_what_is_behind_the_api_have_their_own_types() {
        let failed = StoreError::Failed {
            detail: "no space".to_owned(),
        };
        let cases = [
            (Problem::from(EngineError::Busy), "engine-busy", 503),
            (Problem::from(EngineError::Stopped), "stopping", 503),
            (Problem::from(StoreError::Busy), "store-busy", 503),
            (Problem::from(StoreError::Closed), "stopping", 503),
            (Problem::from(failed), "store-failed", 500),
            (Problem::from(TokenError::TooMany), "too-many-tokens", 409),
        ];
        for (problem, name, status) in cases {
            let json = problem.to_json();
            assert_eq!(json["type"], format!("urn:rookery:problem:{name}"));
            assert_eq!(json["status"], status, "{name}");
        }
    }

    #[test]
    fn names_of_types_are_unique() {
        let names: std::collections::BTreeSet<_> =
            ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), ProblemKind::ALL.len());
    }
}
