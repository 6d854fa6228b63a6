//! Uploaded definitions as the store has them: XML, so that a later version reads more out of
//! them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DdfError, ObjectModel, model};

/// What is stored under the key of the definition.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredModel {
    /// A document with this one definition.
    xml: String,
}

impl StoredModel {
    /// `object` is the `<Object>` of a document that was read.
    pub(super) fn new(object: &[u8]) -> Self {
        let object = String::from_utf8_lossy(object);
        Self {
            xml: format!("<LWM2M>{object}</LWM2M>"),
        }
    }
}

/// A stored definition that can be read. Any other is set aside like JSON that is none.
#[derive(Deserialize)]
#[serde(try_from = "StoredModel")]
pub(super) struct ReadableModel {
    pub(super) model: Arc<ObjectModel>,
}

impl TryFrom<StoredModel> for ReadableModel {
    type Error = DdfError;

    fn try_from(stored: StoredModel) -> Result<Self, DdfError> {
        let mut definitions = model::read(stored.xml.as_bytes())?;
        Ok(Self {
            model: Arc::new(definitions.swap_remove(0).model),
        })
    }
}
