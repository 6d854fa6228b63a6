use std::borrow::Cow;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::splitting::{CompositeLimits, Part};
use super::*;
use crate::engine::endpoint::plan::{Destination, Mapping, ProfilePlan};
use crate::engine::endpoint::profile_parts::{PlannedPath, PlannedStep, ProfileParts};
use crate::engine::endpoint::values::Fresh;
use crate::proto::lwm2m::{Value, Version};

const LINKS: &str = "</>;rt=\"oma.lwm2m\";ct=\"60 110\",</1/0>,</3/0>;ver=1.1,</5/0>";
/// The restart happens at another tick, an hour later.
const BEFORE: Now = Now {
    tick: Tick::from_millis(5_000_000),
    wall: 1_700_000_000_000,
};
const AFTER: Now = Now {
    tick: Tick::from_millis(31_536_000_000),
    wall: 1_700_003_600_000,
};
const PLACE: Place = Place {
    shard: 1,
    slot: 7,
    salt: 0xdead_beef,
};
const WHERE: Whereabouts = Whereabouts {
    plan: 0x0123_4567_89ab_cdef,
    peer: ([9; 16], 5_683),
    session: Some((1, 2, 0x0102_0304_0506_0708)),
    local: Some(([8; 16], 3)),
    verified: true,
};

fn interner() -> LinkInterner {
    LinkInterner::new(16, [1, 2])
}

fn mids() -> MidSequence {
    MidSequence::new(0, 2, 1)
}

fn paths() -> impl Strategy<Value = Path> {
    vec(0..Path::MAX_ID, 0..=4).prop_map(|ids| {
        let child = |path: Path, id| path.child(id).expect("four ids at most");
        ids.into_iter().fold(Path::ROOT, child)
    })
}

fn targets() -> impl Strategy<Value = Observed> {
    prop_oneof![
        paths().prop_map(Observed::Single),
        vec(paths(), 1..5).prop_map(|paths| Observed::Composite(paths.into())),
    ]
}

fn attribute_sets() -> impl Strategy<Value = NotificationAttributes> {
    (
        option::of(0..100u32),
        any::<bool>(),
        option::of(-5.5..5.5f64),
    )
        .prop_map(|(pmin, unset, gt)| {
            let mut attributes = NotificationAttributes::default();
            let mut set = |name, value: Option<String>| {
                attributes.set(name, value.as_deref()).expect("in range");
            };
            if let Some(pmin) = pmin {
                set("pmin", Some(pmin.to_string()));
            }
            if unset {
                set("pmax", None);
            }
            if let Some(gt) = gt {
                set("gt", Some(gt.to_string()));
            }
            attributes
        })
}

fn work() -> impl Strategy<Value = Pending> {
    let step = || {
        let part = (any::<u16>(), any::<u16>()).prop_map(|(from, to)| Part { from, to });
        (any::<u16>(), option::of(part)).prop_map(|(index, part)| StepRef { index, part })
    };
    prop_oneof![
        step().prop_map(Pending::Step),
        step().prop_map(Pending::Parked),
        targets().prop_map(Pending::Remainder),
        (targets(), any::<u16>()).prop_map(|(observed, token)| Pending::Cancel { observed, token }),
        (paths(), attribute_sets())
            .prop_map(|(path, attributes)| Pending::Attributes { path, attributes }),
    ]
}

fn registrations() -> impl Strategy<Value = Registration> {
    let texts = || "[a-z0-9]{0,12}".prop_map(Box::<str>::from);
    (
        option::of(1..1_000_000u32),
        any::<bool>(),
        option::of(texts()),
        vec((texts(), texts()), 0..3),
        option::of(1..9u16),
    )
        .prop_map(|(lifetime, queue_mode, sms, additional, observe)| {
            let version = LwM2mVersion::V1_1;
            let links = interner().intern(LINKS.as_bytes(), version);
            let mut registration = Registration {
                links: links.expect("an object list"),
                since: BEFORE.wall - 77,
                expires: NEVER,
                lifetime,
                version,
                binding: queue_mode.then_some(Binding::U),
                queue_mode,
                awake_millis: None,
                extras: (sms.is_some() || !additional.is_empty() || observe.is_some()).then(|| {
                    Box::new(Extras {
                        paging_cycle: None,
                        composite: CompositeLimits {
                            observe,
                            read: None,
                        },
                        sms,
                        additional,
                    })
                }),
            };
            registration.listen(PowerMode::Drx);
            registration.refresh(BEFORE.tick);
            registration
        })
}

