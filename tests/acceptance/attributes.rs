//! RpcLwm2mIntegrationDiscoverWriteAttributesTest.

use std::collections::BTreeSet;

use serde_json::json;

use crate::fixture::Session;

/// 13.1 RpcLwm2mIntegrationDiscoverWriteAttributesTest testReadDIM_3_0_6_Only_R
#[test]
fn discover_shows_versions_and_dimensions() {
    let session = Session::open("attributes-dim");
    let found = session.content("Discover", &json!({"id": "/3_1.2"}));
    for (path, attributes) in [
        ("/3", &["ver=1.2"][..]),
        ("/3/0/6", &["dim=3"]),
        ("/3/0/7", &["dim=3"]),
        ("/3/0/8", &["dim=3"]),
        ("/3/0/11", &["dim=1"]),
    ] {
        assert_eq!(
            attributes_of(&found, path),
            set(attributes),
            "{path}: {found}"
        );
    }
}

/// 13.1 RpcLwm2mIntegrationDiscoverWriteAttributesTest testWriteAttributesResourceWithParametersById
#[test]
fn attributes_written_to_a_resource_are_discovered() {
    let session = Session::open("attributes-resource");
    let params = json!({"id": "/3_1.2/0/6", "attributes": {"pmax": 100, "pmin": 10}});
    session.change("WriteAttributes", &params);
    for id in ["/3_1.2", "/3_1.2/0", "/3_1.2/0/6"] {
        let found = session.content("Discover", &json!({"id": id}));
        let expected = set(&["pmax=100", "pmin=10", "dim=3"]);
        assert_eq!(attributes_of(&found, "/3/0/6"), expected, "{found}");
    }
}

/// 13.1 RpcLwm2mIntegrationDiscoverWriteAttributesTest testWriteAttributesResourceVer
#[test]
fn a_version_is_no_attribute_to_write() {
    Session::open("attributes-ver").refused(
        "WriteAttributes",
        &json!({"id": "/3_1.2", "attributes": {"ver": 1.3}}),
        "BAD_REQUEST",
        "Attribute ver is of class PROPERTIES but only NOTIFICATION attribute can be used in WRITE ATTRIBUTE request.",
    );
}

/// 13.1 RpcLwm2mIntegrationDiscoverWriteAttributesTest testWriteAttributesObjectInstanceResourcePeriodLtGt
#[test]
fn attributes_of_an_instance_and_of_a_resource_are_discovered_at_each_level() {
    let session = Session::open("attributes-levels");
    let of_instance = json!({"id": "/3_1.2/0", "attributes": {"pmax": 65, "pmin": 5}});
    session.change("WriteAttributes", &of_instance);
    let of_resource = json!({"id": "/3_1.2/0/7", "attributes": {"gt": 50, "lt": 42.2, "st": 0.5}});
    session.change("WriteAttributes", &of_resource);

    let voltage = set(&["dim=3", "gt=50", "lt=42.2", "st=0.5"]);
    for id in ["/3_1.2", "/3_1.2/0"] {
        let found = session.content("Discover", &json!({"id": id}));
        assert_eq!(
            attributes_of(&found, "/3/0"),
            set(&["pmax=65", "pmin=5"]),
            "{found}"
        );
        assert_eq!(attributes_of(&found, "/3/0/7"), voltage, "{found}");
    }
    let found = session.content("Discover", &json!({"id": "/3_1.2/0/7"}));
    assert!(
        attributes_of(&found, "/3/0/7").is_superset(&voltage),
        "{found}"
    );
    let found = session.content("Discover", &json!({"id": "/3_1.2/0/6"}));
    for instance in ["</3/0/6/0>", "</3/0/6/1>", "</3/0/6/2>"] {
        assert!(found.contains(instance), "{found}");
    }
    assert!(attributes_of(&found, "/3/0/6").contains("dim=3"), "{found}");
}

/// 5.10: a command without `attributes`.
#[test]
fn attributes_must_be_given() {
    Session::open("attributes-missing").refused(
        "WriteAttributes",
        &json!({"id": "/3_1.2/0/9"}),
        "BAD_REQUEST",
        "Attributes to write are not specified!",
    );
}

/// The attributes of one link of a Discover.
fn attributes_of(links: &str, path: &str) -> BTreeSet<String> {
    let target = format!("<{path}>");
    let link = links.split(',').find(|link| {
        link.strip_prefix(&target)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
    });
    let link = link.unwrap_or_else(|| panic!("no {target} in {links}"));
    link.split(';').skip(1).map(ToOwned::to_owned).collect()
}

fn set(attributes: &[&str]) -> BTreeSet<String> {
    attributes.iter().map(ToString::to_string).collect()
}
