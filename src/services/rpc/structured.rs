//! Values as JSON.
//!
//! | asked for | JSON |
//! |---|---|
//! | Resource or Resource Instance | its value: `100` |
//! | Resource with instances | by Resource Instance id: `{"0":3800,"1":5000}` |
//! | Object Instance | by Resource id: `{"9":100,"7":{"0":3800}}` |
//! | object | by Object Instance id: `{"0":{"9":100}}` |
//! | everything: `/` among several paths | by object id |
//! | several paths | by path: `{"/3/0/9":100,"/1/0/2":null}` |
//!
//! Values are spelled as in telemetry: Opaque in hexadecimal, Time in milliseconds since 1970,
//! Objlnk as `3:0`; numbers that JSON does not have as text: `NaN`, `Infinity`.

use data_encoding::HEXLOWER;
use serde_json::{Map, Number, Value as Json};

use crate::proto::lwm2m::{Path, Value};

use super::java;
use super::node::{Instance, Node, Resource};

/// What lies at a path.
pub(super) fn single(node: &Node<'_>) -> Json {
    match node {
        Node::Root(objects) => by_id(objects, |instances| by_id(instances, instance)),
        Node::Object(instances) => by_id(instances, instance),
        Node::Instance(resources) => instance(resources),
        Node::Resource(node) => resource(node),
        Node::ResourceInstance(node) => value(node),
    }
}

/// What lies at several paths, `null` where there is nothing.
pub(super) fn composite(nodes: &[(Path, Option<Node<'_>>)]) -> Json {
    let members = nodes.iter().map(|(path, node)| {
        let json = node.as_ref().map_or(Json::Null, single);
        (path.to_string(), json)
    });
    Json::Object(members.collect())
}

fn instance(resources: &Instance<'_>) -> Json {
    by_id(resources, resource)
}

fn resource(resource: &Resource<'_>) -> Json {
    match resource {
        Resource::Single(single) => value(single),
        Resource::Multiple { values, .. } => by_id(values, |v| value(v)),
    }
}

fn by_id<'a, T: 'a>(
    items: impl IntoIterator<Item = (&'a u16, &'a T)>,
    json: impl Fn(&T) -> Json,
) -> Json {
    let members = items
        .into_iter()
        .map(|(id, item)| (id.to_string(), json(item)));
    Json::Object(members.collect::<Map<_, _>>())
}

fn value(value: &Value) -> Json {
    match value {
        Value::String(text) | Value::Corelnk(text) => (&**text).into(),
        Value::Integer(number) => (*number).into(),
        Value::Unsigned(number) => (*number).into(),
        Value::Float(number) => match Number::from_f64(*number) {
            Some(number) => Json::Number(number),
            None => java::double(*number).into(),
        },
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Opaque(bytes) => HEXLOWER.encode(bytes).into(),
        Value::Time(seconds) => seconds.saturating_mul(1000).into(),
        Value::Objlnk(object, instance) => format!("{object}:{instance}").into(),
    }
}
