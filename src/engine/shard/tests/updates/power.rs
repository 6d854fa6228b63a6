//! Devices that lose power, sleep or register anew, and a server that restarts, at every state.

use super::*;

fn reboot(lab: &mut Lab, kept: &[(&'static str, &str)]) {
    let bytes = lab.device.reboot(kept);
    lab.deliver(&bytes);
}

fn state(lab: &Lab) -> String {
    lab.states.last().cloned().unwrap_or_default()
}

#[test]
fn a_device_that_loses_power_at_any_state_gets_its_firmware() {
    for at in ["INITIATED", "DOWNLOADING", "DOWNLOADED", "UPDATING"] {
        let mut lab = Lab::new(Device::new(Manner::default()));
        lab.run_until(firmware(), at);
        // What is installing by then goes on by itself.
        if at == "UPDATING" {
            lab.device.values.insert("/3/0/3", "2.0".to_owned());
        }
        reboot(&mut lab, &[]);
        lab.wait(60);
        assert_eq!(state(&lab), "UPDATED", "{at}: {}", lab.reason());
    }
}

#[test]
fn a_device_that_loses_power_at_any_state_gets_its_software() {
    for at in ["INITIATED", "DOWNLOADING", "DOWNLOADED"] {
        let mut lab = Lab::new(Device::new(Manner::default()));
        lab.run_until(software(), at);
        reboot(&mut lab, &[]);
        lab.wait(60);
        assert_eq!(state(&lab), "UPDATED", "{at}: {}", lab.reason());
    }
}

#[test]
fn a_device_that_keeps_the_package_over_a_power_cut_is_told_to_install_again() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    assert_eq!(state(&lab), "DOWNLOADED");
    lab.device.manner.installs = true;
    reboot(&mut lab, &[("/5/0/3", "2")]);
    lab.wait(10);
    assert_eq!(state(&lab), "UPDATED");
    assert_eq!(lab.device.executed.len(), 2);
    assert_eq!(lab.device.written.len(), 1, "not sent twice");
}

#[test]
fn a_device_that_restarts_with_a_good_result_is_updated() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    reboot(&mut lab, &[("/5/0/5", "1"), ("/3/0/3", "2.0")]);
    lab.wait(5);
    assert_eq!(state(&lab), "UPDATED");
}

#[test]
fn a_device_that_restarts_all_the_time_is_given_up_with_a_reason() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.assign(firmware());
    lab.register();
    for _ in 0..12 {
        lab.wait_until(|lab| lab.device.value("/5/0/3") == "1" || state(lab) == "FAILED");
        reboot(&mut lab, &[]);
    }
    lab.wait(60);
    assert_eq!(state(&lab), "FAILED");
    assert!(
        lab.reason().contains("given up after 11 times"),
        "{}",
        lab.reason()
    );
}

#[test]
fn a_server_that_restarts_at_any_state_goes_on() {
    for at in [
        "INITIATED",
        "DOWNLOADING",
        "DOWNLOADED",
        "UPDATING",
        "UPDATED",
    ] {
        let mut lab = Lab::new(Device::new(Manner::default()));
        lab.run_until(firmware(), at);
        lab.restart_server(None);
        if at != "UPDATED" {
            let waiting = lab.update().waiting_for;
            assert!(waiting.contains("not assigned again"), "{at}: {waiting}");
            lab.wait(10);
            // What is being installed needs nothing of the server.
            let installs = at == "UPDATING" || lab.device.value("/3/0/3") == "2.0";
            assert_eq!(lab.update().ended, installs, "{at}");
        }
        lab.assign(firmware());
        lab.wait(90);
        assert_eq!(lab.update().state, "UPDATED", "{at}: {}", lab.reason());
        let bodies = lab
            .device
            .written
            .iter()
            .filter(|(path, _)| path == "/5/0/0");
        assert_eq!(bodies.count(), 1, "{at}");
        assert_eq!(lab.device.executed.len(), 1, "{at}");
    }
}

#[test]
fn a_server_that_restarts_goes_on_at_the_last_block_the_device_has() {
    let mut lab = Lab::new(Device::new(Manner {
        szx: 2,
        ..Manner::default()
    }));
    lab.assign(firmware());
    lab.register();
    lab.wait_until(|lab| lab.device.image.is_empty() && !lab.device.written.is_empty());
    let whole = lab.count("0.03 /5/0/0");

    let mut lab = Lab::new(Device::new(Manner {
        szx: 2,
        ..Manner::default()
    }));
    lab.assign(firmware());
    let bytes = lab.device.register();
    let mut waiting = lab.bench.send(peer(5_000), &bytes);
    while lab.device.image.len() < 1_500 {
        let message = waiting.remove(0);
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
    }
    lab.restart_server(Some(firmware()));
    lab.wait(60);
    assert_eq!(lab.update().state, "UPDATED");
    assert!(lab.count("0.03 /5/0/0") < whole * 3 / 5);
    assert_eq!(lab.device.written[0].1, image().bytes());
}

