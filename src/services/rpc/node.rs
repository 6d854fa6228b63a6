//! Values of an answer put together as what was asked for.

use std::collections::BTreeMap;

use crate::proto::lwm2m::model::DeviceModels;
use crate::proto::lwm2m::{Path, Record, ResourceType, ResourceTypes, Value};
use crate::proto::time::UnixMillis;

/// What lies at a path. Everything is in the order of ids.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<'a> {
    Root(BTreeMap<u16, Object<'a>>),
    Object(Object<'a>),
    Instance(Instance<'a>),
    Resource(Resource<'a>),
    ResourceInstance(&'a Value),
}

/// An object: its instances.
pub(super) type Object<'a> = BTreeMap<u16, Instance<'a>>;

/// An Object Instance: its Resources.
pub(super) type Instance<'a> = BTreeMap<u16, Resource<'a>>;

/// A Resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Resource<'a> {
    Single(&'a Value),
    Multiple {
        values: BTreeMap<u16, &'a Value>,
        /// Type of the values, when it is known.
        resource_type: Option<ResourceType>,
    },
}

impl<'a> Node<'a> {
    /// The records at and below `path`; `None` when there are none and nothing is known of it.
    ///
    /// Of several values of one Resource the latest counts. An object or Object Instance of which
    /// nothing came is empty only when `is_answer` says that the answer was about nothing else.
    pub(super) fn build(
        path: &Path,
        records: &'a [Record],
        models: &DeviceModels<'_>,
        is_answer: bool,
    ) -> Option<Self> {
        let mut tree = Tree {
            models,
            is_known: false,
            resources: BTreeMap::new(),
            empty: Vec::new(),
        };
        let below = records
            .iter()
            .filter(|record| record.path.starts_with(path));
        below.for_each(|record| tree.add(record));
        tree.node(path, is_answer)
    }
}

/// Records on their way to a node: values by path, the latest of each.
struct Tree<'a, 'm> {
    models: &'m DeviceModels<'m>,
    is_known: bool,
    /// By Resource, then by Resource Instance; the value of the Resource itself has no id.
    resources: BTreeMap<Path, BTreeMap<Option<u16>, Timed<'a>>>,
    /// Instances that were named without Resources.
    empty: Vec<Path>,
}

struct Timed<'a> {
    time: UnixMillis,
    value: &'a Value,
}

impl<'a> Tree<'a, '_> {
    fn add(&mut self, record: &'a Record) {
        self.is_known = true;
        let path = record.path;
        let resource = match path.len() {
            0 | 1 => return,
            2 => {
                self.empty.push(path);
                return;
            }
            3 => path,
            _ => path.parent().unwrap_or(path),
        };
        let values = self.resources.entry(resource).or_default();
        let Some(value) = &record.value else {
            return;
        };
        // A record without time is of now.
        let time = record.time.unwrap_or(UnixMillis::MAX);
        let id = path.resource_instance_id();
        if values.get(&id).is_none_or(|known| known.time <= time) {
            values.insert(id, Timed { time, value });
        }
    }

    fn node(&self, path: &Path, is_answer: bool) -> Option<Node<'a>> {
        match path.segments() {
            [] => self.or_empty(is_answer, || Node::Root(self.root())),
            [object] => self.or_empty(is_answer, || Node::Object(self.object(*object))),
            [_, _] => self.or_empty(is_answer, || Node::Instance(self.instance(path))),
            [_, _, _] => match self.resources.get(path) {
                Some(values) => self.resource(path, values).map(Node::Resource),
                None if is_answer => self.resource(path, &BTreeMap::new()).map(Node::Resource),
                None => None,
            },
            _ => {
                let values = self.resources.get(&path.parent()?)?;
                let value = values.get(&path.resource_instance_id())?;
                Some(Node::ResourceInstance(value.value))
            }
        }
    }

    fn or_empty(&self, is_answer: bool, node: impl FnOnce() -> Node<'a>) -> Option<Node<'a>> {
        (self.is_known || is_answer).then(node)
    }

    fn root(&self) -> BTreeMap<u16, Object<'a>> {
        let objects = self.instances().filter_map(|path| path.object_id());
        objects
            .map(|object| (object, self.object(object)))
            .collect()
    }

    fn object(&self, object: u16) -> Object<'a> {
        let object = Path::object(object);
        self.instances()
            .filter(|path| path.starts_with(&object))
            .filter_map(|path| Some((path.instance_id()?, self.instance(&path))))
            .collect()
    }

    /// Every instance that there is, by ascending ids.
    fn instances(&self) -> impl Iterator<Item = Path> {
        let of_resources = self.resources.keys().filter_map(Path::parent);
        let mut instances: Vec<_> = of_resources.chain(self.empty.iter().copied()).collect();
        instances.sort_unstable();
        instances.dedup();
        instances.into_iter()
    }

    fn instance(&self, instance: &Path) -> Instance<'a> {
        let after = self.resources.range(*instance..);
        let within = after.take_while(|(path, _)| path.starts_with(instance));
        within
            .filter_map(|(path, values)| Some((path.resource_id()?, self.resource(path, values)?)))
            .collect()
    }

    /// A Resource has instances when some came, or when none came and its definition says so.
    fn resource(
        &self,
        path: &Path,
        values: &BTreeMap<Option<u16>, Timed<'a>>,
    ) -> Option<Resource<'a>> {
        let instances: BTreeMap<_, _> = values
            .iter()
            .filter_map(|(id, timed)| Some(((*id)?, timed.value)))
            .collect();
        if let (true, Some(single)) = (instances.is_empty(), values.get(&None)) {
            return Some(Resource::Single(single.value));
        }
        let defined = self
            .models
            .resource_type(path.object_id()?, path.resource_id()?);
        let is_multiple = defined.is_some_and(|(_, multiple)| multiple);
        let first = instances.values().next().map(|value| value.resource_type());
        (first.is_some() || is_multiple).then(|| Resource::Multiple {
            resource_type: first.or(defined.map(|(resource_type, _)| resource_type)),
            values: instances,
        })
    }
}
