use std::collections::HashMap;

use super::*;

fn placement(rules: Value) -> Placement {
    serde_json::from_value(json!({ "rules": rules })).unwrap()
}

fn device<'a>(endpoint: &'a str, label: Option<&'a str>) -> Placed<'a> {
    Placed {
        endpoint,
        profile: "water",
        label,
    }
}

async fn server() -> crate::services::profiles::BootstrapServer {
    let provisioning = provisioning(json!([no_sec_server()])).await;
    let plan = provisioning.profiles().bootstrap("p").unwrap();
    plan.servers[0].clone()
}

/// Which of these endpoints each host has.
fn spread(
    placement: &Placement,
    server: &crate::services::profiles::BootstrapServer,
) -> HashMap<String, Vec<u32>> {
    let mut hosts = HashMap::<_, Vec<_>>::new();
    for number in 0..10_000 {
        let endpoint = format!("urn:dev:{number}");
        let target = placement.target(device(&endpoint, None), server, true);
        let host = target.unwrap().host.clone();
        hosts.entry(host).or_default().push(number);
    }
    hosts
}

#[tokio::test]
async fn a_fleet_is_spread_by_weight_and_a_target_takes_nothing_from_the_others_but_its_share() {
    let server = server().await;
    let rule = |targets| placement(json!([{ "targets": targets }]));
    let (a, b) = (json!({"host": "a"}), json!({"host": "b", "weight": 3}));
    let two = spread(&rule(json!([a, b])), &server);
    assert!((2_300..2_700).contains(&two["a"].len()), "a quarter");
    assert_eq!(two["a"].len() + two["b"].len(), 10_000);

    let three = spread(&rule(json!([a, b, {"host": "c", "weight": 4}])), &server);
    assert!((4_800..5_200).contains(&three["c"].len()), "half");
    for host in ["a", "b"] {
        let stayed = three[host].iter();
        assert!(stayed.clone().all(|number| two[host].contains(number)));
    }
    let drained = spread(&rule(json!([a, b, {"host": "c", "weight": 0}])), &server);
    assert_eq!(drained, two, "those of a target without weight go back");
    let other_order = spread(&rule(json!([b, a])), &server);
    assert_eq!(other_order, two);
}

/// A device that is told another server than yesterday for no reason registers twice.
#[tokio::test]
async fn where_an_endpoint_goes_never_changes_from_one_version_to_the_next() {
    let server = server().await;
    let hosts = ["a.example", "b.example", "c.example"];
    let targets: Vec<_> = hosts.iter().map(|host| json!({ "host": host })).collect();
    let placement = placement(json!([{ "targets": targets }]));
    let told = ["meter-1", "meter-2", "meter-3", "meter-4", "meter-5"].map(|endpoint| {
        let target = placement.target(device(endpoint, None), &server, true);
        target.unwrap().host.clone()
    });
    assert_eq!(told, GOLDEN);
}

const GOLDEN: [&str; 5] = [
    "c.example",
    "a.example",
    "c.example",
    "a.example",
    "c.example",
];

#[tokio::test]
async fn the_first_rule_that_fits_in_every_member_counts() {
    let server = server().await;
    let target = |host| json!([{ "host": host }]);
    let placement = placement(json!([
        {"match": {"profile": "heat"}, "targets": target("heat")},
        {"match": {"label": "north", "endpointPrefix": "m-"}, "targets": target("both")},
        {"match": {"label": "north"}, "targets": target("label")},
        {"match": {"endpointPrefix": "m-"}, "targets": target("prefix")},
        {"match": {"shortServerId": 5, "profile": "water"}, "targets": target("id")},
        {"match": {"shortServerId": 6}, "targets": target("never")}
    ]));
    let host = |endpoint, label, is_first| {
        let target = placement.target(device(endpoint, label), &server, is_first);
        target.map_or("", |target| &*target.host)
    };
    assert_eq!(host("m-1", Some("north"), true), "both");
    assert_eq!(host("x-1", Some("north"), true), "label");
    assert_eq!(host("m-1", Some("south"), true), "prefix");
    assert_eq!(host("x-1", None, true), "id");
    assert_eq!(
        host("m-1", None, false),
        "id",
        "without id: the first server"
    );
    let none = Placement::default();
    assert!(none.target(device("m-1", None), &server, true).is_none());
}

