//! What the device has: what it announced, and what the object definitions say about that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::Session;
use super::completion::{Candidate, Known};

/// Objects, instances and keys as they were when the terminal began; definitions as they are asked
/// for.
pub(super) struct DeviceTree {
    session: Rc<Session>,
    objects: BTreeMap<u16, Object>,
    keys: BTreeSet<String>,
    definitions: RefCell<BTreeMap<u16, Rc<Definition>>>,
}

struct Object {
    version: String,
    instances: Vec<u64>,
}

#[derive(Default)]
struct Definition {
    name: Option<String>,
    /// Id and name.
    resources: Vec<(u64, String)>,
}

impl DeviceTree {
    /// Asks the server. What it does not tell is not completed.
    pub(super) fn load(session: Rc<Session>) -> Self {
        let registration = session.get_of_device("/registration").unwrap_or_default();
        let objects = members(&registration["objects"]).filter_map(|(id, object)| {
            let version = object["version"].as_str()?.to_owned();
            let instances = object["instances"].as_array()?.iter();
            let instances = instances.filter_map(Value::as_u64).collect();
            Some((id.parse().ok()?, Object { version, instances }))
        });
        Self {
            objects: objects.collect(),
            keys: keys(&session),
            definitions: RefCell::default(),
            session,
        }
    }

    fn definition(&self, object: u16) -> Rc<Definition> {
        if let Some(known) = self.definitions.borrow().get(&object) {
            return known.clone();
        }
        let version = self.objects.get(&object).map(|object| &object.version);
        let found = version.and_then(|version| {
            let exact = self
                .session
                .get(&format!("/api/v1/models/{object}_{version}"));
            exact.or_else(|| self.newest_definition(object))
        });
        let definition = Rc::new(found.as_ref().map(Definition::read).unwrap_or_default());
        let mut definitions = self.definitions.borrow_mut();
        definitions.insert(object, definition.clone());
        definition
    }

    /// For a version without a definition of its own.
    fn newest_definition(&self, object: u16) -> Option<Value> {
        let list = self.session.get(&format!("/api/v1/models?id={object}"))?;
        let key = list["items"].as_array()?.last()?["key"]
            .as_str()?
            .to_owned();
        self.session.get(&format!("/api/v1/models/{key}"))
    }
}

impl Known for DeviceTree {
    fn below(&self, parent: &str) -> Vec<Candidate> {
        let mut ids = parent.split('/').skip(1).map(without_version);
        let (object, instance) = (ids.next(), ids.next());
        if ids.next().is_some() {
            return Vec::new();
        }
        match (object, instance) {
            (None, _) => {
                let ids = self.objects.keys();
                ids.map(|id| Candidate {
                    text: format!("/{id}"),
                    about: self.definition(*id).name.clone(),
                })
                .collect()
            }
            (Some(Some(object)), None) => {
                let instances = self.objects.get(&object).map(|object| &object.instances);
                let instances = instances.into_iter().flatten();
                instances
                    .map(|id| Candidate::new(format!("{parent}/{id}")))
                    .collect()
            }
            (Some(Some(object)), Some(Some(_))) => {
                let definition = self.definition(object);
                let resources = definition.resources.iter();
                resources
                    .map(|(id, name)| Candidate {
                        text: format!("{parent}/{id}"),
                        about: Some(name.clone()),
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn keys(&self) -> Vec<Candidate> {
        self.keys.iter().map(Candidate::new).collect()
    }
}

impl Definition {
    fn read(model: &Value) -> Self {
        let resources = model["resources"].as_array().into_iter().flatten();
        let named = |resource: &Value| {
            let name = resource["name"].as_str()?.to_owned();
            Some((resource["id"].as_u64()?, name))
        };
        Self {
            name: model["name"].as_str().map(str::to_owned),
            resources: resources.filter_map(named).collect(),
        }
    }
}

/// Keys the device has values under, and those its profile names.
fn keys(session: &Session) -> BTreeSet<String> {
    let telemetry = session
        .get_of_device("/telemetry?limit=1")
        .unwrap_or_default();
    let attributes = session.get_of_device("/attributes").unwrap_or_default();
    let device = session.get_of_device("").unwrap_or_default();
    let profile = device["profile"].as_str().and_then(|name| {
        let name = super::percent_encoded(name);
        session.get(&format!("/api/v1/profiles/{name}"))
    });
    let profile = profile.unwrap_or_default();
    let named = members(&profile["observeAttr"]["keyName"]);
    let named = named.filter_map(|(_, key)| key.as_str().map(str::to_owned));
    let reported = members(&telemetry).chain(members(&attributes["client"]));
    reported.map(|(key, _)| key.clone()).chain(named).collect()
}

fn members(json: &Value) -> impl Iterator<Item = (&String, &Value)> {
    json.as_object().into_iter().flatten()
}

/// The id in `3` or `3_1.2`.
fn without_version(segment: &str) -> Option<u16> {
    segment.split('_').next()?.parse().ok()
}
