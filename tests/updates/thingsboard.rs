//! ThingsBoard's own tests of updates (`transport/lwm2m/ota/sql`), driven as they are there.

use serde_json::json;

use crate::fixture::{assign, await_state, device, engine, upload};
use crate::support::engine::Engine;
use crate::support::updates::{PROFILE, profile, states_until};

const FIRMWARE: &str = "type=FIRMWARE&title=fw&version=v2.0&checksumAlgorithm=SHA256";

/// `Ota5LwM2MIntegrationTest.testFirmwareUpdateWithClientWithoutFirmwareOtaInfoFromProfile_IsNotSupported`
#[test]
fn a_profile_without_values_of_object_5_ends_in_failed_and_stays_there() {
    let engine = Engine::start();
    engine.put_profile(PROFILE, &profile(&["/3/0/9"], &json!({})));
    let _device = device(&engine, "ota-5");
    let package = upload(&engine, FIRMWARE, &[1]);
    assign(&engine, "/api/v1/devices/ota-5/firmware", &package);
    engine.await_telemetry("ota-5", "fw_state", &json!("FAILED"));
    let shown = await_state(&engine, "/api/v1/devices/ota-5/firmware", "FAILED");
    let reason = "Client does not support firmware update or profile misconfiguration!";
    assert_eq!(shown["reason"], reason);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let telemetry = engine.telemetry("ota-5");
    assert_eq!(telemetry["fw_state"][0]["value"], "FAILED", "{telemetry}");
    assert_eq!(telemetry["fw_error"][0]["value"], reason, "{telemetry}");
}

/// `Ota5LwM2MIntegrationTest.testFirmwareUpdateByObject5_Ok`
#[test]
fn firmware_by_object_5_is_told_in_all_its_states() {
    let engine = engine();
    let _device = device(&engine, "ota-5");
    let events = engine.events("/api/v1/devices/ota-5/events");
    let package = upload(&engine, FIRMWARE, &[1]);
    assign(&engine, "/api/v1/devices/ota-5/firmware", &package);
    let states = states_until(&events, "fw_state", "UPDATED");
    let expected = [
        "QUEUED",
        "INITIATED",
        "DOWNLOADING",
        "DOWNLOADED",
        "UPDATING",
        "UPDATED",
    ];
    assert_eq!(states, expected);
    await_state(&engine, "/api/v1/devices/ota-5/firmware", "UPDATED");
    let telemetry = engine.telemetry("ota-5");
    assert!(
        telemetry["target_fw_ts"][0]["value"].is_i64(),
        "{telemetry}"
    );
    for (key, value) in [
        ("fw_state", "UPDATED"),
        ("target_fw_title", "fw"),
        ("target_fw_version", "v2.0"),
        ("current_fw_title", "fw"),
        ("current_fw_version", "v2.0"),
    ] {
        assert_eq!(telemetry[key][0]["value"], value, "{telemetry}");
    }
}

/// `Ota9LwM2MIntegrationTest.testSoftwareUpdateByObject9`
#[test]
fn software_by_object_9_is_told_in_all_its_states() {
    let engine = engine();
    let _device = device(&engine, "ota-9");
    let events = engine.events("/api/v1/devices/ota-9/events");
    let package = upload(&engine, "type=SOFTWARE&title=sw&version=v2.0", &[1]);
    assign(&engine, "/api/v1/devices/ota-9/software", &package);
    let states = states_until(&events, "sw_state", "UPDATED");
    for state in [
        "QUEUED",
        "INITIATED",
        "DOWNLOADING",
        "DOWNLOADED",
        "VERIFIED",
        "UPDATED",
    ] {
        assert!(states.iter().any(|told| told == state), "{states:?}");
    }
    await_state(&engine, "/api/v1/devices/ota-9/software", "UPDATED");
    let telemetry = engine.telemetry("ota-9");
    assert_eq!(telemetry["sw_state"][0]["value"], "UPDATED", "{telemetry}");
}
