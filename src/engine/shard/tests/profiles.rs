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

#[test]
fn a_device_that_is_given_another_profile_has_it_at_once() {
    let mut bench = Bench::new();
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    let observation = initialised(&mut bench, peer(1), first);
    let other = telemetry_of("other", "charge");
    let ids = bench.shared.profiles.put(vec![other]).unwrap();
    let admitted = Admitted {
        profile: ids[0],
        power: 0,
    };
    bench.shared.directory.admit("dev-1", admitted);
    bench.shard.on_command(Command::Readmit {
        slot: bench.shared.directory.home("dev-1").unwrap().slot,
        endpoint: "dev-1".to_owned(),
    });
    let cancel = bench.drain();
    assert_eq!(cancel[0].view().token(), observation);
    assert_eq!(cancel[0].view().observe(), Some(1));
    assert_eq!(bench.registration("dev-1").profile, "other");
    assert_eq!(keys(&mut bench), ["charge"], "the value is known already");
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
    assert_eq!(keys(&mut bench), ["charge"]);
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 0.0);
}
