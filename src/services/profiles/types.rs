//! What object definitions say of the paths of a profile.

use std::collections::BTreeSet;

use crate::engine::endpoint::profile_parts::PlannedPath;
use crate::proto::lwm2m::model::{ObjectModel, ObjectModels, ResourceModel};
use crate::proto::lwm2m::{ResourceType, ResourceTypes, Version};

use super::findings::Findings;
use super::paths::Written;

/// Type of a Resource and whether it has instances, where every version of the object that has the
/// Resource says the same.
pub(super) fn agreed(
    models: &ObjectModels,
    object: u16,
    resource: u16,
) -> Option<(ResourceType, bool)> {
    let mut said = models
        .versions(object)
        .iter()
        .filter_map(|model| model.resource(resource))
        .map(type_of);
    let first = said.next()??;
    said.all(|other| other == Some(first)).then_some(first)
}

fn type_of(resource: &ResourceModel) -> Option<(ResourceType, bool)> {
    Some((resource.resource_type?, resource.multiple))
}

/// Types for one version of an object, or for all of them.
pub(super) struct Types<'a> {
    pub(super) models: &'a ObjectModels,
    pub(super) version: Option<Version>,
}

impl ResourceTypes for Types<'_> {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        match self.version {
            Some(version) => type_of(self.models.get(object, version)?.resource(resource)?),
            None => agreed(self.models, object, resource),
        }
    }
}

/// Looks the paths of a profile up in the definitions.
pub(super) struct Definitions<'a> {
    models: &'a ObjectModels,
    /// Objects and versions that were told of as unknown.
    told: BTreeSet<(u16, Option<(u8, u8)>)>,
}

impl<'a> Definitions<'a> {
    pub(super) fn new(models: &'a ObjectModels) -> Self {
        Self {
            models,
            told: BTreeSet::new(),
        }
    }

    /// Refuses a Resource that the definition of its object does not have, and tells of an object
    /// without definition.
    pub(super) fn check(&mut self, member: &str, planned: &PlannedPath, findings: &mut Findings) {
        let Some(object) = planned.path.object_id() else {
            return;
        };
        let versions = self.models.versions(object);
        let fitting: Vec<&ObjectModel> = match planned.version {
            None => versions.iter().map(|model| &**model).collect(),
            Some(version) => self
                .models
                .get(object, version)
                .map(|model| &**model)
                .into_iter()
                .collect(),
        };
        let Some(newest) = fitting.last() else {
            return self.tell_unknown(member, object, planned, versions.is_empty(), findings);
        };
        let Some(resource) = planned.path.resource_id() else {
            return;
        };
        if fitting
            .iter()
            .any(|model| model.resource(resource).is_some())
        {
            return;
        }
        let written = Written(*planned);
        let name = &newest.name;
        let exact = planned
            .version
            .is_none_or(|version| version == newest.version);
        if exact {
            findings.refuse(
                member,
                format!(
                    "is {written}, but {name} ({}) has no Resource {resource}; accepted are the Resources of its definition, or of one uploaded in its place",
                    newest.key()
                ),
            );
        } else {
            findings.warn(
                member,
                format!(
                    "is {written}, whose definition is not known; that of {} has no Resource {resource}",
                    newest.key()
                ),
            );
        }
    }

    /// Tells of a Resource whose values a server cannot read.
    pub(super) fn check_readable(
        &self,
        member: &str,
        planned: &PlannedPath,
        findings: &mut Findings,
    ) {
        let path = planned.path;
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return;
        };
        let fits = |model: &&std::sync::Arc<ObjectModel>| {
            planned
                .version
                .is_none_or(|version| version == model.version)
        };
        let mut defined = self
            .models
            .versions(object)
            .iter()
            .filter(fits)
            .filter_map(|model| model.resource(resource))
            .peekable();
        if defined.peek().is_some() && defined.all(|resource| !resource.operations.can_read()) {
            findings.warn(
                member,
                format!(
                    "is {}, which cannot be read by its definition",
                    Written(*planned)
                ),
            );
        }
    }

    fn tell_unknown(
        &mut self,
        member: &str,
        object: u16,
        planned: &PlannedPath,
        no_version: bool,
        findings: &mut Findings,
    ) {
        let version = planned.version.filter(|_| !no_version);
        let key = version.map(|version| (version.major, version.minor));
        if !self.told.insert((object, key)) {
            return;
        }
        let what = match version {
            Some(version) => format!("object {object} in version {version}"),
            None => format!("object {object}"),
        };
        findings.warn(
            member,
            format!(
                "is {}, and there is no definition of {what}: values have the type they have in the payload",
                Written(*planned)
            ),
        );
    }
}
