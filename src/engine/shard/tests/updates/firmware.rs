//! Object 5: the table of states, every strategy, what is published.

use super::*;

const ALL: [&str; 6] = [
    "QUEUED",
    "INITIATED",
    "DOWNLOADING",
    "DOWNLOADED",
    "UPDATING",
    "UPDATED",
];

fn by_url() -> UpdateTarget {
    UpdateTarget {
        strategy: Strategy::Url,
        base_url: Some("coap://lwm2m.example.org:5685/".into()),
        ..firmware()
    }
}

#[test]
fn a_pushed_firmware_goes_through_all_states_in_thingsboards_order() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(firmware(), 10);
    assert_eq!(lab.states, ALL);
    let body = &lab.device.written[0];
    assert_eq!((&*body.0, &*body.1), ("/5/0/0", image().bytes()));
    assert_eq!(lab.count("0.03 /5/0/0"), 3, "{:?}", lab.asked);
    assert_eq!(lab.device.executed, [("/5/0/2".to_owned(), String::new())]);
    let view = lab.update();
    assert!(view.ended);
    assert_eq!((view.bytes_done, view.percent), (IMAGE as u64, Some(100)));
    assert_eq!(view.current_version.as_deref(), Some("2.0"));
    let published = lab.bench.telemetry(NAME);
    for (key, value) in [
        ("fw_state", "UPDATED"),
        ("target_fw_title", "thing"),
        ("target_fw_version", "2.0"),
        ("current_fw_title", "thing"),
        ("current_fw_version", "2.0"),
    ] {
        assert_eq!(published[key][0].value, value, "{key}");
    }
    let log = "Firmware Update State: DOWNLOADING".to_owned();
    assert!(lab.log.contains(&log), "{:?}", lab.log);
}

#[test]
fn states_and_results_are_stored_as_texts() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.register();
    lab.device.set("/5/0/3", "1");
    lab.tick();
    lab.device.set("/5/0/5", "5");
    lab.tick();
    lab.device.set("/9/0/9", "58");
    lab.tick();
    let stored = lab.bench.telemetry(NAME);
    assert_eq!(stored["/5/0/3"][0].value, "Downloading");
    let text = "Integrity check failure for new downloaded package";
    assert_eq!(stored["/5/0/5"][0].value, text);
    assert_eq!(stored["/9/0/9"][0].value, "Software installation failure");
}

#[test]
fn a_device_that_is_told_the_url_fetches_the_package_itself() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(by_url(), 10);
    assert_eq!(lab.states, ALL);
    let (path, url) = &lab.device.written[0];
    assert_eq!(path, "/5/0/1");
    let url = String::from_utf8_lossy(url);
    assert!(
        url.starts_with("coap://lwm2m.example.org:5685/tbfw/"),
        "{url}"
    );
    assert_eq!(lab.device.written[1].1, image().bytes());
    assert_eq!(lab.update().bytes_done, IMAGE as u64);
    let metric = r#"lwm2m_ota_bytes_total{kind="firmware",direction="pull"}"#;
    assert_eq!(lab.bench.metric(metric), IMAGE as f64);
}

#[test]
fn a_package_of_somebody_elses_url_is_told_as_it_is() {
    let device = Device::new(Manner {
        fetches: false,
        ..Manner::default()
    });
    let mut lab = Lab::new(device);
    let source = Source::Url("http://files.example.org/thing-2.0.bin".into());
    lab.run(
        UpdateTarget::new(UpdateKind::Firmware, "p", "thing", "2.0", source),
        10,
    );
    assert_eq!(lab.states, ALL);
    assert_eq!(
        lab.device.written[0].1,
        b"http://files.example.org/thing-2.0.bin"
    );
}

