//! Profiles that change, and devices that change theirs.

use super::*;
use crate::engine::directory::Admitted;
use crate::engine::endpoint::plan::{Destination, Mapping};
use crate::engine::endpoint::profile_parts::ProfileParts;
use crate::proto::lwm2m::{Path, ResourceType};

fn telemetry_of(name: &str, key: &str) -> ProfileParts {
    ProfileParts {
        name: name.to_owned(),
        mappings: vec![Mapping {
            path: Path::resource(3, 0, 9),
            version: None,
            key: key.into(),
            destination: Destination {
                attribute: false,
                telemetry: true,
            },
            resource_type: Some((ResourceType::Integer, false)),
        }],
        ..ProfileParts::default()
    }
}

fn keys(bench: &mut Bench) -> Vec<String> {
    bench.telemetry("dev-1").into_keys().collect()
}

fn notify(bench: &mut Bench, token: &[u8], sequence: u32, payload: &[u8]) {
    let kind = MessageType::NonConfirmable;
    let options = [(option::OBSERVE, sequence)];
    let mid = 900 + sequence as u16;
    let bytes = message(kind, Code::CONTENT, mid, token, &options, payload);
    bench.send(peer(1), &bytes);
}

#[test]
fn the_next_value_is_mapped_by_the_changed_profile_and_earlier_ones_are_mixed_up_with_none() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let token = initialised(&mut bench, peer(1), first);
    assert_eq!(keys(&mut bench), ["batteryLevel"]);

    let changed = telemetry_of("default", "charge");
    bench.shared.profiles.put(vec![changed]).unwrap();
    bench.wait(1);
    assert!(keys(&mut bench).is_empty());
    assert!(bench.attributes("dev-1").is_empty());
    notify(&mut bench, &token, 1, b"55");
    assert_eq!(keys(&mut bench), ["charge"]);
    assert_eq!(bench.telemetry("dev-1")["charge"][0].value, 55);
}

#[test]
fn a_device_that_was_given_another_profile_has_it_from_its_next_register_on() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    initialised(&mut bench, peer(1), first);
    let other = telemetry_of("other", "charge");
    let ids = bench.shared.profiles.put(vec![other]).unwrap();
    let admitted = Admitted {
        profile: ids[0],
        power: 0,
    };
    bench.shared.directory.admit("dev-1", admitted);
    let sent = bench.send(peer(1), &register(77, "dev-1"));
    assert_eq!(sent[0].code(), Code::CREATED);
    assert_eq!(bench.registration("dev-1").profile, "other");
    assert!(
        keys(&mut bench).is_empty(),
        "values were those of the profile it had"
    );
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 0.0);
}
