//! Commands kept until the device can be asked, with their results. They survive a restart: a
//! command that was sent before it and not answered is sent again.

use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

use super::ask::Asker;
use super::clock::Clock;
use super::count::{Ended, Mode, count};
use super::{RpcCall, RpcError, ValueFormat};
use crate::proto::time::UnixMillis;
use crate::services::storage::{Store, StoreError};

mod delivery;
mod index;
mod keeper;
mod list;
mod record;
mod retention;

use keeper::Keeper;
pub use list::{MAX_PAGE, RpcPage, RpcQuery};
pub use record::{RpcCommand, RpcState};

/// Commands that may wait for one device.
pub const MAX_PENDING_PER_DEVICE: usize = 100;

/// Finished commands kept of one device; the oldest give way.
pub const MAX_FINISHED_PER_DEVICE: usize = 100;

/// Commands kept of all devices. Finished ones give way to new ones.
pub const MAX_STORED: usize = 1_000_000;

/// How long a finished command is kept, in milliseconds: 7 days.
pub const FINISHED_KEPT_MILLIS: UnixMillis = 7 * 24 * 3_600_000;

/// How long a command may wait when the caller does not say, in milliseconds: 7 days.
pub const DEFAULT_EXPIRATION_MILLIS: UnixMillis = 7 * 24 * 3_600_000;

/// How often a command is sent again when the device did not answer and the caller does not say.
pub const DEFAULT_RETRIES: u32 = 5;

/// Most retries a caller may ask for.
pub const MAX_RETRIES: u32 = 100;

/// A command to be kept.
#[derive(Clone, Debug)]
pub struct NewCommand {
    /// What to ask.
    pub request: RpcCall,
    /// Whether the result is of no interest: the command ends as `DELIVERED`.
    pub oneway: bool,
    /// How long the device has to answer each time, in milliseconds.
    pub timeout_millis: u64,
    /// How values are shown in the response.
    pub format: ValueFormat,
    /// How often to send it again when the device did not answer.
    pub retries: u32,
    /// Until when it may be sent, milliseconds since 1970; [`DEFAULT_EXPIRATION_MILLIS`] from now
    /// when absent.
    pub expiration: Option<UnixMillis>,
    /// Kept with the command.
    pub additional_info: Option<serde_json::Value>,
}

/// The persistent commands. Dropped, it stops delivering; the commands stay in the store.
pub(super) struct Persistent {
    keeper: Arc<Keeper>,
    _alive: watch::Sender<()>,
}

impl Persistent {
    /// Reads the commands in `store` and begins to deliver those that wait.
    pub(super) async fn load(
        asker: Arc<Asker>,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let (alive, stopped) = watch::channel(());
        let keeper = Arc::new(Keeper::new(asker, store, clock, stopped));
        for endpoint in keeper.load().await? {
            delivery::begin(&keeper, &endpoint);
        }
        retention::begin(&keeper);
        Ok(Self {
            keeper,
            _alive: alive,
        })
    }

    pub(super) async fn submit(
        &self,
        endpoint: &str,
        command: NewCommand,
    ) -> Result<Uuid, RpcError> {
        match self.keeper.add(endpoint, command).await {
            Ok(id) => {
                delivery::begin(&self.keeper, endpoint);
                Ok(id)
            }
            Err(error) => {
                count(Mode::Persistent, Ended::of(&error));
                Err(error)
            }
        }
    }

    pub(super) async fn get(&self, id: &str) -> Result<RpcCommand, RpcError> {
        let found = match id.parse() {
            Ok(id) => self.keeper.read(id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| not_found(id))
    }

    pub(super) async fn list(&self, endpoint: &str, query: &RpcQuery) -> Result<RpcPage, RpcError> {
        list::page(&self.keeper, endpoint, query).await
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), RpcError> {
        let removed = match id.parse() {
            Ok(id) => self.keeper.remove(id).await?,
            Err(_) => false,
        };
        if removed { Ok(()) } else { Err(not_found(id)) }
    }

    pub(super) async fn forget(&self, endpoint: &str) -> Result<(), RpcError> {
        Ok(self.keeper.remove_all(endpoint).await?)
    }
}

fn not_found(id: &str) -> RpcError {
    RpcError::NotFound { id: id.to_owned() }
}
