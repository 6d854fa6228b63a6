//! `rookery.bootstrap`: what a bootstrapped device is told besides its servers, such as Access Control
//! (2).

use std::collections::BTreeMap;

use data_encoding::HEXLOWER_PERMISSIVE;

use super::bootstrap::BootstrapServer;
use super::findings::Findings;
use super::json::Node;
use super::members::{Members, unlike};
use crate::engine::bootstrap::configuration::{ObjectInstance, SECURITY, SERVER};
use crate::proto::lwm2m::{Path, Record, Value};

/// Most values.
const MAX_VALUES: usize = 1_000;

/// What devices of a profile are told when they bootstrap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BootstrapPlan {
    /// The servers.
    pub servers: Vec<BootstrapServer>,
    /// Objects that are emptied first.
    pub emptied: Vec<u16>,
    /// Further Object Instances.
    pub objects: Vec<ObjectInstance>,
}

impl BootstrapPlan {
    /// Reads `bootstrap` of the extensions.
    pub(super) fn read_objects(&mut self, members: &Members<'_>, findings: &mut Findings) {
        members.refuse_unknown(&["empty", "write"], findings);
        for (member, node) in members.array("empty", findings) {
            let id = match node {
                Node::Number(number) => number.as_u64().and_then(|id| u16::try_from(id).ok()),
                _ => None,
            };
            match id.filter(|id| is_free(*id)) {
                Some(id) => self.emptied.push(id),
                None => findings.refuse(&member, unlike(node, "an object id from 2 to 65534")),
            }
        }
        let Some(values) = members.object("write", findings) else {
            return;
        };
        let mut instances: BTreeMap<Path, Vec<Record>> = BTreeMap::new();
        let mut count = 0;
        for (name, node) in values.iter() {
            count += 1;
            let member = format!("{}[\"{name}\"]", members.at("write"));
            let path = name.parse::<Path>().ok().filter(Path::holds_value);
            let path = path.filter(|path| path.object_id().is_some_and(is_free));
            let Some(path) = path else {
                let accepted =
                    "names no Resource of an object from 2 on; accepted is a path such as /2/0/3";
                findings.refuse(&member, accepted);
                continue;
            };
            let Some(value) = value(node) else {
                let accepted =
                    "a whole number, true or false, a text, or {\"opaque\": hexadecimal digits}";
                findings.refuse(&member, unlike(node, accepted));
                continue;
            };
            let [object, instance, ..] = *path.segments() else {
                continue;
            };
            let records = instances
                .entry(Path::instance(object, instance))
                .or_default();
            records.push(Record {
                path,
                time: None,
                value: Some(value),
            });
        }
        if count > MAX_VALUES {
            let problem = format!("has {count} values; accepted are at most {MAX_VALUES}");
            findings.refuse(&members.at("write"), problem);
        }
        let instances = instances.into_iter();
        self.objects = instances
            .map(|(path, records)| ObjectInstance { path, records })
            .collect();
    }
}

/// Security and Server are made of the list of servers.
const fn is_free(object: u16) -> bool {
    object != SECURITY && object != SERVER && object <= Path::MAX_ID
}

fn value(node: &Node) -> Option<Value> {
    Some(match node {
        Node::Boolean(value) => Value::Boolean(*value),
        Node::Number(number) => Value::Integer(number.as_i64()?),
        Node::String(text) => Value::String(text.as_str().into()),
        Node::Object(members) => match members.as_slice() {
            [(name, Node::String(digits))] if name == "opaque" => {
                let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
                Value::Opaque(bytes.into())
            }
            _ => return None,
        },
        Node::Null | Node::Array(_) => return None,
    })
}
