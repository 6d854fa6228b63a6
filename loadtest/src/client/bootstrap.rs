//! What a bootstrap server does to a device (OMA LwM2M Core, "Bootstrap Interface"): operations on the object tree, and
//! the accounts that come of them. Fleets and the single device have this in common.

mod account;
mod discover;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use coap_lite::{RequestType, ResponseType};

use super::formats::{self, decode, encode, is_single_valued};
use super::objects;
use super::operations::Abilities;
use super::options::{Fixture, Version};
use super::path::Path;
use super::refusal::Refusal;
use super::request::{Answer, Request};
use super::tree::Tree;
use super::value::Value;

pub use account::{Account, AccountError, Mode, bootstrap_account, server_accounts};
pub(super) use account::{factory_values, login};
pub use stage::Stage;
pub(super) use stage::add_factory_accounts;

/// The Security, the Server and the Device object.
pub const SECURITY: u16 = 0;
pub const SERVER: u16 = 1;
const DEVICE: u16 = 3;
const ACCESS_CONTROL: u16 = 2;
const OSCORE: u16 = 21;

/// What a request did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Done {
    /// The session goes on.
    Continues,
    /// The server has said that this is all, and the device takes it.
    Finished,
}

/// Carries out a request of a bootstrap server.
///
/// # Errors
///
/// The response in the negative case; the tree is as before then.
pub fn perform(
    tree: &mut Tree,
    abilities: &Abilities,
    request: &Request,
) -> Result<(Answer, Done), Refusal> {
    let is_finish = request.method == RequestType::Post && request.segments == ["bs"];
    if is_finish {
        server_accounts(tree).map_err(|error| Refusal::not_acceptable(error.to_string()))?;
        return Ok((Answer::of(ResponseType::Changed), Done::Finished));
    }
    let path = request.path()?;
    let answer = match request.method {
        RequestType::Get if request.accept == Some(formats::LINK_FORMAT) => {
            let links = discover::discover(tree, abilities.version, &path)?;
            Answer::content(formats::LINK_FORMAT, links.into_bytes())
        }
        RequestType::Get => read(tree, abilities, path, request.accept)?,
        RequestType::Put => write(tree, abilities, path, request)?,
        RequestType::Delete => delete(tree, path)?,
        _ => {
            return Err(Refusal::not_allowed(
                "this is no operation of the bootstrap interface",
            ));
        }
    };
    Ok((answer, Done::Continues))
}

/// What a device understands that bootstraps with this version, whatever it announces later.
#[must_use]
pub fn abilities(version: Version) -> Abilities {
    Abilities {
        version,
        formats: [
            &[formats::TEXT, formats::OPAQUE],
            formats::announced(version),
        ]
        .concat(),
        fixture: Fixture::Demo,
    }
}

/// The objects that bootstrap is about, Security and Server, with a bootstrap account at `uri` and nothing else.
#[must_use]
pub fn blank_tree(uri: &str) -> Tree {
    static MODELS: LazyLock<Tree> = LazyLock::new(|| {
        let mut tree = Tree::default();
        for object in [SECURITY, SERVER] {
            objects::add_built_in(&mut tree, object, "1.1");
        }
        tree
    });
    let mut tree = MODELS.clone();
    let mut set = |resource, value: Value| tree.set(&Path::new(&[SECURITY, 0, resource]), value);
    set(0, uri.into());
    set(1, true.into());
    tree
}

/// Puts a whole configuration in place, as a Bootstrap-Pack has it (LwM2M Core 1.2, "Bootstrap-Pack").
///
/// # Errors
///
/// When the format is none for it, the payload is malformed, or what it says makes no accounts.
pub fn unpack(tree: &mut Tree, abilities: &Abilities, answer: &Answer) -> Result<(), Refusal> {
    let format = answer.format.unwrap_or(formats::TEXT);
    if !abilities.supports(format) || is_single_valued(format) {
        return Err(Refusal::unsupported_format(format!(
            "content format {format} is none for a Bootstrap-Pack"
        )));
    }
    put_records(tree, Path::ROOT, format, &answer.payload)?;
    server_accounts(tree).map_err(|error| Refusal::not_acceptable(error.to_string()))?;
    Ok(())
}

/// Bootstrap-Read: the Server and the Access Control object only.
fn read(
    tree: &Tree,
    abilities: &Abilities,
    path: Path,
    accept: Option<u16>,
) -> Result<Answer, Refusal> {
    let may = matches!(path.object(), Some(SERVER | ACCESS_CONTROL));
    if !may || path.depth() > 2 || abilities.version == Version::V1_0 {
        return Err(Refusal::not_allowed(format!(
            "a bootstrap server may read /1 and /2 and their instances since LwM2M 1.1, not {path}"
        )));
    }
    exists(tree, &path)?;
    let format = accept.unwrap_or(formats::TLV);
    if !abilities.supports(format) || is_single_valued(format) {
        return Err(Refusal::not_acceptable(format!(
            "content format {format} is not available"
        )));
    }
    let payload = encode(format, &path, &tree.values_below(&path))
        .map_err(|error| Refusal::not_acceptable(error.to_string()))?;
    Ok(Answer::content(format, payload))
}

