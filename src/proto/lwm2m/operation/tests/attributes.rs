//! Notification attributes.

use proptest::prelude::*;

use super::*;

fn parse(queries: &[&str]) -> Result<NotificationAttributes, AttributeError> {
    NotificationAttributes::parse(queries.iter().copied())
}

fn validate(queries: &[&str], at: &str, version: LwM2mVersion) -> Result<(), AttributeError> {
    attributes(queries).validate(&path(at), version, Some(&Types))
}

/// `/3/0/9` is a number, `/3/0/10` a Boolean, `/3/0/0` a text; nothing is known of others.
struct Types;

impl ResourceTypes for Types {
    fn resource_type(&self, object: u16, resource: u16) -> Option<(ResourceType, bool)> {
        match (object, resource) {
            (3, 9) => Some((ResourceType::Integer, false)),
            (3, 10) => Some((ResourceType::Boolean, false)),
            (3, 0) => Some((ResourceType::String, false)),
            _ => None,
        }
    }
}

#[test]
fn every_attribute_is_read_and_written_in_one_order() {
    let all = [
        "pmin=1",
        "pmax=0",
        "gt=-1.5",
        "lt=1e-9",
        "st=0",
        "epmin=4294967295",
        "epmax=3",
        "edge=1",
        "con=0",
        "hqmax=7",
    ];
    let attributes = attributes(&all);
    assert_eq!(attributes.queries(), all.map(Into::into));
    assert_eq!(attributes.gt, Some(Setting::Value(-1.5)));
    assert_eq!(attributes.edge, Some(Setting::Value(Edge::Rising)));
    let mut reversed = all;
    reversed.reverse();
    assert_eq!(parse(&reversed), Ok(attributes));
    assert_eq!(
        super::attributes(&["pmin=10", "pmax"]).to_string(),
        ";pmin=10;pmax"
    );
}

#[test]
fn a_name_without_value_removes_the_attribute() {
    let attributes = attributes(&["pmin", "con"]);
    assert_eq!(attributes.pmin, Some(Setting::Unset));
    assert!(attributes.unsets());
    assert_eq!(attributes.queries(), ["pmin".into(), "con".into()]);
    assert!(NotificationAttributes::default().is_empty());
}

#[test]
fn wrong_attributes_are_refused_with_what_is_accepted() {
    for (query, expected) in [
        (
            "pmin=",
            "attribute pmin is \"\", expected seconds from 0 to 4294967295",
        ),
        (
            "pmax=-1",
            "attribute pmax is \"-1\", expected seconds from 0 to 4294967295",
        ),
        (
            "pmax=4294967296",
            "attribute pmax is \"4294967296\", expected seconds from 0 to 4294967295",
        ),
        (
            "gt=nan",
            "attribute gt is \"nan\", expected a decimal number",
        ),
        (
            "lt=1e999",
            "attribute lt is \"1e999\", expected a decimal number",
        ),
        (
            "st=-1",
            "attribute st is \"-1\", expected a decimal number that is not negative",
        ),
        (
            "edge=2",
            "attribute edge is \"2\", expected 0 (falling) or 1 (rising)",
        ),
        ("con=true", "attribute con is \"true\", expected 0 or 1"),
        (
            "ver",
            "Attribute ver is of class PROPERTIES but only NOTIFICATION attribute can be used in WRITE ATTRIBUTE request.",
        ),
        (
            "PMIN=1",
            "\"PMIN\" is not an attribute, expected pmin, pmax, gt, lt, st, epmin, epmax, edge, con or hqmax",
        ),
    ] {
        assert_eq!(
            parse(&[query]).map_err(|error| error.to_string()),
            Err(expected.to_owned())
        );
    }
    assert_eq!(
        parse(&["pmin=1", "pmin"]),
        Err(AttributeError::Repeated { name: "pmin" })
    );
}

