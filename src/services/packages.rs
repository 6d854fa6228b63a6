//! Update packages: what firmware and software is made of. Records are in the store, the bytes in
//! files of the data directory, each content once.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Mutex, Semaphore};

use super::devices::CursorError;
use super::engine::Image;
use super::rpc::Clock;
use super::storage::{self, Change, Store, Table};

mod checksum;
mod error;
mod files;
mod images;
mod record;
mod upload;

pub use checksum::Algorithm;
pub use error::PackageError;
pub use record::{Content, NewPackage, Package, PackagePage, PackageQuery, PackageType};
pub use upload::Upload;

use files::Files;
use images::Images;

/// Most packages.
pub const MAX_PACKAGES: usize = 10_000;

/// Most packages on a page of the list.
pub const MAX_PAGE: usize = 1_000;

/// Uploads that may run at once.
pub const MAX_UPLOADS: usize = 4;

/// Stored packages read at once.
const CHUNK: usize = 500;

/// The packages of this server.
pub struct Packages {
    store: Arc<dyn Store>,
    files: Arc<Files>,
    images: Images,
    max_bytes: u64,
    clock: Clock,
    known: RwLock<BTreeMap<String, Arc<Package>>>,
    uploads: Arc<Semaphore>,
    /// Held while packages come and go, so that no file goes that a new package needs.
    changing: Mutex<()>,
}