#[test]
fn the_delivery_method_of_the_device_goes_before_the_strategy() {
    for (delivery, target, way) in [
        (
            Some(0),
            UpdateTarget {
                strategy: Strategy::Push,
                ..by_url()
            },
            "/5/0/1",
        ),
        (Some(1), by_url(), "/5/0/0"),
        (Some(2), by_url(), "/5/0/1"),
        (Some(2), firmware(), "/5/0/0"),
        (None, by_url(), "/5/0/1"),
    ] {
        let manner = Manner {
            delivery,
            ..Manner::default()
        };
        let mut lab = Lab::new(Device::new(manner));
        lab.run(target, 10);
        assert_eq!(lab.states, ALL, "{delivery:?}");
        assert_eq!(lab.device.written[0].0, way, "{delivery:?}");
    }
}

#[test]
fn a_device_that_only_fetches_and_no_address_known_end_with_a_reason() {
    let manner = Manner {
        delivery: Some(0),
        ..Manner::default()
    };
    let mut lab = Lab::new(Device::new(manner));
    lab.run(firmware(), 5);
    assert_eq!(lab.states.last().unwrap(), "FAILED");
    assert!(
        lab.reason().contains("no address is known"),
        "{}",
        lab.reason()
    );
}

#[test]
fn object_19_takes_the_image_where_the_strategy_says_so() {
    let target = || UpdateTarget {
        strategy: Strategy::PushObject19,
        ..firmware()
    };
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(target(), 10);
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.written[0].0, "/19/0/0/0");
    assert_eq!(lab.device.written[0].1, image().bytes());
    let mut device = Device::new(Manner::default());
    device.query = vec!["lwm2m=1.0", "ep=ota", "lt=86400"];
    device.manner.reads_whole = false;
    let mut lab = Lab::new(device);
    lab.run(target(), 10);
    assert_eq!(lab.device.written[0].0, "/19/0/0");
}

#[test]
fn object_19_is_told_about_the_package_before_it_comes() {
    let target = || UpdateTarget {
        object_19_info: true,
        file_name: Some("thing.bin".into()),
        checksum: Some("abcd".into()),
        ..firmware()
    };
    let json = r#"{"title":"thing","version":"2.0","checksum":"abcd","dataSize":3050,"fileName":"thing.bin"}"#;
    let mut device = Device::new(Manner::default());
    device.links = "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</3/0>,</5/0>,</19/65533>";
    let mut lab = Lab::new(device);
    lab.run(target(), 10);
    assert_eq!(lab.states, ALL);
    let (path, body) = &lab.device.written[0];
    assert_eq!(path, "/19/65533/0/0");
    assert_eq!(body, json.as_bytes());
    assert_eq!(lab.device.written[1].0, "/5/0/0");

    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(target(), 10);
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.written[0].0, "/19", "created");

    let mut device = Device::new(Manner::default());
    device.links = "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</3/0>,</5/0>";
    let mut lab = Lab::new(device);
    lab.run(target(), 10);
    assert_eq!(lab.states, ALL);
    let text = "[ota], Failed to send Info Ota to objectInstance [/19/65533]. The client does not have object 19.";
    assert!(lab.log.iter().any(|line| line == text), "{:?}", lab.log);
}

#[test]
fn severity_and_defer_period_are_written_to_devices_that_have_them() {
    let target = || UpdateTarget {
        severity: Some(1),
        max_defer: Some(600),
        ..firmware()
    };
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(target(), 10);
    let paths: Vec<_> = lab.device.written.iter().map(|(path, _)| &**path).collect();
    assert_eq!(paths, ["/5/0/11", "/5/0/13", "/5/0/0"]);
    let mut device = Device::new(Manner::default());
    device.links = "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</3/0>,</5>;ver=1.0,</5/0>";
    let mut lab = Lab::new(device);
    lab.run(target(), 10);
    assert_eq!(lab.device.written[0].0, "/5/0/0");
    assert_eq!(lab.states, ALL);
}