// T06.
#[test]
fn attributes_that_exclude_each_other_are_refused() {
    for (queries, rule) in [
        (
            &["pmin=11", "pmax=10"][..],
            Some("pmin must not be greater than pmax"),
        ),
        // T10.
        (&["pmin=10", "pmax=10"], None),
        (&["pmin=10", "pmax=0"], None),
        (
            &["epmin=2", "epmax=1"],
            Some("epmin must not be greater than epmax"),
        ),
        (&["lt=5", "gt=5"], Some("lt must be less than gt")),
        (&["lt=2.5", "gt=10", "st=0.5"], None),
        (
            &["lt=0", "gt=10", "st=5"],
            Some("lt + 2 * st must be less than gt"),
        ),
        (&["lt=0", "gt=10", "st"], None),
        (&["gt=1", "st=5"], None),
    ] {
        let expected = rule.map_or(Ok(()), |rule| Err(AttributeError::Impossible { rule }));
        assert_eq!(
            validate(queries, "/3/0/9", LwM2mVersion::V1_1),
            expected,
            "{queries:?}"
        );
    }
}

#[test]
fn attributes_come_with_versions() {
    use LwM2mVersion::{V1_0, V1_1, V1_2};
    for (query, since) in [
        ("pmin=1", V1_0),
        ("st=1", V1_0),
        ("epmin=1", V1_1),
        ("epmax", V1_1),
        ("con=1", V1_2),
        ("hqmax=1", V1_2),
    ] {
        for version in [V1_0, V1_1, V1_2] {
            let result = validate(&[query], "/3/0/9", version);
            assert_eq!(result.is_ok(), version >= since, "{query} {version}");
        }
    }
    assert_eq!(
        validate(&["hqmax=1"], "/3/0", V1_1).map_err(|error| error.to_string()),
        Err("attribute hqmax needs LwM2M 1.2, the device has 1.1".into())
    );
}

#[test]
fn thresholds_are_for_numbers_and_edges_for_booleans() {
    for (query, at, expected) in [
        ("gt=1", "/3/0/9", None),
        ("gt=1", "/3/0/9/0", None),
        ("gt=1", "/3303/0/5700", None),
        ("edge=1", "/3/0/10", None),
        ("edge", "/3/0/0", None),
        ("pmin=1", "/3", None),
        (
            "lt=1",
            "/3/0",
            Some("attribute lt needs the path of a Resource or Resource Instance, not /3/0"),
        ),
        (
            "st=1",
            "/3/0/0",
            Some("attribute st needs a number, but /3/0/0 is String"),
        ),
        (
            "edge=0",
            "/3/0/9",
            Some("attribute edge needs a Boolean, but /3/0/9 is Integer"),
        ),
    ] {
        let result = validate(&[query], at, LwM2mVersion::V1_2);
        let expected = expected.map_or(Ok(()), |text| Err(text.to_owned()));
        assert_eq!(
            result.map_err(|error| error.to_string()),
            expected,
            "{query} {at}"
        );
    }
}

#[test]
fn nothing_to_write_is_not_sent_as_an_empty_write() {
    let nothing = Operation::WriteAttributes {
        path: path("/3/0/9"),
        attributes: NotificationAttributes::default(),
    };
    assert_eq!(
        refusal(&nothing, V1_1).to_string(),
        "Attributes to write are not specified!"
    );
}

#[test]
fn an_observation_cannot_remove_attributes() {
    assert_eq!(
        refusal(&observe("/3/0/9", &["pmin=1", "pmax"]), V1_2).to_string(),
        "attributes of an observation need values, pmax has none"
    );
}

proptest! {
    #[test]
    fn numbers_survive_the_query(gt in any::<f64>().prop_filter("finite", |gt| gt.is_finite())) {
        let attributes = NotificationAttributes { gt: Some(Setting::Value(gt)), ..Default::default() };
        let queries = attributes.queries();
        prop_assert!(queries[0].len() <= 255);
        prop_assert_eq!(NotificationAttributes::parse(queries.iter().map(|query| &**query)), Ok(attributes));
    }

    #[test]
    fn any_query_is_read_or_refused(query in "(pmin|gt|edge|\\PC{0,5})(=[0-9.e-]{0,8}|\\PC{0,8})") {
        if let Ok(attributes) = parse(&[&query]) {
            let queries = attributes.queries();
            prop_assert_eq!(NotificationAttributes::parse(queries.iter().map(|query| &**query)), Ok(attributes));
        }
    }
}