fn values() -> impl Strategy<Value = LatestValues> {
    vec((any::<u16>(), option::of(any::<u16>()), "[a-z]{0,9}"), 0..5).prop_map(|all| {
        let mut values = LatestValues::default();
        for (mapping, instance, text) in all {
            let fresh = Fresh {
                mapping,
                instance,
                time: BEFORE.wall - 5,
                value: &Value::String(text.into()),
            };
            values.put(fresh, BEFORE.wall);
        }
        values
    })
}

prop_compose! {
    fn endpoints()(
        registration in registrations(),
        observed in vec((targets(), any::<u32>(), option::of(0..1u32 << 24)), 0..5),
        values in values(),
        problem in option::of(("[a-z_]{1,9}", paths(), any::<u32>())),
        work in vec(work(), 0..5),
        next_token: u16,
        reachable: bool,
    ) -> EndpointCore {
        let mut core = EndpointCore::new("urn:imei:1", PLACE, mids());
        core.registration = Some(registration);
        let seen = Tick::from_millis(4_999_000);
        core.observations = Observations::of((0..).zip(observed).map(
            |(token, (observed, count, newest))| {
                (observed, token, count, newest.map(|sequence| (sequence, seen)))
            },
        ));
        core.values = values;
        core.problems = Problems::of(problem.into_iter().map(|(reason, path, count)| Problem {
            reason: Cow::Owned(reason),
            path: Some(path),
            count,
            last: 3,
            detail: "it did not work".into(),
        }).collect());
        core.conversation = Conversation::resumed(work);
        core.next_token = next_token;
        core.last_seen = seen;
        core.reachable = reachable;
        core
    }
}

fn record(core: &EndpointCore, now: Now) -> Vec<u8> {
    let mut record = Vec::new();
    core.write_snapshot(&WHERE, now, &mut record);
    record
}

fn restored(record: &[u8]) -> EndpointCore {
    let snapshot = Snapshot::parse(record).expect("a record");
    let links = &mut interner();
    EndpointCore::restored(snapshot, PLACE, mids(), AFTER, PowerMode::Drx, links).expect("links")
}

