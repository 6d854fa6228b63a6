//! Edits of a profile that meet something: another edit, a device that goes, sleeps or fails.

use super::plans::{asked, bench, composite, mapping, with_steps};
use super::rollout::{at_rest, change, comply, edit, get, observe, read};
use super::supervision::inject_fault;
use super::*;
use crate::engine::endpoint::plan::Destination;
use crate::engine::endpoint::profile_parts::{PlannedStep, PowerKind, PowerSettings, ProfileParts};
use crate::engine::view::RolloutView;

/// Method, path, Observe of a request.
type Asked = (Code, String, Option<u32>);

/// Registers devices under a profile that asks nothing.
fn fleet(devices: u16, per_second: u32) -> (Bench, Vec<String>) {
    let config = EngineConfig {
        allow_unknown: true,
        profile_changes_per_second: per_second,
        ..EngineConfig::default()
    };
    let mut bench = Bench::with_plan(config, ProfilePlan::compile(with_steps(vec![])));
    let names = (0..devices).map(|device| format!("dev-{device}"));
    let names: Vec<_> = names.collect();
    for (device, name) in (0..).zip(&names) {
        registered(&mut bench, peer(device), name);
    }
    (bench, names)
}

/// Lets time pass while every device complies; what was asked, by peer.
fn served(bench: &mut Bench, millis: u64) -> Vec<(PeerAddr, Asked)> {
    let mut all = Vec::new();
    for _ in 0..millis.div_ceil(50) {
        let mut sent = bench.wait(50);
        while let Some(request) = sent.pop() {
            let what = (request.code(), request.path(), request.view().observe());
            all.push((request.peer, what));
            let (code, options, body) = comply(&request);
            sent.extend(bench.send(request.peer, &response(&request, code, &options, &body)));
        }
    }
    all
}

fn progress(bench: &mut Bench) -> RolloutView {
    let (reply, mut answer) = oneshot::channel();
    bench.shard.on_command(Command::Progress { reply });
    let of_profiles = answer.try_recv().unwrap();
    let known = of_profiles
        .into_iter()
        .find(|(id, _)| *id == DEFAULT_PROFILE);
    known.map_or_else(RolloutView::default, |(_, progress)| progress)
}

fn asleep(parts: ProfileParts) -> (Bench, String) {
    let mut bench = bench(parts);
    let query = ["lwm2m=1.1", "ep=dev-1", "lt=86400", "Q"];
    let mut sent = bench.send(peer(1), &request(Code::POST, 1, "/rd", &query, LINKS));
    let location = location(&sent.remove(0));
    asked(&mut bench, sent, comply);
    bench.wait(94_000);
    (bench, location)
}

#[test]
fn of_two_edits_that_overlap_the_last_one_wins_and_nothing_is_observed_twice() {
    let (mut bench, names) = fleet(60, 100);
    edit(
        &mut bench,
        with_steps(vec![observe("/3/0/9"), read("/3/0/0")]),
    );
    let mut first = served(&mut bench, 200);
    assert!(
        (10..50).contains(&first.len()),
        "under way: {}",
        first.len()
    );
    edit(
        &mut bench,
        with_steps(vec![observe("/3/0/9"), read("/3/0/1")]),
    );
    first.extend(served(&mut bench, 2_000));
    let observes = first.iter().filter(|(_, what)| what.2 == Some(0));
    assert_eq!(observes.count(), names.len());
    let reads = |path: &str| first.iter().filter(|(_, what)| what.1 == path).count();
    assert_eq!(reads("/3/0/1"), names.len());
    assert!(reads("/3/0/0") < names.len());
    for name in &names {
        assert_eq!(bench.registration(name).observations.len(), 1);
    }
}

