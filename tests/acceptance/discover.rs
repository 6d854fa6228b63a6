//! RpcLwm2mIntegrationDiscoverTest.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fixture::Session;

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverAll
#[test]
fn discover_all() {
    let session = Session::open("discover-all");
    let listed = session.content("DiscoverAll", &Value::Null);
    let links: Vec<String> = serde_json::from_str(&listed).expect("an array in a text");
    let paths: BTreeSet<&str> = links.iter().map(|link| path_of(link)).collect();
    let mut expected = BTreeSet::from(["/".to_owned()]);
    for (object, _, instances) in session.announced() {
        let instances_of = instances.iter().map(|id| format!("/{object}/{id}"));
        expected.extend(instances_of);
    }
    let (instances, objects): (BTreeSet<&str>, BTreeSet<&str>) = paths
        .into_iter()
        .partition(|path| path.matches('/').count() == 2);
    let expected_instances: BTreeSet<&str> = expected
        .iter()
        .map(String::as_str)
        .filter(|path| *path != "/")
        .collect();
    assert_eq!(instances, expected_instances);
    let objects_of_all: BTreeSet<&str> = objects
        .into_iter()
        .chain(instances.iter().map(|path| object_of(path)))
        .filter(|path| *path != "/")
        .collect();
    assert_eq!(
        objects_of_all,
        BTreeSet::from(["/1", "/2", "/3", "/5", "/6", "/9", "/19", "/3303"])
    );
}

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverObject
#[test]
fn discover_every_object() {
    let session = Session::open("discover-objects");
    for (object, version, _) in session.announced() {
        let found = session.content("Discover", &json!({"id": format!("/{object}_{version}")}));
        let own = format!("/{object}");
        for link in found.split(",<") {
            let path = path_of(link);
            assert!(
                path == own || path.starts_with(&format!("{own}/")),
                "{found}"
            );
        }
    }
}

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverInstance
#[test]
fn discover_an_instance() {
    let session = Session::open("discover-instance");
    let found = session.content("Discover", &json!({"id": "/3_1.2/0"}));
    assert!(found.starts_with("</3/0>"), "{found}");
    for link in found.split(",<") {
        assert!(path_of(link).starts_with("/3/0"), "{found}");
    }
}

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverResource
#[test]
fn discover_a_resource() {
    let session = Session::open("discover-resource");
    let found = session.content("Discover", &json!({"id": "/3_1.2/0/14"}));
    assert_eq!(found, "</3/0/14>");
}

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverObjectInstanceAbsentInObject
#[test]
fn discover_an_instance_that_is_not_there() {
    let answer = Session::open("discover-no-instance").on("Discover", "/2_1.0/0");
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverResourceAbsentInObject
#[test]
fn discover_a_resource_that_is_not_there() {
    let answer = Session::open("discover-no-resource").on("Discover", "/2_1.0/0/2");
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationDiscoverTest testDiscoverRequestCannotTargetResourceInstance
#[test]
fn discover_cannot_target_a_resource_instance() {
    let session = Session::open("discover-resource-instance");
    let error = session.error(
        "Discover",
        &json!({"id": "/3_1.2/0/6/1"}),
        "INTERNAL_SERVER_ERROR",
    );
    let expected =
        "InvalidRequestException: Discover request cannot target resource instance path: /3/0/6/1";
    assert!(error.contains(expected), "{error}");
}

/// `/3/0` of `</3/0>;ver=1.1`, whether or not the first angle bracket is there.
fn path_of(link: &str) -> &str {
    let link = link.strip_prefix('<').unwrap_or(link);
    link.split('>').next().unwrap_or_default()
}

/// `/3` of `/3/0`.
fn object_of(path: &str) -> &str {
    path.rfind('/').map_or(path, |end| &path[..end])
}
