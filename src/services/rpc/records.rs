//! Values by id, as calls nest them, as records with types.

use serde_json::{Map, Value as Json};

use crate::proto::lwm2m::{Path, Record, Value};

use super::device::Device;
use super::id::VersionedId;
use super::java;
use super::refusal::{Hint, Refusal, quoted};
use super::scalar::{convert, json_type_name, type_name};

/// Longest value that is written: neither TLV nor the latest values can hold more.
pub(super) const MAX_VALUE_BYTES: usize = 0xff_ffff;

/// Collects the values of one call.
pub(super) struct Records<'a> {
    device: Device<'a>,
    list: Vec<Record>,
}

impl<'a> Records<'a> {
    pub(super) fn new(device: Device<'a>) -> Self {
        Self {
            device,
            list: Vec::new(),
        }
    }

    /// The records in the order of their paths, which content formats need.
    pub(super) fn into_sorted(mut self) -> Vec<Record> {
        self.list.sort_by_key(|record| record.path);
        self.list
    }

    /// Values of an Object Instance by Resource id.
    ///
    /// # Errors
    /// A Resource that is not defined, or a value that does not fit; it is named.
    pub(super) fn instance(
        &mut self,
        id: VersionedId,
        resources: &Map<String, Json>,
    ) -> Result<(), Refusal> {
        for (key, value) in resources {
            let resource = id.with_path(child(&id.path, key)?);
            self.resource(resource, value, Scalar::IsRefused)?;
        }
        Ok(())
    }

    /// The value of a Resource, or its values by Resource Instance id.
    ///
    /// A Resource without definition has instances when they are given.
    ///
    /// # Errors
    /// See [`Records::instance`].
    pub(super) fn resource(
        &mut self,
        id: VersionedId,
        value: &Json,
        scalar: Scalar,
    ) -> Result<(), Refusal> {
        let path = id.path;
        let model = self.device.resource_model(&id)?;
        let multiple = model.map(|model| model.multiple);
        match (multiple, value, scalar) {
            (_, Json::Null, _) => Err(Refusal::NullValueOf { path }),
            (None | Some(true), Json::Object(instances), _) => self.instances(path, instances),
            (Some(true), value, Scalar::IsInstanceZero) if !value.is_array() => {
                self.resource_instance(resource_instance(path, 0), value)
            }
            (Some(true), value, _) => Err(Refusal::NotInstances {
                path,
                class: java::class(value),
                value: quoted(&java::json(value)),
            }),
            (Some(false) | None, value, _) => self.single(path, value),
        }
    }

    /// The value of a Resource Instance.
    ///
    /// # Errors
    /// A value that does not fit.
    pub(super) fn resource_instance(&mut self, path: Path, value: &Json) -> Result<(), Refusal> {
        if value.is_null() {
            return Err(Refusal::NullValueOf { path });
        }
        let expected = self.device.resource_type(&path);
        let converted = convert(value, expected).map_err(|hint| Refusal::BadInstanceValue {
            path,
            expected: expected.map_or("a value", type_name),
            found: json_type_name(value),
            hint,
        })?;
        self.put(path, converted)
    }

    /// Something without a value of its own: an instance without Resources, a Resource without
    /// instances, a Resource Instance to remove.
    pub(super) fn without_value(&mut self, path: Path) {
        self.list.push(Record {
            path,
            time: None,
            value: None,
        });
    }

    fn single(&mut self, path: Path, value: &Json) -> Result<(), Refusal> {
        let expected = self.device.resource_type(&path);
        let converted = convert(value, expected).map_err(|hint: Hint| Refusal::BadValue {
            path,
            value: quoted(&java::json(value)),
            class: java::class(value),
            expected: expected.map_or("a value", type_name),
            hint,
        })?;
        self.put(path, converted)
    }

    fn instances(&mut self, path: Path, instances: &Map<String, Json>) -> Result<(), Refusal> {
        if instances.is_empty() {
            self.without_value(path);
        }
        for (key, value) in instances {
            self.resource_instance(child(&path, key)?, value)?;
        }
        Ok(())
    }

    fn put(&mut self, path: Path, value: Value) -> Result<(), Refusal> {
        let length = match &value {
            Value::String(text) | Value::Corelnk(text) => text.len(),
            Value::Opaque(bytes) => bytes.len(),
            _ => 0,
        };
        if length > MAX_VALUE_BYTES {
            return Err(Refusal::ValueTooLong {
                path,
                length,
                most: MAX_VALUE_BYTES,
            });
        }
        self.list.push(Record {
            path,
            time: None,
            value: Some(value),
        });
        Ok(())
    }
}

/// What a value that is not a map means for a Resource with instances.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scalar {
    /// It is the value of instance 0, and there are no others.
    IsInstanceZero,
    /// Nothing.
    IsRefused,
}

/// The path below `path` that a member of a JSON object names.
///
/// # Errors
/// [`Refusal::InvalidKey`]; only the canonical spelling is taken, so that no two members name the
/// same.
pub(super) fn child(path: &Path, key: &str) -> Result<Path, Refusal> {
    let id = format!("/{key}").parse().ok().and_then(|id: Path| {
        let is_one_id = id.len() == 1;
        id.object_id().filter(|_| is_one_id)
    });
    id.and_then(|id| path.child(id))
        .ok_or_else(|| Refusal::InvalidKey {
            path: *path,
            key: quoted(key),
        })
}

fn resource_instance(resource: Path, instance: u16) -> Path {
    resource.child(instance).unwrap_or(resource)
}