#[test]
fn a_device_that_is_removed_during_an_edit_leaves_the_others_to_it() {
    let (mut bench, names) = fleet(30, 100);
    edit(&mut bench, with_steps(vec![observe("/3/0/9")]));
    served(&mut bench, 100);
    let home = bench.shared.directory.home("dev-29").unwrap();
    let (reply, mut removed) = oneshot::channel();
    bench.shard.on_command(Command::Remove {
        slot: home.slot,
        endpoint: "dev-29".to_owned(),
        reply,
    });
    assert_eq!(removed.try_recv(), Ok(true));
    let asked = served(&mut bench, 2_000);
    assert!(asked.iter().all(|(to, _)| *to != peer(29)));
    for name in &names[..29] {
        assert_eq!(bench.registration(name).observations.len(), 1);
    }
    let all = progress(&mut bench);
    assert_eq!((all.running, all.devices, all.done), (false, 29, 29));
}

#[test]
fn a_device_whose_change_fails_stops_no_other() {
    let (mut bench, names) = fleet(10, 100);
    inject_fault(&mut bench, "dev-3");
    edit(&mut bench, with_steps(vec![observe("/3/0/9")]));
    served(&mut bench, 2_000);
    assert_eq!(bench.metric("lwm2m_actor_restarts_total"), 1.0);
    for name in &names {
        let observed = bench.registration(name).observations.len();
        assert_eq!(observed, 1, "{name}: the failed one is rebuilt, and asked");
    }
}

#[test]
fn edits_that_undo_each_other_cost_a_sleeping_device_nothing() {
    let start = || with_steps(vec![observe("/3/0/9")]);
    let (mut bench, location) = asleep(start());
    assert!(change(&mut bench, with_steps(vec![])).is_empty());
    let waiting = progress(&mut bench);
    assert_eq!((waiting.waiting, waiting.done), (1, 0));
    assert!(change(&mut bench, start()).is_empty());
    let sent = bench.send(peer(1), &request(Code::POST, 2, &location, &[], b""));
    assert_eq!(sent.len(), 1, "the answer to the Update alone");
    assert_eq!(bench.registration("dev-1").observations.len(), 1);
    assert_eq!(progress(&mut bench).done, 1);
}

#[test]
fn progress_tells_who_is_done_who_is_left_and_who_sleeps() {
    let (mut bench, _) = fleet(20, 100);
    let all = progress(&mut bench);
    assert_eq!((all.running, all.devices, all.done), (false, 20, 20));
    edit(&mut bench, with_steps(vec![read("/3/0/0")]));
    let begun = progress(&mut bench);
    assert_eq!((begun.running, begun.left, begun.done), (true, 20, 0));
    let asked = bench.wait(100).len() as u64;
    let under_way = progress(&mut bench);
    assert!(asked > 0 && asked < 20);
    assert_eq!((under_way.asked, under_way.left), (asked, 20 - asked));
    served(&mut bench, 5_000);
    let over = progress(&mut bench);
    assert_eq!((over.running, over.done + over.failed), (false, 20));
}

#[test]
fn each_strategy_takes_the_place_of_the_one_before_with_the_fewest_requests() {
    let paths = ["/3/0/9", "/3/0/13", "/3303/0/5700"];
    let by_object = |paths: &[&[&str]]| {
        let steps = paths
            .iter()
            .map(|paths| PlannedStep::ObserveComposite(composite(paths)));
        with_steps(steps.collect())
    };
    let single = || with_steps(paths.iter().map(|path| observe(path)).collect());
    let (mut bench, _) = at_rest(single());
    let modes = |asked: Vec<(Code, String, Option<u32>)>| -> Vec<_> {
        asked
            .into_iter()
            .map(|(code, _, mode)| (code, mode))
            .collect()
    };
    let (cancel, cancel_all) = ((Code::GET, Some(1)), (Code::FETCH, Some(1)));
    let (begin, begin_all) = ((Code::GET, Some(0)), (Code::FETCH, Some(0)));

    let all = modes(change(&mut bench, by_object(&[&paths])));
    assert_eq!(all, [cancel, cancel, cancel, begin_all]);
    assert_eq!(bench.registration("dev-1").observations.len(), 1);

    let objects = modes(change(&mut bench, by_object(&[&paths[..2], &paths[2..]])));
    assert_eq!(objects, [cancel_all, begin_all, begin_all]);
    assert_eq!(bench.registration("dev-1").observations.len(), 2);

    let singles = modes(change(&mut bench, single()));
    assert_eq!(singles, [cancel_all, cancel_all, begin, begin, begin]);
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 3.0);
    assert_eq!(
        bench.metric("lwm2m_observations{strategy=\"composite\"}"),
        0.0
    );
}

