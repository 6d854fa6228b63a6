//! The object list of a Register or Update, and which versions need not be told.

use std::fmt::Write;

use super::{Object, Tree};
use crate::client::options::Version;

/// Core objects whose version a server knows from the LwM2M version, besides those at 1.0.
const DEFAULTS_1_1: [(u16, &str); 4] = [(0, "1.1"), (1, "1.1"), (3, "1.1"), (4, "1.2")];
const DEFAULTS_1_2: [(u16, &str); 5] = [(0, "1.2"), (1, "1.2"), (3, "1.2"), (4, "1.3"), (5, "1.1")];

/// Whether an object's version goes without saying (OMA LwM2M Core, "Object Version").
fn is_default_version(object: u16, version: &str, lwm2m: Version) -> bool {
    let table: &[(u16, &str)] = match lwm2m {
        Version::V1_0 => &[],
        Version::V1_1 => &DEFAULTS_1_1,
        Version::V1_2 => &DEFAULTS_1_2,
    };
    let known = table.iter().find(|(id, _)| *id == object);
    version == known.map_or("1.0", |(_, version)| *version)
}

/// The payload of a Register: root with the content formats, then objects and instances.
#[must_use]
pub fn announced_objects(tree: &Tree, lwm2m: Version, formats: &[u16]) -> String {
    let numbers: Vec<String> = formats.iter().map(u16::to_string).collect();
    let ct = match numbers.as_slice() {
        [] => String::new(),
        [one] => format!(";ct={one}"),
        several => format!(";ct=\"{}\"", several.join(" ")),
    };
    let mut list = format!("</>;rt=\"oma.lwm2m\"{ct}");
    for (&id, object) in tree.objects.iter().filter(|&(&id, _)| id != 0) {
        let version = version_attribute(id, object, lwm2m);
        // Writing into a String cannot fail.
        if object.instances.is_empty() || !version.is_empty() {
            let _ = write!(list, ",</{id}>{version}");
        }
        for instance in object.instances.keys() {
            let _ = write!(list, ",</{id}/{instance}>");
        }
    }
    list
}

/// `;ver=…` where it has to be told.
pub fn version_attribute(id: u16, object: &Object, lwm2m: Version) -> String {
    if is_default_version(id, &object.version, lwm2m) {
        String::new()
    } else if lwm2m == Version::V1_0 {
        format!(";ver=\"{}\"", object.version)
    } else {
        format!(";ver={}", object.version)
    }
}
