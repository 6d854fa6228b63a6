//! Object definitions as people see them.

use serde::{Deserialize, Serialize};

use super::ObjectModel;
use crate::proto::lwm2m::model::ResourceModel;

/// Where a definition comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// Part of the program.
    BuiltIn,
    /// Uploaded.
    Uploaded,
}

/// A definition in a list.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    /// Object id and version: `3_1.2`.
    pub key: String,
    /// Object id.
    pub id: u16,
    /// Version of the Object.
    pub version: String,
    /// Name of the Object.
    pub name: String,
    /// Whether the Object can have several instances.
    pub multiple: bool,
    /// Whether every device has the Object.
    pub mandatory: bool,
    /// Version of LwM2M the Object needs at least.
    pub lwm2m_version: &'static str,
    /// URN of the Object; empty when the definition names none.
    pub urn: String,
    /// Where the definition comes from.
    pub source: ModelSource,
    /// Whether it takes the place of one that is built in.
    pub overrides_built_in: bool,
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ModelPage {
    /// By id and version.
    pub items: Vec<ModelSummary>,
    /// Cursor of the next page; `null` at the end.
    pub next: Option<String>,
}

/// A definition with everything in it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ModelView {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: ModelSummary,
    /// What the Object is for, in words.
    pub description: Option<String>,
    /// By id.
    pub resources: Vec<ResourceView>,
}

/// A Resource.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ResourceView {
    /// Resource id.
    pub id: u16,
    /// Name.
    pub name: String,
    /// `R`, `W`, `RW`, `E`, or empty for one that only bootstrap writes.
    pub operations: &'static str,
    /// Whether it has Resource Instances.
    pub multiple: bool,
    /// Whether every instance of the Object has it.
    pub mandatory: bool,
    /// Type of its values; `null` for one that is executed, or whose type is left open.
    #[serde(rename = "type")]
    pub resource_type: Option<&'static str>,
    /// Which values it can have, as text.
    pub range: Option<String>,
    /// Unit of the values.
    pub units: Option<String>,
}

/// What became of an uploaded definition.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct UploadedModel {
    /// Object id and version: `3_1.2`.
    pub key: String,
    /// Object id.
    pub id: u16,
    /// Version of the Object.
    pub version: String,
    /// Name of the Object.
    pub name: String,
    /// Whether there was an uploaded one before.
    pub result: UploadResult,
}

/// Whether a definition was uploaded for the first time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadResult {
    /// For the first time, built in or not.
    Created,
    /// In place of another.
    Replaced,
}

impl UploadResult {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replaced => "replaced",
        }
    }
}

impl ModelSummary {
    pub(super) fn new(model: &ObjectModel, uploaded: bool, overrides_built_in: bool) -> Self {
        Self {
            key: model.key().to_string(),
            id: model.id,
            version: model.version.to_string(),
            name: model.name.to_string(),
            multiple: model.multiple,
            mandatory: model.mandatory,
            lwm2m_version: model.lwm2m_version.as_str(),
            urn: model.urn.to_string(),
            source: if uploaded {
                ModelSource::Uploaded
            } else {
                ModelSource::BuiltIn
            },
            overrides_built_in,
        }
    }
}

impl ModelView {
    pub(super) fn new(summary: ModelSummary, model: &ObjectModel) -> Self {
        Self {
            summary,
            description: model.description.as_deref().map(str::to_owned),
            resources: model.resources().iter().map(ResourceView::new).collect(),
        }
    }
}

impl ResourceView {
    fn new(resource: &ResourceModel) -> Self {
        Self {
            id: resource.id,
            name: resource.name.to_string(),
            operations: resource.operations.as_str(),
            multiple: resource.multiple,
            mandatory: resource.mandatory,
            resource_type: resource.resource_type.map(|known| known.name()),
            range: resource.range.as_deref().map(str::to_owned),
            units: resource.units.as_deref().map(str::to_owned),
        }
    }
}

impl UploadedModel {
    pub(super) fn new(model: &ObjectModel, replaced: bool) -> Self {
        Self {
            key: model.key().to_string(),
            id: model.id,
            version: model.version.to_string(),
            name: model.name.to_string(),
            result: if replaced {
                UploadResult::Replaced
            } else {
                UploadResult::Created
            },
        }
    }
}