#[test]
fn a_value_that_is_mapped_now_and_was_only_observed_before_is_read_once() {
    let steps = || with_steps(vec![observe("/3/0/9"), observe("/3/0/13")]);
    let (mut bench, _) = at_rest(steps());
    let mapped = |keys: &[(&str, &str)]| ProfileParts {
        mappings: keys.iter().map(|(path, key)| mapping(path, key)).collect(),
        ..steps()
    };
    let battery = change(&mut bench, mapped(&[("/3/0/9", "battery")]));
    assert_eq!(battery, [get("/3/0/9", None)]);
    assert_eq!(bench.telemetry("dev-1")["battery"][0].value, "50");
    let renamed = change(&mut bench, mapped(&[("/3/0/9", "level")]));
    assert!(renamed.is_empty(), "the value moves to the other name");
    let named_only = ProfileParts {
        mappings: vec![crate::engine::endpoint::plan::Mapping {
            destination: Destination {
                attribute: false,
                telemetry: false,
            },
            ..mapping("/3/0/13", "time")
        }],
        ..steps()
    };
    assert!(change(&mut bench, named_only).is_empty());
}

#[test]
fn a_path_that_no_model_has_is_asked_and_one_that_is_not_announced_is_reported() {
    let (mut bench, _) = at_rest(with_steps(vec![]));
    let steps = vec![read("/3/0/999"), observe("/4711/0/1")];
    edit(&mut bench, with_steps(steps));
    let sent = bench.wait(2_000);
    let asked = asked(&mut bench, sent, |_| (Code::NOT_FOUND, vec![], vec![]));
    assert_eq!(asked, [get("/3/0/999", None)]);
    let problems = bench.registration("dev-1").problems;
    let problem = |reason: &str| {
        let found = problems.iter().find(|problem| problem.reason == reason);
        found.and_then(|problem| problem.path.as_deref())
    };
    assert_eq!(problem("not_announced"), Some("/4711/0/1"));
    assert_eq!(problem("request_refused"), Some("/3/0/999"));
}

#[test]
fn a_device_that_says_part_of_its_power_settings_follows_its_profile_in_the_rest() {
    let power = |activity_timer| ProfileParts {
        power: PowerSettings {
            activity_timer: Some(activity_timer),
            ..PowerSettings::default()
        },
        ..with_steps(vec![])
    };
    let mut bench = bench(power(20_000));
    let own = bench.shared.profiles.power_id(PowerSettings {
        kind: Some(PowerKind::Psm),
        ..PowerSettings::default()
    });
    let admitted = crate::engine::directory::Admitted {
        profile: DEFAULT_PROFILE,
        power: own,
    };
    bench.shared.directory.admit("dev-1", admitted);
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    let state = |bench: &mut Bench| bench.registration("dev-1").state;
    bench.wait(19_000);
    assert_eq!(state(&mut bench), DeviceState::Registered);
    bench.wait(2_000);
    assert_eq!(state(&mut bench), DeviceState::Asleep);
    edit(&mut bench, power(5_000));
    bench.send(peer(1), &request(Code::POST, 2, &location, &[], b""));
    bench.wait(5_100);
    assert_eq!(state(&mut bench), DeviceState::Asleep);
}
