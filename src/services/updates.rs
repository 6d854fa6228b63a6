//! Updates over the air: which package a device or the devices of a profile are assigned, and how
//! far they are. The engine updates devices that are there; this hands it what to update them to,
//! and keeps how it ended.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Notify, mpsc, watch};

use super::devices::{Devices, DevicesError};
use super::endpoint_locks::EndpointLocks;
use super::engine::{Engine, EngineError};
use super::packages::{Package, PackageError, PackageType, Packages};
use super::profiles::{Profiles, ProfilesError};
use super::rpc::Clock;
use super::storage::{self, Store, StoreError, Table};

mod assign;
mod follow;
mod keeper;
mod latest;
mod record;
mod show;
mod target;

pub(in crate::services) use assign::Begun;
pub use record::{AssignedBy, Ended, Outcome};
pub use show::{DeviceUpdate, ProfileUpdate};

use record::{DeviceRecord, ProfileRecord};

/// Stored records read at once.
const CHUNK: usize = 500;

/// Devices looked at at the same time.
const AT_ONCE: usize = 64;

/// Why something with updates did not work.
#[derive(Debug, thiserror::Error)]
pub enum UpdatesError {
    /// Nothing is assigned.
    #[error("no {kind} package is assigned to {whom}")]
    NothingAssigned {
        /// Firmware or software.
        kind: &'static str,
        /// The device or profile, in words.
        whom: String,
    },
    /// There is no such device, or the device service failed.
    #[error(transparent)]
    Device(#[from] DevicesError),
    /// There is no such profile, or the profile service failed.
    #[error(transparent)]
    Profile(#[from] ProfilesError),
    /// The body names a package that there is not.
    #[error(
        "there is no package \"{id}\"; `rookery packages list` or GET /api/v1/packages names them"
    )]
    UnknownPackage {
        /// The id.
        id: String,
    },
    /// The package cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The engine did not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What campaigns are told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum News {
    /// An update that a campaign began is over.
    Ended {
        /// The campaign.
        campaign: String,
        /// Endpoint client name.
        endpoint: Arc<str>,
        /// How it ended.
        outcome: Outcome,
    },
    /// A device that was [watched](Updates::watch) registered.
    Registered(Arc<str>),
    /// A watched device may have registered without being told.
    Missed,
}

/// The updates of all devices. Dropped, it begins no more; what runs goes on in the engine.
pub struct Updates {
    inner: Arc<Inner>,
    alive: watch::Sender<()>,
}

struct Inner {
    engine: Arc<dyn Engine>,
    devices: Arc<Devices>,
    profiles: Arc<Profiles>,
    packages: Arc<Packages>,
    store: Arc<dyn Store>,
    clock: Clock,
    changing: EndpointLocks,
    /// Packages of updates that are not over, by endpoint and type.
    open: Mutex<HashMap<Arc<str>, [Option<String>; 2]>>,
    of_profiles: RwLock<HashMap<String, ProfileRecord>>,
    changing_profiles: tokio::sync::Mutex<()>,
    /// Devices whose next Register campaigns wait for.
    watched: Mutex<HashSet<Box<str>>>,
    /// How many campaigns need a package.
    claimed: Mutex<HashMap<String, usize>>,
    news: Mutex<Option<mpsc::UnboundedSender<News>>>,
    /// Something is to be followed that was not, or is not any more.
    wanted: Notify,
}

