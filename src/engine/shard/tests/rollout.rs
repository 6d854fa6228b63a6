//! Profiles that change while their devices live.

use super::plans::{asked, bench, composite, content, mapping, planned, with_steps};
use super::*;
use crate::engine::endpoint::profile_parts::{PlannedStep, ProfileParts};
use crate::proto::lwm2m::operation::NotificationAttributes;

pub(super) fn observe(path: &str) -> PlannedStep {
    PlannedStep::Observe(planned(path))
}

pub(super) fn read(path: &str) -> PlannedStep {
    PlannedStep::Read(planned(path))
}

/// A device that has answered everything the profile asks.
pub(super) fn at_rest(parts: ProfileParts) -> (Bench, String) {
    let mut bench = bench(parts);
    let (location, sent) = registered(&mut bench, peer(1), "dev-1");
    asked(&mut bench, sent, comply);
    (bench, location)
}

/// Does what is asked.
pub(super) fn comply(request: &Sent) -> (Code, Vec<(u16, u32)>, Vec<u8>) {
    match (request.code(), request.view().observe()) {
        (Code::PUT, _) => (Code::CHANGED, vec![], vec![]),
        (Code::FETCH, observe) => content(b"[]", 110, observe == Some(0)),
        (_, observe) => content(b"50", 0, observe == Some(0)),
    }
}

/// Changes the profile; returns what the device is asked then: method, path or paths, Observe.
pub(super) fn change(bench: &mut Bench, parts: ProfileParts) -> Vec<(Code, String, Option<u32>)> {
    edit(bench, parts);
    let sent = bench.wait(2_000);
    asked(bench, sent, comply)
}

pub(super) fn edit(bench: &mut Bench, parts: ProfileParts) {
    bench.shared.profiles.put(vec![parts]).unwrap();
    bench.shard.on_command(Command::LookAtProfiles);
}

pub(super) fn get(path: &str, observe: Option<u32>) -> (Code, String, Option<u32>) {
    (Code::GET, path.to_owned(), observe)
}

#[test]
fn only_what_changed_is_asked() {
    let (mut bench, _) = at_rest(with_steps(vec![
        observe("/3/0/9"),
        observe("/3/0/13"),
        read("/3/0/0"),
    ]));
    let asked = change(
        &mut bench,
        with_steps(vec![
            observe("/3/0/9"),
            observe("/3303/0/5700"),
            read("/3/0/0"),
            read("/3/0/1"),
        ]),
    );
    assert_eq!(
        asked,
        [
            get("/3/0/13", Some(1)),
            get("/3303/0/5700", Some(0)),
            get("/3/0/1", None),
        ]
    );
    let view = bench.registration("dev-1");
    let paths: Vec<_> = view.observations.iter().map(|o| &*o.path).collect();
    assert_eq!(paths, ["/3/0/9", "/3303/0/5700"]);
    assert!(
        change(
            &mut bench,
            with_steps(vec![observe("/3/0/9"), observe("/3303/0/5700")])
        )
        .is_empty()
    );
}

#[test]
fn another_strategy_ends_the_old_observations_and_makes_the_new_ones() {
    let (mut bench, _) = at_rest(with_steps(vec![observe("/3/0/9"), observe("/3303/0/5700")]));
    let both = composite(&["/3/0/9", "/3303/0/5700"]);
    let asked = change(
        &mut bench,
        with_steps(vec![PlannedStep::ObserveComposite(both)]),
    );
    let kinds: Vec<_> = asked
        .iter()
        .map(|(code, _, observe)| (*code, *observe))
        .collect();
    assert_eq!(
        kinds,
        [
            (Code::GET, Some(1)),
            (Code::GET, Some(1)),
            (Code::FETCH, Some(0))
        ]
    );
    assert_eq!(bench.registration("dev-1").observations.len(), 1);
}

#[test]
fn attributes_that_the_profile_sets_no_more_are_taken_back() {
    let attributes = |all: &[(&str, &str)]| {
        let mut attributes = NotificationAttributes::default();
        for (name, value) in all {
            attributes.set(name, Some(value)).unwrap();
        }
        PlannedStep::WriteAttributes(planned("/3/0/9"), attributes)
    };
    let (mut bench, _) = at_rest(with_steps(vec![
        attributes(&[("pmin", "5"), ("gt", "40")]),
        observe("/3/0/9"),
    ]));
    edit(
        &mut bench,
        with_steps(vec![attributes(&[("pmin", "7")]), observe("/3/0/9")]),
    );
    let mut queries = Vec::new();
    let mut sent = bench.wait(2_000);
    while let Some(request) = sent.pop() {
        let query = request.view().uri_query();
        queries.extend(query.map(|query| String::from_utf8_lossy(query).into_owned()));
        sent = bench.send(peer(1), &response(&request, Code::CHANGED, &[], b""));
    }
    assert_eq!(queries, ["gt", "pmin=7"]);
}

