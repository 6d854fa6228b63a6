//! Updates that are withdrawn or replaced.

use super::*;

fn downloading(szx: u8) -> Lab {
    let mut lab = Lab::new(Device::new(Manner {
        downloads: false,
        szx,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    lab
}

#[test]
fn a_withdrawn_update_is_cancelled_on_the_device() {
    let mut lab = downloading(6);
    lab.withdraw(UpdateKind::Firmware);
    lab.wait(5);
    assert_eq!(lab.device.executed, [("/5/0/10".to_owned(), String::new())]);
    assert_eq!(lab.states.last().unwrap(), "FAILED");
    let updates = lab.bench.ask(NAME, Inspect::Updates).unwrap();
    assert!(updates.is_empty(), "it is forgotten");
    // Assigned again it is tried again.
    lab.device.manner.downloads = true;
    lab.assign(firmware());
    lab.wait(20);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
}

#[test]
fn a_device_without_cancel_is_made_to_forget() {
    let mut lab = Lab::new(Device::new(Manner {
        downloads: false,
        ..Manner::default()
    }));
    lab.device.links = "</>;rt=\"oma.lwm2m\";ct=\"0 42 110\",</3/0>,</5>;ver=1.0,</5/0>";
    lab.run(firmware(), 5);
    lab.withdraw(UpdateKind::Firmware);
    lab.wait(5);
    assert_eq!(
        lab.device.written.last().unwrap(),
        &("/5/0/1".to_owned(), Vec::new())
    );
}

#[test]
fn software_that_is_withdrawn_is_removed() {
    let mut lab = Lab::new(Device::new(Manner {
        downloads: false,
        ..Manner::default()
    }));
    lab.run(software(), 5);
    lab.withdraw(UpdateKind::Software);
    lab.wait(5);
    assert_eq!(lab.device.executed, [("/9/0/6".to_owned(), String::new())]);
}

#[test]
fn an_installation_goes_on_though_it_is_withdrawn() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    lab.withdraw(UpdateKind::Firmware);
    lab.device.install_now();
    lab.wait(10);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    assert!(lab.bench.ask(NAME, Inspect::Updates).unwrap().is_empty());
}

#[test]
fn another_package_takes_the_place_of_one_that_is_being_sent() {
    let mut lab = downloading(6);
    lab.device.manner.downloads = true;
    let other = UpdateTarget {
        package: "package-2".into(),
        version: "3.0".into(),
        ..firmware()
    };
    lab.assign(other);
    lab.wait(20);
    let view = lab.update();
    assert_eq!((&*view.version, view.state), ("3.0", "UPDATED"));
}

#[test]
fn another_package_waits_for_an_installation() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    let other = UpdateTarget {
        package: "package-2".into(),
        version: "3.0".into(),
        ..firmware()
    };
    lab.assign(other);
    lab.wait(5);
    assert_eq!(lab.update().version, "2.0");
    lab.device.manner.installs = true;
    lab.device.install_now();
    lab.wait(30);
    let view = lab.update();
    assert_eq!((&*view.version, view.state), ("3.0", "UPDATED"));
}

#[test]
fn a_failed_package_is_not_tried_again_until_it_is_assigned_anew() {
    let mut lab = Lab::new(Device::new(Manner {
        download_results: vec![6].into(),
        ..Manner::default()
    }));
    lab.run(firmware(), 10);
    assert_eq!(lab.states.last().unwrap(), "FAILED");
    lab.assign(firmware());
    let bytes = lab.device.reboot(&[]);
    lab.deliver(&bytes);
    lab.wait(10);
    assert_eq!(lab.device.written.len(), 1);
    lab.withdraw(UpdateKind::Firmware);
    lab.assign(firmware());
    lab.wait(10);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
}