/// Bootstrap-Write: creates or replaces, whatever the model allows to servers.
fn write(
    tree: &mut Tree,
    abilities: &Abilities,
    path: Path,
    request: &Request,
) -> Result<Answer, Refusal> {
    if !(1..=3).contains(&path.depth()) {
        return Err(Refusal::bad_request(format!("{path} cannot be written")));
    }
    exists(tree, &path.ancestor(1))?;
    if path.depth() == 3 && tree.model_of(&path).is_none() {
        return Err(Refusal::not_found(format!("resource {path} not found")));
    }
    let format = request.content_format.unwrap_or(formats::TEXT);
    if !abilities.supports(format) || path.depth() < 3 && is_single_valued(format) {
        return Err(Refusal::unsupported_format(format!(
            "content format {format} is none for a Bootstrap-Write of {path}"
        )));
    }
    put_records(tree, path, format, &request.payload)?;
    Ok(Answer::of(ResponseType::Changed))
}

fn put_records(tree: &mut Tree, path: Path, format: u16, payload: &[u8]) -> Result<(), Refusal> {
    let records = decode(format, &path, payload, tree)?;
    let mut changed = tree.clone();
    let mut instances: BTreeSet<Path> = records.iter().map(|r| r.path.ancestor(2)).collect();
    instances.extend((path.depth() >= 2).then(|| path.ancestor(2)));
    for instance in instances {
        let is_single = |id| !tree.objects.get(&id).is_none_or(|o| o.model.multiple);
        match *instance.ids() {
            // What the device does not have is passed over, as unknown Resources are.
            [object, _] if !tree.objects.contains_key(&object) => {}
            [object, id] if id > 0 && is_single(object) => {
                return Err(Refusal::bad_request(format!(
                    "object /{object} takes one instance"
                )));
            }
            [_, _] if path.depth() < 3 => objects::empty_instance(&mut changed, &instance),
            [_, _] => {}
            _ => return Err(Refusal::bad_request(format!("{instance} is no instance"))),
        }
    }
    for record in records {
        let known = changed.model_of(&record.path).is_some();
        if let Some(value) = record.value.filter(|_| known)
            && !changed.set(&record.path, value)
        {
            return Err(Refusal::bad_request(format!(
                "{} cannot have this value",
                record.path
            )));
        }
    }
    changed.prune_attributes();
    *tree = changed;
    Ok(())
}

/// Bootstrap-Delete. The bootstrap server's own account stays, and the Device object.
fn delete(tree: &mut Tree, path: Path) -> Result<Answer, Refusal> {
    exists(tree, &path)?;
    match path.depth() {
        0 | 1 => {
            let of_path = |path: &Path, id: u16| path.object().is_none_or(|object| object == id);
            let chosen = tree.objects.iter().filter(|&(&id, _)| of_path(&path, id));
            let instances = chosen.flat_map(|(&id, object)| {
                let ids = object.instances.keys();
                ids.map(move |&instance| Path::new(&[id, instance]))
            });
            let gone: Vec<Path> = instances.filter(|at| !stays(tree, at)).collect();
            gone.iter().for_each(|path| tree.remove_instance(path));
        }
        2 if stays(tree, &path) => {
            return Err(Refusal::bad_request(format!("{path} cannot be deleted")));
        }
        2 => tree.remove_instance(&path),
        _ => {
            return Err(Refusal::bad_request(format!(
                "objects and instances can be deleted, not {path}"
            )));
        }
    }
    Ok(Answer::of(ResponseType::Deleted))
}

fn stays(tree: &Tree, instance: &Path) -> bool {
    match *instance.ids() {
        [DEVICE, _] => true,
        [SECURITY, id] => is_bootstrap(tree, id),
        // The keys of the bootstrap account (resource 17 of it).
        [OSCORE, id] => tree.objects.get(&SECURITY).is_some_and(|security| {
            let mut accounts = security.instances.keys().copied();
            accounts.any(|account| {
                let link = tree.get(&Path::new(&[SECURITY, account, 17]));
                is_bootstrap(tree, account) && link == Some(&Value::ObjectLink(OSCORE, id))
            })
        }),
        _ => false,
    }
}

/// Whether an instance of the Security object is a bootstrap server's.
fn is_bootstrap(tree: &Tree, security: u16) -> bool {
    tree.get(&Path::new(&[SECURITY, security, 1])) == Some(&Value::Boolean(true))
}

fn exists(tree: &Tree, path: &Path) -> Result<(), Refusal> {
    let Some(id) = path.object() else {
        return Ok(());
    };
    let object = tree.objects.get(&id);
    let found = object.is_some_and(|object| {
        let instance = path.instance();
        instance.is_none_or(|id| object.instances.contains_key(&id))
    });
    if found {
        Ok(())
    } else {
        Err(Refusal::not_found(format!("{path} not found")))
    }
}
