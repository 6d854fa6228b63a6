use super::*;
use crate::engine::endpoint::profile_parts::{PlannedStep, PowerMode};
use crate::proto::lwm2m::ResourceType;

/// The parts of a configuration, and its steps in words.
async fn compiled(text: &str) -> (ProfileParts, Vec<String>) {
    let profiles = load(&MemoryStore::default()).await;
    profiles.put("p", raw(text)).await.unwrap();
    let parts = profiles.entries()["p"].parts.clone();
    let steps = parts.steps.iter().map(in_words).collect();
    (parts, steps)
}

fn in_words(step: &PlannedStep) -> String {
    let one = |planned| paths::Written(planned).to_string();
    let all = |planned: &[_]| -> String {
        let planned: Vec<_> = planned.iter().copied().map(one).collect();
        planned.join(" ")
    };
    match step {
        PlannedStep::WriteAttributes(planned, attributes) => {
            format!("write-attributes {}{attributes}", one(*planned))
        }
        PlannedStep::Observe(planned) => format!("observe {}", one(*planned)),
        PlannedStep::ObserveComposite(planned) => format!("observe-composite {}", all(planned)),
        PlannedStep::Read(planned) => format!("read {}", one(*planned)),
        PlannedStep::ReadComposite(planned) => format!("read-composite {}", all(planned)),
    }
}

#[tokio::test]
async fn thingsboards_full_example_becomes_attributes_then_observes_then_reads() {
    let (parts, steps) = compiled(FULL_EXAMPLE).await;
    let expected = [
        "write-attributes /3_1.2/0/9;pmin=10;pmax=60;gt=80;lt=20;st=5",
        "observe /3_1.2/0/9",
        "observe /5_1.2/0/3",
        "observe /5_1.2/0/5",
        "observe /5_1.2/0/6",
        "observe /5_1.2/0/7",
        "read /3_1.2/0/0",
        "read /3_1.2/0/15",
    ];
    assert_eq!(steps, expected);
    assert_eq!(parts.power.mode(), PowerMode::Drx);
    assert!(!parts.strict_object_versions);
    let mappings: Vec<_> = parts
        .mappings
        .iter()
        .map(|mapping| {
            let to = match (mapping.destination.attribute, mapping.destination.telemetry) {
                (true, false) => "attribute",
                (false, true) => "telemetry",
                other => panic!("{other:?}"),
            };
            let version = mapping.version.unwrap();
            format!("{} {version} {} {to}", mapping.path, mapping.key)
        })
        .collect();
    let expected = [
        "/3/0/0 1.2 manufacturer attribute",
        "/3/0/9 1.2 batteryLevel telemetry",
        "/3/0/15 1.2 timezone attribute",
        "/5/0/3 1.2 state telemetry",
        "/5/0/5 1.2 updateResult telemetry",
        "/5/0/6 1.2 pkgname telemetry",
        "/5/0/7 1.2 pkgversion telemetry",
    ];
    assert_eq!(mappings, expected);
    let types: Vec<_> = parts.mappings.iter().map(|m| m.resource_type).collect();
    assert_eq!(types[1], Some((ResourceType::Integer, false)));
    assert_eq!(types[0], Some((ResourceType::String, false)));
}

/// The paths of ThingsBoard's own test of observe strategies (section 13.4), under a strategy.
fn of_strategy(strategy: Value, paths: &[&str]) -> String {
    let keys: serde_json::Map<_, _> = paths
        .iter()
        .map(|path| ((*path).to_owned(), json!(format!("key {path}"))))
        .collect();
    observe_attr(json!({
        "keyName": keys, "observe": paths, "attribute": [], "telemetry": paths,
        "attributeLwm2m": {}, "observeStrategy": strategy
    }))
    .to_string()
}

const SIX: [&str; 6] = [
    "/5_1.2/0/9",
    "/3_1.2/0/9",
    "/5_1.2/0/5",
    "/5_1.2/0/6",
    "/5_1.2/0/7",
    "/5_1.2/0/3",
];

#[tokio::test]
async fn strategies_group_the_observes_in_the_order_of_the_profile() {
    for strategy in [json!("SINGLE"), json!(0), json!(null)] {
        let (_, steps) = compiled(&of_strategy(strategy, &SIX)).await;
        assert_eq!(steps, SIX.map(|path| format!("observe {path}")));
    }
    for strategy in [json!("COMPOSITE_ALL"), json!(1)] {
        let (_, steps) = compiled(&of_strategy(strategy, &SIX)).await;
        assert_eq!(steps, [format!("observe-composite {}", SIX.join(" "))]);
    }
    for strategy in [json!("COMPOSITE_BY_OBJECT"), json!(2)] {
        let (_, steps) = compiled(&of_strategy(strategy, &SIX)).await;
        let expected = [
            "observe-composite /5_1.2/0/9 /5_1.2/0/5 /5_1.2/0/6 /5_1.2/0/7 /5_1.2/0/3",
            "observe-composite /3_1.2/0/9",
        ];
        assert_eq!(steps, expected);
    }
    let three = ["/19_1.1/0/2", "/3_1.2/0/20", "/3_1.2/0/9"];
    let (_, steps) = compiled(&of_strategy(json!(1), &three)).await;
    assert_eq!(
        steps,
        ["observe-composite /19_1.1/0/2 /3_1.2/0/20 /3_1.2/0/9"]
    );
}

