//! Write (replace and partial update) and Write-Composite.

use std::collections::BTreeSet;

use coap_lite::ResponseType;

use super::{Abilities, Effect, remove_resource_instance};
use crate::client::formats;
use crate::client::options::{Fixture, Version};
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::client::tree::{Content, Record, Tree};

/// What happens to what is not mentioned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It goes.
    Replace,
    /// It stays.
    Update,
}

pub fn write(
    tree: &mut Tree,
    abilities: &Abilities,
    path: Path,
    request: &Request,
    mode: Mode,
) -> Result<(Answer, Effect), Refusal> {
    match path.depth() {
        0 | 1 => return Err(Refusal::not_allowed(format!("{path} cannot be written"))),
        2 => drop(tree.instance(&path)?),
        _ => {
            tree.instance(&path)?;
            writable(tree, &path)?;
        }
    }
    if path.depth() == 4 && abilities.version == Version::V1_0 {
        return Err(Refusal::bad_request(
            "resource instances came with LwM2M 1.1",
        ));
    }
    let format = abilities.content_format(request)?;
    if path.depth() == 2 && formats::is_single_valued(format) {
        return Err(Refusal::unsupported_format(format!(
            "content format {format} carries one value, not an object instance"
        )));
    }
    let records = formats::decode(format, &path, &request.payload, tree)?;
    records
        .iter()
        .try_for_each(|record| fits(tree, &record.path, record.value.is_some()))?;
    if mode == Mode::Replace {
        make_room(tree, path, &records)?;
    }
    apply(tree, &records);
    tree.prune_attributes();
    Ok((Answer::of(ResponseType::Changed), Effect::Written(records)))
}

pub fn write_composite(
    tree: &mut Tree,
    abilities: &Abilities,
    request: &Request,
) -> Result<(Answer, Effect), Refusal> {
    let format = abilities.content_format(request)?;
    if !matches!(
        format,
        formats::SENML_JSON
            | formats::SENML_CBOR
            | formats::SENML_ETCH_JSON
            | formats::SENML_ETCH_CBOR
            | formats::LWM2M_CBOR
    ) {
        return Err(Refusal::unsupported_format(format!(
            "content format {format} is none for a composite"
        )));
    }
    let records = formats::decode(format, &Path::ROOT, &request.payload, tree)?;
    for record in &records {
        if record.path.depth() < 3 {
            return Err(Refusal::bad_request(format!(
                "{} is no resource",
                record.path
            )));
        }
        if let Err(refusal) = tree.instance(&record.path) {
            return Err(match abilities.fixture {
                Fixture::Thingsboard13 => Refusal::bad_request(refusal.text),
                Fixture::Demo => refusal,
            });
        }
        let removal = record.value.is_none();
        if removal && record.path.depth() < 4 {
            return Err(Refusal::bad_request(format!(
                "{} cannot be removed",
                record.path
            )));
        }
        fits(tree, &record.path, !removal)?;
    }
    apply(tree, &records);
    tree.prune_attributes();
    Ok((Answer::of(ResponseType::Changed), Effect::Written(records)))
}

/// Whether a server may write the resource.
fn writable(tree: &Tree, path: &Path) -> Result<(), Refusal> {
    let Some(model) = tree.model_of(path) else {
        return Err(Refusal::not_found(format!(
            "resource {} not found",
            path.ancestor(3)
        )));
    };
    if !model.writable {
        return Err(Refusal::not_allowed(format!(
            "{} is not writable",
            path.ancestor(3)
        )));
    }
    Ok(())
}

/// Whether a value can be at this path: a resource instance in a multiple resource, else the resource.
fn fits(tree: &Tree, path: &Path, has_value: bool) -> Result<(), Refusal> {
    writable(tree, path)?;
    let multiple = tree.model_of(path).is_some_and(|model| model.multiple);
    let in_place = match (multiple, path.depth()) {
        (true, 4) | (false, 3) => true,
        (true, 3) => !has_value,
        _ => false,
    };
    if !in_place {
        let kind = if multiple { "multiple" } else { "single" };
        return Err(Refusal::bad_request(format!(
            "{path}: the resource is {kind}"
        )));
    }
    if !has_value && !multiple {
        return Err(Refusal::bad_request(format!("{path} has no value")));
    }
    Ok(())
}

/// Takes away what a replacing Write does not mention.
fn make_room(tree: &mut Tree, path: Path, records: &[Record]) -> Result<(), Refusal> {
    let mentioned: BTreeSet<u16> = records.iter().filter_map(|r| r.path.resource()).collect();
    let (Some(object), Some(instance)) = (path.object(), path.instance()) else {
        return Ok(());
    };
    let Some(object) = tree.objects.get_mut(&object) else {
        return Ok(());
    };
    let models = &object.model.resources;
    let missing = models
        .values()
        .find(|model| model.mandatory && model.writable && !mentioned.contains(&model.id));
    if let Some(missing) = missing.filter(|_| path.depth() == 2) {
        return Err(Refusal::bad_request(format!(
            "mandatory resource {} is missing",
            path.child(missing.id)
        )));
    }
    let Some(instance) = object.instances.get_mut(&instance) else {
        return Ok(());
    };
    for (id, content) in &mut instance.resources {
        let Some(model) = models.get(id).filter(|model| model.writable) else {
            continue;
        };
        let written = match path.depth() {
            2 => true,
            3 => path.resource() == Some(*id),
            _ => false,
        };
        if written {
            *content = Content::of(model);
        }
    }
    Ok(())
}

/// Puts values that were checked before.
fn apply(tree: &mut Tree, records: &[Record]) {
    for record in records {
        match &record.value {
            // A write-only resource is taken, and there is nothing to be read.
            Some(_) if tree.model_of(&record.path).is_some_and(|m| !m.readable) => {}
            Some(value) => drop(tree.set(&record.path, value.clone())),
            None => remove_resource_instance(tree, &record.path),
        }
    }
}
