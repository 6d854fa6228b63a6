//! Device profiles: ThingsBoard's LwM2M transport configurations by name. Kept as they came, checked,
//! compiled for the engine.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::devices::CursorError;
use super::engine::{Engine, ProfileId, ProfileParts, RolloutView};
use super::models::Models;
use super::storage::{self, Change, Store, StoreError, Table};

mod bootstrap;
mod bootstrap_objects;
mod certificates;
mod compile;
mod configuration;
mod error;
mod findings;
mod history;
mod json;
mod members;
mod observe_attr;
mod paths;
mod power;
mod settings;
mod types;
mod view;

pub use bootstrap::{BootstrapServer, ServerPorts};
pub use bootstrap_objects::{BootstrapPlan, device_objects};
pub use certificates::{is_certificate, is_public_key};
pub use error::{ProfilesError, check_name};
pub use findings::{Faults, Finding};
pub use history::History;
pub use power::device_power;
pub use settings::UpdateSettings;
pub use view::{KnownProfiles, ProfilePage, ProfileSummary, PutProfile, PutResult};

use configuration::Configuration;
use findings::Findings;
use json::Node;

/// Name of the built-in profile.
pub const DEFAULT: &str = "default";

/// Most profiles, the built-in one included.
pub const MAX_PROFILES: usize = 10_000;

/// Longest transport configuration in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Longest name of a profile in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Most profiles on a page of the list.
pub const MAX_PAGE: usize = 1_000;

/// Stored profiles read at once.
const CHUNK: usize = 64;

/// Names told to whoever named a profile that is not there.
const NAMES_TOLD: usize = 20;

const BUILT_IN: &str = include_str!("profiles/default.json");

/// What the profiles of a server depend on.
#[derive(Clone, Debug)]
pub struct ProfileSettings {
    /// Where devices reach the server.
    pub ports: ServerPorts,
    /// The profile of devices that name none.
    pub of_unnamed: String,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ProfileQuery {
    /// Most profiles on the page, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A profile in the store, under its name.
#[derive(Deserialize, Serialize)]
struct StoredProfile {
    /// As it came.
    configuration: Box<RawValue>,
}

/// What is known of a profile without reading it again.
struct Entry {
    /// Number in the engine.
    id: ProfileId,
    parts: ProfileParts,
    history: History,
    updates: UpdateSettings,
    bootstrap: Arc<BootstrapPlan>,
    summary: ProfileSummary,
}

/// The device profiles of this server.
pub struct Profiles {
    store: Arc<dyn Store>,
    models: Arc<Models>,
    /// `None` where no engine runs.
    engine: Option<Arc<dyn Engine>>,
    settings: ProfileSettings,
    entries: RwLock<BTreeMap<String, Entry>>,
    /// Taken for reading by whoever relies on a profile to stay.
    changing: tokio::sync::RwLock<()>,
}

impl Profiles {
    /// Reads the profiles in `store` and puts them in force in `engine`. What this version would
    /// refuse in one of them is left out with a warning; one that cannot be read at all is set aside.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(
        store: Arc<dyn Store>,
        models: Arc<Models>,
        engine: Option<Arc<dyn Engine>>,
        settings: ProfileSettings,
    ) -> Result<Arc<Self>, StoreError> {
        let profiles = Arc::new(Self {
            store,
            models,
            engine,
            settings,
            entries: RwLock::default(),
            changing: tokio::sync::RwLock::default(),
        });
        profiles.read_store().await?;
        // Held weakly: the models are held by the profiles.
        let following = Arc::downgrade(&profiles);
        let follow = move |_| {
            if let Some(profiles) = following.upgrade() {
                profiles.retype();
            }
        };
        profiles.models.follow(follow).await;
        Ok(profiles)
    }

    /// Whether there is a profile of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.entries().contains_key(name)
    }

