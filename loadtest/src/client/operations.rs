//! The operations of device management on the object tree.

mod arguments;
pub mod create;
mod discover;
mod read;
mod write;

use coap_lite::{RequestType, ResponseType};

use super::attributes::parse_change;
use super::formats;
use super::options::{Fixture, Version};
use super::path::Path;
use super::refusal::Refusal;
use super::request::{Answer, Request};
use super::tree::{Content, Record, Tree};
use super::value::Value;

pub use arguments::{Arguments, parse_arguments};
pub use read::{Reading, observed, read};

/// What the operations have to know about the device.
#[derive(Clone, Debug)]
pub struct Abilities {
    pub version: Version,
    /// The formats that are understood.
    pub formats: Vec<u16>,
    pub fixture: Fixture,
}

/// What an operation did besides answering.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Nothing.
    None,
    /// These were written.
    Written(Vec<Record>),
    /// The instances of an object have changed.
    Instances,
    /// This is to be executed; the answer is for the case that it succeeds.
    Execute(Path, Arguments),
}

impl Abilities {
    /// Whether a format is understood.
    #[must_use]
    pub fn supports(&self, format: u16) -> bool {
        self.formats.contains(&format)
    }

    fn content_format(&self, request: &Request) -> Result<u16, Refusal> {
        let format = request.content_format.unwrap_or(formats::TEXT);
        if self.supports(format) {
            Ok(format)
        } else {
            Err(Refusal::unsupported_format(format!(
                "content format {format} is not supported"
            )))
        }
    }
}

/// Carries out everything but observations.
///
/// # Errors
///
/// The response in the negative case; the tree is unchanged then.
pub fn perform(
    tree: &mut Tree,
    abilities: &Abilities,
    request: &Request,
) -> Result<(Answer, Effect), Refusal> {
    let path = request.path()?;
    let composite = matches!(request.method, RequestType::Fetch | RequestType::IPatch);
    if composite && path.depth() > 0 {
        return Err(Refusal::bad_option(
            "a composite operation is addressed to the root",
        ));
    }
    if composite && abilities.version == Version::V1_0 {
        return Err(Refusal::not_allowed(
            "composite operations came with LwM2M 1.1",
        ));
    }
    match request.method {
        RequestType::Get if request.accept == Some(formats::LINK_FORMAT) => {
            let links = discover::discover(tree, abilities, &path, &request.query)?;
            let answer = Answer::content(formats::LINK_FORMAT, links.into_bytes());
            Ok((answer, Effect::None))
        }
        RequestType::Get | RequestType::Fetch => {
            let (reading, answer) = read(tree, abilities, request)?;
            drop(reading);
            Ok((answer, Effect::None))
        }
        RequestType::Put if request.is_write_attributes() => {
            write_attributes(tree, abilities, path, &request.query)?;
            Ok((Answer::of(ResponseType::Changed), Effect::None))
        }
        RequestType::Put => write::write(tree, abilities, path, request, write::Mode::Replace),
        RequestType::Post => match path.depth() {
            0 => Err(Refusal::not_allowed("nothing can be created at the root")),
            1 => create::create(tree, abilities, path, request),
            3 if !request.has_structure() => execute(tree, path, request),
            _ => write::write(tree, abilities, path, request, write::Mode::Update),
        },
        RequestType::IPatch => write::write_composite(tree, abilities, request),
        RequestType::Delete => {
            delete(tree, abilities, path)?;
            Ok((Answer::of(ResponseType::Deleted), Effect::Instances))
        }
        _ => Err(Refusal::not_allowed("the method is not known")),
    }
}

fn write_attributes(
    tree: &mut Tree,
    abilities: &Abilities,
    path: Path,
    query: &[String],
) -> Result<(), Refusal> {
    exists(tree, &path)?;
    if path.depth() == 0 || (path.depth() == 4 && abilities.version == Version::V1_0) {
        return Err(Refusal::bad_request(format!("{path} takes no attributes")));
    }
    let mut attributes = tree.attributes.get(&path).cloned().unwrap_or_default();
    for parameter in query {
        attributes.apply(parse_change(parameter, abilities.version)?);
    }
    attributes.check()?;
    if attributes.is_empty() {
        tree.attributes.remove(&path);
    } else {
        tree.attributes.insert(path, attributes);
    }
    Ok(())
}

/// The links that a Discover shows.
///
/// # Errors
///
/// When there is nothing at the path.
pub fn links_below(tree: &Tree, abilities: &Abilities, path: &Path) -> Result<String, Refusal> {
    discover::discover(tree, abilities, path, &[])
}

/// The refusal that fits a path with nothing at it.
fn exists(tree: &Tree, path: &Path) -> Result<(), Refusal> {
    match path.depth() {
        0 => {}
        1 => drop(tree.object(path)?),
        2 => drop(tree.instance(path)?),
        3 => drop(tree.resource(path)?),
        _ => {
            tree.resource(path)?;
            if tree.get(path).is_none() {
                return Err(Refusal::not_found(format!("{path} not found")));
            }
        }
    }
    Ok(())
}

fn execute(tree: &Tree, path: Path, request: &Request) -> Result<(Answer, Effect), Refusal> {
    let (_, model) = tree.resource(&path)?;
    if !model.executable {
        return Err(Refusal::not_allowed(format!("{path} is not executable")));
    }
    if request.content_format.unwrap_or(formats::TEXT) != formats::TEXT {
        return Err(Refusal::unsupported_format(
            "the arguments of an Execute are text",
        ));
    }
    let text = String::from_utf8_lossy(&request.payload);
    let arguments = parse_arguments(&text).map_err(Refusal::bad_request)?;
    Ok((
        Answer::of(ResponseType::Changed),
        Effect::Execute(path, arguments),
    ))
}

fn delete(tree: &mut Tree, abilities: &Abilities, path: Path) -> Result<(), Refusal> {
    let object = tree.object(&path)?;
    match path.depth() {
        2 if !object.model.multiple || path.object() == Some(1) => {
            Err(Refusal::not_allowed(format!("{path} cannot be deleted")))
        }
        2 => {
            tree.instance(&path)?;
            tree.remove_instance(&path);
            Ok(())
        }
        4 if abilities.version == Version::V1_2 => {
            exists(tree, &path)?;
            let (_, model) = tree.resource(&path)?;
            if !model.writable {
                return Err(Refusal::not_allowed(format!("{path} is read-only")));
            }
            remove_resource_instance(tree, &path);
            tree.prune_attributes();
            Ok(())
        }
        _ => Err(Refusal::bad_request(format!(
            "only object instances can be deleted, not {path}"
        ))),
    }
}

/// Takes a resource instance away.
fn remove_resource_instance(tree: &mut Tree, path: &Path) {
    if let &[object, instance, resource, id] = path.ids()
        && let Some(object) = tree.objects.get_mut(&object)
        && let Some(instance) = object.instances.get_mut(&instance)
        && let Some(Content::Multiple(values)) = instance.resources.get_mut(&resource)
    {
        values.remove(&id);
    }
}

/// Whether a format can carry this value alone.
fn carries(format: u16, value: &Value) -> bool {
    format != formats::OPAQUE || matches!(value, Value::Opaque(_))
}
