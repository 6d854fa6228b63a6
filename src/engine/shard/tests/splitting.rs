//! Composite requests that a device takes in parts only.

use super::plans::{asked, bench, composite, content, mapping, with_steps};
use super::rollout::{change, comply, edit};
use super::*;
use crate::engine::endpoint::profile_parts::{PlannedStep, ProfileParts};

const PATHS: [&str; 4] = ["/3/0/9", "/3/0/13", "/3303/0/5700", "/3303/0/5701"];

fn observing(paths: &[&str]) -> ProfileParts {
    with_steps(vec![PlannedStep::ObserveComposite(composite(paths))])
}

/// Paths of a composite request.
fn paths(request: &Sent) -> usize {
    request.payload().matches("\"n\"").count()
}

/// A device that takes composite requests of so many paths; what it is asked: method, number of
/// paths, Observe.
fn asked_with_limit(
    bench: &mut Bench,
    mut sent: Vec<Sent>,
    limit: usize,
) -> Vec<(Code, usize, Option<u32>)> {
    let mut asked = Vec::new();
    while let Some(request) = sent.pop() {
        let many = paths(&request);
        // It does not take the same in blocks either (RFC 7959 §2.9.3).
        let in_blocks = request.view().block1().is_some();
        if !in_blocks {
            asked.push((request.code(), many, request.view().observe()));
        }
        let (code, options, body) = if in_blocks || many > limit {
            (Code::REQUEST_ENTITY_TOO_LARGE, vec![], vec![])
        } else {
            comply(&request)
        };
        sent = bench.send(peer(1), &response(&request, code, &options, &body));
    }
    asked
}

fn observed(bench: &mut Bench) -> Vec<String> {
    let view = bench.registration("dev-1");
    view.observations.into_iter().map(|o| o.path).collect()
}

#[test]
fn what_is_too_large_is_asked_in_halves_and_that_is_remembered() {
    let mut bench = bench(observing(&PATHS));
    let (_, sent) = registered(&mut bench, peer(1), "dev-1");
    let asked = asked_with_limit(&mut bench, sent, 2);
    let (refused, half) = ((Code::FETCH, 4, Some(0)), (Code::FETCH, 2, Some(0)));
    assert_eq!(asked, [refused, half, half]);
    assert_eq!(
        observed(&mut bench),
        ["[/3/0/9, /3/0/13]", "[/3303/0/5700, /3303/0/5701]"]
    );
    let view = bench.registration("dev-1");
    assert_eq!(view.observe_composite_limit, Some(2));
    assert_eq!(view.read_composite_limit, None);
    let problem = view
        .problems
        .iter()
        .find(|p| p.reason == "composite_refused");
    assert_eq!(
        problem.map(|problem| &*problem.detail),
        Some("the device does not take a composite request of 4 paths: 2 are asked for at once")
    );

    // An edit asks in parts from the start, and only for what it changes.
    let more = [&PATHS[..], &["/3/0/1"]].concat();
    edit(&mut bench, observing(&more));
    let sent = bench.wait(2_000);
    let asked = asked_with_limit(&mut bench, sent, 2);
    assert!(asked.iter().all(|(_, many, _)| *many <= 2), "{asked:?}");
    assert_eq!(
        observed(&mut bench),
        [
            "[/3/0/9, /3/0/13]",
            "[/3303/0/5700, /3303/0/5701]",
            "/3/0/1"
        ]
    );
    assert_eq!(asked, [(Code::GET, 0, Some(0))]);

    // A new registration begins anew.
    let mut sent = bench.send(peer(1), &register(900, "dev-1"));
    assert_eq!(sent.remove(0).code(), Code::CREATED);
    assert_eq!(asked_with_limit(&mut bench, sent, 8).len(), 1);
    assert_eq!(bench.registration("dev-1").observe_composite_limit, None);
}

#[test]
fn a_device_that_takes_no_two_paths_at_once_is_asked_down_to_single_ones() {
    let mut bench = bench(observing(&PATHS));
    let (_, sent) = registered(&mut bench, peer(1), "dev-1");
    let asked = asked_with_limit(&mut bench, sent, 1);
    let (four, two) = ((Code::FETCH, 4, Some(0)), (Code::FETCH, 2, Some(0)));
    let single = (Code::GET, 0, Some(0));
    assert_eq!(asked, [four, two, single, single, single, single]);
    assert_eq!(observed(&mut bench), PATHS);
    let gone = change(&mut bench, with_steps(vec![]));
    assert_eq!(gone.len(), 4, "each observation is cancelled");
    assert!(observed(&mut bench).is_empty());
}

#[test]
fn what_is_too_large_to_read_is_read_in_halves() {
    let steps = vec![PlannedStep::ReadComposite(composite(&PATHS))];
    let mut bench = bench(ProfileParts {
        mappings: vec![mapping("/3/0/9", "battery")],
        ..with_steps(steps)
    });
    let (_, sent) = registered(&mut bench, peer(1), "dev-1");
    let asked = asked_with_limit(&mut bench, sent, 2);
    let asked: Vec<_> = asked.into_iter().map(|(_, many, _)| many).collect();
    assert_eq!(asked, [4, 2, 2]);
    let view = bench.registration("dev-1");
    assert_eq!(view.read_composite_limit, Some(2));
    assert_eq!(view.observe_composite_limit, None);
}

#[test]
fn an_edit_that_changes_nothing_keeps_the_parts_that_wait() {
    let mut bench = bench(observing(&PATHS));
    let (_, mut sent) = registered(&mut bench, peer(1), "dev-1");
    for _ in ["as a whole", "in blocks"] {
        let refusal = response(&sent[0], Code::REQUEST_ENTITY_TOO_LARGE, &[], b"");
        sent = bench.send(peer(1), &refusal);
    }
    assert_eq!(paths(&sent[0]), 2);
    let read = PlannedStep::Read(super::plans::planned("/3/0/0"));
    let mut parts = observing(&PATHS);
    parts.steps.insert(0, read);
    edit(&mut bench, parts);
    let sent = bench.wait(100);
    let asked = asked(&mut bench, sent, |request| match request.code() {
        Code::FETCH => content(b"[]", 110, true),
        _ => comply(request),
    });
    let kinds: Vec<_> = asked.iter().map(|(code, ..)| *code).collect();
    assert_eq!(kinds, [Code::GET, Code::FETCH, Code::FETCH]);
    assert_eq!(bench.registration("dev-1").observations.len(), 2);
}
