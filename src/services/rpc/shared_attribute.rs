//! Shared attributes as Writes of the Resources the profile maps them to.

use serde_json::{Map, Value as Json};

use crate::proto::lwm2m::operation::{Operation, RequestContext, WriteMode};
use crate::proto::lwm2m::{Path, Record, Value};
use crate::services::engine::DeviceCommand;

use super::DeviceKnowledge;
use super::device::Device;
use super::id::VersionedId;
use super::records::{Records, Scalar, child};
use super::refusal::Refusal;
use super::scalar::convert;

/// A shared attribute on its way to a device.
#[derive(Clone, Debug)]
pub(in crate::services) struct AttributeWrite {
    id: VersionedId,
    /// What the device shall have, in the order of paths.
    wanted: Vec<Record>,
    multiple: bool,
    readable: bool,
}

impl AttributeWrite {
    /// What the attribute `key` with this value means for the device; `None` when its profile maps
    /// no Resource to the key.
    ///
    /// # Errors
    /// Why it cannot be written, in words.
    pub(in crate::services) fn of(
        key: &str,
        value: &Json,
        device: &DeviceKnowledge,
    ) -> Result<Option<Self>, String> {
        let device = Device::new(device);
        let Ok(id) = device.key(key) else {
            return Ok(None);
        };
        Self::checked(id, value, device)
            .map(Some)
            .map_err(|refusal| refusal.to_string())
    }

    /// The Resource that the profile of the device maps the attribute to.
    pub(in crate::services) fn path(key: &str, device: &DeviceKnowledge) -> Option<String> {
        let id = Device::new(device).key(key).ok()?;
        Some(id.path.to_string())
    }

    fn checked(id: VersionedId, value: &Json, device: Device<'_>) -> Result<Self, Refusal> {
        let id = device.checked(id)?;
        if !id.path.holds_value() {
            return Err(Refusal::ReplaceTarget { id });
        }
        let model = device.resource_model(&id)?;
        if let Some(model) = model.filter(|model| !model.operations.can_write()) {
            let operations = model.operations;
            return Err(Refusal::NotWritable { id, operations });
        }
        let mut records = Records::new(device);
        if id.path.len() == 4 {
            records.resource_instance(id.path, value)?;
        } else {
            if value.as_object().is_some_and(Map::is_empty) {
                return Err(Refusal::NotAMap);
            }
            records.resource(id, value, Scalar::IsRefused)?;
        }
        let wanted = records.into_sorted();
        Ok(Self {
            id,
            multiple: wanted.iter().any(|record| record.path != id.path),
            readable: model.is_none_or(|model| model.operations.can_read()),
            wanted,
        })
    }

    /// The question what the device has; `None` when it does not say.
    pub(in crate::services) fn question(&self) -> Option<DeviceCommand> {
        let path = self.id.path;
        self.readable
            .then_some(DeviceCommand::Operation(Operation::Read { path }))
    }

    /// What the device has, out of the JSON in which its values are shown.
    pub(in crate::services) fn known(&self, shown: &Json, device: &DeviceKnowledge) -> Vec<Record> {
        let expected = Device::new(device).resource_type(&self.id.path);
        let record = |path: Path, json: &Json| {
            let value = convert(json, expected).ok()?;
            Some(Record {
                path,
                time: None,
                value: Some(value),
            })
        };
        match shown {
            Json::Object(instances) => instances
                .iter()
                .filter_map(|(id, json)| record(child(&self.id.path, id).ok()?, json))
                .collect(),
            json => record(self.id.path, json).into_iter().collect(),
        }
    }

    /// The Write of what differs from what the device has; `None` when nothing does. Instances of a
    /// Resource that the attribute does not state stay as they are.
    ///
    /// # Errors
    /// The device cannot be asked for it, in words.
    pub(in crate::services) fn command(
        &self,
        known: &[Record],
        device: &DeviceKnowledge,
    ) -> Result<Option<DeviceCommand>, String> {
        let differs = |wanted: &&Record| !known.iter().any(|known| is_same(known, wanted));
        let records: Vec<_> = self.wanted.iter().filter(differs).cloned().collect();
        if records.is_empty() {
            return Ok(None);
        }
        let write = |path, mode| Operation::Write {
            path,
            mode,
            records: records.clone(),
        };
        let path = self.id.path;
        if !self.multiple {
            let operation = write(path, WriteMode::Replace);
            check(&operation, device)?;
            return Ok(Some(DeviceCommand::Operation(operation)));
        }
        // LwM2M 1.0 updates Object Instances only; what is not stated stays there as well.
        let of_resource = write(path, WriteMode::Update);
        let operation = match (check(&of_resource, device), path.parent()) {
            (Ok(()), _) => of_resource,
            (Err(problem), None) => return Err(problem),
            (Err(_), Some(instance)) => {
                let of_instance = write(instance, WriteMode::Update);
                check(&of_instance, device)?;
                of_instance
            }
        };
        Ok(Some(DeviceCommand::Operation(operation)))
    }
}

fn check(operation: &Operation, device: &DeviceKnowledge) -> Result<(), String> {
    let device = Device::new(device);
    let models = device.models();
    let context = RequestContext {
        types: Some(&models),
        ..RequestContext::registered(device.links())
    };
    operation
        .request(&context)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn is_same(known: &Record, wanted: &Record) -> bool {
    known.path == wanted.path
        && match (&known.value, &wanted.value) {
            // A device may hold a Float in 32 bits.
            (Some(Value::Float(known)), Some(Value::Float(wanted))) => {
                known == wanted
                    || *known == f64::from(*wanted as f32)
                    || (known.is_nan() && wanted.is_nan())
            }
            (known, wanted) => known == wanted,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_compare_in_the_width_the_device_holds_them_in() {
        let record = |value| Record {
            path: Path::resource(3303, 0, 5601),
            time: None,
            value: Some(Value::Float(value)),
        };
        assert!(is_same(&record(f64::from(21.3f32)), &record(21.3)));
        assert!(is_same(&record(21.3), &record(21.3)));
        assert!(is_same(&record(f64::NAN), &record(f64::NAN)));
        assert!(!is_same(&record(21.4), &record(21.3)));
    }
}