#[tokio::test]
async fn a_placed_device_is_told_the_target_and_the_others_what_the_profile_says() {
    let second = json!({"securityMode": "NO_SEC", "host": "0.0.0.0", "port": 5685,
                        "shortServerId": 6});
    let provisioning = provisioning(json!([no_sec_server(), second])).await;
    let placement = placement(json!([
        {"match": {"label": "north"}, "targets": [{"host": "2001:db8::1", "port": 15_685}]}
    ]));
    for (label, first) in [
        (json!("north"), "coap://[2001:db8::1]:15685"),
        (Value::Null, "coap://h:5685"),
    ] {
        let body = serde_json::from_value(json!({"profile": "p", "label": label})).unwrap();
        let checked = provisioning.check(Some("dev"), body).unwrap();
        assert!(provisioning.put(&[checked]).await.unwrap()[0].is_ok());
        for (public_host, second) in [("", "coap://localhost:5685"), ("nat", "coap://nat:5685")] {
            let settings = BootstrapSettings {
                public_host: public_host.to_owned(),
                ..BootstrapSettings::default()
            };
            let asked = asked(SecurityMode::NoSec, 0, 1);
            let told =
                configure::configuration(&provisioning, &settings, &placement, &asked, NOW).await;
            let told = told.unwrap();
            let uris: Vec<_> = told.servers.iter().map(|told| &*told.account.uri).collect();
            assert_eq!(uris, [first, second]);
        }
    }
}

#[test]
fn what_is_no_placement_is_refused_with_its_place_and_what_is_accepted() {
    let good = || json!([{ "host": "a" }]);
    let many: Vec<_> = (0..101).map(|n| json!({"host": format!("h{n}")})).collect();
    let cases = [
        (
            json!([{"match": {"profile": "none"}, "targets": good()}]),
            "`rules[0].match.profile` is \"none\"; accepted is the name of a profile",
        ),
        (
            json!([{"match": {"label": ""}, "targets": good()}]),
            "`rules[0].match.label` has 0 bytes; accepted are 1 to 255",
        ),
        (
            json!([{"match": {"shortServerId": 0}, "targets": good()}]),
            "`rules[0].match.shortServerId` is 0; accepted is a whole number from 1 to 65534",
        ),
        (
            json!([{"targets": good()}, {"targets": []}]),
            "`rules[1].targets` has 0 targets; accepted are 1 to 100",
        ),
        (
            json!([{ "targets": many }]),
            "`rules[0].targets` has 101 targets; accepted are 1 to 100",
        ),
        (
            json!([{"targets": [{"host": "a", "weight": 0}]}]),
            "`rules[0].targets` has no target with a weight above 0; accepted is at least one",
        ),
        (
            json!([{"targets": [{"host": "a"}, {"host": "a", "weight": 2}]}]),
            "`rules[0].targets[1]` is in the list twice; accepted is each host and port once",
        ),
        (
            json!([{"targets": [{"host": "coap://a"}]}]),
            "`rules[0].targets[0].host` is \"coap://a\"; accepted is a host name or an IP address",
        ),
        (
            json!([{"targets": [{"host": "a", "port": 0}]}]),
            "`rules[0].targets[0].port` is 0; accepted is a port from 1 to 65535",
        ),
        (
            json!([{"targets": [{"host": "a", "weight": 1_001}]}]),
            "`rules[0].targets[0].weight` is 1001; accepted is a whole number from 0 to 1000",
        ),
        (
            json!([{"targets": [{"host": "a", "serverPublicKey": "AAAA"}]}]),
            "`rules[0].targets[0].serverPublicKey` is neither; accepted is a SubjectPublicKeyInfo (RFC 7250) or an X.509v3 certificate of an elliptic-curve key, DER in Base64",
        ),
        (
            Value::Array(vec![json!({ "targets": good() }); 101]),
            "`rules` has 101 rules; accepted are at most 100",
        ),
    ];
    for (rules, expected) in cases {
        let refused = placement(rules).check(|name| name == "p").unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
}
