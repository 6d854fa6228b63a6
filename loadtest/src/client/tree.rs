//! The object tree of a simulated device: what is there, and what may be done to it.

mod links;
mod model;
mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attributes::Attributes;
use super::path::Path;
use super::refusal::Refusal;
use super::value::{Type, Value};

pub use links::{announced_objects, version_attribute};
pub use model::{ObjectModel, ResourceModel};
pub use xml::{ModelError, object_models};

/// Every object.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub objects: BTreeMap<u16, Object>,
    /// The notification attributes that Write-Attributes attached.
    pub attributes: BTreeMap<Path, Attributes>,
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    pub model: Arc<ObjectModel>,
    /// The version it is announced with.
    pub version: String,
    pub instances: BTreeMap<u16, Instance>,
}

/// An object instance: the resources it supports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instance {
    pub resources: BTreeMap<u16, Content>,
}

/// What a resource holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A single resource; `None` when it has no value (yet), or never has one because it is executable or write-only.
    Single(Option<Value>),
    /// A multiple-instance resource.
    Multiple(BTreeMap<u16, Value>),
}

/// One value with its place, as the formats carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub path: Path,
    /// `None` for what is there without a value: an empty multiple resource, or what SenML-ETCH removes.
    pub value: Option<Value>,
    /// Seconds since 1970, when the format told it.
    pub time: Option<f64>,
}

impl Record {
    /// A value without a time.
    #[must_use]
    pub const fn new(path: Path, value: Value) -> Self {
        Self {
            path,
            value: Some(value),
            time: None,
        }
    }
}

impl Tree {
    /// Adds an object without instances.
    pub fn add_object(&mut self, model: Arc<ObjectModel>, version: &str) {
        let object = Object {
            version: version.to_owned(),
            instances: BTreeMap::new(),
            model,
        };
        self.objects.insert(object.model.id, object);
    }

    /// The object a path is in.
    ///
    /// # Errors
    ///
    /// 4.04 when there is none; 4.01 for the Security object, which no server may touch.
    pub fn object(&self, path: &Path) -> Result<&Object, Refusal> {
        match path.object() {
            Some(0) => Err(Refusal::unauthorized("the Security object is out of reach")),
            Some(id) => self
                .objects
                .get(&id)
                .ok_or_else(|| Refusal::not_found(format!("object /{id} not found"))),
            None => Err(Refusal::bad_request("the root is no object")),
        }
    }

    /// The object instance a path is in.
    ///
    /// # Errors
    ///
    /// 4.04 when there is none.
    pub fn instance(&self, path: &Path) -> Result<&Instance, Refusal> {
        let instances = &self.object(path)?.instances;
        let instance = path.instance().and_then(|id| instances.get(&id));
        instance.ok_or_else(|| {
            Refusal::not_found(format!("object instance {} not found", path.ancestor(2)))
        })
    }

    /// The resource a path is in, and its model.
    ///
    /// # Errors
    ///
    /// 4.04 when there is none.
    pub fn resource(&self, path: &Path) -> Result<(&Content, &ResourceModel), Refusal> {
        let instance = self.instance(path)?;
        let found = path.resource().and_then(|id| {
            let content = instance.resources.get(&id)?;
            Some((content, self.model_of(path)?))
        });
        found.ok_or_else(|| Refusal::not_found(format!("resource {} not found", path.ancestor(3))))
    }

    /// The model of the resource a path is in, whether the instance has it or not.
    #[must_use]
    pub fn model_of(&self, path: &Path) -> Option<&ResourceModel> {
        let object = self.objects.get(&path.object()?)?;
        object.model.resources.get(&path.resource()?)
    }

    /// The type of the resource a path is in.
    #[must_use]
    pub fn type_of(&self, path: &Path) -> Option<Type> {
        Some(self.model_of(path)?.value)
    }

    /// A value, of a single resource or a resource instance.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Value> {
        let object = self.objects.get(&path.object()?)?;
        let instance = object.instances.get(&path.instance()?)?;
        match (
            instance.resources.get(&path.resource()?)?,
            path.resource_instance(),
        ) {
            (Content::Single(value), None) => value.as_ref(),
            (Content::Multiple(values), Some(id)) => values.get(&id),
            _ => None,
        }
    }

    /// Puts a value, as the device itself does: what the server may write plays no role. Instances and resources come
    /// into being as needed. `false` when the object or the resource's model does not exist or the type does not fit.
    pub fn set(&mut self, path: &Path, value: Value) -> bool {
        let Some((multiple, wanted)) = self.model_of(path).map(|m| (m.multiple, m.value)) else {
            return false;
        };
        let Some(value) = value.into_type(wanted) else {
            return false;
        };
        let (Some(object), Some(instance), Some(resource)) =
            (path.object(), path.instance(), path.resource())
        else {
            return false;
        };
        let Some(object) = self.objects.get_mut(&object) else {
            return false;
        };
        let resources = &mut object.instances.entry(instance).or_default().resources;
        match (multiple, path.resource_instance()) {
            (true, Some(id)) => match resources.entry(resource).or_insert_with(Content::empty) {
                Content::Multiple(values) => drop(values.insert(id, value)),
                single @ Content::Single(_) => {
                    *single = Content::Multiple(BTreeMap::from([(id, value)]));
                }
            },
            (false, None) => drop(resources.insert(resource, Content::Single(Some(value)))),
            _ => return false,
        }
        true
    }

    /// Takes an object instance away, with the attributes attached to it.
    pub fn remove_instance(&mut self, path: &Path) {
        if let (Some(object), Some(instance)) = (path.object(), path.instance()) {
            if let Some(object) = self.objects.get_mut(&object) {
                object.instances.remove(&instance);
            }
            self.attributes.retain(|at, _| !path.contains(at));
        }
    }

    /// Takes attributes away that are attached to what is no longer there.
    pub fn prune_attributes(&mut self) {
        let attributes = std::mem::take(&mut self.attributes);
        self.attributes = attributes
            .into_iter()
            .filter(|(path, _)| self.exists(path))
            .collect();
    }

    /// Whether there is something at this path.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        match path.depth() {
            0 => true,
            1 => self.object(path).is_ok(),
            2 => self.instance(path).is_ok(),
            3 => self.resource(path).is_ok(),
            _ => self.get(path).is_some(),
        }
    }

    /// Every path that has a value or supports one: instances, resources and resource instances below `path`.
    #[must_use]
    pub fn values_below(&self, path: &Path) -> Vec<Record> {
        let mut records = Vec::new();
        for (&object_id, object) in self.objects.iter().filter(|&(&id, _)| id != 0) {
            for (&instance_id, instance) in &object.instances {
                for (&resource_id, content) in &instance.resources {
                    let at = Path::new(&[object_id, instance_id, resource_id]);
                    if !(path.contains(&at) || at.contains(path)) {
                        continue;
                    }
                    match content {
                        Content::Single(Some(value)) if path.contains(&at) => {
                            records.push(Record::new(at, value.clone()));
                        }
                        Content::Single(_) => {}
                        Content::Multiple(values) => records.extend(
                            values
                                .iter()
                                .map(|(&id, value)| Record::new(at.child(id), value.clone()))
                                .filter(|record| path.contains(&record.path)),
                        ),
                    }
                }
            }
        }
        records
    }
}

impl Content {
    /// A multiple-instance resource without instances.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Multiple(BTreeMap::new())
    }

    /// What a resource of this model holds at first.
    #[must_use]
    pub const fn of(model: &ResourceModel) -> Self {
        if model.multiple {
            Self::empty()
        } else {
            Self::Single(None)
        }
    }
}
