//! Images in memory: each once, however many devices are being sent it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::PackageError;
use super::files::{Files, blocking};
use crate::services::engine::Image;

/// Images in use.
pub(super) struct Images {
    files: Arc<Files>,
    used: Mutex<HashMap<String, Arc<Place>>>,
}

/// Where an image is while somebody has it. Locked while it is read, so that it is read once.
#[derive(Default)]
struct Place(tokio::sync::Mutex<Option<Weak<Image>>>);

impl Images {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self {
            files,
            used: Mutex::default(),
        }
    }

    /// An image, read from its file unless somebody has it.
    pub(super) async fn get(&self, sha256: &str) -> Result<Arc<Image>, PackageError> {
        let place = self.place(sha256);
        let mut image = place.0.lock().await;
        if let Some(image) = image.as_ref().and_then(Weak::upgrade) {
            return Ok(image);
        }
        let bytes = self.files.read(sha256).await?;
        let read = Arc::new(blocking(move || Ok(Image::new(bytes))).await?);
        *image = Some(Arc::downgrade(&read));
        Ok(read)
    }

    fn place(&self, sha256: &str) -> Arc<Place> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, place| place.is_used());
        used.entry(sha256.to_owned()).or_default().clone()
    }
}

impl Place {
    fn is_used(self: &Arc<Self>) -> bool {
        // Somebody waits for it, or has it.
        Arc::strong_count(self) > 1
            || self
                .0
                .try_lock()
                .is_ok_and(|image| image.as_ref().is_some_and(|image| image.strong_count() > 0))
    }
}
