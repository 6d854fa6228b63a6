//! Shared attributes: values the server sets for a device. One that the profile maps to a Resource
//! is written to the device, at once or when the device registers or wakes up.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::watch;

use super::devices::{Devices, DevicesError};
use super::engine::Engine;
use super::models::Models;
use super::rpc::Clock;
use super::storage::{Store, StoreError};

mod delivery;
mod keeper;
mod record;
mod rules;

pub use record::{SharedAttribute, SharedAttributes, Write, WriteState};
pub use rules::{AttributeFault, RESERVED};

use keeper::Keeper;
use serde_json::{Map, Value};

/// Most shared attributes of a device.
pub const MAX_ATTRIBUTES: usize = 200;

/// Longest name of a shared attribute, in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// Most bytes that the shared attributes of a device take as JSON.
pub const MAX_BYTES: usize = 256 * 1024;

/// Why shared attributes could not be shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum AttributesError {
    /// There is no such device, or the device service failed.
    #[error(transparent)]
    Device(#[from] DevicesError),
    /// An attribute is refused; nothing was changed.
    #[error(transparent)]
    Refused(#[from] AttributeFault),
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The shared attributes of all devices. Dropped, it stops writing; what waits stays in the store.
pub struct Attributes {
    keeper: Arc<Keeper>,
    devices: Arc<Devices>,
    _alive: watch::Sender<()>,
}

impl Attributes {
    /// Reads the attributes in `store`; what waits for a device is written from now on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(
        engine: Arc<dyn Engine>,
        devices: Arc<Devices>,
        models: Arc<Models>,
        store: Arc<dyn Store>,
    ) -> Result<Self, StoreError> {
        Self::load_with_clock(engine, devices, models, store, Clock::system()).await
    }

    async fn load_with_clock(
        engine: Arc<dyn Engine>,
        devices: Arc<Devices>,
        models: Arc<Models>,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let (alive, stopped) = watch::channel(());
        let keeper = Arc::new(Keeper::new(engine, models, store, clock, stopped));
        follow_arrivals(&keeper);
        for endpoint in keeper.load().await? {
            delivery::begin(&keeper, &endpoint);
        }
        Ok(Self {
            keeper,
            devices,
            _alive: alive,
        })
    }

    /// The shared attributes of a device.
    ///
    /// # Errors
    /// There is no such device, or the store failed.
    pub async fn get(&self, endpoint: &str) -> Result<SharedAttributes, AttributesError> {
        self.devices.require(endpoint).await?;
        Ok(self.keeper.read(endpoint).await?)
    }

    /// Creates or changes shared attributes, all of them or none; returns all that the device has
    /// now.
    ///
    /// # Errors
    /// There is no such device, one of them is refused, or the store failed.
    pub async fn put(
        &self,
        endpoint: &str,
        values: Map<String, Value>,
    ) -> Result<SharedAttributes, AttributesError> {
        rules::check(&values)?;
        self.devices.require(endpoint).await?;
        let changed = self.keeper.put(endpoint, values).await?;
        // The device may have been removed in between.
        if let Err(error) = self.devices.require(endpoint).await {
            self.forget(endpoint).await?;
            return Err(error.into());
        }
        delivery::begin(&self.keeper, endpoint);
        Ok(changed)
    }

    /// Removes shared attributes; those that are not there are passed over. The device keeps the
    /// value it has. Returns what is left.
    ///
    /// # Errors
    /// There is no such device, or the store failed.
    pub async fn delete(
        &self,
        endpoint: &str,
        keys: &[String],
    ) -> Result<SharedAttributes, AttributesError> {
        self.devices.require(endpoint).await?;
        let left = self.keeper.delete(endpoint, keys).await?;
        Ok(left)
    }

    /// Removes the attributes of a device that is removed.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn forget(&self, endpoint: &str) -> Result<(), StoreError> {
        self.keeper.forget(endpoint).await
    }
}

/// A device that registers may have lost what was written before.
fn follow_arrivals(keeper: &Arc<Keeper>) {
    let keeper = keeper.clone();
    let mut arrivals = keeper.engine.arrivals();
    let mut stopped = keeper.stopped.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => return,
                arrived = arrivals.next() => match arrived {
                    Some(endpoint) => delivery::begin(&keeper, &endpoint),
                    None => return,
                },
            }
        }
    });
}
