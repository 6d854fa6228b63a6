//! Fleets of the load generator, which verify each image bit for bit, and a device that stores what it gets.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadtest::client::{Client, ClientOptions, Folder, PackageMode};
use loadtest::ota::{Assign, OtaOptions, OtaReport, OtaScenario, PackageKind, Refusals, Way, run};
use serde_json::json;

use crate::fixture::{assign, await_state, engine, put_profile, upload};
use crate::support::engine::Engine;

/// Updates a small fleet; what it found.
fn update(change: impl FnOnce(&mut OtaScenario)) -> OtaReport {
    let engine = engine();
    let mut scenario = OtaScenario {
        server: engine.coap().to_string(),
        api: engine.api(),
        clients: 8,
        image_bytes: 20_000,
        timeout: 60.0,
        install: 0.1,
        off: 0.1,
        ..OtaScenario::default()
    };
    change(&mut scenario);
    let options = OtaOptions {
        quiet: true,
        ..OtaOptions::default()
    };
    let report = run(&scenario, &options, &AtomicBool::new(false)).expect("a run");
    assert_eq!(report.transfer.wrong_images, 0);
    assert_nothing_is_left(&engine);
    report
}

fn assert_nothing_is_left(engine: &Engine) {
    for path in ["devices", "packages", "campaigns"] {
        let left = engine.get(&format!("/api/v1/{path}"));
        assert_eq!(left["items"], json!([]), "{path}");
    }
}

#[test]
fn a_fleet_gets_its_image_bit_for_bit_by_every_way() {
    for (package, strategy, assign) in [
        (PackageKind::Firmware, Way::Push, Assign::Campaign),
        (PackageKind::Firmware, Way::Pull, Assign::Profile),
        (PackageKind::Firmware, Way::Push19, Assign::Campaign),
        (PackageKind::Software, Way::Push, Assign::Profile),
        (PackageKind::Software, Way::Pull, Assign::Campaign),
    ] {
        let report = update(|scenario| {
            (scenario.package, scenario.strategy, scenario.assign) = (package, strategy, assign);
        });
        let devices = report.devices;
        let way = (package, strategy, assign);
        assert_eq!((devices.updated, devices.installed), (8, 8), "{way:?}");
        assert_eq!(report.transfer.bytes, 8 * 20_000, "{way:?}");
        assert_eq!(report.transfer.verified_images, 8, "{way:?}");
    }
}

#[test]
fn a_fleet_is_updated_in_spite_of_power_cuts_spoilt_images_and_slow_flash() {
    for strategy in [Way::Push, Way::Pull] {
        let report = update(|scenario| {
            scenario.strategy = strategy;
            (scenario.power_cuts, scenario.corrupt) = (0.4, 0.3);
            (scenario.flash_ms, scenario.separate) = (2.0, true);
            scenario.delay_ms = 1.0;
        });
        assert_eq!(report.devices.updated, 8, "{:?}", report.reasons);
        let faults = &report.faults;
        assert!(
            faults.power_cuts > 0 && faults.spoilt_images > 0,
            "{faults:?}"
        );
    }
}

#[test]
fn devices_that_refuse_fail_with_what_they_say_and_the_others_do_not() {
    let report = update(|scenario| {
        let (share, result) = (0.5, 2);
        scenario.refusals.push(Refusals { share, result });
    });
    let devices = report.devices;
    assert_eq!(devices.failed, devices.refusing);
    assert_eq!(devices.updated, 8 - devices.refusing);
    let reasons: Vec<_> = report.reasons.keys().collect();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    let text = "Not enough flash memory for the new firmware package";
    assert!(reasons[0].starts_with(text), "{reasons:?}");
}

#[test]
fn a_device_fetches_checks_and_stores_what_it_is_told() {
    let engine = engine();
    put_profile(
        &engine,
        &json!({"fwUpdateStrategy": 2, "useObject19ForOtaInfo": true}),
    );
    engine.put_device("keeper", &json!({"profile": "updates"}));
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = ClientOptions::new(engine.coap(), "keeper");
    options.packages = PackageMode::Stored;
    options.storage = Some(Arc::new(Folder(folder.path().to_owned())));
    options.time_frequency = Duration::from_secs(3_600);
    let client = Client::start(options).expect("a device starts");
    assert!(client.wait_registered(Duration::from_secs(20)));
    let image: Vec<u8> = (0..30_000_u32).map(|at| (at * 7) as u8).collect();
    let package = upload(
        &engine,
        "type=FIRMWARE&title=fw&version=2.0&fileName=fw.bin",
        &image,
    );
    let path = "/api/v1/devices/keeper/firmware";
    assign(&engine, path, &package);
    await_state(&engine, path, "UPDATED");
    let stored = fs::read(folder.path().join("FW_fw.bin")).expect("the package");
    assert!(stored == image, "{} bytes", stored.len());
    let record = fs::read_to_string(folder.path().join("FW_Ota.json")).expect("the record");
    assert!(record.contains("\"version\":\"2.0\""), "{record}");
}
