//! Where an imported profile goes.

use std::sync::Arc;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use hyper::body::Bytes;
use rookery::services::models::Models;
use rookery::services::profiles::{Finding, Profiles, ProfilesError, PutResult};
use serde::Deserialize;

use super::source::Profile;
use crate::cli::data_directory::Owner;
use crate::cli::server_api::{Refused, ServerApi, percent_encoded};

/// A running server, or the store of one that does not run.
pub(super) enum Target {
    Server(ServerApi),
    Store(Arc<Profiles>),
}

/// A profile that was taken.
#[derive(Deserialize)]
pub(super) struct Taken {
    pub(super) name: String,
    /// `created` or `replaced`.
    pub(super) result: String,
    pub(super) warnings: Vec<Finding>,
}

/// Why a profile was not taken.
pub(super) struct Refusals(pub(super) Vec<String>);

impl Target {
    pub(super) async fn new(owner: Owner) -> anyhow::Result<Self> {
        Ok(match owner {
            Owner::Server(api) => Self::Server(api),
            Owner::Nobody { store, profiles } => {
                let models = Arc::new(Models::load(store.clone()).await?);
                Self::Store(Profiles::load(store, models, None, profiles).await?)
            }
        })
    }

    /// Puts the profile. An error is not about the profile.
    pub(super) async fn put(&self, profile: Profile) -> anyhow::Result<Result<Taken, Refusals>> {
        match self {
            Self::Server(api) => through_server(api, profile).await,
            Self::Store(profiles) => into_store(profiles, profile).await,
        }
    }
}

async fn through_server(
    api: &ServerApi,
    profile: Profile,
) -> anyhow::Result<Result<Taken, Refusals>> {
    let path = format!("/api/v1/profiles/{}", percent_encoded(&profile.name));
    let body = Full::new(Bytes::from(profile.configuration.get().to_owned()));
    let response = match api.send(Method::PUT, &path, "application/json", body).await {
        Ok(response) => response,
        Err(error) => {
            return match error.downcast_ref::<Refused>() {
                Some(refused) if refused.status.is_client_error() => {
                    Ok(Err(Refusals(refused.details())))
                }
                _ => Err(error),
            };
        }
    };
    let bytes = response.into_body().collect().await?.to_bytes();
    let taken =
        serde_json::from_slice(&bytes).context("the server's answer is not what it should be")?;
    Ok(Ok(taken))
}

async fn into_store(
    profiles: &Profiles,
    profile: Profile,
) -> anyhow::Result<Result<Taken, Refusals>> {
    match profiles.put(&profile.name, profile.configuration).await {
        Ok(put) => Ok(Ok(Taken {
            name: put.name,
            result: match put.result {
                PutResult::Created => "created".to_owned(),
                PutResult::Replaced => "replaced".to_owned(),
            },
            warnings: put.warnings,
        })),
        Err(ProfilesError::Store(error)) => Err(error.into()),
        Err(ProfilesError::Invalid(faults)) => {
            let mut refusals: Vec<_> = faults.first.iter().map(ToString::to_string).collect();
            if faults.more > 0 {
                refusals.push(format!("and {} more", faults.more));
            }
            Ok(Err(Refusals(refusals)))
        }
        Err(error) => Ok(Err(Refusals(vec![error.to_string()]))),
    }
}
