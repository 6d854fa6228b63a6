//! RpcLwm2mIntegrationObserveTest and RpcLwm2mIntegrationObserveVer10/11/12Test.

use serde_json::{Value, json};

use crate::fixture::{Session, expect_values, profile};

/// 13.1 RpcLwm2mIntegrationObserveTest …CountReadAll_4_CancelAll_Count_0
#[test]
fn cancel_all_leaves_nothing() {
    let session = Session::observed("observe-cancel-all");
    assert_eq!(session.cancel_all(), "4");
    assert_eq!(session.observations(), [""; 0]);
    assert_eq!(session.cancel_all(), "0");
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ObserveOneResource…
#[test]
fn an_observed_resource_becomes_telemetry() {
    let session = Session::observed("observe-resource");
    session.cancel_all();
    let events = session.events();
    let shown = session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    assert!(
        shown.starts_with("LwM2mSingleResource [id=9, value="),
        "{shown}"
    );
    expect_values(&events, "batteryLevel", 3);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ObserveOneObjectInstance…
#[test]
fn an_observed_instance_becomes_telemetry() {
    let session = Session::observed("observe-instance");
    session.cancel_all();
    let events = session.events();
    let shown = session.content("Observe", &json!({"id": "/3_1.2/0"}));
    assert!(
        shown.starts_with("LwM2mObjectInstance [id=0, resources={"),
        "{shown}"
    );
    expect_values(&events, "batteryLevel", 3);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ObserveOneObject…
#[test]
fn an_observed_object_becomes_telemetry() {
    let session = Session::observed("observe-object");
    session.cancel_all();
    let events = session.events();
    let shown = session.content("Observe", &json!({"id": "/3_1.2"}));
    assert!(
        shown.starts_with("LwM2mObject [id=3, instances={0="),
        "{shown}"
    );
    expect_values(&events, "batteryLevel", 3);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …Repeated… (twice)
#[test]
fn a_resource_may_be_observed_again() {
    let session = Session::observed("observe-again");
    for _ in 0..2 {
        session.content("Observe", &json!({"id": "/3_1.2/0/0"}));
    }
    session.await_observations(5);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …BadVersion…; design 4 names the version in its own words too.
#[test]
fn observe_with_another_version() {
    let session = Session::observed("observe-version");
    let error = session.error("Observe", &json!({"id": "/3_1.1/0/9"}), "BAD_REQUEST");
    for expected in [
        "Specified resource id /3_1.1/0/9 is not valid version! Must be version: 1.2",
        "Invalid object version. Required version: 1.2",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    session.await_observations(4);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …NoImplementedInstance…
#[test]
fn observe_an_instance_that_is_not_there() {
    let session = Session::observed("observe-no-instance");
    let answer = session.on("Observe", "/2_1.0/0");
    assert_eq!(answer["result"], "NOT_FOUND", "{answer}");
    assert_eq!(session.observations().len(), 4);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ValueNull…
#[test]
fn observe_a_resource_without_value() {
    let session = Session::observed("observe-null");
    session.refused(
        "Observe",
        &json!({"id": "/19_1.1/0/3"}),
        "BAD_REQUEST",
        "value MUST NOT be null",
    );
    assert_eq!(session.observations().len(), 4);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …NotRead…
#[test]
fn observe_a_resource_that_cannot_be_read() {
    let answer = Session::observed("observe-write-only").on("Observe", "/5_1.2/0/0");
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationObserveTest …Execute…
#[test]
fn observe_a_resource_that_is_executed() {
    let answer = Session::observed("observe-executable").on("Observe", "/5_1.2/0/2");
    assert_eq!(answer["result"], "METHOD_NOT_ALLOWED", "{answer}");
}

/// 13.1 RpcLwm2mIntegrationObserveTest …OverlappedPaths…
#[test]
fn observations_must_not_overlap() {
    let session = Session::observed("observe-overlap");
    session.cancel_all();
    session.content("Observe", &json!({"id": "/19_1.1/0/0"}));
    for (id, requested) in [("/19_1.1", "/19"), ("/19_1.1/0", "/19/0")] {
        let error = format!(
            "Resource [{requested}] conflict with is already registered as SingleObservation [/19/0/0]."
        );
        session.refused("Observe", &json!({"id": id}), "BAD_REQUEST", &error);
        assert_eq!(session.observations(), ["SingleObservation:/19/0/0"]);
    }
    session.content("Observe", &json!({"id": "/19_1.1/1"}));
    session.refused(
        "Observe",
        &json!({"id": "/19_1.1/1/0"}),
        "BAD_REQUEST",
        "Resource [/19/1/0] conflict with is already registered as SingleObservation [/19/1].",
    );
    assert_eq!(session.observations().len(), 2);
}

/// 6.4 [F], decided otherwise: paths are compared, not their texts; /3/0/1 is no part of /3/0/11.
#[test]
fn paths_that_only_look_alike_do_not_overlap() {
    let session = Session::open("observe-look-alike");
    let composite = json!({"ids": ["/3_1.2/0/11", "/3_1.2/0/14"]});
    session.content("ObserveComposite", &composite);
    session.content("Observe", &json!({"id": "/3_1.2/0/1"}));
    let error = session.error("Observe", &json!({"id": "/3_1.2/0"}), "BAD_REQUEST");
    assert!(error.contains("/3/0"), "{error}");
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ObserveCancelResource
#[test]
fn cancel_an_observation() {
    let session = Session::open("cancel-resource");
    session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    let answer = session.on("ObserveCancel", "/3_1.2/0/9");
    assert_eq!(answer, json!({"result": "CONTENT", "value": "1"}));
    assert_eq!(session.observations(), [""; 0]);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ObserveObject_ObserveCancelOneResource…
#[test]
fn cancel_a_resource_of_an_observed_object() {
    let session = Session::open("cancel-below");
    session.content("Observe", &json!({"id": "/3_1.2"}));
    let error = session.error("ObserveCancel", &json!({"id": "/3_1.2/0/9"}), "BAD_REQUEST");
    assert_eq!(
        error,
        "Could not find active Observe component with path: /3_1.2/0/9"
    );
    let answer = session.on("ObserveCancel", "/3_1.2");
    assert_eq!(answer, json!({"result": "CONTENT", "value": "1"}));
}

/// 13.1 RpcLwm2mIntegrationObserveTest …ObserveCancelObject…
#[test]
fn cancel_an_object_of_which_resources_are_observed() {
    let session = Session::open("cancel-above");
    for id in ["/3_1.2/0/0", "/3_1.2/0/9"] {
        session.content("Observe", &json!({"id": id}));
    }
    let error = session.error("ObserveCancel", &json!({"id": "/3_1.2"}), "BAD_REQUEST");
    assert_eq!(
        error,
        "Could not find active Observe component with path: /3_1.2"
    );
    assert_eq!(session.observations().len(), 2);
}

/// 13.1 RpcLwm2mIntegrationObserveTest …Update_AfterUpdateRegistration
#[test]
fn an_observation_outlives_updates_of_the_registration() {
    let session = Session::observed("observe-updates");
    session.cancel_all();
    for _ in 0..3 {
        session.device.update().expect("an Update is taken");
    }
    assert_eq!(
        session.observations(),
        [""; 0],
        "an Update observes nothing"
    );
    let events = session.events();
    session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    session.device.update().expect("an Update is taken");
    expect_values(&events, "batteryLevel", 10);
}

/// 13.1 RpcLwm2mIntegrationObserveVer10Test
#[test]
fn a_restarted_device_with_device_1_0_is_observed_again() {
    observed_again(
        "observe-1.0",
        profile::OBSERVED_DEVICE_1_0,
        "1.0",
        Some("1.0"),
    );
}

/// 13.1 RpcLwm2mIntegrationObserveVer11Test: 1.1 is what LwM2M 1.1 has, so the device does not state it.
#[test]
fn a_restarted_device_with_device_1_1_is_observed_again() {
    observed_again("observe-1.1", profile::OBSERVED_DEVICE_1_1, "1.1", None);
}

/// 13.1 RpcLwm2mIntegrationObserveVer12Test
#[test]
fn a_restarted_device_with_device_1_2_is_observed_again() {
    observed_again("observe-1.2", profile::OBSERVED, "1.2", Some("1.2"));
}

fn observed_again(endpoint: &'static str, profile: &str, version: &str, stated: Option<&str>) {
    let change = |options: &mut loadtest::client::ClientOptions| {
        options.object_versions.insert(3, version.to_owned());
    };
    let mut session = Session::with(endpoint, profile, change);
    session.await_observations(4);
    let events = session.events();
    expect_values(&events, "batteryLevel", 2);
    session.cancel_all();

    let battery = format!("/3_{version}/0/9");
    session.content("Observe", &json!({"id": battery}));
    expect_values(&events, "batteryLevel", 2);
    session.cancel_all();
    assert_eq!(session.observations(), [""; 0]);

    session.restart(change);
    session.await_observations(4);
    let observed = session.observations();
    assert!(
        observed.contains(&"SingleObservation:/3/0/9".to_owned()),
        "{observed:?}"
    );
    expect_values(&events, "batteryLevel", 2);

    let found = session.content("Discover", &json!({"id": format!("/3_{version}")}));
    match stated {
        Some(stated) => assert!(found.starts_with(&format!("</3>;ver={stated},")), "{found}"),
        None => assert!(!found.contains("ver="), "{found}"),
    }
    let answer = session.rpc("ObserveCancelAll", &Value::Null);
    assert_eq!(answer, json!({"result": "CONTENT", "value": "4"}));
}
