//! Every result code of both objects, refusals, and time running out.

use super::*;

/// Text, retried.
const FIRMWARE: [(u8, &str, bool); 8] = [
    (
        2,
        "Not enough flash memory for the new firmware package",
        false,
    ),
    (3, "Out of RAM during downloading process", false),
    (4, "Connection lost during downloading process", true),
    (
        5,
        "Integrity check failure for new downloaded package",
        true,
    ),
    (6, "Unsupported package type", false),
    (7, "Invalid URI", false),
    (9, "Unsupported protocol", false),
    (
        99,
        "update result 99, which the object does not define",
        false,
    ),
];

const SOFTWARE: [(u8, &str, bool); 9] = [
    (50, "Not enough storage for the new software package", true),
    (51, "Out of memory during downloading process", true),
    (52, "Connection lost during downloading process", false),
    (53, "Package integrity check failure.", false),
    (54, "Unsupported package type", false),
    (56, "Invalid URI", true),
    (57, "Device defined update error", true),
    (58, "Software installation failure", true),
    (59, "Uninstallation Failure during forUpdate(arg=0)", true),
];

fn with_results(results: &[u8]) -> Lab {
    Lab::new(Device::new(Manner {
        download_results: results.to_vec().into(),
        ..Manner::default()
    }))
}

#[test]
fn every_bad_result_of_a_download_ends_in_failed_with_its_text() {
    let firmware_rows = FIRMWARE.iter().map(|row| (UpdateKind::Firmware, row));
    let software_rows = SOFTWARE.iter().map(|row| (UpdateKind::Software, row));
    for (kind, (result, text, retried)) in firmware_rows.chain(software_rows) {
        let mut lab = with_results(&[*result; 9]);
        lab.run(target(kind), 60);
        assert_eq!(lab.states.last().unwrap(), "FAILED", "{result}");
        assert!(lab.reason().starts_with(text), "{result}: {}", lab.reason());
        let attempts = if *retried { 4 } else { 1 };
        assert_eq!(lab.device.written.len(), attempts, "{result}");
        assert!(lab.update().ended);
        assert!(lab.device.executed.is_empty());
        let name = format!("{}_error", kind.prefix());
        let told = &lab.bench.telemetry(NAME)[&name][0].value;
        assert!(told.as_str().unwrap().starts_with(text));
    }
}