#[test]
fn the_update_of_a_device_that_sleeps_waits_and_goes_on_when_it_wakes() {
    let mut device = Device::new(Manner::default());
    device.query = vec!["lwm2m=1.1", "ep=ota", "lt=86400", "b=U", "Q"];
    let mut lab = Lab::new(device);
    lab.register();
    lab.wait(200);
    lab.device.manner.answers = false;
    lab.asked.clear();
    lab.assign(firmware());
    lab.wait(3_000);
    assert!(lab.asked.is_empty(), "{:?}", lab.asked);
    assert_eq!(lab.states, ["QUEUED"]);
    assert_eq!(lab.update().waiting_for, "the device to wake up");
    lab.device.manner.answers = true;
    let bytes = lab.device.register();
    lab.deliver(&bytes);
    lab.wait(20);
    assert_eq!(state(&lab), "UPDATED");
}

#[test]
fn a_device_that_falls_silent_in_the_middle_goes_on_at_its_last_block() {
    let mut lab = Lab::new(Device::new(Manner {
        szx: 2,
        ..Manner::default()
    }));
    lab.assign(firmware());
    let bytes = lab.device.register();
    let mut waiting = lab.bench.send(peer(5_000), &bytes);
    while lab.device.image.len() < 1_500 {
        let message = waiting.remove(0);
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
    }
    lab.device.manner.answers = false;
    lab.wait(300);
    assert!(!lab.update().ended);
    assert_eq!(lab.update().waiting_for, "the device to answer");
    lab.asked.clear();
    lab.device.manner.answers = true;
    lab.wait(700);
    assert_eq!(state(&lab), "UPDATED");
    assert!(
        lab.count("0.03 /5/0/0") < 30,
        "{}",
        lab.count("0.03 /5/0/0")
    );
}

#[test]
fn a_device_that_lost_the_url_with_its_power_is_told_it_again_at_once() {
    for kind in UpdateKind::ALL {
        let mut lab = Lab::new(Device::new(Manner {
            fetches: false,
            downloads: false,
            ..Manner::default()
        }));
        let target = UpdateTarget {
            strategy: Strategy::Url,
            base_url: Some("coap://h:5685".into()),
            ..target(kind)
        };
        lab.assign(target);
        lab.register();
        lab.wait_until(|lab| !lab.device.written.is_empty());
        lab.device.manner.fetches = true;
        lab.device.manner.downloads = true;
        reboot(&mut lab, &[]);
        lab.wait(20);
        assert_eq!(state(&lab), "UPDATED", "{kind:?}: {}", lab.reason());
    }
}

#[test]
fn what_was_over_for_services_before_a_restart_is_forgotten_when_the_device_registers() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run_until(firmware(), "UPDATING");
    lab.restart_server(None);
    lab.register();
    lab.wait(5);
    let left = lab.bench.ask(NAME, Inspect::Updates).unwrap();
    assert!(left.is_empty(), "{left:?}");
    let sessions = r#"lwm2m_ota_sessions{kind="firmware""#;
    assert_eq!(lab.bench.metric(sessions), 0.0);
}

#[test]
fn storage_is_told_of_a_transfer_once_a_second_and_at_the_end_of_the_server() {
    let mut lab = Lab::new(Device::new(Manner {
        szx: 0,
        ..Manner::default()
    }));
    lab.assign(firmware());
    let bytes = lab.device.register();
    let mut waiting = lab.bench.send(peer(5_000), &bytes);
    let mut written = Vec::new();
    let mut taken = 0;
    while taken < 60 {
        let message = waiting.remove(0);
        let before = lab.device.image.len();
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
        if lab.device.image.len() > before {
            taken += 1;
            waiting.extend(lab.bench.wait(100));
            written.push(lab.memory.writes());
        }
    }
    let writes: usize = written[10..].iter().sum();
    // And with each tenth of the package, which is told as news.
    assert!((5..=12).contains(&writes), "5 seconds: {written:?}");
    let (reply, _drained) = oneshot::channel();
    lab.bench.shard.on_command(Command::Drain { reply });
    while !lab.bench.shard.drain() {}
    assert_eq!(lab.memory.writes(), 1);
}