proptest! {
    #[test]
    fn an_endpoint_comes_back_as_it_was(core in endpoints()) {
        let before = record(&core, BEFORE);
        prop_assert_eq!(Snapshot::parse(&before).expect("a record").whereabouts, WHERE);
        let mut back = restored(&before);
        prop_assert_eq!(back.next_token, core.next_token.wrapping_add(TOKENS_SKIPPED));
        let (was, is) = (core.registration.as_ref(), back.registration.as_ref());
        let (was, is) = (was.expect("registered"), is.expect("registered"));
        prop_assert_eq!(is.awake_millis, was.awake_millis);
        let lifetime = was.lifetime.map(|seconds| u64::from(seconds) * 1_000);
        let anew = lifetime.map_or(NEVER, |millis| AFTER.tick.plus_millis(millis));
        prop_assert_eq!(is.expires, anew, "the lifetime begins anew");
        // Everything else is in the record: the same state has the same one.
        back.next_token = core.next_token;
        prop_assert_eq!(record(&back, AFTER), before);
    }

    #[test]
    fn a_damaged_record_is_refused_or_read_without_panic(
        core in endpoints(), at: prop::sample::Index, bit in 0..8u8, cut: prop::sample::Index,
    ) {
        let whole = record(&core, BEFORE);
        prop_assert!(Snapshot::parse(&whole[..cut.index(whole.len())]).is_err());
        let mut damaged = whole;
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        let _ = Snapshot::parse(&damaged).map(|snapshot| {
            EndpointCore::restored(snapshot, PLACE, mids(), AFTER, PowerMode::Drx, &mut interner())
        });
    }

    #[test]
    fn a_profile_comes_back_as_it_was(
        mappings in vec((paths(), option::of(any::<u16>()), "[a-z]{1,8}", any::<bool>()), 1..5),
        planned in vec(paths(), 1..5),
        attributes in attribute_sets(),
        cycle in option::of(any::<u32>()),
    ) {
        let planned: Vec<_> = planned
            .into_iter()
            .map(|path| PlannedPath { path, version: Some(Version::new(1, 2)) })
            .collect();
        let plan = ProfilePlan::compile(ProfileParts {
            name: "meters".to_owned(),
            mappings: mappings.into_iter().filter(|(path, ..)| !path.is_root()).map(
                |(path, version, key, telemetry)| Mapping {
                    path,
                    version: version.map(|v| Version::new((v >> 8) as u8, v as u8)),
                    key: Arc::from(key),
                    destination: Destination { attribute: !telemetry, telemetry },
                    resource_type: None,
                }
            ).collect(),
            steps: vec![
                PlannedStep::WriteAttributes(planned[0], attributes),
                PlannedStep::Observe(planned[0]),
                PlannedStep::ObserveComposite(planned.clone().into()),
                PlannedStep::Read(planned[0]),
                PlannedStep::ReadComposite(planned.into()),
            ],
            power: cycle
                .map_or(PowerMode::Drx, |cycle| PowerMode::Edrx { cycle, paging_window: 9 })
                .into(),
            strict_object_versions: true,
            ..ProfileParts::default()
        });
        let record = plan.to_record();
        let back = ProfilePlan::from_record(&record).expect("a profile");
        prop_assert_eq!(back.mappings(), plan.mappings());
        prop_assert_eq!(back.steps(), plan.steps());
        prop_assert_eq!(back.power(), plan.power());
        prop_assert_eq!(back.to_record(), record);
    }
}

#[test]
fn a_record_of_a_later_version_is_told_from_a_damaged_one() {
    let mut record = record(&EndpointCore::new("a", PLACE, mids()), BEFORE);
    assert_eq!(record[1], FORM);
    record[1] = FORM + 1;
    let later = Snapshot::parse(&record);
    assert!(matches!(later, Err(SnapshotError::Form(form)) if form == FORM + 1));
}

#[test]
fn a_registration_ends_when_nobody_served_for_longer_than_its_lifetime() {
    let mut core = EndpointCore::new("a", PLACE, mids());
    core.registration = Some(Registration {
        links: interner()
            .intern(b"</3/0>", LwM2mVersion::V1_0)
            .expect("links"),
        since: 0,
        expires: NEVER,
        lifetime: Some(60),
        version: LwM2mVersion::V1_0,
        binding: None,
        queue_mode: false,
        awake_millis: None,
        extras: None,
    });
    let record = record(&core, BEFORE);
    let snapshot = Snapshot::parse(&record).expect("a record");
    assert!(!snapshot.expired(AFTER.wall, AFTER.wall - 60_000));
    assert!(snapshot.expired(AFTER.wall, AFTER.wall - 60_001));
}

/// Records as the first build that kept any wrote them.
#[test]
fn records_of_form_1_can_be_read() {
    let seeds: [&[u8]; 3] = [
        include_bytes!("../../../../fuzz/seeds/endpoint_record/endpoint-small.bin"),
        include_bytes!("../../../../fuzz/seeds/endpoint_record/endpoint-observed.bin"),
        include_bytes!("../../../../fuzz/seeds/endpoint_record/endpoint-busy.bin"),
    ];
    for seed in seeds {
        assert_eq!(seed[1], 1);
        assert_eq!(restored(seed).name(), "urn:imei:1");
    }
}