#[test]
fn another_attempt_after_a_result_that_is_retried_may_succeed() {
    for (kind, result) in [(UpdateKind::Firmware, 5), (UpdateKind::Software, 51)] {
        let mut lab = with_results(&[result]);
        lab.run(target(kind), 30);
        assert_eq!(lab.states.last().unwrap(), "UPDATED");
        assert!(lab.states.contains(&"FAILED".to_owned()));
        assert_eq!(lab.update().attempts, 2);
        let restarts = format!(r#"lwm2m_ota_restarts_total{{kind="{}"}}"#, kind.name());
        assert_eq!(lab.bench.metric(&restarts), 1.0);
    }
}

#[test]
fn a_bad_result_of_the_installation_ends_it() {
    for (kind, result, text) in [
        (UpdateKind::Firmware, 8, "Firmware update failed"),
        (UpdateKind::Firmware, 10, "Firmware update cancelled"),
    ] {
        let mut lab = Lab::new(Device::new(Manner {
            install_results: vec![result].into(),
            ..Manner::default()
        }));
        lab.run(target(kind), 20);
        assert_eq!(lab.states.last().unwrap(), "FAILED");
        assert_eq!(lab.reason(), text);
    }
}

#[test]
fn an_installation_of_software_that_fails_is_tried_three_times_more() {
    let mut lab = Lab::new(Device::new(Manner {
        install_results: vec![58, 58, 58, 58, 58].into(),
        ..Manner::default()
    }));
    lab.run(software(), 60);
    assert_eq!(lab.states.last().unwrap(), "FAILED");
    assert_eq!(lab.reason(), "Software installation failure; tried 4 times");
    let installs = lab
        .device
        .executed
        .iter()
        .filter(|(path, _)| path == "/9/0/4");
    assert_eq!(installs.count(), 4);
}

#[test]
fn a_user_may_put_the_installation_off() {
    let mut lab = Lab::new(Device::new(Manner {
        install_results: vec![11].into(),
        ..Manner::default()
    }));
    lab.run(
        UpdateTarget {
            max_defer: Some(3_600),
            ..firmware()
        },
        30,
    );
    assert_eq!(lab.states.last().unwrap(), "DOWNLOADED");
    assert!(
        lab.update()
            .waiting_for
            .contains("put the installation off")
    );
    lab.wait(3_000);
    assert_eq!(lab.device.executed.len(), 1);
    lab.device.install_now();
    lab.wait(10);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
}

#[test]
fn an_old_bad_result_is_not_taken_for_one_of_this_update() {
    let mut device = Device::new(Manner::default());
    device.values.insert("/5/0/5", "8".to_owned());
    let mut lab = Lab::new(device);
    lab.run(firmware(), 10);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    let text = "Previous update firmware failed. Result: Firmware update failed";
    assert!(lab.log.iter().any(|line| line == text), "{:?}", lab.log);
}

#[test]
fn a_refused_package_and_a_refused_order_end_with_what_the_device_said() {
    let refusing = Manner {
        refuses: Some(Code::BAD_REQUEST),
        downloads: false,
        ..Manner::default()
    };
    let stubborn = Manner {
        refuses_install: Some(Code::METHOD_NOT_ALLOWED),
        ..Manner::default()
    };
    for (manner, text) in [
        (
            refusing,
            "the device refused the package: 4.00 BAD_REQUEST: no room for it",
        ),
        (
            stubborn,
            "the device refused to install the package: 4.05 METHOD_NOT_ALLOWED",
        ),
    ] {
        for kind in UpdateKind::ALL {
            let mut lab = Lab::new(Device::new(manner.clone()));
            lab.run(target(kind), 60);
            assert_eq!(lab.states.last().unwrap(), "FAILED");
            assert_eq!(lab.reason(), text);
        }
    }
}

#[test]
fn a_device_that_takes_the_package_and_does_nothing_is_given_up_with_a_reason() {
    for kind in UpdateKind::ALL {
        let mut lab = Lab::new(Device::new(Manner {
            downloads: false,
            ..Manner::default()
        }));
        lab.run(target(kind), 1_700);
        assert!(!lab.update().ended);
        lab.wait(400);
        assert_eq!(lab.states.last().unwrap(), "FAILED");
        let reason = lab.reason();
        assert!(
            reason.starts_with("the download made no progress for 1800 s"),
            "{reason}"
        );
    }
}

#[test]
fn a_device_that_never_installs_is_given_up_with_a_reason() {
    for kind in UpdateKind::ALL {
        let mut lab = Lab::new(Device::new(Manner {
            installs: false,
            ..Manner::default()
        }));
        lab.run(target(kind), 3_500);
        assert!(!lab.update().ended);
        lab.wait(400);
        assert_eq!(lab.states.last().unwrap(), "FAILED");
        let reason = lab.reason();
        assert!(
            reason.contains("within 3600 s after the order to install"),
            "{reason}"
        );
        assert_eq!(lab.device.executed.len(), 1);
    }
}

#[test]
fn an_order_to_install_that_came_too_early_is_given_again() {
    for kind in UpdateKind::ALL {
        let mut lab = Lab::new(Device::new(Manner {
            checks_again: true,
            ..Manner::default()
        }));
        lab.run(target(kind), 20);
        let reason = lab.reason();
        assert_eq!(lab.states.last().unwrap(), "UPDATED", "{kind:?}: {reason}");
        assert_eq!(lab.device.executed.len(), 2, "{kind:?}");
        assert_eq!(lab.device.written.len(), 1, "{kind:?}: not sent twice");
    }
}

#[test]
fn a_device_that_says_it_has_the_package_before_it_got_it_is_given_it_from_the_start() {
    for kind in UpdateKind::ALL {
        let mut lab = Lab::new(Device::new(Manner {
            szx: 2,
            ..Manner::default()
        }));
        lab.cut_at = "DOWNLOADING";
        lab.assign(target(kind));
        lab.register();
        let (state, lie) = match kind {
            UpdateKind::Firmware => ("/5/0/3", "2"),
            UpdateKind::Software => ("/9/0/7", "3"),
        };
        lab.device.set(state, lie);
        lab.device.manner.answers = true;
        lab.wait(5);
        // Nothing is installed before all of it was sent.
        assert!(lab.device.executed.is_empty() || !lab.device.written.is_empty());
        lab.wait(400);
        let reason = lab.reason();
        assert_eq!(lab.states.last().unwrap(), "UPDATED", "{kind:?}: {reason}");
        let orders = lab.device.executed.len();
        let bodies = lab.device.written.iter();
        let whole = bodies.filter(|(_, body)| body == image().bytes()).count();
        assert!(whole >= 1 && orders >= 1, "{whole} {orders}");
    }
}

#[test]
fn states_and_results_that_no_object_defines_end_in_failed_or_are_waited_out() {
    for (path, value) in [("/5/0/3", "9"), ("/5/0/3", "200"), ("/5/0/5", "77")] {
        let mut lab = Lab::new(Device::new(Manner {
            installs: false,
            ..Manner::default()
        }));
        lab.run(firmware(), 5);
        lab.device.set(path, value);
        lab.wait(4_000);
        assert_eq!(lab.states.last().unwrap(), "FAILED", "{path} {value}");
        let reason = lab.reason();
        assert!(
            reason.contains(value) || reason.contains("3600 s"),
            "{reason}"
        );
    }
}

#[test]
fn a_device_that_downloads_again_instead_of_installing_gets_the_package_again() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    assert_eq!(lab.device.executed.len(), 1);
    lab.device.manner.installs = true;
    lab.device.set("/5/0/3", "1");
    lab.wait(120);
    let reason = lab.reason();
    assert_eq!(lab.states.last().unwrap(), "UPDATED", "{reason}");
    let bodies = lab.device.written.iter();
    assert_eq!(bodies.filter(|(path, _)| path == "/5/0/0").count(), 2);
}

