//! The Leshan client library.

use std::time::Duration;

use serde_json::json;

use super::client::Kind;
use super::rules::{ENDPOINT, holds_for, observed, registered};

holds_for! { Kind::Leshan =>
    a_registration_is_shown_with_its_version_lifetime_and_address,
    a_lwm2m_1_0_registration_is_accepted,
    objects_are_shown_with_their_instances,
    parameters_that_lwm2m_does_not_define_are_kept,
    queue_mode_is_shown,
    a_registered_device_is_read_and_observed,
    notified_values_become_telemetry,
    notified_values_are_told_as_events,
    values_sent_as_senml_json_become_telemetry,
    values_sent_as_senml_cbor_become_telemetry,
    an_update_moves_the_expiry,
    an_update_with_a_lifetime_replaces_it,
    an_update_from_a_new_port_moves_the_registration,
    a_device_whose_nat_binding_changed_stays_observed_after_its_update,
    a_device_that_registers_again_has_a_new_id_and_one_observation,
    a_device_that_deregistered_is_shown_as_expired,
}

#[test]
fn the_queue_mode_binding_of_lwm2m_1_0_is_shown() {
    let Some(pair) = registered(Kind::Leshan, &["--lwm2m", "1.0", "--queue"]) else {
        return;
    };
    let shown = pair.engine.registration(ENDPOINT);
    assert_eq!(shown["binding"], "UQ");
    assert_eq!(shown["queueMode"], true);
}

#[test]
fn stated_versions_and_content_formats_are_shown() {
    let Some(pair) = registered(Kind::Leshan, &[]) else {
        return;
    };
    let shown = pair.engine.registration(ENDPOINT);
    assert_eq!(shown["contentFormats"], json!([60, 110, 112, 11542, 11543]));
    assert_eq!(shown["objects"]["3"]["version"], "1.2");
    assert_eq!(shown["objects"]["3"]["versionStated"], true);
}

/// The client keeps its observations when its socket changes, and notifies from the new one.
#[test]
fn a_device_that_moved_to_another_port_stays_observed_after_its_update() {
    let Some(mut pair) = observed(Kind::Leshan, &[]) else {
        return;
    };
    pair.device.tell("rebind", "rebound");
    // Notified from where the engine does not know it: that must neither count nor end the observation.
    pair.device.tell("set /3/0/9 13", "set");
    std::thread::sleep(Duration::from_millis(300));
    let level = &pair.engine.telemetry(ENDPOINT)["batteryLevel"][0]["value"];
    assert_eq!(*level, 100);

    pair.device.tell("update", "updated");
    pair.device.tell("set /3/0/9 31", "set");
    pair.engine
        .await_telemetry(ENDPOINT, "batteryLevel", &json!(31));
}
