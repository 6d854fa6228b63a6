//! Where imported definitions go.

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use rookery::services::models::{Models, ModelsError};
use serde::Deserialize;

use crate::cli::data_directory::Owner;
use crate::cli::server_api::{Refused, ServerApi};

/// A running server, or the store of one that does not run.
pub(super) enum Target {
    Server(ServerApi),
    Store(Models),
}

/// A definition that was taken.
#[derive(Deserialize)]
pub(super) struct Taken {
    pub(super) key: String,
    pub(super) name: String,
    /// `created` or `replaced`.
    pub(super) result: String,
}

/// What is in a document, or why it is refused.
pub(super) type Outcome = Result<Vec<Taken>, String>;

#[derive(Deserialize)]
struct Answer {
    items: Vec<Taken>,
}

impl Target {
    pub(super) async fn new(owner: Owner) -> anyhow::Result<Self> {
        Ok(match owner {
            Owner::Server(api) => Self::Server(api),
            Owner::Nobody { store, .. } => Self::Store(Models::load(store).await?),
        })
    }

    /// Uploads a document. An error is not about the document: going on is of no use.
    pub(super) async fn upload(&self, document: Vec<u8>) -> anyhow::Result<Outcome> {
        match self {
            Self::Server(api) => through_server(api, document).await,
            Self::Store(models) => into_store(models, &document).await,
        }
    }
}

async fn through_server(api: &ServerApi, document: Vec<u8>) -> anyhow::Result<Outcome> {
    let body = Full::new(Bytes::from(document));
    let path = "/api/v1/models";
    let response = match api.send(Method::POST, path, "application/xml", body).await {
        Ok(response) => response,
        Err(error) => {
            return match error.downcast_ref::<Refused>() {
                Some(refused) if refused.status.is_client_error() => Ok(Err(refused.to_string())),
                _ => Err(error),
            };
        }
    };
    let bytes = response.into_body().collect().await?.to_bytes();
    let answer: Answer =
        serde_json::from_slice(&bytes).context("the server's answer is not what it should be")?;
    Ok(Ok(answer.items))
}

async fn into_store(models: &Models, document: &[u8]) -> anyhow::Result<Outcome> {
    match models.upload(document).await {
        Ok(uploaded) => {
            let taken = uploaded.into_iter().map(|model| Taken {
                key: model.key,
                name: model.name,
                result: model.result.name().to_owned(),
            });
            Ok(Ok(taken.collect()))
        }
        Err(ModelsError::Store(error)) => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}