/// Every row of ThingsBoard's tables of states and results.
#[test]
fn states_and_results_are_in_thingsboards_words() {
    let rows = [
        ("/5/0/3", 0, "Idle"),
        ("/5/0/3", 1, "Downloading"),
        ("/5/0/3", 2, "Downloaded"),
        ("/5/0/3", 3, "Updating"),
        ("/5/0/5", 0, "Initial value"),
        ("/5/0/5", 1, "Firmware updated successfully"),
        ("/5/0/5", 8, "Firmware update failed"),
        ("/9/0/7", 0, "Initial"),
        ("/9/0/7", 1, "DownloadStarted"),
        ("/9/0/7", 2, "Downloaded"),
        ("/9/0/7", 3, "Delivered"),
        ("/9/0/7", 4, "Installed"),
        ("/9/0/9", 0, "Initial value"),
        ("/9/0/9", 1, "Downloading"),
        ("/9/0/9", 2, "Software successfully installed"),
        (
            "/9/0/9",
            3,
            "Successfully Downloaded and package integrity verified",
        ),
    ];
    let bad = FIRMWARE.iter().map(|row| ("/5/0/5", row.0, row.1));
    let bad_software = SOFTWARE.iter().map(|row| ("/9/0/9", row.0, row.1));
    let defined = |row: &(&str, u8, &str)| row.1 != 99;
    for (path, number, text) in rows
        .into_iter()
        .chain(bad)
        .chain(bad_software)
        .filter(defined)
    {
        let mut lab = Lab::new(Device::new(Manner::default()));
        lab.register();
        lab.device.set(path, &number.to_string());
        lab.tick();
        let stored = lab.bench.telemetry(NAME);
        assert_eq!(stored[path][0].value, text, "{path} {number}");
    }
}

#[test]
fn progress_is_told_in_events_and_the_transport_log() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(firmware(), 20);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    let told: Vec<_> = lab.progress.iter().flatten().collect();
    assert!(told.is_sorted() && told.contains(&&33), "{told:?}");
    let line = lab
        .log
        .iter()
        .find(|line| line.contains("Firmware download"));
    let line = line.expect("a line about the download");
    assert!(line.contains("of 3050 bytes, "), "{line}");
}

#[test]
fn the_pace_of_a_transfer_is_told_as_long_as_it_goes_on() {
    let mut lab = Lab::new(Device::new(Manner {
        downloads: false,
        fetches: false,
        ..Manner::default()
    }));
    let target = UpdateTarget {
        strategy: Strategy::Url,
        base_url: Some("coap://h:5685".into()),
        ..firmware()
    };
    lab.run(target, 20);
    assert_eq!(lab.update().blocks_per_second, None, "nothing was fetched");
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run_until(firmware(), "DOWNLOADING");
    lab.wait(2);
    assert!(
        lab.update()
            .blocks_per_second
            .is_some_and(|pace| pace > 0.0)
    );
    lab.wait_until(|lab| lab.states.iter().any(|state| state == "DOWNLOADED"));
    assert_eq!(lab.update().blocks_per_second, None, "it has all of it");
}
