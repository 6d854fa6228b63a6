//! Values as ThingsBoard prints them: the `toString` of Leshan's nodes.

use data_encoding::HEXLOWER;

use crate::proto::lwm2m::{Path, ResourceType, Value};

use super::java;
use super::node::{Instance, Node, Object, Resource};
use super::scalar::type_name;

/// The text of what was asked for by its path.
pub(super) fn single(path: &Path, node: &Node<'_>) -> String {
    let id = path.segments().last().copied().unwrap_or_default();
    opaque(&format!("id={id}"), node).unwrap_or_else(|| print(id, node))
}

/// The text of several things, `null` for what there is not, in the order given:
/// `{/3/0/9=LwM2mSingleResource [...], /1/0/2=null}`.
pub(super) fn composite(nodes: &[(Path, Option<Node<'_>>)]) -> String {
    if let [(path, Some(node))] = nodes
        && let Some(text) = opaque(&format!("key={path}"), node)
    {
        return text;
    }
    map(nodes.iter().map(|(path, node)| {
        let id = path.segments().last().copied().unwrap_or_default();
        let text = node.as_ref().map_or("null".into(), |node| print(id, node));
        (path, text)
    }))
}

fn print(id: u16, node: &Node<'_>) -> String {
    match node {
        Node::Root(objects) => {
            let objects = objects.iter().map(|(id, o)| (id, object(*id, o)));
            format!("LwM2mRoot [objects={}]", map(objects))
        }
        Node::Object(instances) => object(id, instances),
        Node::Instance(resources) => instance(id, resources),
        Node::Resource(node) => resource(id, node),
        Node::ResourceInstance(value) => resource_instance(id, value),
    }
}

fn object(id: u16, instances: &Object<'_>) -> String {
    let instances = instances.iter().map(|(id, i)| (id, instance(*id, i)));
    format!("LwM2mObject [id={id}, instances={}]", map(instances))
}

fn instance(id: u16, resources: &Instance<'_>) -> String {
    let resources = resources.iter().map(|(id, r)| (id, resource(*id, r)));
    format!(
        "LwM2mObjectInstance [id={id}, resources={}]",
        map(resources)
    )
}

fn resource(id: u16, resource: &Resource<'_>) -> String {
    match resource {
        Resource::Single(single) => format!(
            "LwM2mSingleResource [id={id}, value={}, type={}]",
            value(single),
            type_name(single.resource_type())
        ),
        Resource::Multiple {
            values,
            resource_type,
        } => {
            let values = values.iter().map(|(id, v)| (id, resource_instance(*id, v)));
            format!(
                "LwM2mMultipleResource [id={id}, values={}, type={}]",
                map(values),
                resource_type.map_or("NONE", type_name)
            )
        }
    }
}

fn resource_instance(id: u16, instance: &Value) -> String {
    format!(
        "LwM2mResourceInstance [id={id}, value={}, type={}]",
        value(instance),
        type_name(instance.resource_type())
    )
}

fn map<K: std::fmt::Display>(entries: impl Iterator<Item = (K, String)>) -> String {
    let entries: Vec<_> = entries.map(|(key, text)| format!("{key}={text}")).collect();
    format!("{{{}}}", entries.join(", "))
}

/// A value inside a node; of bytes only the number is told.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) | Value::Corelnk(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Float(number) => java::double(*number),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Opaque(bytes) => format!("{}Bytes", bytes.len()),
        Value::Time(seconds) => java::date(*seconds),
        Value::Objlnk(object, instance) => format!("/{object}/{instance}"),
    }
}

/// A Resource of bytes that was asked for by itself is printed in another way, with the bytes.
fn opaque(name: &str, node: &Node<'_>) -> Option<String> {
    match node {
        Node::Resource(Resource::Single(Value::Opaque(bytes))) => Some(format!(
            "LwM2mSingleResource {name} value={} type=OPAQUE",
            hexadecimal(bytes)
        )),
        Node::Resource(Resource::Multiple {
            values,
            resource_type: Some(ResourceType::Opaque),
        }) => {
            let values: Option<Vec<_>> = values
                .iter()
                .map(|(id, value)| match value {
                    Value::Opaque(bytes) => Some(format!(" id={id} value={}", hexadecimal(bytes))),
                    _ => None,
                })
                .collect();
            Some(format!(
                "LwM2mMultipleResource {name} values={{{}}} type=OPAQUE",
                values?.join(", ")
            ))
        }
        _ => None,
    }
}

/// Bytes of a value that are printed.
const MAX_PRINTED_BYTES: usize = 512;

fn hexadecimal(bytes: &[u8]) -> String {
    HEXLOWER.encode(&bytes[..bytes.len().min(MAX_PRINTED_BYTES)])
}
