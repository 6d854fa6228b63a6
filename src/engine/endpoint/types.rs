//! What is known about the types of one device's resources.

use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::model::{DeviceModels, ObjectModels};
use crate::proto::lwm2m::{ResourceType, ResourceTypes};

use super::plan::ProfilePlan;

/// Types of the versions a device announced; the profile knows those of the resources it maps, where
/// they are the same in every version, and spares the look-up.
pub(super) struct DeviceTypes<'a> {
    plan: &'a ProfilePlan,
    models: DeviceModels<'a>,
}

impl<'a> DeviceTypes<'a> {
    /// Types for a device that registered with `links`.
    pub(super) const fn new(
        plan: &'a ProfilePlan,
        models: &'a ObjectModels,
        links: &'a ObjectLinks,
    ) -> Self {
        Self {
            plan,
            models: DeviceModels::new(models, links),
        }
    }
}

impl ResourceTypes for DeviceTypes<'_> {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        let known = self.plan.resource_type(object, resource);
        known.or_else(|| self.models.resource_type(object, resource))
    }
}
