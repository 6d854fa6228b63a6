//! Object 9: installation, activation, uninstalling for an update.

use super::*;

const ALL: [&str; 6] = [
    "QUEUED",
    "INITIATED",
    "DOWNLOADING",
    "DOWNLOADED",
    "VERIFIED",
    "UPDATED",
];

#[test]
fn pushed_software_goes_through_all_states() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(software(), 20);
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.written[0].0, "/9/0/2");
    assert_eq!(lab.device.written[0].1, image().bytes());
    assert_eq!(lab.device.executed, [("/9/0/4".to_owned(), String::new())]);
    assert!(lab.bench.telemetry(NAME).contains_key("sw_state"));
}

#[test]
fn software_is_fetched_by_the_url_it_is_told() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    let target = UpdateTarget {
        strategy: Strategy::Url,
        base_url: Some("coap://h:5685".into()),
        ..software()
    };
    lab.run(target, 20);
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.written[0].0, "/9/0/3");
    assert_eq!(lab.device.written[1].1, image().bytes());
}

#[test]
fn installed_software_is_uninstalled_for_the_update() {
    let mut device = Device::new(Manner::default());
    device.values.insert("/9/0/7", "4".to_owned());
    device.values.insert("/9/0/12", "true".to_owned());
    let mut lab = Lab::new(device);
    lab.run(
        UpdateTarget {
            activate: true,
            ..software()
        },
        20,
    );
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    let executed: Vec<_> = lab
        .device
        .executed
        .iter()
        .map(|(path, with)| (&**path, &**with))
        .collect();
    let expected = [
        ("/9/0/11", ""),
        ("/9/0/6", "1"),
        ("/9/0/4", ""),
        ("/9/0/10", ""),
    ];
    assert_eq!(executed, expected);
    assert_eq!(lab.device.value("/9/0/12"), "true");
}

#[test]
fn software_is_activated_only_where_the_target_says_so() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(software(), 20);
    assert_eq!(lab.device.value("/9/0/12"), "false");
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.run(
        UpdateTarget {
            activate: true,
            ..software()
        },
        20,
    );
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    assert_eq!(lab.device.value("/9/0/12"), "true");
}

#[test]
fn a_package_that_was_delivered_by_somebody_else_is_removed_first() {
    let mut device = Device::new(Manner::default());
    device.values.insert("/9/0/7", "3".to_owned());
    let mut lab = Lab::new(device);
    lab.run(software(), 20);
    assert_eq!(lab.states, ALL);
    assert_eq!(lab.device.executed[0], ("/9/0/6".to_owned(), String::new()));
}

#[test]
fn software_that_is_installed_already_is_left_alone() {
    let mut device = Device::new(Manner::default());
    for (path, value) in [("/9/0/0", "thing"), ("/9/0/1", "2.0"), ("/9/0/7", "4")] {
        device.values.insert(path, value.to_owned());
    }
    let mut lab = Lab::new(device);
    lab.run(software(), 5);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    assert!(lab.device.executed.is_empty() && lab.device.written.is_empty());
}

#[test]
fn a_success_that_was_not_reported_is_found_by_asking() {
    let mut lab = Lab::new(Device::new(Manner {
        forgets_result: true,
        ..Manner::default()
    }));
    lab.run(software(), 90);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
}

#[test]
fn software_waits_for_the_firmware() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.assign(software());
    lab.run(firmware(), 40);
    let bodies: Vec<_> = lab.device.written.iter().map(|(path, _)| &**path).collect();
    assert_eq!(bodies, ["/5/0/0", "/9/0/2"]);
    let updated = lab.states.iter().filter(|state| *state == "UPDATED");
    assert_eq!(updated.count(), 2);
}