impl Packages {
    /// Reads the packages in `store`, whose bytes are in `directory`; what an earlier process left
    /// behind there unfinished is removed. Images have at most `max_bytes` bytes.
    ///
    /// # Errors
    /// When the store or the directory cannot be used.
    pub async fn load(
        store: Arc<dyn Store>,
        directory: PathBuf,
        max_bytes: u64,
    ) -> Result<Self, PackageError> {
        let mut known = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page =
                storage::scan::<Package>(store.as_ref(), Table::Packages, after.as_deref(), CHUNK)
                    .await?;
            let records = page.records.into_iter();
            known.extend(records.map(|(id, package)| (id, Arc::new(package))));
            after = page.resume_after;
            if after.is_none() {
                break;
            }
        }
        let files = Arc::new(Files::open(directory)?);
        let used = known.values().filter_map(|package| package.sha256());
        files.tidy(&used.map(str::to_owned).collect())?;
        Ok(Self {
            images: Images::new(files.clone()),
            store,
            files,
            max_bytes,
            clock: Clock::system(),
            known: RwLock::new(known),
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            changing: Mutex::default(),
        })
    }

    /// Largest image in bytes.
    #[must_use]
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// One package.
    ///
    /// # Errors
    /// [`PackageError::NotFound`]
    pub fn get(&self, id: &str) -> Result<Arc<Package>, PackageError> {
        let found = self.known().get(id).cloned();
        found.ok_or_else(|| PackageError::NotFound { id: id.to_owned() })
    }

    /// One page of the packages, oldest first.
    ///
    /// # Errors
    /// [`PackageError::Cursor`]
    pub fn list(&self, query: &PackageQuery) -> Result<PackagePage, PackageError> {
        let after = query.cursor.as_deref();
        if after.is_some_and(|after| uuid::Uuid::try_parse(after).is_err()) {
            return Err(CursorError.into());
        }
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let known = self.known();
        let mut left = known
            .range::<str, _>((after, Bound::Unbounded))
            .map(|(_, package)| package)
            .filter(|package| query.selects(package));
        let page = left.by_ref().take(query.limit.clamp(1, MAX_PAGE));
        let items: Vec<Package> = page.map(|package| Package::clone(package)).collect();
        let next = left.next().and_then(|_| items.last());
        Ok(PackagePage {
            next: next.map(|last| last.id.clone()),
            items,
        })
    }

    /// Begins to take the bytes of a package.
    ///
    /// # Errors
    /// It is refused, too many uploads run, or the file cannot be made.
    pub fn begin(&self, package: NewPackage) -> Result<Upload, PackageError> {
        package.check()?;
        self.has_room_for(&package)?;
        let uploads = self.uploads.clone();
        let permit = uploads
            .try_acquire_owned()
            .map_err(|_| PackageError::TooManyUploads)?;
        let file = self.files.create()?;
        Ok(Upload::new(package, file, self.max_bytes, permit))
    }

    /// Keeps a package whose bytes have all come.
    ///
    /// # Errors
    /// It is empty, its checksum is not the one stated, there is such a package by now, or it cannot
    /// be stored. Nothing is left then.
    pub async fn finish(&self, upload: Upload) -> Result<Arc<Package>, PackageError> {
        let complete = upload.complete().await?;
        let _changing = self.changing.lock().await;
        self.has_room_for(&complete.package)?;
        let content = Content::Stored {
            sha256: complete.sha256.clone(),
            size: complete.size,
        };
        let checksum = (complete.algorithm, complete.checksum);
        let package = self.record(&complete.package, content, Some(checksum));
        self.files.keep(complete.file, &complete.sha256).await?;
        let added = self.add(package).await;
        if added.is_err() {
            self.remove_unused(&complete.sha256).await;
        }
        added
    }

    /// Keeps a package whose bytes devices fetch elsewhere.
    ///
    /// # Errors
    /// It is refused, or the store failed.
    pub async fn refer(
        &self,
        package: NewPackage,
        url: String,
    ) -> Result<Arc<Package>, PackageError> {
        package.check()?;
        record::check_url(&url)?;
        let _changing = self.changing.lock().await;
        self.has_room_for(&package)?;
        let stated = package
            .checksum
            .clone()
            .map(|checksum| (package.checksum_algorithm, checksum.to_lowercase()));
        let package = self.record(&package, Content::Elsewhere { url }, stated);
        self.add(package).await
    }

    /// Removes a package. Whether it is in use is for the caller to know.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub async fn delete(&self, id: &str) -> Result<(), PackageError> {
        let _changing = self.changing.lock().await;
        let package = self.get(id)?;
        let change = Change::Delete {
            table: Table::Packages,
            key: id.to_owned(),
        };
        self.store.write(vec![change]).await?;
        self.known_mut().remove(id);
        if let Some(sha256) = package.sha256() {
            self.remove_unused(sha256).await;
        }
        Ok(())
    }

    /// The bytes of a package: one copy in memory for all who use it, read when the first asks and
    /// dropped with the last.
    ///
    /// # Errors
    /// There is no such package, its bytes are elsewhere, or the file cannot be read.
    pub async fn image(&self, id: &str) -> Result<Arc<Image>, PackageError> {
        let package = self.get(id)?;
        match package.sha256() {
            Some(sha256) => self.images.get(sha256).await,
            None => Err(PackageError::NoBytes { id: id.to_owned() }),
        }
    }

    fn record(
        &self,
        package: &NewPackage,
        content: Content,
        checksum: Option<(Algorithm, String)>,
    ) -> Package {
        let (checksum_algorithm, checksum) = checksum.unzip();
        Package {
            id: uuid::Uuid::now_v7().to_string(),
            package_type: package.package_type,
            title: package.title.clone(),
            version: package.version.clone(),
            tag: package.tag.clone(),
            file_name: package.file_name.clone(),
            content,
            checksum_algorithm,
            checksum,
            created_at: self.clock.now(),
        }
    }

    /// To be called while packages are locked.
    async fn add(&self, package: Package) -> Result<Arc<Package>, PackageError> {
        let change = Change::put(Table::Packages, package.id.as_str(), &package)?;
        self.store.write(vec![change]).await?;
        let package = Arc::new(package);
        self.known_mut().insert(package.id.clone(), package.clone());
        Ok(package)
    }

    /// There is room, and no package of the same name.
    fn has_room_for(&self, package: &NewPackage) -> Result<(), PackageError> {
        let known = self.known();
        if let Some(same) = known.values().find(|known| package.is_named_like(known)) {
            return Err(PackageError::Exists {
                id: same.id.clone(),
            });
        }
        if known.len() >= MAX_PACKAGES {
            return Err(PackageError::TooMany);
        }
        Ok(())
    }

    /// Removes a file that no package has any more; one that cannot be removed goes at the next start.
    async fn remove_unused(&self, sha256: &str) {
        let used = |package: &Arc<Package>| package.sha256() == Some(sha256);
        if self.known().values().any(used) {
            return;
        }
        if let Err(error) = self.files.remove(sha256).await {
            tracing::warn!(%error, sha256, "the file of a removed package stays until the next start");
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Package>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Arc<Package>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