#[tokio::test]
async fn a_missing_strategy_is_single() {
    let text = observe_attr(json!({
        "keyName": {"/3_1.2/0/9": "a", "/5_1.2/0/3": "b"},
        "observe": ["/3_1.2/0/9", "/5_1.2/0/3"], "telemetry": ["/3_1.2/0/9", "/5_1.2/0/3"]
    }));
    let (_, steps) = compiled(&text.to_string()).await;
    assert_eq!(steps, ["observe /3_1.2/0/9", "observe /5_1.2/0/3"]);
}

#[tokio::test]
async fn reads_are_grouped_like_observes_only_where_the_profile_says_so() {
    let text = |grouped: bool, strategy: &str| {
        observe_attr(json!({
            "keyName": {"/3/0/0": "a", "/3/0/1": "b", "/5/0/3": "c", "/3/0/9": "d"},
            "observe": ["/3/0/9"],
            "attribute": ["/5/0/3", "/3/0/0", "/3/0/9"],
            "telemetry": ["/3/0/9", "/3/0/0", "/3/0/1"],
            "initAttrTelAsObsStrategy": grouped, "observeStrategy": strategy
        }))
        .to_string()
    };
    let single = ["read /5/0/3", "read /3/0/0", "read /3/0/1"];
    for (grouped, strategy) in [(false, "COMPOSITE_ALL"), (true, "SINGLE")] {
        let (_, steps) = compiled(&text(grouped, strategy)).await;
        assert_eq!(steps[1..], single, "{grouped} {strategy}");
    }
    let (_, steps) = compiled(&text(true, "COMPOSITE_ALL")).await;
    assert_eq!(steps[1..], ["read-composite /5/0/3 /3/0/0 /3/0/1"]);
    let (_, steps) = compiled(&text(true, "COMPOSITE_BY_OBJECT")).await;
    let by_object = ["read-composite /5/0/3", "read-composite /3/0/0 /3/0/1"];
    assert_eq!(steps[1..], by_object);
}

#[tokio::test]
async fn what_lies_below_an_observed_path_is_not_read_besides() {
    let text = observe_attr(json!({
        "keyName": {"/3_1.2/0/9": "a", "/3_1.0/0/9": "a", "/5/0/3": "b"},
        "observe": ["/3_1.2/0", "/5"],
        "telemetry": ["/3_1.2/0/9", "/3_1.0/0/9", "/5/0/3"]
    }));
    let (_, steps) = compiled(&text.to_string()).await;
    assert_eq!(steps, ["observe /3_1.2/0", "observe /5", "read /3_1.0/0/9"]);
}

#[tokio::test]
async fn a_name_that_is_in_no_list_is_mapped_to_nothing_but_can_be_looked_up() {
    let text = observe_attr(json!({"keyName": {"/3/0/14": "UtfOffset"}}));
    let (parts, steps) = compiled(&text.to_string()).await;
    assert!(steps.is_empty());
    let [mapping] = &parts.mappings[..] else {
        panic!("one mapping");
    };
    assert_eq!(&*mapping.key, "UtfOffset");
    assert!(!mapping.destination.attribute && !mapping.destination.telemetry);
}

#[tokio::test]
async fn a_type_is_known_only_where_all_versions_of_the_object_agree() {
    let document = |version: &str, kind: &str| {
        format!(
            "<LWM2M><Object><Name>X</Name><ObjectID>33000</ObjectID>\
             <ObjectVersion>{version}</ObjectVersion><MultipleInstances>Single</MultipleInstances>\
             <Mandatory>Optional</Mandatory><Resources>\
             <Item ID=\"1\"><Name>A</Name><Operations>R</Operations>\
             <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>\
             <Type>{kind}</Type></Item></Resources></Object></LWM2M>"
        )
    };
    let profiles = load(&MemoryStore::default()).await;
    let text = observe_attr(json!({
        "keyName": {"/33000_1.0/0/1": "a"}, "telemetry": ["/33000_1.0/0/1"]
    }));
    profiles.put("p", raw(&text.to_string())).await.unwrap();
    let known = || profiles.entries()["p"].parts.mappings[0].resource_type;
    assert_eq!(known(), None);
    let upload = async |version, kind| {
        let document = document(version, kind);
        profiles.models.upload(document.as_bytes()).await.unwrap();
    };
    upload("1.0", "Float").await;
    assert_eq!(known(), Some((ResourceType::Float, false)));
    upload("1.1", "String").await;
    assert_eq!(known(), None);
    upload("1.1", "Float").await;
    assert_eq!(known(), Some((ResourceType::Float, false)));
}

#[tokio::test]
async fn power_modes_and_extensions_reach_the_engine() {
    let text = json!({
        "clientLwM2mSettings": {"powerMode": "E_DRX", "edrxCycle": 81000},
        "rookery": {"strictObjectVersions": true}
    });
    let (parts, _) = compiled(&text.to_string()).await;
    let expected = PowerMode::Edrx {
        cycle: 81_000,
        paging_window: 10_000,
    };
    assert_eq!(parts.power.mode(), expected);
    assert!(parts.strict_object_versions);
}

#[tokio::test]
async fn the_built_in_profile_is_what_the_engine_has_without_any() {
    let profiles = load(&MemoryStore::default()).await;
    let entries = profiles.entries();
    let parts = &entries[DEFAULT].parts;
    let engine = crate::engine::endpoint::plan::ProfilePlan::built_in_default();
    let shown = |mappings: &[crate::engine::endpoint::plan::Mapping]| format!("{mappings:?}");
    assert_eq!(shown(&parts.mappings), shown(engine.mappings()));
    let steps: Vec<_> = parts.steps.iter().map(in_words).collect();
    assert_eq!(
        steps,
        [
            "observe /3/0/9",
            "read /3/0/0",
            "read /3/0/1",
            "read /3/0/3"
        ]
    );
}
