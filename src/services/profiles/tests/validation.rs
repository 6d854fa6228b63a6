use super::*;

mod server_list;

async fn assert_refused(configuration: Value, member: &str, says: &str) {
    assert_one(&faults(&configuration).await, member, says);
}

async fn warnings(configuration: Value) -> Vec<String> {
    let put = put(&configuration).await.unwrap();
    put.warnings
        .into_iter()
        .map(|warning| warning.detail)
        .collect()
}

#[tokio::test]
async fn an_empty_object_and_nulls_are_a_profile_that_asks_for_nothing() {
    for text in [
        json!({}),
        json!({"observeAttr": null, "bootstrap": null, "clientLwM2mSettings": null, "rookery": null}),
        observe_attr(json!({
            "keyName": null, "observe": null, "attribute": null, "telemetry": null,
            "attributeLwm2m": null, "initAttrTelAsObsStrategy": null, "observeStrategy": null
        })),
    ] {
        assert_eq!(warnings(text).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_member_of_the_wrong_type_is_named_with_what_it_must_be() {
    let cases = [
        (
            json!([]),
            "",
            "the transport configuration is an array; accepted is an object",
        ),
        (
            json!({"type": "MQTT"}),
            "type",
            "is \"MQTT\"; accepted is \"LWM2M\"",
        ),
        (
            json!({"observeAttr": 1}),
            "observeAttr",
            "`observeAttr` is 1; accepted is an object",
        ),
        (
            observe_attr(json!({"keyName": []})),
            "observeAttr.keyName",
            "is an array; accepted is an object",
        ),
        (
            observe_attr(json!({"observe": "/3/0/9"})),
            "observeAttr.observe",
            "is \"/3/0/9\"; accepted is an array",
        ),
        (
            observe_attr(json!({"observe": [null]})),
            "observeAttr.observe[0]",
            "is null; accepted is a path",
        ),
        (
            observe_attr(json!({"initAttrTelAsObsStrategy": 1})),
            "observeAttr.initAttrTelAsObsStrategy",
            "is 1; accepted is true or false",
        ),
        (
            observe_attr(json!({"attributeLwm2m": {"/3/0/9": 5}})),
            "observeAttr.attributeLwm2m./3/0/9",
            "is 5; accepted is an object",
        ),
        (
            json!({"bootstrapServerUpdateEnable": "yes"}),
            "bootstrapServerUpdateEnable",
            "is \"yes\"; accepted is true or false",
        ),
    ];
    for (configuration, member, says) in cases {
        assert_refused(configuration, member, says).await;
    }
}

#[tokio::test]
async fn paths_must_be_of_the_kind_the_member_takes() {
    let cases = [
        (
            json!({"observe": ["3/0/9"]}),
            "observeAttr.observe[0]",
            "must start with '/'",
        ),
        (
            json!({"telemetry": ["/3_1/0/9"]}),
            "observeAttr.telemetry[0]",
            "version \"1\"",
        ),
        (
            json!({"attribute": ["/3_1.2/0"]}),
            "observeAttr.attribute[0]",
            "is \"/3_1.2/0\"; accepted is the path of a Resource",
        ),
        (
            json!({"observe": ["/"]}),
            "observeAttr.observe[0]",
            "accepted is the path of an Object",
        ),
        (
            json!({"observe": ["/0/0/1"]}),
            "observeAttr.observe[0]",
            "object 0 (Security)",
        ),
        (
            json!({"keyName": {"batteryLevel": "/3/0/9"}}),
            "observeAttr.keyName.batteryLevel",
            "must start with '/'",
        ),
        (
            json!({"attributeLwm2m": {"/3/x": {}}}),
            "observeAttr.attributeLwm2m./3/x",
            "segment 2",
        ),
    ];
    for (members, member, says) in cases {
        assert_refused(observe_attr(members), member, says).await;
    }
}

#[tokio::test]
async fn a_resource_that_no_definition_has_is_refused() {
    let telemetry = |path: &str| observe_attr(json!({"keyName": {path: "a"}, "observe": [path]}));
    let found = faults(&telemetry("/3_1.2/0/99")).await;
    let expected = "`observeAttr.keyName./3_1.2/0/99` is /3_1.2/0/99, but Device (3_1.2) has no Resource 99; accepted are the Resources of its definition, or of one uploaded in its place";
    assert_eq!(found[0].1, expected);
    assert_eq!(found.len(), 2);
    assert_eq!(faults(&telemetry("/3/0/99")).await.len(), 2);
    // A version whose definition is not known may have more than the one that is.
    let said = warnings(telemetry("/3_1.9/0/99")).await;
    assert!(
        said[0].contains("whose definition is not known; that of 3_1.2 has no Resource 99"),
        "{said:?}"
    );
    let said = warnings(telemetry("/33001/0/1")).await;
    assert!(
        said[0].contains("there is no definition of object 33001"),
        "{said:?}"
    );
    let said = warnings(telemetry("/3_7.0/0/1")).await;
    assert!(
        said[0].contains("there is no definition of object 3 in version 7.0"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_name_stands_for_one_path_and_a_path_has_one_name() {
    let keys = |keys: Value| {
        let paths: Vec<_> = keys.as_object().unwrap().keys().cloned().collect();
        observe_attr(json!({"keyName": keys, "telemetry": paths}))
    };
    assert_refused(
        keys(json!({"/3/0/9": "level", "/3/0/20": "level"})),
        "observeAttr.keyName./3/0/9",
        "is \"level\", which is the name of /3/0/20 already",
    )
    .await;
    assert_refused(
        keys(json!({"/3/0/9": "a", "/3_1.2/0/9": "b"})),
        "observeAttr.keyName./3_1.2/0/9",
        "is the same Resource as /3/0/9",
    )
    .await;
    for key in [
        json!(""),
        json!("a\tb"),
        json!("x".repeat(256)),
        json!(7),
        json!(null),
    ] {
        let found = faults(&keys(json!({"/3/0/9": key}))).await;
        assert_eq!(found[0].0, "observeAttr.keyName./3/0/9");
        assert!(found[0].1.contains("a name of 1 to 255 bytes"), "{found:?}");
    }
    let versions = keys(json!({"/3_1.0/0/9": "level", "/3_1.2/0/9": "level"}));
    assert_eq!(warnings(versions).await, [""; 0]);
}

#[tokio::test]
async fn a_member_given_twice_is_refused_with_its_place() {
    let profiles = load(&MemoryStore::default()).await;
    let text = "{\"observeAttr\": {\"keyName\": {\"/3/0/9\": \"a\",\n \"/3/0/9\": \"b\"}}}";
    let refused = profiles.put("p", raw(text)).await.unwrap_err().to_string();
    assert!(
        refused.contains("the member \"/3/0/9\" is given twice at line 2"),
        "{refused}"
    );
}

#[tokio::test]
async fn observed_paths_must_not_contain_one_another() {
    let observe =
        |paths: &[&str]| observe_attr(json!({"observe": paths, "telemetry": [], "keyName": {}}));
    assert_refused(
        observe(&["/3_1.2/0/9", "/3/0"]),
        "observeAttr.observe[0]",
        "is /3_1.2/0/9, which `observeAttr.observe[1]`, /3/0, contains",
    )
    .await;
    assert_refused(
        observe(&["/3/0/9", "/3_1.2/0/9"]),
        "observeAttr.observe[1]",
        "is /3_1.2/0/9, which `observeAttr.observe[0]`, /3/0/9, contains",
    )
    .await;
    for fine in [
        &["/3_1.0/0/9", "/3_1.2/0"][..],
        &["/3/0/9", "/3/0/9"],
        &["/3/0/1", "/3/0/11"],
    ] {
        assert!(put(&observe(fine)).await.is_ok(), "{fine:?}");
    }
}

#[tokio::test]
async fn unknown_strategies_are_refused() {
    for (strategy, shown) in [
        (json!("ALL"), "\"ALL\""),
        (json!(3), "3"),
        (json!(-1), "-1"),
        (json!(true), "true"),
    ] {
        assert_refused(
            observe_attr(json!({"observeStrategy": strategy})),
            "observeAttr.observeStrategy",
            &format!(
                "is {shown}; accepted is one of SINGLE, COMPOSITE_ALL, COMPOSITE_BY_OBJECT, or its number 0, 1, 2"
            ),
        )
        .await;
    }
}

#[tokio::test]
async fn notification_attributes_must_be_some_and_fit_together() {
    let attributes =
        |path: &str, values: Value| observe_attr(json!({"attributeLwm2m": {path: values}}));
    let place = |path: &str| format!("observeAttr.attributeLwm2m.{path}");
    let battery = "/3_1.2/0/9";
    let cases = [
        (
            battery,
            json!({"pmin": 60, "pmax": 10}),
            "",
            "pmin must not be greater than pmax",
        ),
        (
            battery,
            json!({"lt": 80, "gt": 20}),
            "",
            "lt must be less than gt",
        ),
        (
            battery,
            json!({"lt": 20, "gt": 30, "st": 5}),
            "",
            "lt + 2 * st must be less than gt",
        ),
        (
            battery,
            json!({"epmin": 9, "epmax": 1}),
            "",
            "epmin must not be greater than epmax",
        ),
        (
            battery,
            json!({"dim": 3}),
            ".dim",
            "only NOTIFICATION attribute",
        ),
        (
            battery,
            json!({"ver": "1.2"}),
            ".ver",
            "only NOTIFICATION attribute",
        ),
        (
            battery,
            json!({"pmim": 3}),
            ".pmim",
            "\"pmim\" is not an attribute, expected pmin",
        ),
        (
            battery,
            json!({"pmin": -1}),
            ".pmin",
            "expected seconds from 0 to 4294967295",
        ),
        (
            battery,
            json!({"pmin": 1.5}),
            ".pmin",
            "expected seconds from 0 to 4294967295",
        ),
        (
            battery,
            json!({"st": -0.5}),
            ".st",
            "a decimal number that is not negative",
        ),
        (
            battery,
            json!({"gt": [1]}),
            ".gt",
            "is an array; accepted is a number",
        ),
        (
            "/3_1.2/0/0",
            json!({"gt": 1.0}),
            "",
            "gt needs a number, but /3/0/0 is String",
        ),
        (
            "/3/0",
            json!({"gt": 1.0}),
            "",
            "gt needs the path of a Resource",
        ),
    ];
    for (path, values, below, says) in cases {
        let member = format!("{}{below}", place(path));
        assert_refused(attributes(path, values), &member, says).await;
    }
    let inherited = observe_attr(json!({"attributeLwm2m": {
        "/3/0": {"pmax": 30}, "/3_1.2/0/9": {"pmin": 60}
    }}));
    assert_refused(inherited, &place(battery), "with what it inherits").await;
    let twice = observe_attr(json!({"attributeLwm2m": {
        "/3/0/9": {"pmin": 1}, "/3_1.2/0/9": {"pmin": 2}
    }}));
    assert_refused(twice, &place(battery), "is the same path as").await;
    let nulls = json!({"pmin": null, "pmax": null, "gt": null});
    assert!(put(&attributes(battery, nulls)).await.is_ok());
}

#[tokio::test]
async fn settings_out_of_range_are_refused() {
    let cases = [
        (
            "fwUpdateStrategy",
            json!(4),
            "accepted is 1 (object 5, binary), 2 (object 5, URI) or 3",
        ),
        (
            "swUpdateStrategy",
            json!(0),
            "accepted is 1 (object 9, binary) or 2",
        ),
        (
            "useObject19ForOtaInfo",
            json!("true"),
            "accepted is true or false",
        ),
        ("fwUpdateResource", json!(5), "accepted is a string"),
        (
            "clientOnlyObserveAfterConnect",
            json!("1"),
            "accepted is a whole number",
        ),
        (
            "defaultObjectIDVer",
            json!("1.3"),
            "accepted is one of 1.0, 1.1, 1.2",
        ),
        (
            "powerMode",
            json!("eDRX"),
            "accepted is one of DRX, PSM, E_DRX",
        ),
        (
            "psmActivityTimer",
            json!(-1),
            "milliseconds from 0 to 86400000",
        ),
        (
            "edrxCycle",
            json!(86_400_001),
            "milliseconds from 0 to 86400000",
        ),
        (
            "pagingTransmissionWindow",
            json!(0.5),
            "milliseconds from 0 to 86400000",
        ),
    ];
    for (name, value, says) in cases {
        let member = format!("clientLwM2mSettings.{name}");
        assert_refused(json!({"clientLwM2mSettings": {name: value}}), &member, says).await;
    }
}

#[tokio::test]
async fn our_own_settings_are_all_known() {
    assert_refused(
        json!({"rookery": {"strictObjectVersion": true}}),
        "rookery.strictObjectVersion",
        "is not known; accepted: strictObjectVersions, history, transportLog, bootstrap; did you mean \"strictObjectVersions\"?",
    )
    .await;
    assert_refused(
        json!({"rookery": {"strictObjectVersions": 1}}),
        "rookery.strictObjectVersions",
        "is 1; accepted is true or false",
    )
    .await;
}

#[tokio::test]
async fn a_history_is_none_the_latest_or_of_an_age() {
    for history in [
        json!("none"),
        json!("latest"),
        json!({"days": 30}),
        json!({"hours": 1}),
        Value::Null,
    ] {
        assert!(
            warnings(json!({"rookery": {"history": history}}))
                .await
                .is_empty()
        );
    }
    for (history, member, says) in [
        (
            json!("all"),
            "rookery.history",
            "is \"all\"; accepted is \"none\", \"latest\", {\"days\": number} or",
        ),
        (
            json!({}),
            "rookery.history.days",
            "is absent; accepted is days or hours",
        ),
        (
            json!({"days": 1, "hours": 1}),
            "rookery.history.hours",
            "stands beside days",
        ),
        (
            json!({"days": 0}),
            "rookery.history.days",
            "is 0; accepted is a whole number of days from 1 to 3650",
        ),
        (
            json!({"weeks": 1, "days": 1}),
            "rookery.history.weeks",
            "is not known; accepted: days, hours",
        ),
    ] {
        assert_refused(json!({"rookery": {"history": history}}), member, says).await;
    }
}

#[tokio::test]
async fn a_transport_log_is_off_of_errors_or_of_everything() {
    for level in ["off", "error", "info"] {
        assert!(
            warnings(json!({"rookery": {"transportLog": level}}))
                .await
                .is_empty()
        );
    }
    let says = "is \"debug\"; accepted is one of off, error, info";
    assert_refused(
        json!({"rookery": {"transportLog": "debug"}}),
        "rookery.transportLog",
        says,
    )
    .await;
}

#[tokio::test]
async fn what_has_no_effect_is_kept_and_told() {
    let said = warnings(json!({"observeAtr": {}, "clientLwM2mSettings": {"x": 1}})).await;
    let expected = [
        "`clientLwM2mSettings.x` is not known: it is kept and has no effect",
        "`observeAtr` is not known: it is kept and has no effect; did you mean \"observeAttr\"?",
    ];
    assert_eq!(said, expected);
    let said = warnings(observe_attr(json!({
        "keyName": {"/3/0/14": "offset"}, "observe": ["/3/0/9", "/9/0/2"], "telemetry": ["/3/0/2"],
        "attributeLwm2m": {"/5/0/3": {"pmin": 5}}
    })))
    .await;
    for (at, says) in [
        "`observeAttr.observe[1]` is /9/0/2, which cannot be read by its definition",
        "`observeAttr.telemetry[0]` is /3/0/2, which has no name in `keyName`",
        "`observeAttr.keyName./3/0/14` is in none of `observe`, `attribute`, `telemetry`",
        "`observeAttr.observe[0]` is /3/0/9, and nothing of it is in `attribute` or `telemetry`",
        "`observeAttr.observe[1]` is /9/0/2, and nothing of it is in",
        "`observeAttr.attributeLwm2m./5/0/3` has no effect on notifications",
    ]
    .iter()
    .enumerate()
    {
        assert!(said[at].starts_with(says), "{says}: {said:#?}");
    }
    assert_eq!(said.len(), 6, "{said:#?}");
}

#[tokio::test]
async fn all_faults_are_told_up_to_a_bound() {
    let many: Vec<_> = (0..70).map(|n| format!("/{n}x")).collect();
    let refused = put(&observe_attr(json!({"observe": many})))
        .await
        .unwrap_err();
    assert!(refused.to_string().ends_with("(and 69 more)"), "{refused}");
    let ProfilesError::Invalid(faults) = refused else {
        panic!("{refused}");
    };
    assert_eq!((faults.first.len(), faults.more), (50, 20));
}

#[tokio::test]
async fn the_number_of_paths_is_bounded() {
    let many: Vec<_> = (1..=2_001).map(|object| format!("/{object}")).collect();
    let found = faults(&observe_attr(json!({"observe": many}))).await;
    assert_one(
        &found,
        "observeAttr.observe",
        "has 2001 entries; accepted are at most 2000",
    );
}