#[test]
fn a_sleeping_device_gets_the_final_difference_of_many_changes_when_it_wakes_up() {
    let mut bench = bench(with_steps(vec![observe("/3/0/9")]));
    let query = ["lwm2m=1.1", "ep=dev-1", "lt=86400", "Q"];
    let mut sent = bench.send(peer(1), &request(Code::POST, 1, "/rd", &query, LINKS));
    let location = location(&sent.remove(0));
    asked(&mut bench, sent, comply);
    bench.wait(94_000);
    assert!(change(&mut bench, with_steps(vec![observe("/3303")])).is_empty());
    assert!(change(&mut bench, with_steps(vec![observe("/1/0/1")])).is_empty());
    assert!(
        change(
            &mut bench,
            with_steps(vec![observe("/3/0/9"), observe("/3/0/13")])
        )
        .is_empty()
    );
    let mut sent = bench.send(peer(1), &request(Code::POST, 2, &location, &[], b""));
    assert_eq!(sent.remove(0).code(), Code::CHANGED);
    let asked = asked(&mut bench, sent, comply);
    assert_eq!(asked, [get("/3/0/13", Some(0))]);
}

#[test]
fn values_stay_under_their_key_and_follow_a_new_one() {
    let with_keys = |keys: &[(&str, &str)]| ProfileParts {
        mappings: keys.iter().map(|(path, key)| mapping(path, key)).collect(),
        ..with_steps(keys.iter().map(|(path, _)| read(path)).collect())
    };
    let (mut bench, _) = at_rest(with_keys(&[("/3/0/9", "battery"), ("/3/0/13", "time")]));
    let asked = change(
        &mut bench,
        with_keys(&[("/3/0/13", "clock"), ("/3/0/9", "battery")]),
    );
    assert!(asked.is_empty());
    let telemetry = bench.telemetry("dev-1");
    let keys: Vec<_> = telemetry.keys().map(String::as_str).collect();
    assert_eq!(keys, ["battery", "clock"]);
    change(&mut bench, with_keys(&[("/3/0/9", "battery")]));
    assert_eq!(bench.telemetry("dev-1").len(), 1);
}

#[test]
fn what_is_in_flight_when_the_profile_changes_is_weighed_anew() {
    let mut bench = bench(with_steps(vec![observe("/3/0/9"), read("/3/0/0")]));
    let (_, first) = registered(&mut bench, peer(1), "dev-1");
    edit(&mut bench, with_steps(vec![read("/3/0/0")]));
    let sent = bench.wait(100);
    assert_eq!(sent[0].path(), "/3/0/0");
    // The answer to the Observe comes late: nobody wants its notifications.
    let late = message(
        MessageType::Confirmable,
        Code::CONTENT,
        900,
        first[0].view().token(),
        &[(option::OBSERVE, 3), (option::CONTENT_FORMAT, 0)],
        b"9",
    );
    let reset = bench.send(peer(1), &late);
    assert_eq!(reset[0].view().kind(), MessageType::Reset);
    asked(&mut bench, sent, comply);
    let view = bench.registration("dev-1");
    assert_eq!((view.observations.len(), view.queue_length), (0, 0));
}

#[test]
fn a_change_reaches_a_fleet_at_the_rate_that_is_allowed() {
    const DEVICES: u16 = 300;
    let config = EngineConfig {
        allow_unknown: true,
        profile_changes_per_second: 100,
        ..EngineConfig::default()
    };
    let plan = ProfilePlan::compile(with_steps(vec![]));
    let mut bench = Bench::with_plan(config, plan);
    for device in 0..DEVICES {
        registered(&mut bench, peer(device), &format!("dev-{device}"));
    }
    edit(&mut bench, with_steps(vec![read("/3/0/0")]));
    let mut answered = 0;
    let mut most = 0;
    for _ in 0..60 {
        let sent = bench.wait(100);
        most = most.max(sent.len());
        answered += sent.len();
        for request in sent {
            bench.send(request.peer, &response(&request, Code::NOT_FOUND, &[], b""));
        }
    }
    assert_eq!(answered, usize::from(DEVICES));
    assert!((5..=11).contains(&most), "{most} in a tenth of a second");
    assert_eq!(bench.metric("lwm2m_profile_rollout_slots"), 0.0);
}
