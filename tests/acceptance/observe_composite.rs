//! RpcLwm2MIntegrationObserveCompositeTest.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Session, expect_values};
use crate::support::wait::until;

const KEYS: [&str; 4] = ["batteryLevel", "dataRead", "dataWrite", "dataCreationTime"];

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest AnyResources
#[test]
fn observe_composite_of_resources_and_a_resource_instance() {
    let session = Session::open("composite-resources");
    let ids = json!([
        "/5_1.2/0/7",
        "/5_1.2/0/5",
        "/5_1.2/0/3",
        "/3_1.2/0/9",
        "/19_1.1/1/0/0"
    ]);
    let shown = observe(&session, &ids);
    for expected in [
        "/3/0/9=LwM2mSingleResource [id=9, value=",
        "/5/0/3=LwM2mSingleResource [id=3, value=",
        "/5/0/5=LwM2mSingleResource [id=5, value=",
        "/5/0/7=LwM2mSingleResource [id=7, value=",
        "/19/1/0/0=LwM2mResourceInstance [id=0, value=1Bytes, type=OPAQUE]",
    ] {
        assert!(shown.contains(expected), "{shown}");
    }
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest ObjectInstanceWithOther…
#[test]
fn observe_composite_of_an_instance_and_a_multiple_resource() {
    let session = Session::open("composite-instance");
    let shown = observe(&session, &json!(["/19_1.1/1/0", "/5_1.2/0"]));
    assert!(
        shown.contains("/19/1/0=LwM2mMultipleResource [id=0, values={"),
        "{shown}"
    );
    assert!(
        shown.contains("/5/0=LwM2mObjectInstance [id=0, resources={"),
        "{shown}"
    );
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest AnyResources with 19/1/0
#[test]
fn observe_composite_of_resources_and_a_multiple_resource() {
    let session = Session::open("composite-multiple");
    let ids = json!([
        "/5_1.2/0/7",
        "/5_1.2/0/5",
        "/5_1.2/0/3",
        "/3_1.2/0/9",
        "/19_1.1/1/0"
    ]);
    let shown = observe(&session, &ids);
    assert!(
        shown.contains("/19/1/0=LwM2mMultipleResource [id=0, values={"),
        "{shown}"
    );
    assert!(
        shown.contains("/3/0/9=LwM2mSingleResource [id=9, value="),
        "{shown}"
    );
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest ResourceNotReadable
#[test]
fn observe_composite_shows_null_for_what_cannot_be_read() {
    let session = Session::open("composite-unreadable");
    let shown = observe(&session, &json!(["/5_1.2/0/7", "/5_1.2/0/2"]));
    assert!(shown.contains("/5/0/2=null"), "{shown}");
    assert!(
        shown.contains("/5/0/7=LwM2mSingleResource [id=7, value="),
        "{shown}"
    );
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest ONE_PATH_CONTAINCE_OTHER
#[test]
fn observe_composite_of_paths_that_overlap() {
    let session = Session::open("composite-overlap");
    session.refused(
        "ObserveComposite",
        &json!({"ids": ["/5_1.2/0", "/5_1.2/0/2"]}),
        "BAD_REQUEST",
        "Invalid path list :  /5/0 and /5/0/2 are overlapped paths",
    );
    assert_eq!(session.observations(), [""; 0]);
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest IfLeastOneResourceIsAlreadyRegistered, by ids
#[test]
fn observe_composite_of_ids_of_which_one_is_observed() {
    let session = Session::open("composite-observed-id");
    session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    let ids = json!({"ids": ["/5_1.2/0/7", "/5_1.2/0/5", "/3_1.2/0/9"]});
    let error = session.error("ObserveComposite", &ids, "BAD_REQUEST");
    assert_eq!(
        error,
        "Resource [/3/0/9] is already registered as SingleObservation."
    );
    assert_eq!(session.observations(), ["SingleObservation:/3/0/9"]);
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest IfLeastOneResourceIsAlreadyRegistered, by keys
#[test]
fn observe_composite_of_keys_of_which_one_is_observed() {
    let session = Session::open("composite-observed-key");
    session.content("Observe", &json!({"id": "/3_1.2/0/9"}));
    let error = session.error("ObserveComposite", &json!({"keys": KEYS}), "BAD_REQUEST");
    assert!(error.contains("/3/0/9"), "{error}");
    assert!(error.contains("is already registered"), "{error}");
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest ObserveSingle_IfResourceIsAlreadyRegisteredInComposite
#[test]
fn observe_a_resource_of_a_composite() {
    let session = Session::open("composite-then-single");
    observe(&session, &json!(["/5_1.2/0/7", "/3_1.2/0/9"]));
    let before = session.observations();
    session.refused(
        "Observe",
        &json!({"id": "/5_1.2/0/7"}),
        "BAD_REQUEST",
        "Resource [/5/0/7] is already registered in CompositeObservation.",
    );
    assert_eq!(session.observations(), before);
}

/// 6.4 [F], decided otherwise: an overlap is one whichever of the two contains the other.
#[test]
fn a_composite_below_an_observed_instance_overlaps_it() {
    let session = Session::open("composite-below");
    session.content("Observe", &json!({"id": "/3_1.2/0"}));
    let ids = json!({"ids": ["/5_1.2/0/7", "/3_1.2/0/9"]});
    let error = session.error("ObserveComposite", &ids, "BAD_REQUEST");
    assert!(error.contains("/3/0"), "{error}");
    assert_eq!(session.observations(), ["SingleObservation:/3/0"]);
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest WithKeyName, and ReadAll after it
#[test]
fn observe_composite_by_keys() {
    let session = Session::open("composite-keys");
    let shown = session.content("ObserveComposite", &json!({"keys": KEYS}));
    for path in ["/3/0/9=", "/19/0/0=", "/19/1/0=", "/19/0/2="] {
        assert!(shown.contains(path), "{shown}");
    }
    let observed = session.observations();
    assert_eq!(observed.len(), 1);
    assert!(
        observed[0].starts_with("CompositeObservation: ["),
        "{observed:?}"
    );
}

/// Design 4: composite paths keep the caller's order.
#[test]
fn observe_composite_keeps_the_order_it_was_given() {
    let session = Session::open("composite-order");
    observe(&session, &json!(["/5_1.2/0/7", "/3_1.2/0/9", "/5_1.2/0/3"]));
    assert_eq!(
        session.observations(),
        ["CompositeObservation: [/5/0/7, /3/0/9, /5/0/3]"]
    );
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest CancelObserveComposite_This
#[test]
fn cancel_a_composite() {
    let session = Session::open("composite-cancel");
    let ids = json!(["/5_1.2/0/7", "/5_1.2/0/5", "/3_1.2/0/9"]);
    observe(&session, &ids);
    let answer = session.rpc("ObserveCompositeCancel", &json!({"ids": ids}));
    assert_eq!(answer, json!({"result": "CONTENT", "value": "1"}));
    assert_eq!(session.observations(), [""; 0]);
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest CancelObserveComposite_TwoAnyResource
#[test]
fn cancel_two_paths_of_which_one_is_an_instance_of_a_composite() {
    let session = Session::open("composite-cancel-two");
    observe(
        &session,
        &json!(["/5_1.2/0", "/3_1.2/0/9", "/19_1.1/1/0/0"]),
    );
    let ids = json!({"ids": ["/5_1.2/0", "/19_1.1/1/0/0"]});
    let error = session.error("ObserveCompositeCancel", &ids, "BAD_REQUEST");
    assert!(
        error.contains("/5_1.2/0") && error.contains("/19_1.1/1/0/0"),
        "{error}"
    );
    assert_eq!(session.observations().len(), 1);
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest CancelOneResourceFromObject
#[test]
fn cancel_a_part_of_a_composite() {
    let session = Session::open("composite-cancel-part");
    observe(
        &session,
        &json!(["/5_1.2/0", "/3_1.2/0/9", "/19_1.1/1/0/0"]),
    );
    let before = session.observations();
    session.refused(
        "ObserveCompositeCancel",
        &json!({"ids": ["/19_1.1/1/0/0", "/3_1.2/0/9"]}),
        "BAD_REQUEST",
        "Could not find active Observe Composite component with paths: [/19_1.1/1/0/0, /3_1.2/0/9]",
    );
    assert_eq!(session.observations(), before);
}

/// 13.1 RpcLwm2MIntegrationObserveCompositeTest Update_After_Registration_UpdateRegistration
#[test]
fn a_composite_takes_the_place_of_singles_that_were_cancelled() {
    let session = Session::observed("composite-updates");
    let events = session.events();
    for key in KEYS {
        expect_values(&events, key, 1);
    }
    assert_eq!(session.cancel_all(), "4");
    for _ in 0..2 {
        session.device.update().expect("an Update is taken");
    }
    assert_eq!(session.observations(), [""; 0]);
    until("the device was told", Duration::from_secs(5), || {
        session.device.observations().is_empty()
    });
    let before = session.engine.telemetry(session.endpoint);
    session.device.set("/3/0/9", 49);
    session.device.update().expect("an Update is taken");
    let battery = |telemetry: &Value| telemetry["batteryLevel"][0].clone();
    let after = session.engine.telemetry(session.endpoint);
    assert_eq!(battery(&after), battery(&before), "nothing is delivered");

    let events = session.events();
    session.content("ObserveComposite", &json!({"keys": KEYS}));
    session.device.update().expect("an Update is taken");
    for key in KEYS {
        expect_values(&events, key, 2);
    }
    assert_eq!(session.observations().len(), 1);
}

fn observe(session: &Session, ids: &Value) -> String {
    session.content("ObserveComposite", &json!({"ids": ids}))
}
