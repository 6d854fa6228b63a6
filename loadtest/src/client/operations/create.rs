//! Create.

use std::collections::BTreeMap;

use coap_lite::ResponseType;

use super::{Abilities, Effect};
use crate::client::formats::{self, NEW_INSTANCE};
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::client::tree::{Content, Instance, Object, Record, Tree};

pub fn create(
    tree: &mut Tree,
    abilities: &Abilities,
    path: Path,
    request: &Request,
) -> Result<(Answer, Effect), Refusal> {
    let object = tree.object(&path)?;
    if path.object() == Some(1) {
        return Err(Refusal::not_allowed(
            "Server object instances come by bootstrap",
        ));
    }
    let records = if request.payload.is_empty() {
        Vec::new()
    } else {
        let format = abilities.content_format(request)?;
        if formats::is_single_valued(format) {
            return Err(Refusal::unsupported_format(format!(
                "content format {format} cannot carry an object instance"
            )));
        }
        formats::decode(format, &path, &request.payload, tree)?
    };
    let mut wanted: BTreeMap<u16, Vec<Record>> = BTreeMap::new();
    for record in records {
        let Some(instance) = record.path.instance() else {
            return Err(Refusal::bad_request(format!(
                "{} is no resource",
                record.path
            )));
        };
        wanted.entry(instance).or_default().push(record);
    }
    if wanted.is_empty() {
        wanted.insert(NEW_INSTANCE, Vec::new());
    }
    if !object.model.multiple && (wanted.len() > 1 || !object.instances.is_empty()) {
        return Err(Refusal::bad_request(format!(
            "object {path} takes one instance"
        )));
    }
    let mut location = None;
    let mut created = Vec::new();
    for (id, records) in wanted {
        if object.instances.contains_key(&id) {
            return Err(Refusal::bad_request(format!(
                "instance {id} already exists"
            )));
        }
        let id = if id == NEW_INSTANCE {
            let id = free_instance(object);
            location = Some(path.child(id));
            id
        } else {
            id
        };
        created.push((id, records_in(object, path.child(id), records)?));
    }
    for (id, records) in created {
        place(tree, path.child(id), &records);
    }
    let answer = Answer {
        location,
        ..Answer::of(ResponseType::Created)
    };
    Ok((answer, Effect::Instances))
}

/// An instance that supports every resource of its object, without values.
#[must_use]
pub fn blank(object: &Object) -> Instance {
    let models = object.model.resources.iter();
    Instance {
        resources: models
            .map(|(&id, model)| (id, Content::of(model)))
            .collect(),
    }
}

fn free_instance(object: &Object) -> u16 {
    (0..NEW_INSTANCE)
        .find(|id| !object.instances.contains_key(id))
        .unwrap_or_default()
}

/// The records with the instance's real id, if they make an instance.
fn records_in(
    object: &Object,
    instance: Path,
    records: Vec<Record>,
) -> Result<Vec<Record>, Refusal> {
    let mut moved = Vec::with_capacity(records.len());
    for record in records {
        let ids = record.path.ids().get(2..).unwrap_or_default();
        let path = ids.iter().fold(instance, |path, &id| path.child(id));
        let model = path
            .resource()
            .and_then(|id| object.model.resources.get(&id));
        let Some(model) = model else {
            return Err(Refusal::bad_request(format!(
                "resource {path} is not known"
            )));
        };
        let in_place = path.depth() == if model.multiple { 4 } else { 3 };
        if model.executable || !(in_place || record.value.is_none()) {
            return Err(Refusal::bad_request(format!(
                "{path} cannot have this value"
            )));
        }
        moved.push(Record { path, ..record });
    }
    let missing = object.model.resources.values().find(|model| {
        model.mandatory
            && model.writable
            && !moved
                .iter()
                .any(|record| record.path.resource() == Some(model.id))
    });
    match missing {
        Some(missing) => Err(Refusal::bad_request(format!(
            "mandatory resource {} is missing",
            instance.child(missing.id)
        ))),
        None => Ok(moved),
    }
}

fn place(tree: &mut Tree, path: Path, records: &[Record]) {
    if let Some(object) = path.object().and_then(|id| tree.objects.get_mut(&id)) {
        let instance = blank(object);
        object
            .instances
            .insert(path.instance().unwrap_or_default(), instance);
    }
    for record in records {
        if let Some(value) = &record.value {
            tree.set(&record.path, value.clone());
        }
    }
}
