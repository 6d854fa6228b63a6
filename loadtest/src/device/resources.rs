//! The resources of a simulated device: LwM2M Server (1) and Device (3).

use super::target::Target;

/// What the values of a device follow from.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Its endpoint name, which is its serial number as well.
    pub endpoint: &'a str,
    /// Its number in the fleet.
    pub number: u32,
    /// Its registration's lifetime in seconds.
    pub lifetime: u32,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Boolean(bool),
    Text(String),
    /// A multiple resource: instance ids and integers.
    Integers(Vec<(u16, i64)>),
}

/// The resources that can be read, in order.
const READABLE: [(u16, u16); 13] = [
    (1, 0),
    (1, 1),
    (1, 6),
    (1, 7),
    (3, 0),
    (3, 1),
    (3, 2),
    (3, 3),
    (3, 9),
    (3, 10),
    (3, 11),
    (3, 14),
    (3, 16),
];

/// The resources that can be executed: Registration Update Trigger, Reboot, Factory Reset, Reset Error Code.
const EXECUTABLE: [(u16, u16); 4] = [(1, 8), (3, 4), (3, 5), (3, 12)];

/// The resources at or under `target`, with their values after the `sequence`-th change.
pub(super) fn read(target: Target, identity: &Identity<'_>, sequence: u32) -> Vec<(Target, Value)> {
    if target.object().is_none() || target.instance().is_some_and(|instance| instance != 0) {
        return Vec::new();
    }
    READABLE
        .iter()
        .filter(|(object, resource)| {
            target.object() == Some(*object)
                && target
                    .resource_id()
                    .is_none_or(|wanted| wanted == *resource)
        })
        .map(|&(object, resource)| {
            (
                Target::resource(object, 0, resource),
                value(object, resource, identity, sequence),
            )
        })
        .collect()
}

/// Whether `target` names something of the device, readable or executable.
pub(super) fn exists(target: Target) -> bool {
    is_executable(target)
        || target.instance().is_none_or(|instance| instance == 0)
            && READABLE.iter().any(|(object, resource)| {
                target.object() == Some(*object)
                    && target
                        .resource_id()
                        .is_none_or(|wanted| wanted == *resource)
            })
}

/// Whether `target` is a resource that can be executed.
pub(super) fn is_executable(target: Target) -> bool {
    EXECUTABLE
        .iter()
        .any(|&(object, resource)| target == Target::resource(object, 0, resource))
}

fn value(object: u16, resource: u16, identity: &Identity<'_>, sequence: u32) -> Value {
    match (object, resource) {
        (1, 0) => Value::Integer(1),
        (1, 1) => Value::Integer(i64::from(identity.lifetime)),
        (1, 6) => Value::Boolean(false),
        (1, 7) | (3, 16) => Value::Text("U".into()),
        (3, 0) => Value::Text("Rookery".into()),
        (3, 1) => Value::Text("Simulated device".into()),
        (3, 2) => Value::Text(identity.endpoint.into()),
        (3, 3) => Value::Text("1.0.0".into()),
        (3, 9) => Value::Integer(battery_level(identity.number, sequence)),
        (3, 10) => Value::Integer(1_024 + i64::from(sequence)),
        (3, 11) => Value::Integers(vec![(0, 0)]),
        _ => Value::Text("+00".into()),
    }
}

/// Percent, another one after each change.
fn battery_level(number: u32, sequence: u32) -> i64 {
    i64::from(number.wrapping_add(sequence) % 101)
}
