//! What a call may name in a device: keys of its profile and ids in the right version.

use crate::engine::endpoint::plan::ProfilePlan;
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::model::{DeviceModels, ObjectModel, ResourceModel};
use crate::proto::lwm2m::{Path, ResourceType, Version};

use super::DeviceKnowledge;
use super::id::VersionedId;
use super::params::Params;
use super::refusal::{Refusal, quoted};

/// The device a call is for.
#[derive(Clone, Copy)]
pub(super) struct Device<'a> {
    knowledge: &'a DeviceKnowledge,
}

impl<'a> Device<'a> {
    pub(super) fn new(knowledge: &'a DeviceKnowledge) -> Self {
        Self { knowledge }
    }

    pub(super) fn links(&self) -> &'a ObjectLinks {
        &self.knowledge.context.links
    }

    pub(super) fn models(&self) -> DeviceModels<'a> {
        DeviceModels::new(&self.knowledge.models, self.links())
    }

    /// What `key` or `id` names, checked; `key` wins. The id has the version of the device.
    ///
    /// # Errors
    /// Neither is given, the key is unknown, or [`Device::checked`].
    pub(super) fn target(&self, params: &Params) -> Result<VersionedId, Refusal> {
        self.checked(self.named(params)?)
    }

    /// Like [`Device::target`], for what need not be announced any more.
    ///
    /// # Errors
    /// Neither is given, the key is unknown, or the version is not that of the device.
    pub(super) fn observed(&self, params: &Params) -> Result<VersionedId, Refusal> {
        let id = self.named(params)?;
        self.check_version(&id)?;
        Ok(self.with_version(id))
    }

    /// What `keys` or `ids` name, in order and with the versions the caller stated; `keys` win.
    ///
    /// Objects need not be announced: a composite operation does what it can, and the device knows.
    ///
    /// # Errors
    /// Neither is given, a key is unknown, or a version is not that of the device.
    pub(super) fn targets(&self, params: &Params) -> Result<Vec<VersionedId>, Refusal> {
        let ids: Vec<_> = if let Some(keys) = params.texts("keys")? {
            keys.iter().map(|key| self.key(key)).collect()
        } else {
            let ids = params.texts("ids")?.ok_or(Refusal::NoTarget)?;
            ids.iter().map(|id| VersionedId::parse(id)).collect()
        };
        let ids = ids.into_iter().collect::<Result<Vec<_>, _>>()?;
        ids.iter().try_for_each(|id| self.check_version(id))?;
        Ok(ids)
    }

    /// Checks that the device announced the object, in the version that is stated; the id that is
    /// returned has the version of the device.
    ///
    /// # Errors
    /// The object is not announced, is the Security object, or has another version. `/1/0/8` and
    /// `/1/0/9` are always fine: every device has them.
    pub(super) fn checked(&self, id: VersionedId) -> Result<VersionedId, Refusal> {
        let object = id.path.object_id().ok_or(Refusal::NoObject)?;
        if is_trigger(&id.path) {
            return Ok(self.with_version(id));
        }
        if object == 0 || self.links().object(object).is_none() {
            return Err(Refusal::ObjectAbsent { object });
        }
        self.check_version(&id)?;
        Ok(self.with_version(id))
    }

    /// The path of the profile's mapping called `key`, in a version that fits the device.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`].
    pub(super) fn key(&self, key: &str) -> Result<VersionedId, Refusal> {
        let mappings = self.plan().mappings();
        let fits = |version: Option<Version>, path: Path| {
            version.is_none_or(|version| Some(version) == self.version(path))
        };
        let mapping = mappings
            .iter()
            .find(|mapping| *mapping.key == *key && fits(mapping.version, mapping.path));
        match mapping {
            Some(mapping) => Ok(VersionedId {
                path: mapping.path,
                version: self.version(mapping.path),
            }),
            None => Err(Refusal::UnknownKey { key: quoted(key) }),
        }
    }

    /// The definition of the object.
    pub(super) fn object_model(&self, path: &Path) -> Option<&'a ObjectModel> {
        self.models().object(path.object_id()?)
    }

    /// The definition of the Resource; `None` for objects without definition.
    ///
    /// # Errors
    /// [`Refusal::UnknownResource`] when the object is defined and the Resource is not.
    pub(super) fn resource_model(
        &self,
        id: &VersionedId,
    ) -> Result<Option<&'a ResourceModel>, Refusal> {
        let (Some(model), Some(resource)) = (self.object_model(&id.path), id.path.resource_id())
        else {
            return Ok(None);
        };
        let known = model.resource(resource);
        known.map(Some).ok_or(Refusal::UnknownResource { id: *id })
    }

    /// Type of the Resource that `path` is or lies in, as far as it is defined.
    pub(super) fn resource_type(&self, path: &Path) -> Option<ResourceType> {
        let model = self.object_model(path)?.resource(path.resource_id()?)?;
        model.resource_type
    }

    fn plan(&self) -> &'a ProfilePlan {
        &self.knowledge.context.plan
    }

    fn named(&self, params: &Params) -> Result<VersionedId, Refusal> {
        if let Some(key) = params.text("key")? {
            return self.key(key);
        }
        VersionedId::parse(params.text("id")?.ok_or(Refusal::NoTarget)?)
    }

    /// An id without version means the version of the device or, in a strict profile, the version
    /// that is called like the LwM2M version of the registration (design 4).
    fn check_version(&self, id: &VersionedId) -> Result<(), Refusal> {
        let announced = id
            .path
            .object_id()
            .map(|object| self.links().object(object));
        let Some(Some(announced)) = announced else {
            return Ok(());
        };
        let meant = match id.version {
            None if self.plan().strict_object_versions() && !is_trigger(&id.path) => {
                Some(self.links().lwm2m().into())
            }
            stated => stated,
        };
        match meant {
            Some(version) if version != announced.version => Err(Refusal::WrongVersion {
                id: VersionedId {
                    path: id.path,
                    version: Some(version),
                },
                required: announced.version,
            }),
            _ => Ok(()),
        }
    }

    fn with_version(&self, id: VersionedId) -> VersionedId {
        VersionedId {
            path: id.path,
            version: id.version.or_else(|| self.version(id.path)),
        }
    }

    fn version(&self, path: Path) -> Option<Version> {
        let object = path.object_id()?;
        Some(self.links().version_or_default(object))
    }
}

/// Registration Update Trigger and Bootstrap-Request Trigger.
pub(super) fn is_trigger(path: &Path) -> bool {
    [Path::resource(1, 0, 8), Path::resource(1, 0, 9)].contains(path)
}
