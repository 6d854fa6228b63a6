//! Object definitions in force: those built in, and those uploaded, which take precedence.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::devices::CursorError;
use super::storage::{self, Change, Store, StoreError, Table};
use crate::proto::lwm2m::model;
pub use crate::proto::lwm2m::model::{
    DdfError, ModelKey, ObjectModel, ObjectModels, ParseModelKeyError,
};

mod builtin;
mod stored;
mod view;

pub use builtin::builtin;
use stored::{ReadableModel, StoredModel};
pub use view::{
    ModelPage, ModelSource, ModelSummary, ModelView, ResourceView, UploadResult, UploadedModel,
};

/// Most definitions that may be uploaded.
pub const MAX_UPLOADED: usize = 10_000;

/// Most definitions on a page of the list.
pub const MAX_PAGE: usize = 1_000;

/// Stored definitions read at once.
const CHUNK: usize = 256;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ModelQuery {
    /// Only versions of this Object.
    pub id: Option<u16>,
    /// Most definitions on the page, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// Why an operation on object definitions failed.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// There is no such definition.
    #[error("there is no definition of {key}")]
    NotFound {
        /// Id and version.
        key: ModelKey,
    },
    /// The definition is part of the program.
    #[error("{key} is built in and cannot be removed; one that is uploaded takes its place")]
    BuiltIn {
        /// Id and version.
        key: ModelKey,
    },
    /// The document is refused.
    #[error(transparent)]
    Invalid(#[from] DdfError),
    /// There would be more than [`MAX_UPLOADED`].
    #[error("at most {MAX_UPLOADED} definitions can be uploaded")]
    TooMany,
    /// The cursor is not one of ours.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The object definitions of this server.
pub struct Models {
    store: Arc<dyn Store>,
    set: ArcSwap<Set>,
    /// Held while definitions change, so that followers see every change in order.
    changing: Mutex<Vec<Follower>>,
}

/// Is told the definitions in force.
type Follower = Box<dyn Fn(Arc<ObjectModels>) + Send + Sync>;

/// Definitions at one time.
#[derive(Default)]
struct Set {
    uploaded: BTreeMap<ModelKey, Arc<ObjectModel>>,
    in_force: Arc<ObjectModels>,
}

impl Set {
    fn new(uploaded: BTreeMap<ModelKey, Arc<ObjectModel>>) -> Self {
        let models = builtin().iter().chain(uploaded.values());
        Self {
            in_force: Arc::new(models.cloned().collect()),
            uploaded,
        }
    }

    fn summary(&self, model: &ObjectModel) -> ModelSummary {
        let uploaded = self.uploaded.contains_key(&model.key());
        let overrides = uploaded && builtin::contains(model.key());
        ModelSummary::new(model, uploaded, overrides)
    }
}

impl Models {
    /// Reads the definitions in `store`. One that cannot be read is set aside and counted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let models = Self {
            store,
            set: ArcSwap::default(),
            changing: Mutex::default(),
        };
        models.reload().await?;
        Ok(models)
    }

    /// Reads the definitions in the store again; returns how many are in force.
    ///
    /// # Errors
    /// When the store cannot be read; the definitions in force stay then.
    pub async fn reload(&self) -> Result<usize, StoreError> {
        let followers = self.changing.lock().await;
        let mut uploaded = BTreeMap::new();
        let mut after = None;
        loop {
            let page = storage::scan::<ReadableModel>(
                self.store.as_ref(),
                Table::Models,
                after.as_deref(),
                CHUNK,
            )
            .await?;
            let models = page.records.into_iter().map(|(_, record)| record.model);
            uploaded.extend(models.map(|model| (model.key(), model)));
            after = page.resume_after;
            if after.is_none() {
                break;
            }
        }
        self.put_in_force(uploaded, &followers);
        Ok(self.snapshot().len())
    }

    /// Tells `follower` the definitions in force, now and after every change.
    pub async fn follow(&self, follower: impl Fn(Arc<ObjectModels>) + Send + Sync + 'static) {
        let mut followers = self.changing.lock().await;
        follower(self.snapshot());
        followers.push(Box::new(follower));
    }

    /// The definitions in force now. Later changes make another snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<ObjectModels> {
        self.set.load().in_force.clone()
    }

    /// One page of the definitions in force, by id and version.
    ///
    /// # Errors
    /// [`ModelsError::Cursor`]
    pub fn list(&self, query: &ModelQuery) -> Result<ModelPage, ModelsError> {
        let after = match query.cursor.as_deref() {
            Some(cursor) => Some(cursor.parse().map_err(|_| CursorError)?),
            None => None,
        };
        let set = self.set.load();
        let mut models = set
            .in_force
            .after(after)
            .iter()
            .filter(|model| query.id.is_none_or(|id| id == model.id))
            .peekable();
        let page = models.by_ref().take(query.limit.clamp(1, MAX_PAGE));
        let items: Vec<_> = page.map(|model| set.summary(model)).collect();
        let more = models.peek().is_some();
        Ok(ModelPage {
            next: items.last().filter(|_| more).map(|last| last.key.clone()),
            items,
        })
    }

    /// One definition.
    ///
    /// # Errors
    /// [`ModelsError::NotFound`]
    pub fn get(&self, key: ModelKey) -> Result<ModelView, ModelsError> {
        let set = self.set.load();
        let model = set.in_force.exact(key);
        let model = model.ok_or(ModelsError::NotFound { key })?;
        Ok(ModelView::new(set.summary(model), model))
    }

    /// Takes the definitions in an XML document, all of them or none. They replace those of the
    /// same Objects and versions.
    ///
    /// # Errors
    /// The document is refused, there are too many definitions, or the store failed.
    pub async fn upload(&self, document: &[u8]) -> Result<Vec<UploadedModel>, ModelsError> {
        let definitions = model::read(document)?;
        let changes = definitions.iter().map(|definition| {
            let record = StoredModel::new(&document[definition.source.clone()]);
            Change::put(Table::Models, definition.model.key().to_string(), &record)
        });
        let changes = changes.collect::<Result<Vec<_>, _>>()?;

        let followers = self.changing.lock().await;
        let mut uploaded = self.set.load().uploaded.clone();
        let mut results = Vec::with_capacity(definitions.len());
        for definition in definitions {
            let model = Arc::new(definition.model);
            let before = uploaded.insert(model.key(), model.clone());
            results.push(UploadedModel::new(&model, before.is_some()));
        }
        if uploaded.len() > MAX_UPLOADED {
            return Err(ModelsError::TooMany);
        }
        self.store.write(changes).await?;
        self.put_in_force(uploaded, &followers);
        Ok(results)
    }

    /// Removes an uploaded definition; one built in with the same key is in force again.
    ///
    /// # Errors
    /// [`ModelsError::NotFound`], [`ModelsError::BuiltIn`], or the store failed.
    pub async fn delete(&self, key: ModelKey) -> Result<(), ModelsError> {
        let followers = self.changing.lock().await;
        let mut uploaded = self.set.load().uploaded.clone();
        if uploaded.remove(&key).is_none() {
            return Err(if builtin::contains(key) {
                ModelsError::BuiltIn { key }
            } else {
                ModelsError::NotFound { key }
            });
        }
        let change = Change::Delete {
            table: Table::Models,
            key: key.to_string(),
        };
        self.store.write(vec![change]).await?;
        self.put_in_force(uploaded, &followers);
        Ok(())
    }

    fn put_in_force(&self, uploaded: BTreeMap<ModelKey, Arc<ObjectModel>>, followers: &[Follower]) {
        self.set.store(Arc::new(Set::new(uploaded)));
        for follower in followers {
            follower(self.snapshot());
        }
    }
}

#[cfg(test)]
mod tests;
