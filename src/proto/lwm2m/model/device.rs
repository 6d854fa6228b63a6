//! Object definitions as one device needs them.

use super::{ObjectModel, ObjectModels, ResourceModel};
use crate::proto::lwm2m::link::ObjectLinks;
use crate::proto::lwm2m::{ResourceType, ResourceTypes};

/// The definitions of the versions that one device announced.
#[derive(Clone, Copy, Debug)]
pub struct DeviceModels<'a> {
    models: &'a ObjectModels,
    links: &'a ObjectLinks,
}

impl<'a> DeviceModels<'a> {
    /// `models` for a device that registered with `links`.
    #[must_use]
    pub const fn new(models: &'a ObjectModels, links: &'a ObjectLinks) -> Self {
        Self { models, links }
    }

    /// The definition of an Object. One that was not announced counts as having its default
    /// version.
    #[must_use]
    pub fn object(&self, id: u16) -> Option<&'a ObjectModel> {
        let version = self.links.version_or_default(id);
        self.models.get(id, version).map(|model| &**model)
    }

    /// The definition of a Resource.
    #[must_use]
    pub fn resource(&self, object: u16, resource: u16) -> Option<&'a ResourceModel> {
        self.object(object)?.resource(resource)
    }
}

impl ResourceTypes for DeviceModels<'_> {
    /// A Resource whose definition leaves the type open is like one without definition: its values
    /// have the type they have in the payload.
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        let resource = self.resource(object, resource)?;
        Some((resource.resource_type?, resource.multiple))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::proto::lwm2m::model::read;
    use crate::proto::lwm2m::{LwM2mVersion, Path, Value, codec};

    /// Version `version` of object 3, whose Resource 9 has the type `resource_type`.
    fn model(version: &str, resource_type: &str) -> Arc<ObjectModel> {
        let xml = format!(
            "<LWM2M><Object><Name>Device</Name><ObjectID>3</ObjectID>\
             <ObjectURN>urn:oma:lwm2m:oma:3</ObjectURN><ObjectVersion>{version}</ObjectVersion>\
             <MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>\
             <Resources><Item ID=\"9\"><Name>Level</Name><Operations>R</Operations>\
             <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
             <Type>{resource_type}</Type></Item></Resources></Object></LWM2M>"
        );
        Arc::new(read(xml.as_bytes()).unwrap().remove(0).model)
    }

    fn models() -> ObjectModels {
        [
            model("1.0", "Integer"),
            model("1.1", "Float"),
            model("1.2", "String"),
            model("2.0", ""),
        ]
        .into_iter()
        .collect()
    }

    fn value(links: &str, lwm2m: LwM2mVersion) -> Value {
        let (models, links) = (
            models(),
            ObjectLinks::parse(links.as_bytes(), lwm2m).unwrap(),
        );
        let types = DeviceModels::new(&models, &links);
        let mut value = None;
        codec::decode(
            0,
            &Path::resource(3, 0, 9),
            b"12",
            &types,
            0,
            &mut |record| {
                value = record.value;
            },
        )
        .unwrap();
        value.unwrap()
    }

    #[test]
    fn values_have_the_type_of_the_version_the_device_announced() {
        let stated = |version| format!("</3>;ver={version},</3/0>");
        let v1_0 = LwM2mVersion::V1_0;
        assert_eq!(value(&stated("1.0"), v1_0), Value::Integer(12));
        assert_eq!(value(&stated("1.1"), v1_0), Value::Float(12.0));
        assert_eq!(value(&stated("1.7"), v1_0), Value::String("12".into()));
    }

    #[test]
    fn a_version_not_stated_is_the_default_of_the_lwm2m_version() {
        assert_eq!(value("</3/0>", LwM2mVersion::V1_0), Value::Integer(12));
        assert_eq!(value("</3/0>", LwM2mVersion::V1_1), Value::Float(12.0));
        assert_eq!(value("</6/0>", LwM2mVersion::V1_1), Value::Float(12.0));
    }

    #[test]
    fn a_value_without_a_definition_has_the_type_of_the_payload() {
        let v1_0 = LwM2mVersion::V1_0;
        let text = Value::String("12".into());
        assert_eq!(value("</3>;ver=2.0", v1_0), text, "the type is left open");
        assert_eq!(value("</3>;ver=3.0", v1_0), text, "no such version");
    }
}
