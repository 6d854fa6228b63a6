use super::*;
use crate::engine::endpoint::profile_parts::PowerMode;
use crate::engine::endpoint::profile_parts::{PlannedPath, PlannedStep};
use crate::proto::lwm2m::LwM2mVersion;
use crate::proto::lwm2m::link::ObjectLinks;

fn parts(name: &str, keys: &[(u16, &str)]) -> ProfileParts {
    let mappings = keys.iter().map(|(resource, key)| Mapping {
        path: Path::resource(3, 0, *resource),
        version: None,
        key: (*key).into(),
        destination: Destination {
            attribute: false,
            telemetry: true,
        },
        resource_type: None,
    });
    ProfileParts {
        name: name.to_owned(),
        mappings: mappings.collect(),
        ..ProfileParts::default()
    }
}

fn put(profiles: &Profiles, name: &str, keys: &[(u16, &str)]) -> ProfileId {
    profiles.put(vec![parts(name, keys)]).unwrap()[0]
}

/// Keys by index; vacant places are empty.
fn keys(profiles: &Profiles, id: ProfileId) -> Vec<String> {
    let table = profiles.table();
    let mappings = table.plan(id).unwrap().mappings();
    mappings.iter().map(|m| m.key.to_string()).collect()
}

fn profiles() -> Profiles {
    Profiles::new(ProfilePlan::built_in_default())
}

#[test]
fn a_profile_keeps_its_number_and_another_one_gets_its_own() {
    let profiles = profiles();
    let water = put(&profiles, "water", &[(9, "a")]);
    let heat = put(&profiles, "heat", &[(9, "a")]);
    assert_eq!(put(&profiles, "default", &[(9, "a")]), DEFAULT_PROFILE);
    assert_eq!(put(&profiles, "water", &[(9, "b")]), water);
    let mut numbers = vec![DEFAULT_PROFILE, water, heat];
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

#[test]
fn a_mapping_that_stays_keeps_its_index_and_no_other_one_ever_gets_it() {
    let profiles = profiles();
    let id = put(&profiles, "p", &[(0, "a"), (1, "b"), (2, "c")]);
    put(&profiles, "p", &[(2, "c"), (3, "d"), (0, "a")]);
    assert_eq!(keys(&profiles, id), ["a", "", "c", "d"]);
    put(&profiles, "p", &[(1, "b"), (0, "renamed"), (3, "d")]);
    assert_eq!(keys(&profiles, id), ["", "", "", "d", "b", "renamed"]);
}

#[test]
fn nothing_is_ever_mapped_to_the_place_of_a_mapping_that_went() {
    let profiles = profiles();
    let id = put(&profiles, "p", &[(0, "a")]);
    put(&profiles, "p", &[]);
    let table = profiles.table();
    let plan = table.plan(id).unwrap();
    let links = ObjectLinks::parse(b"</3/0>", LwM2mVersion::V1_1).unwrap();
    for path in ["/", "/3", "/3/0/0", "/65534/65534/65534"] {
        let path: Path = path.parse().unwrap();
        assert!(plan.mapping_of(&path, &links).is_none(), "{path}");
    }
    let left = plan.mapping(0).unwrap();
    assert!(!left.destination.attribute && !left.destination.telemetry);
}

#[test]
fn a_profile_that_has_used_up_its_indices_is_refused_and_stays_as_it_was() {
    let profiles = profiles();
    let id = put(&profiles, "p", &[(0, "a")]);
    let many = |prefix: &str| {
        let mut parts = parts("p", &[]);
        let keys = (0..40_000u16).map(|n| parts_of_key(n, &format!("{prefix}{n}")));
        parts.mappings = keys.collect();
        parts
    };
    fn parts_of_key(resource: u16, key: &str) -> Mapping {
        parts("p", &[(resource, key)]).mappings.remove(0)
    }
    profiles.put(vec![many("x")]).unwrap();
    let other = parts("q", &[(1, "b")]);
    let refused = profiles.put(vec![other, many("y")]).unwrap_err();
    assert!(
        refused.to_string().contains("\"p\" has mapped 65536"),
        "{refused}"
    );
    assert_eq!(keys(&profiles, id).len(), 40_001);
    assert!(!profiles.remove("q"), "none of them was put in force");
    profiles.put(vec![many("x")]).unwrap();
}

#[test]
fn endpoints_of_a_removed_profile_are_asked_for_nothing() {
    let profiles = profiles();
    let mut water = parts("water", &[(9, "level")]);
    water.steps = vec![PlannedStep::Observe(PlannedPath {
        path: Path::resource(3, 0, 9),
        version: None,
    })];
    let id = profiles.put(vec![water]).unwrap()[0];
    let mut known = KnownProfiles::of(&profiles);
    assert!(profiles.remove("water") && !profiles.remove("water"));
    assert_eq!(known.plan(id).mappings().len(), 1, "until it looks again");
    known.refresh(&profiles);
    let plan = known.plan(id);
    assert_eq!((&*plan.name, plan.mappings().len()), ("water", 0));
    assert!(plan.steps().is_empty());
    assert_ne!(
        put(&profiles, "water", &[]),
        id,
        "values under it may be left"
    );
    assert!(!profiles.remove("default"));
}

#[test]
fn equal_power_modes_have_one_number_and_zero_is_that_of_the_profile() {
    let profiles = profiles();
    let psm = |activity_timer| PowerSettings::from(PowerMode::Psm { activity_timer });
    let first = profiles.power_id(psm(1));
    assert_ne!(first, 0);
    assert_ne!(profiles.power_id(psm(2)), first);
    assert_eq!(profiles.power_id(psm(1)), first);
    let known = KnownProfiles::of(&profiles);
    assert_eq!(known.power_mode(first), Some(psm(1)));
    assert_eq!(known.power_mode(0), None);
}

#[test]
fn more_power_modes_than_there_are_numbers_get_that_of_the_profile() {
    let profiles = profiles();
    let mut numbers = profiles.numbers.lock().unwrap();
    let modes = (0..MAX_POWER_MODES as u32)
        .map(|activity_timer| PowerSettings::from(PowerMode::Psm { activity_timer }));
    let mut table = ProfileTable::clone(&profiles.table());
    table.power_modes = modes.clone().collect();
    numbers.power_modes = modes.zip(1..).collect();
    drop(numbers);
    profiles.publish(table);
    assert_eq!(profiles.power_id(PowerMode::Drx.into()), 0);
    let last = PowerMode::Psm {
        activity_timer: MAX_POWER_MODES as u32 - 1,
    };
    assert_eq!(profiles.power_id(last.into()), MAX_POWER_MODES as PowerId);
}
