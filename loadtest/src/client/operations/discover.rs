//! Discover: what is there, with its attributes.

use std::fmt::Write;

use super::{Abilities, exists};
use crate::client::options::Version;
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::tree::{Content, Tree, version_attribute};

/// The links below `path`, itself included. How deep: two levels below an object, else one, or what the query's
/// `depth` says (LwM2M 1.2).
///
/// # Errors
///
/// 4.04 when there is nothing, 4.00 for a resource instance or another `depth` than 0 to 3.
pub fn discover(
    tree: &Tree,
    abilities: &Abilities,
    path: &Path,
    query: &[String],
) -> Result<String, Refusal> {
    exists(tree, path)?;
    let usual = match path.depth() {
        0 => {
            return Err(Refusal::not_allowed(
                "Discover of the root belongs to bootstrap",
            ));
        }
        1 => 2,
        4 => {
            return Err(Refusal::bad_request(format!(
                "{path} is a resource instance"
            )));
        }
        _ => 1,
    };
    let depth = match depth_of(query)? {
        Some(depth) if abilities.version == Version::V1_2 => depth,
        Some(_) => return Err(Refusal::bad_request("`depth` came with LwM2M 1.2")),
        None => usual,
    };
    let deepest = path.depth() + depth;
    let deepest = deepest.min(if abilities.version == Version::V1_0 {
        3
    } else {
        4
    });
    let mut links = Vec::new();
    let mut add = |at: Path, extra: &str| {
        if path.contains(&at) && at.depth() <= deepest {
            let attributes = tree.attributes.get(&at).map(|a| a.to_link());
            let (before, after) = match at.depth() {
                1 => (extra, ""),
                _ => ("", extra),
            };
            let attributes = attributes.unwrap_or_default();
            links.push(format!("<{at}>{before}{attributes}{after}"));
        }
    };
    let Some((&id, object)) = path.object().and_then(|id| tree.objects.get_key_value(&id)) else {
        return Err(Refusal::not_found(format!("{path} not found")));
    };
    let at = Path::new(&[id]);
    add(at, &version_attribute(id, object, abilities.version));
    for (&instance_id, instance) in &object.instances {
        let at = at.child(instance_id);
        add(at, "");
        for (&resource_id, content) in &instance.resources {
            let at = at.child(resource_id);
            let Content::Multiple(values) = content else {
                add(at, "");
                continue;
            };
            let mut dimension = String::new();
            // Writing into a String cannot fail.
            let _ = write!(dimension, ";dim={}", values.len());
            add(at, &dimension);
            values.keys().for_each(|&id| add(at.child(id), ""));
        }
    }
    Ok(links.join(","))
}

fn depth_of(query: &[String]) -> Result<Option<usize>, Refusal> {
    let Some(parameter) = query.first() else {
        return Ok(None);
    };
    let depth = parameter
        .strip_prefix("depth=")
        .and_then(|depth| depth.parse().ok());
    match depth {
        Some(depth @ 0..=3) if query.len() == 1 => Ok(Some(depth)),
        _ => Err(Refusal::bad_request(format!(
            "`{}` is not known here",
            query.join("&")
        ))),
    }
}
