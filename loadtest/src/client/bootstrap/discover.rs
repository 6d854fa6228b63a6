//! Bootstrap-Discover: what is there, with what tells the accounts apart.

use super::{SECURITY, SERVER, exists};
use crate::client::options::Version;
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::tree::{Tree, version_attribute};
use crate::client::value::Value;

/// The objects and instances below the root or an object, behind the version of LwM2M.
///
/// # Errors
///
/// 4.04 when there is no such object, 4.00 for what is no object.
pub fn discover(tree: &Tree, version: Version, path: &Path) -> Result<String, Refusal> {
    exists(tree, path)?;
    if path.depth() > 1 {
        return Err(Refusal::bad_request(format!(
            "a bootstrap server discovers the root or an object, not {path}"
        )));
    }
    let mut links = vec![if version == Version::V1_0 {
        "</>;lwm2m=\"1.0\"".to_owned()
    } else {
        format!("</>;lwm2m={version}")
    }];
    let of_path = |id: &u16| path.object().is_none_or(|object| object == *id);
    for (&id, object) in tree.objects.iter().filter(|(id, _)| of_path(id)) {
        let stated = version_attribute(id, object, version);
        if object.instances.is_empty() || !stated.is_empty() {
            links.push(format!("</{id}>{stated}"));
        }
        for &instance in object.instances.keys() {
            let more = match id {
                SECURITY => of_security(tree, instance, version),
                SERVER => short_id(tree, &Path::new(&[SERVER, instance, 0])),
                _ => String::new(),
            };
            links.push(format!("</{id}/{instance}>{more}"));
        }
    }
    Ok(links.join(","))
}

fn of_security(tree: &Tree, instance: u16, version: Version) -> String {
    let mut attributes = String::new();
    if !super::is_bootstrap(tree, instance) {
        attributes = short_id(tree, &Path::new(&[SECURITY, instance, 10]));
    }
    if let Some(Value::Text(uri)) = tree.get(&Path::new(&[SECURITY, instance, 0]))
        && version != Version::V1_0
        && !uri.contains('"')
    {
        attributes.push_str(&format!(";uri=\"{uri}\""));
    }
    attributes
}

fn short_id(tree: &Tree, path: &Path) -> String {
    let id = tree.get(path).and_then(Value::as_integer);
    id.map_or_else(String::new, |id| format!(";ssid={id}"))
}