impl Updates {
    /// Reads the assignments in `store` and hands the engine, best before it runs, what was under way.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(
        engine: Arc<dyn Engine>,
        devices: Arc<Devices>,
        profiles: Arc<Profiles>,
        packages: Arc<Packages>,
        store: Arc<dyn Store>,
    ) -> Result<Self, StoreError> {
        let inner = Inner {
            engine,
            devices,
            profiles,
            packages,
            store,
            clock: Clock::system(),
            changing: EndpointLocks::default(),
            open: Mutex::default(),
            of_profiles: RwLock::default(),
            changing_profiles: tokio::sync::Mutex::default(),
            watched: Mutex::default(),
            claimed: Mutex::default(),
            news: Mutex::default(),
            wanted: Notify::new(),
        };
        inner.load_profiles().await?;
        inner.load_devices().await?;
        let alive = watch::Sender::new(());
        Ok(Self {
            inner: Arc::new(inner),
            alive,
        })
    }

    /// Begins to follow what devices do. To be called once, when the engine runs.
    pub fn start(&self) {
        tokio::spawn(follow::run(self.inner.clone(), self.alive.subscribe()));
    }

    /// What campaigns are told from now on. For one reader.
    pub(super) fn news(&self) -> mpsc::UnboundedReceiver<News> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *locked(&self.inner.news) = Some(sender);
        receiver
    }

    /// Has the next Register of a device told.
    pub(super) fn watch(&self, endpoint: &str) {
        locked(&self.inner.watched).insert(endpoint.into());
        self.inner.wanted.notify_one();
    }

    /// Takes [`Self::watch`] back.
    pub(super) fn unwatch(&self, endpoint: &str) {
        locked(&self.inner.watched).remove(endpoint);
        self.inner.wanted.notify_one();
    }

    /// Keeps a package from being deleted while a campaign needs it.
    pub(super) fn claim(&self, package: &str) {
        *locked(&self.inner.claimed)
            .entry(package.to_owned())
            .or_default() += 1;
    }

    /// Takes one [`Self::claim`] back.
    pub(super) fn release(&self, package: &str) {
        let mut claimed = locked(&self.inner.claimed);
        if let Some(count) = claimed.get_mut(package) {
            *count -= 1;
            if *count == 0 {
                claimed.remove(package);
            }
        }
    }

    /// The package named in a body.
    pub(super) fn package(
        &self,
        id: &str,
        wanted: Option<PackageType>,
    ) -> Result<Arc<Package>, UpdatesError> {
        self.inner.package(id, wanted)
    }

    /// Removes a package. Updates to it that are not over fail with `force`; without it they keep the
    /// package.
    ///
    /// # Errors
    /// There is none, it is in use, or the store failed.
    pub async fn delete_package(&self, id: &str, force: bool) -> Result<(), UpdatesError> {
        let inner = &self.inner;
        let package = inner.packages.get(id)?;
        let devices = inner.devices_updated_to(id);
        let profiles = inner.profiles_with(id);
        let campaigns = locked(&inner.claimed).get(id).copied().unwrap_or_default();
        let is_needed = !devices.is_empty() || !profiles.is_empty() || campaigns > 0;
        if is_needed && !force {
            let users = format!(
                "{} devices, {} profiles, {campaigns} campaigns",
                devices.len(),
                profiles.len()
            );
            return Err(PackageError::InUse { users }.into());
        }
        inner.packages.delete(id).await?;
        for profile in profiles {
            inner
                .put_profile(&profile, package.package_type, None)
                .await?;
        }
        for endpoint in devices {
            let ended = Outcome::failed("the package was deleted");
            inner
                .end(&endpoint, package.package_type, id, ended)
                .await?;
        }
        Ok(())
    }
}

impl Inner {
    async fn load_profiles(&self) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        loop {
            let (store, table) = (self.store.as_ref(), Table::ProfileUpdates);
            let page =
                storage::scan::<ProfileRecord>(store, table, after.as_deref(), CHUNK).await?;
            let mut of_profiles = self
                .of_profiles
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            of_profiles.extend(page.records);
            drop(of_profiles);
            after = page.resume_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn load_devices(&self) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        loop {
            let (store, table) = (self.store.as_ref(), Table::DeviceUpdates);
            let page = storage::scan::<DeviceRecord>(store, table, after.as_deref(), CHUNK).await?;
            for (endpoint, record) in page.records {
                self.note_open(&endpoint, &record);
                for kind in [PackageType::Firmware, PackageType::Software] {
                    if let Some(package) = &record.of(kind).given {
                        self.give_again(&endpoint, kind, package).await;
                    }
                }
            }
            after = page.resume_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn package(&self, id: &str, wanted: Option<PackageType>) -> Result<Arc<Package>, UpdatesError> {
        let package = self.packages.get(id);
        let package = package.map_err(|_| UpdatesError::UnknownPackage { id: id.to_owned() })?;
        match wanted {
            Some(wanted) if wanted != package.package_type => Err(PackageError::WrongType {
                id: id.to_owned(),
                found: package.package_type,
                wanted,
            }
            .into()),
            _ => Ok(package),
        }
    }

    fn tell(&self, news: News) {
        if let Some(sender) = &*locked(&self.news) {
            // Without campaigns nobody is there to be told.
            let _ = sender.send(news);
        }
    }
}

/// Where the files of packages are in a data directory.
#[must_use]
pub fn packages_directory(data: &Path) -> std::path::PathBuf {
    data.join("packages")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
