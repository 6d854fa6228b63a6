//! The data directory of a server that may be running: a running one has the store open and
//! answers on a socket file, of a stopped one the store can be opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rookery::services::profiles::ProfileSettings;
use rookery::store::{EmbeddedState, EmbeddedStore, OpenError};

use super::arguments::Place;
use super::configuration;
use super::server_api::ServerApi;

/// Who answers for the data directory.
pub(super) enum Owner {
    /// A running server.
    Server(ServerApi),
    /// Nobody: this is the store, opened.
    Nobody {
        store: Arc<EmbeddedStore>,
        profiles: ProfileSettings,
    },
}

/// Name of the socket file for requests of those who own the data directory.
pub(super) fn socket_file(directory: &Path) -> PathBuf {
    directory.join("rookery.sock")
}

/// Finds out who answers for the data directory of `place`.
pub(super) async fn owner(place: &Place) -> anyhow::Result<Owner> {
    let config = configuration::load(place, false)?.config;
    let profiles = configuration::profile_settings(&config);
    let directory = config.store.path;
    let api = ServerApi::local(socket_file(&directory));
    if api.answers().await {
        return Ok(Owner::Server(api));
    }
    let store = EmbeddedStore::open(&directory).map_err(|error| match error {
        OpenError::InUse { .. } => anyhow::Error::new(error).context(format!(
            "a server runs on {}, but does not answer on {}",
            directory.display(),
            socket_file(&directory).display()
        )),
        other => other.into(),
    })?;
    Ok(Owner::Nobody {
        store: Arc::new(store),
        profiles,
    })
}

/// Opens the store of a server about to run.
pub(super) fn open_store(directory: &Path) -> anyhow::Result<EmbeddedStore> {
    EmbeddedStore::open(directory).with_context(|| {
        format!(
            "cannot use the data directory {} (`path` under [store], --data)",
            directory.display()
        )
    })
}

/// Opens the state of devices of a server about to run.
pub(super) fn open_state(directory: &Path) -> anyhow::Result<EmbeddedState> {
    EmbeddedState::open(directory).with_context(|| {
        format!(
            "cannot use the data directory {} (`path` under [store], --data)",
            directory.display()
        )
    })
}

/// Opens what a server that does not run has in its data directory, which must exist.
pub(super) fn open_offline(place: &Place) -> anyhow::Result<(EmbeddedStore, EmbeddedState)> {
    let directory = configuration::load(place, false)?.config.store.path;
    if !directory.is_dir() {
        bail!(
            "there is no data directory {}: --data DIR or --config FILE says where it is",
            directory.display()
        );
    }
    open_or_create_offline(place)
}

/// The same, of a server that may never have run.
pub(super) fn open_or_create_offline(
    place: &Place,
) -> anyhow::Result<(EmbeddedStore, EmbeddedState)> {
    let directory = configuration::load(place, false)?.config.store.path;
    let stop_first = "stop the server first: it has the data directory open";
    let store = EmbeddedStore::open(&directory).map_err(|error| match error {
        OpenError::InUse { .. } => anyhow::Error::new(error).context(stop_first),
        other => other.into(),
    })?;
    Ok((store, open_state(&directory)?))
}
