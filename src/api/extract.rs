//! Parts of a request, each with its problems: endpoint names, query parameters, bodies.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problem::{Problem, ProblemKind};
use super::state::State;
use crate::services::provisioning::check_endpoint;

/// The endpoint name in the path, percent-decoded.
pub(super) struct EndpointName(pub(super) String);

impl FromRequestParts<Arc<State>> for EndpointName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        let Path(endpoint) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(invalid_path)?;
        check_endpoint(&endpoint)?;
        Ok(Self(endpoint))
    }
}

fn invalid_path(rejection: PathRejection) -> Problem {
    let detail = format!("the path is not percent-encoded UTF-8: {rejection}");
    Problem::new(ProblemKind::InvalidEndpoint, detail)
}

/// Query parameters by name.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// The parameters of `uri`, each of them one of `accepted`, none twice.
    pub(super) fn of(uri: &Uri, accepted: &[&str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Problem::new(ProblemKind::InvalidParameter, error.to_string()))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if !accepted.contains(&name.as_str()) {
                let known = if accepted.is_empty() {
                    "none".to_owned()
                } else {
                    accepted.join(", ")
                };
                return Err(refused(&name, format!("is not known; accepted: {known}")));
            }
            if params.insert(name.clone(), value).is_some() {
                return Err(refused(&name, "is given twice"));
            }
        }
        Ok(Self(params))
    }

    /// The parameter as text; an empty one counts as absent.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// The parameter as texts separated by commas.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let parts = text.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// The parameter as one of `choices`.
    pub(super) fn choice<T: DeserializeOwned>(
        &mut self,
        name: &str,
        choices: &[&str],
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        match serde_json::from_value(serde_json::Value::String(value.clone())) {
            Ok(choice) if choices.contains(&value.as_str()) => Ok(Some(choice)),
            _ => Err(refused(
                name,
                format!("is \"{value}\"; accepted: {}", choices.join(", ")),
            )),
        }
    }

    /// The parameter as `true` or `false`; `false` when absent.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.text(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(refused(
                name,
                format!("is \"{value}\"; accepted: true, false"),
            )),
        }
    }

    /// The parameter as a number from `least` to `most`.
    pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
        &mut self,
        name: &str,
        least: T,
        most: T,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        match value.parse::<T>() {
            Ok(number) if number >= least && number <= most => Ok(Some(number)),
            _ => Err(refused(
                name,
                format!("is \"{value}\"; accepted is a whole number from {least} to {most}"),
            )),
        }
    }
}

fn refused(parameter: &str, what: impl std::fmt::Display) -> Problem {
    Problem::new(
        ProblemKind::InvalidParameter,
        format!("query parameter `{parameter}` {what}"),
    )
    .with("parameter", parameter)
}

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<State>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Problem> {
        let bytes = read_body(request, state, &["application/json"]).await?;
        parse_json(&bytes).map(Self)
    }
}

/// An XML document, not parsed.
pub(super) struct XmlBody(pub(super) Bytes);

impl FromRequest<Arc<State>> for XmlBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Problem> {
        let accepted = ["application/xml", "text/xml"];
        read_body(request, state, &accepted).await.map(Self)
    }
}

async fn read_body(request: Request, state: &State, accepted: &[&str]) -> Result<Bytes, Problem> {
    require_media_type(request.headers(), accepted)?;
    let limit = state.options.max_body;
    let stated = content_length(request.headers());
    if stated.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let bytes = to_bytes(request.into_body(), limit).await;
    bytes.map_err(|error| unreadable_body(error, limit))
}

/// Refuses a body that is not declared as one of `accepted`.
pub(super) fn require_media_type(headers: &HeaderMap, accepted: &[&str]) -> Result<(), Problem> {
    let stated = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = stated.split(';').next().unwrap_or_default().trim();
    if accepted
        .iter()
        .any(|name| essence.eq_ignore_ascii_case(name))
    {
        return Ok(());
    }
    let found = if essence.is_empty() {
        "not stated"
    } else {
        essence
    };
    let detail = format!("Content-Type is {found}; accepted: {}", accepted.join(", "));
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).with("accepted", accepted))
}

/// Parses JSON; a problem says where it goes wrong.
pub(super) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = match error.classify() {
            Category::Data => ProblemKind::InvalidBody,
            Category::Io | Category::Syntax | Category::Eof => ProblemKind::InvalidJson,
        };
        Problem::new(kind, error.to_string())
            .with("line", error.line())
            .with("column", error.column())
    })
}

pub(super) fn too_large(limit: usize) -> Problem {
    Problem::new(
        ProblemKind::BodyTooLarge,
        format!("at most {limit} bytes are accepted"),
    )
    .with("limit", limit)
}

fn unreadable_body(error: axum::Error, limit: usize) -> Problem {
    let error = error.into_inner();
    if error.is::<http_body_util::LengthLimitError>() {
        too_large(limit)
    } else {
        Problem::new(ProblemKind::IncompleteBody, error.to_string())
    }
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