    /// Number of a profile in the engine.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<ProfileId> {
        Some(self.entries().get(name)?.id)
    }

    /// Which telemetry values of its devices are kept; none when there is no such profile.
    #[must_use]
    pub fn history(&self, name: &str) -> History {
        self.entries()
            .get(name)
            .map_or(History::None, |entry| entry.history)
    }

    /// How its devices are updated; as ThingsBoard's defaults say when there is no such profile.
    #[must_use]
    pub fn update_settings(&self, name: &str) -> UpdateSettings {
        let entries = self.entries();
        let entry = entries.get(name);
        entry.map_or_else(UpdateSettings::default, |entry| entry.updates.clone())
    }

    /// What devices of a profile are told when they bootstrap; `None` when there is no such profile.
    #[must_use]
    pub fn bootstrap(&self, name: &str) -> Option<Arc<BootstrapPlan>> {
        Some(Arc::clone(&self.entries().get(name)?.bootstrap))
    }

    /// The profile of devices that name none.
    #[must_use]
    pub fn of_unnamed(&self) -> &str {
        &self.settings.of_unnamed
    }

    /// Some of the names.
    #[must_use]
    pub fn known(&self) -> KnownProfiles {
        let entries = self.entries();
        let first: Vec<_> = entries.keys().take(NAMES_TOLD).cloned().collect();
        let more = entries.len() - first.len();
        KnownProfiles { first, more }
    }

    /// While this is held no profile goes.
    pub async fn steady(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.changing.read().await
    }

    /// One page of the profiles, by name.
    ///
    /// # Errors
    /// [`ProfilesError::Cursor`], or the engine is busy.
    pub async fn list(&self, query: &ProfileQuery) -> Result<ProfilePage, ProfilesError> {
        let progress = match &self.engine {
            Some(engine) => engine.progress().await?,
            None => HashMap::new(),
        };
        self.page(query, &progress)
    }

    /// How far the registered devices of a profile are with it.
    ///
    /// # Errors
    /// [`ProfilesError::NotFound`], or the engine is busy.
    pub async fn rollout(&self, name: &str) -> Result<RolloutView, ProfilesError> {
        let id = self.id(name).ok_or_else(|| ProfilesError::NotFound {
            name: name.to_owned(),
        })?;
        Ok(match &self.engine {
            Some(engine) => engine.progress().await?.remove(&id).unwrap_or_default(),
            None => RolloutView::default(),
        })
    }

    fn page(
        &self,
        query: &ProfileQuery,
        progress: &HashMap<ProfileId, RolloutView>,
    ) -> Result<ProfilePage, ProfilesError> {
        let after = query.cursor.as_deref().map(name_after).transpose()?;
        let after = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries();
        let mut entries = entries.range::<str, _>((after, Bound::Unbounded));
        let page = entries.by_ref().take(query.limit.clamp(1, MAX_PAGE));
        let summary = |entry: &Entry| ProfileSummary {
            rollout: progress.get(&entry.id).copied().unwrap_or_default(),
            ..self.summary(entry)
        };
        let items: Vec<_> = page.map(|(_, entry)| summary(entry)).collect();
        let more = entries.next().is_some();
        let last = items.last().filter(|_| more);
        Ok(ProfilePage {
            next: last.map(|last| BASE64URL_NOPAD.encode(last.name.as_bytes())),
            items,
        })
    }

    /// The transport configuration of a profile, as it came.
    ///
    /// # Errors
    /// [`ProfilesError::NotFound`], or the store failed.
    pub async fn get(&self, name: &str) -> Result<String, ProfilesError> {
        let not_found = || ProfilesError::NotFound {
            name: name.to_owned(),
        };
        let built_in = match self.entries().get(name) {
            None => return Err(not_found()),
            Some(entry) => entry.summary.built_in,
        };
        if built_in {
            return Ok(BUILT_IN.to_owned());
        }
        let store = self.store.as_ref();
        let stored = storage::read::<StoredProfile>(store, Table::Profiles, name).await?;
        let stored = stored.ok_or_else(not_found)?;
        Ok(stored.configuration.get().to_owned())
    }

    /// Keeps a transport configuration under a name and puts it in force.
    ///
    /// # Errors
    /// It is refused, there are too many, or the store failed.
    pub async fn put(
        &self,
        name: &str,
        configuration: Box<RawValue>,
    ) -> Result<PutProfile, ProfilesError> {
        check_name(name)?;
        let bytes = configuration.get().len();
        if bytes > MAX_BYTES {
            return Err(ProfilesError::TooLarge { bytes });
        }
        let node = serde_json::from_str(configuration.get()).map_err(ProfilesError::Json)?;
        let (read, findings) = self.read(&node);
        if !findings.errors.first.is_empty() {
            return Err(ProfilesError::Invalid(findings.errors));
        }

        let _changing = self.changing.write().await;
        let known = self.contains(name);
        if !known && self.entries().len() == MAX_PROFILES {
            return Err(ProfilesError::TooMany);
        }
        let store = self.store.as_ref();
        let before = storage::read::<StoredProfile>(store, Table::Profiles, name).await?;
        let record = StoredProfile { configuration };
        self.write(name, Some(&record)).await?;
        if let Err(refused) = self.enforce(name, false, &read) {
            self.write(name, before.as_ref()).await?;
            return Err(refused.into());
        }
        Ok(PutProfile {
            name: name.to_owned(),
            result: if known {
                PutResult::Replaced
            } else {
                PutResult::Created
            },
            warnings: findings.warnings,
        })
    }

    /// Removes a profile. In the place of `default` the built-in one comes back.
    ///
    /// # Errors
    /// There is none, it is needed, or the store failed.
    pub async fn delete(&self, name: &str) -> Result<(), ProfilesError> {
        let _changing = self.changing.write().await;
        let summary = match self.entries().get(name) {
            Some(entry) => self.summary(entry),
            None => {
                let name = name.to_owned();
                return Err(ProfilesError::NotFound { name });
            }
        };
        let name = summary.name;
        if summary.built_in {
            return Err(ProfilesError::BuiltIn { name });
        }
        if name == DEFAULT {
            // In force first: that can be refused, and then nothing has changed.
            self.enforce(DEFAULT, true, &self.built_in())?;
            return Ok(self.write(DEFAULT, None).await?);
        }
        if summary.devices > 0 {
            let devices = summary.devices;
            return Err(ProfilesError::InUse { name, devices });
        }
        if name == self.settings.of_unnamed {
            return Err(ProfilesError::Configured { name });
        }
        self.write(&name, None).await?;
        self.entries_mut().remove(&name);
        if let Some(engine) = &self.engine {
            engine.remove_profile(&name);
        }
        Ok(())
    }

    async fn read_store(&self) -> Result<(), StoreError> {
        let mut read = vec![(DEFAULT.to_owned(), true, self.built_in())];
        let mut after = None;
        loop {
            let store = self.store.as_ref();
            let page =
                storage::scan::<StoredProfile>(store, Table::Profiles, after.as_deref(), CHUNK)
                    .await?;
            for (name, stored) in page.records {
                let Ok(node) = serde_json::from_str(stored.configuration.get()) else {
                    tracing::warn!(name, "a stored profile cannot be read");
                    continue;
                };
                let (configuration, findings) = self.read(&node);
                for fault in &findings.errors.first {
                    tracing::warn!(name, %fault, "left out of a stored profile");
                }
                if name == DEFAULT {
                    read.clear();
                }
                read.push((name, false, configuration));
            }
            after = page.resume_after;
            if after.is_none() {
                break;
            }
        }
        self.enforce_all(read).map_err(|error| StoreError::Failed {
            detail: error.to_string(),
        })
    }

    /// Puts a configuration in force.
    fn enforce(
        &self,
        name: &str,
        built_in: bool,
        configuration: &Configuration,
    ) -> Result<(), super::engine::ProfileError> {
        self.enforce_all(vec![(name.to_owned(), built_in, configuration.clone())])
    }

    fn enforce_all(
        &self,
        profiles: Vec<(String, bool, Configuration)>,
    ) -> Result<(), super::engine::ProfileError> {
        // Locked first: definitions that change meanwhile find the new entries.
        let mut entries = self.entries_mut();
        let models = self.models.snapshot();
        let parts: Vec<_> = profiles
            .iter()
            .map(|(name, _, configuration)| compile::compile(name, configuration, &models))
            .collect();
        let ids = match &self.engine {
            Some(engine) => engine.put_profiles(parts.clone())?,
            None => vec![ProfileId::default(); parts.len()],
        };
        for (((name, built_in, configuration), parts), id) in
            profiles.into_iter().zip(parts).zip(ids)
        {
            let summary = view::summary(&name, built_in, &configuration);
            let entry = Entry {
                id,
                parts,
                history: configuration.extensions.history,
                updates: configuration.updates,
                bootstrap: configuration.bootstrap.into(),
                summary,
            };
            entries.insert(name, entry);
        }
        Ok(())
    }

    /// Takes over what other definitions say of the types of Resources.
    fn retype(&self) {
        let mut entries = self.entries_mut();
        let models = self.models.snapshot();
        let changed: Vec<_> = entries
            .values_mut()
            .filter_map(|entry| {
                let changed = compile::set_types(&mut entry.parts, &models);
                changed.then(|| entry.parts.clone())
            })
            .collect();
        if let Some(engine) = self.engine.as_ref().filter(|_| !changed.is_empty())
            && let Err(error) = engine.put_profiles(changed)
        {
            tracing::error!(%error, "profiles do not know the changed object definitions");
        }
    }

    fn read(&self, node: &Node) -> (Configuration, Findings) {
        let mut findings = Findings::default();
        let models = self.models.snapshot();
        let ports = self.settings.ports;
        let configuration = configuration::read(node, &models, ports, &mut findings);
        (configuration, findings)
    }

    fn built_in(&self) -> Configuration {
        let node = serde_json::from_str(BUILT_IN);
        let node = node.unwrap_or_else(|error| unreachable!("default.json is tested: {error}"));
        self.read(&node).0
    }

    /// Keeps a record, or removes it.
    async fn write(&self, name: &str, record: Option<&StoredProfile>) -> Result<(), StoreError> {
        let change = match record {
            Some(record) => Change::put(Table::Profiles, name, record)?,
            None => Change::Delete {
                table: Table::Profiles,
                key: name.to_owned(),
            },
        };
        self.store.write(vec![change]).await.map(drop)
    }

    fn summary(&self, entry: &Entry) -> ProfileSummary {
        let engine = self.engine.as_ref();
        ProfileSummary {
            devices: engine.map_or(0, |engine| engine.profile_users(entry.id)),
            ..entry.summary.clone()
        }
    }

    fn entries(&self) -> RwLockReadGuard<'_, BTreeMap<String, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name_after(cursor: &str) -> Result<String, CursorError> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes());
    let bytes = bytes.map_err(|_| CursorError)?;
    String::from_utf8(bytes).map_err(|_| CursorError)
}

#[cfg(test)]
mod tests;
