//! `rookery.bootstrap`: what a bootstrapped device is told besides its servers, such as Access Control
//! (2).

use std::collections::BTreeMap;

use serde_json::Map;

use data_encoding::HEXLOWER_PERMISSIVE;

use super::bootstrap::BootstrapServer;
use super::findings::{Finding, Findings};
use super::json::Node;
use super::members::{Members, unlike};
use crate::engine::bootstrap::configuration::{ObjectInstance, SECURITY, SERVER};
use crate::proto::lwm2m::{Path, Record, Value};
use crate::services::credentials::GeneratedMode;

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
    /// Instance of OSCORE (21) that an account has to use, by Short Server ID; `None` is the bootstrap
    /// server's.
    pub oscore: BTreeMap<Option<u16>, u16>,
    /// The LwM2M servers know the device by credentials that are made for it at each bootstrap.
    pub generate: Option<GeneratedMode>,
}

impl BootstrapPlan {
    /// Reads `bootstrap` of the extensions.
    pub(super) fn read_objects(&mut self, members: &Members<'_>, findings: &mut Findings) {
        members.refuse_unknown(&["empty", "write", "generate", "oscore"], findings);
        self.read_oscore(members, findings);
        let generate = members.choice("generate", &GeneratedMode::NAMES, findings);
        self.generate = generate.and_then(|index| GeneratedMode::ALL.get(index).copied());
        self.check_generate(members, findings);
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
        if let Some(values) = members.object("write", findings) {
            self.objects = objects(&values, findings);
        }
    }
}

/// What a device is told beyond its profile: the member `write` of `credentials.bootstrap`.
///
/// # Errors
/// The first fault.
pub fn device_objects(
    write: &Map<String, serde_json::Value>,
) -> Result<Vec<ObjectInstance>, Finding> {
    const PLACE: &str = "credentials.bootstrap.write";
    let mut findings = Findings::default();
    let node = Node::from(write);
    let values = Members::outermost(&node, PLACE, &mut findings);
    let objects = values.map(|values| objects(&values, &mut findings));
    match findings.errors.first.into_iter().next() {
        None => Ok(objects.unwrap_or_default()),
        Some(fault) => Err(fault),
    }
}

/// Object Instances out of values by path.
fn objects(values: &Members<'_>, findings: &mut Findings) -> Vec<ObjectInstance> {
    let mut instances: BTreeMap<Path, Vec<Record>> = BTreeMap::new();
    let mut count = 0;
    for (name, node) in values.iter() {
        count += 1;
        let member = format!("{}[\"{name}\"]", values.place());
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
        findings.refuse(values.place(), problem);
    }
    let instances = instances.into_iter();
    instances
        .map(|(path, records)| ObjectInstance { path, records })
        .collect()
}

impl BootstrapPlan {
    fn read_oscore(&mut self, members: &Members<'_>, findings: &mut Findings) {
        let Some(links) = members.object("oscore", findings) else {
            return;
        };
        for (name, node) in links.iter() {
            let member = format!("{}[\"{name}\"]", links.place());
            let account = match name {
                "bootstrap" => self.servers.iter().find(|server| server.is_bootstrap),
                id => {
                    let id = id.parse::<u16>().ok();
                    let mut servers = self.servers.iter();
                    servers.find(|server| id.is_some() && server.short_id == id)
                }
            };
            let Some(account) = account else {
                let problem = "names no server of `bootstrap`; accepted is a Short Server ID of the list, or \"bootstrap\"";
                findings.refuse(&member, problem);
                continue;
            };
            let instance = match node {
                Node::Number(number) => number.as_u64().and_then(|id| u16::try_from(id).ok()),
                _ => None,
            };
            match instance.filter(|id| *id <= Path::MAX_ID) {
                Some(instance) => drop(self.oscore.insert(account.short_id, instance)),
                None => findings.refuse(
                    &member,
                    unlike(node, "an instance of object 21, from 0 to 65534"),
                ),
            }
        }
    }

    /// All LwM2M servers share what is generated.
    fn check_generate(&self, members: &Members<'_>, findings: &mut Findings) {
        let Some(wanted) = self.generate.map(GeneratedMode::mode) else {
            return;
        };
        let mut told = self.servers.iter().filter(|server| !server.is_bootstrap);
        let name = wanted.name();
        let problem = match told.clone().find(|server| server.mode != wanted) {
            Some(other) => format!(
                "is \"{name}\", but {}:{} has \"securityMode\" {}; accepted is the mode that all LwM2M servers of \"bootstrap\" have",
                other.host,
                other.port,
                other.mode.name()
            ),
            None if told.next().is_none() => format!(
                "is \"{name}\", but \"bootstrap\" has no LwM2M server; accepted is the mode that all of them have"
            ),
            None => return,
        };
        findings.refuse(&members.at("generate"), problem);
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