#[test]
fn a_profile_or_a_device_without_the_object_ends_in_failed() {
    let text = "Client does not support firmware update or profile misconfiguration!";
    let mut lab = Lab::with_profile(Device::new(Manner::default()), profile(&["/3/0/9"], &[]));
    lab.run(firmware(), 5);
    assert_eq!(lab.states.last().unwrap(), "FAILED");
    assert_eq!(lab.reason(), text);
    let mut device = Device::new(Manner::default());
    device.links = "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</3/0>";
    let mut lab = Lab::new(device);
    lab.run(firmware(), 5);
    assert_eq!(lab.reason(), text);
    // The device gets the object: it is looked at again.
    lab.device.links = "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</3/0>,</5/0>";
    let bytes = lab.device.reboot(&[]);
    lab.deliver(&bytes);
    lab.wait(10);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
}

#[test]
fn what_the_device_has_already_is_not_sent_again_and_similar_is_not_equal() {
    for (device_version, sent) in [("2.0", false), ("2.0.1", true), ("12.0", true)] {
        let mut device = Device::new(Manner::default());
        device.values.insert("/3/0/3", device_version.to_owned());
        let mut lab = Lab::new(device);
        lab.run(firmware(), 10);
        assert_eq!(lab.states.last().unwrap(), "UPDATED", "{device_version}");
        assert_eq!(!lab.device.written.is_empty(), sent, "{device_version}");
    }
}

#[test]
fn a_device_that_does_not_notify_is_asked() {
    let manner = Manner {
        notifies: false,
        ..Manner::default()
    };
    let mut lab = Lab::with_profile(Device::new(manner), profile(&["/3/0/3"], &[]));
    lab.run(firmware(), 60);
    assert_eq!(lab.states.last().unwrap(), "UPDATED", "{:?}", lab.asked);
    assert_eq!(lab.device.executed.len(), 1);
}

#[test]
fn a_device_that_does_not_give_its_instance_as_a_whole_is_asked_piece_by_piece() {
    let manner = Manner {
        reads_whole: false,
        ..Manner::default()
    };
    let mut lab = Lab::new(Device::new(manner));
    lab.run(firmware(), 30);
    assert_eq!(lab.states, ALL);
}

#[test]
fn a_package_of_somebody_else_is_forgotten_first() {
    for state in ["1", "2"] {
        let mut device = Device::new(Manner::default());
        device.values.insert("/5/0/3", state.to_owned());
        let mut lab = Lab::new(device);
        lab.run(firmware(), 20);
        assert_eq!(lab.states, ALL);
        assert_eq!(lab.device.written[0], ("/5/0/1".to_owned(), Vec::new()));
        assert_eq!(lab.device.executed.len(), 1);
    }
}

#[test]
fn repeated_and_late_reports_change_nothing() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    for state in ["2", "2", "1", "2"] {
        lab.device.set("/5/0/3", state);
        lab.wait(1);
    }
    assert_eq!(lab.device.executed.len(), 1, "executed once per download");
    assert_eq!(lab.states, ALL[..4]);
    lab.device.install_now();
    lab.wait(5);
    for state in ["2", "1", "0"] {
        lab.device.set("/5/0/3", state);
        lab.wait(1);
    }
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.executed.len(), 1);
}

#[test]
fn an_update_is_made_once_though_the_device_never_shows_its_new_version() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(firmware(), 10);
    lab.device.values.insert("/3/0/3", "1.0".to_owned());
    for _ in 0..3 {
        let bytes = lab.device.reboot(&[]);
        lab.deliver(&bytes);
        lab.wait(10);
    }
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.written.len(), 1);
}

#[test]
fn a_result_that_goes_back_to_zero_at_once_is_a_good_one() {
    let manner = Manner {
        forgets_result: true,
        ..Manner::default()
    };
    let mut lab = Lab::new(Device::new(manner));
    lab.run(firmware(), 10);
    assert_eq!(lab.states, ALL);
}
