//! Object definitions: what the Objects and Resources of a version are (LwM2M Core, appendix D).

mod ddf;
mod device;
mod key;
mod objects;
mod operations;

pub use ddf::{DdfError, Definition, MAX_BYTES, MAX_OBJECTS, Refusal, read};
pub use device::DeviceModels;
pub use key::{ModelKey, ParseModelKeyError};
pub use objects::ObjectModels;
pub use operations::Operations;

use super::{LwM2mVersion, ResourceType, Version};

/// Definition of one version of an Object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectModel {
    /// Object id, 0 to 65534.
    pub id: u16,
    /// Version of the Object.
    pub version: Version,
    /// Name, on one line.
    pub name: Box<str>,
    /// What it is for, in words.
    pub description: Option<Box<str>>,
    /// Whether it can have several instances.
    pub multiple: bool,
    /// Whether every device has it.
    pub mandatory: bool,
    /// Version of LwM2M it needs at least.
    pub lwm2m_version: LwM2mVersion,
    /// Such as `urn:oma:lwm2m:oma:3:1.2`.
    pub urn: Box<str>,
    /// By ascending id.
    resources: Box<[ResourceModel]>,
}

impl ObjectModel {
    /// Id and version.
    #[must_use]
    pub const fn key(&self) -> ModelKey {
        ModelKey::new(self.id, self.version)
    }

    /// The definition of a Resource.
    #[must_use]
    pub fn resource(&self, id: u16) -> Option<&ResourceModel> {
        let index = self.resources.binary_search_by_key(&id, |r| r.id).ok()?;
        Some(&self.resources[index])
    }

    /// The Resources by ascending id.
    #[must_use]
    pub fn resources(&self) -> &[ResourceModel] {
        &self.resources
    }
}

/// Definition of one Resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResourceModel {
    /// Resource id, 0 to 65534.
    pub id: u16,
    /// What a server may do with it.
    pub operations: Operations,
    /// Whether it has Resource Instances.
    pub multiple: bool,
    /// Whether every instance of the Object has it.
    pub mandatory: bool,
    /// Type of its values. `None` for one that is executed, and for the few definitions that leave
    /// the type of values open.
    pub resource_type: Option<ResourceType>,
    /// Name, on one line.
    pub name: Box<str>,
    /// Which values it can have, as text: there is no grammar for it, so it decides nothing.
    pub range: Option<Box<str>>,
    /// Unit of the values, a SenML unit for the most part.
    pub units: Option<Box<str>>,
}
