//! One device and one package.

use serde_json::json;

use crate::fixture::{assign, await_state, device, engine, put_profile, upload};

const FIRMWARE: &str = "type=FIRMWARE&title=fw&version=2.0";

#[test]
fn firmware_is_sent_in_blocks_and_installed() {
    let engine = engine();
    let _device = device(&engine, "pushed");
    let image: Vec<u8> = (0..40_000_u32).map(|i| i as u8).collect();
    let package = upload(&engine, FIRMWARE, &image);
    let path = "/api/v1/devices/pushed/firmware";
    assign(&engine, path, &package);
    let shown = await_state(&engine, path, "UPDATED");
    assert_eq!(shown["assignedBy"], "device", "{shown}");
    assert_eq!(
        (&shown["bytes"], &shown["percent"]),
        (&json!(40_000), &json!(100)),
        "{shown}"
    );
}

#[test]
fn software_is_sent_and_installed() {
    let engine = engine();
    let _device = device(&engine, "soft");
    let package = upload(&engine, "type=SOFTWARE&title=app&version=2.0", &[7; 5_000]);
    let path = "/api/v1/devices/soft/software";
    assign(&engine, path, &package);
    await_state(&engine, path, "UPDATED");
}

#[test]
fn a_device_may_be_told_to_fetch_its_firmware_elsewhere() {
    let engine = engine();
    put_profile(&engine, &json!({"fwUpdateStrategy": 2}));
    let _device = device(&engine, "pulled");
    let query = format!("{FIRMWARE}&url=coap%3A%2F%2F127.0.0.1%3A5999%2Fimage");
    let package = upload(&engine, &query, b"");
    let path = "/api/v1/devices/pulled/firmware";
    assign(&engine, path, &package);
    await_state(&engine, path, "UPDATED");
}

#[test]
fn an_assignment_to_a_device_that_is_not_there_is_kept_over_a_restart() {
    let mut engine = engine();
    engine.put_device("later", &json!({"profile": "updates"}));
    let package = upload(&engine, FIRMWARE, &[1; 3_000]);
    let path = "/api/v1/devices/later/firmware";
    assign(&engine, path, &package);
    await_state(&engine, path, "QUEUED");
    engine.kill();
    engine.start_again();
    await_state(&engine, path, "QUEUED");
    let _device = device(&engine, "later");
    await_state(&engine, path, "UPDATED");
    engine.kill();
    engine.start_again();
    await_state(&engine, path, "UPDATED");
}

#[test]
fn devices_of_a_profile_get_its_package_those_that_come_later_too() {
    let engine = engine();
    let _early = device(&engine, "early");
    let package = upload(&engine, FIRMWARE, &[2; 2_000]);
    assign(&engine, "/api/v1/profiles/updates/firmware", &package);
    let shown = await_state(&engine, "/api/v1/devices/early/firmware", "UPDATED");
    assert_eq!(shown["assignedBy"], "profile", "{shown}");
    let _late = device(&engine, "late");
    await_state(&engine, "/api/v1/devices/late/firmware", "UPDATED");
}
