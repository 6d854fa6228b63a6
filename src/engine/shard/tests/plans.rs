//! What a profile makes of a device: its steps, its keys, its power mode.

use super::*;
use crate::engine::endpoint::plan::{Destination, Mapping};
use crate::engine::endpoint::profile_parts::{PlannedPath, PlannedStep, PowerMode, ProfileParts};
use crate::proto::lwm2m::Version;
use crate::proto::lwm2m::operation::NotificationAttributes;

pub(super) fn planned(path: &str) -> PlannedPath {
    PlannedPath {
        path: path.parse().unwrap(),
        version: None,
    }
}

pub(super) fn composite(paths: &[&str]) -> Box<[PlannedPath]> {
    paths.iter().map(|path| planned(path)).collect()
}

pub(super) fn mapping(path: &str, key: &str) -> Mapping {
    Mapping {
        path: path.parse().unwrap(),
        version: None,
        key: key.into(),
        destination: Destination {
            attribute: false,
            telemetry: true,
        },
        resource_type: None,
    }
}

pub(super) fn bench(parts: ProfileParts) -> Bench {
    Bench::with_plan(
        EngineConfig {
            allow_unknown: true,
            ..EngineConfig::default()
        },
        ProfilePlan::compile(parts),
    )
}

pub(super) fn with_steps(steps: Vec<PlannedStep>) -> ProfileParts {
    ProfileParts {
        steps,
        ..ProfileParts::default()
    }
}

/// Answers every request by `answer`; returns method, path, Observe of each.
pub(super) fn asked(
    bench: &mut Bench,
    mut sent: Vec<Sent>,
    answer: impl Fn(&Sent) -> (Code, Vec<(u16, u32)>, Vec<u8>),
) -> Vec<(Code, String, Option<u32>)> {
    let mut asked = Vec::new();
    while let Some(request) = sent.pop() {
        let view = request.view();
        asked.push((view.code(), request.path(), view.observe()));
        let (code, options, body) = answer(&request);
        sent = bench.send(peer(1), &response(&request, code, &options, &body));
    }
    asked
}

pub(super) fn content(body: &[u8], format: u32, observe: bool) -> (Code, Vec<(u16, u32)>, Vec<u8>) {
    let mut options = vec![(option::CONTENT_FORMAT, format)];
    if observe {
        options.insert(0, (option::OBSERVE, 1));
    }
    (Code::CONTENT, options, body.to_vec())
}

#[test]
fn attributes_are_written_before_what_they_govern_is_observed() {
    let mut attributes = NotificationAttributes::default();
    attributes.set("pmin", Some("5")).unwrap();
    let mut bench = bench(with_steps(vec![
        PlannedStep::WriteAttributes(planned("/3/0/9"), attributes),
        PlannedStep::Observe(planned("/3/0/9")),
    ]));
    let (_, sent) = registered(&mut bench, peer(1), "dev-1");
    let query: Vec<_> = sent[0].view().uri_query().map(<[u8]>::to_vec).collect();
    assert_eq!(query, [b"pmin=5".to_vec()]);
    let asked = asked(&mut bench, sent, |request| match request.code() {
        Code::PUT => (Code::CHANGED, vec![], vec![]),
        _ => content(b"50", 0, true),
    });
    let path = "/3/0/9".to_owned();
    assert_eq!(
        asked,
        [(Code::PUT, path.clone(), None), (Code::GET, path, Some(0))]
    );
}

#[test]
fn a_device_that_takes_no_composite_is_asked_for_each_path_and_it_is_said() {
    for refusal in [
        Code::METHOD_NOT_ALLOWED,
        Code::NOT_FOUND,
        Code::UNSUPPORTED_CONTENT_FORMAT,
    ] {
        let mut bench = bench(with_steps(vec![PlannedStep::ObserveComposite(composite(
            &["/3/0/9", "/3303/0/5700", "/5/0/3"],
        ))]));
        let (_, sent) = registered(&mut bench, peer(1), "dev-1");
        let asked = asked(&mut bench, sent, |request| match request.code() {
            Code::FETCH => (refusal, vec![], vec![]),
            _ => content(b"50", 0, true),
        });
        let asked: Vec<_> = asked
            .iter()
            .map(|(code, path, _)| (*code, &**path))
            .collect();
        assert_eq!(
            asked,
            [
                (Code::FETCH, ""),
                (Code::GET, "/3/0/9"),
                (Code::GET, "/3303/0/5700")
            ],
            "object 5 is not announced"
        );
        let view = bench.registration("dev-1");
        assert!(
            view.problems
                .iter()
                .any(|p| p.reason == "composite_refused")
        );
        assert!(view.problems.iter().any(|p| p.reason == "not_announced"));
        assert_eq!(view.observations.len(), 2);
    }
}

#[test]
fn a_device_that_cannot_do_composites_at_all_is_not_asked_for_one() {
    let paths = composite(&["/3/0/9", "/3303/0/5700"]);
    let mut bench = bench(with_steps(vec![PlannedStep::ObserveComposite(paths)]));
    let register = request(Code::POST, 1, "/rd", &["lwm2m=1.0", "ep=dev-1"], LINKS);
    let mut sent = bench.send(peer(1), &register);
    sent.remove(0);
    let asked = asked(&mut bench, sent, |_| content(b"50", 0, true));
    assert!(asked.iter().all(|(code, ..)| *code == Code::GET));
    assert_eq!(bench.registration("dev-1").observations.len(), 2);
}

#[test]
fn a_composite_is_made_anew_when_an_update_brings_an_object_it_covers() {
    let paths = composite(&["/3/0/9", "/5/0/3"]);
    let mut bench = bench(with_steps(vec![PlannedStep::ObserveComposite(paths)]));
    let (location, sent) = registered(&mut bench, peer(1), "dev-1");
    let old = sent[0].view().token().to_vec();
    let body = br#"[{"n":"/3/0/9","v":5}]"#;
    asked(&mut bench, sent, |_| content(body, 110, true));
    let links = b"</>;rt=\"oma.lwm2m\";ct=110,</1/0>,</3/0>,</5/0>";
    let mut sent = bench.send(peer(1), &request(Code::POST, 8, &location, &[], links));
    assert_eq!(sent.remove(0).code(), Code::CHANGED);
    assert_eq!(sent[0].view().token(), old, "the old one is cancelled");
    let asked = asked(&mut bench, sent, |_| content(body, 110, true));
    let observes: Vec<_> = asked.iter().map(|(_, _, observe)| *observe).collect();
    assert_eq!(observes, [Some(1), Some(0)]);
    let view = bench.registration("dev-1");
    let paths: Vec<_> = view.observations.iter().map(|o| &*o.path).collect();
    assert_eq!(paths, ["[/3/0/9, /5/0/3]"]);
}

#[test]
fn what_the_profile_maps_in_another_version_is_left_alone_and_reported() {
    let other = PlannedPath {
        version: Some(Version { major: 1, minor: 9 }),
        ..planned("/3303/0/5700")
    };
    let mut bench = bench(with_steps(vec![PlannedStep::Observe(other)]));
    let (_, sent) = registered(&mut bench, peer(1), "dev-1");
    assert!(sent.is_empty());
    let view = bench.registration("dev-1");
    assert_eq!(view.problems[0].reason, "other_version");
    assert_eq!(view.problems[0].path.as_deref(), Some("/3303/0/5700"));
}

#[test]
fn a_strict_profile_takes_a_path_without_version_as_documented() {
    // Object 3 has version 1.1, as a device of LwM2M 1.1 has by default; 3303 states it.
    let links = b"</>;ct=110,</1/0>,</3/0>,</5/0>,</3303>;ver=1.1,</3303/0>";
    let mut bench = bench(ProfileParts {
        strict_object_versions: true,
        ..with_steps(vec![
            PlannedStep::Observe(planned("/3/0/9")),
            PlannedStep::Observe(planned("/5/0/3")),
            PlannedStep::Observe(planned("/3303/0/5700")),
        ])
    });
    let register = request(Code::POST, 1, "/rd", &["lwm2m=1.1", "ep=dev-1"], links);
    let mut sent = bench.send(peer(1), &register);
    sent.remove(0);
    let asked = asked(&mut bench, sent, |_| content(b"50", 0, true));
    let asked: Vec<_> = asked.iter().map(|(_, path, _)| &**path).collect();
    assert_eq!(
        asked,
        ["/3/0/9", "/3303/0/5700"],
        "object 5 has version 1.0"
    );
}

#[test]
fn a_multiple_resource_is_one_value_with_a_member_for_each_instance() {
    let mut bench = bench(ProfileParts {
        mappings: vec![mapping("/3/0/7", "voltage")],
        ..with_steps(vec![PlannedStep::Observe(planned("/3/0/7"))])
    });
    let (_, sent) = registered(&mut bench, peer(1), "dev-1");
    let token = sent[0].view().token().to_vec();
    let body = br#"[{"bn":"/3/0/7/","n":"0","v":3800},{"n":"1","v":5000}]"#;
    asked(&mut bench, sent, |_| content(body, 110, true));
    let value = |bench: &mut Bench| bench.telemetry("dev-1")["voltage"][0].value.to_string();
    assert_eq!(value(&mut bench), r#"{"0":3800,"1":5000}"#);
    let mut notify = |mid, sequence, body: &[u8]| {
        let options = [(option::OBSERVE, sequence), (option::CONTENT_FORMAT, 110)];
        let kind = MessageType::NonConfirmable;
        bench.send(
            peer(1),
            &message(kind, Code::CONTENT, mid, &token, &options, body),
        );
        value(&mut bench)
    };
    let gone = notify(50, 2, br#"[{"bn":"/3/0/7/","n":"1","v":5100}]"#);
    assert_eq!(
        gone, r#"{"1":5100}"#,
        "an instance it does not name is gone"
    );
    let sent = request_with(
        MessageType::Confirmable,
        Code::POST,
        51,
        "/dp",
        &[],
        &[(option::CONTENT_FORMAT, 110)],
        br#"[{"n":"/3/0/7/4","v":12}]"#,
    );
    bench.send(peer(1), &sent);
    assert_eq!(
        value(&mut bench),
        r#"{"1":5100,"4":12}"#,
        "a Send tells of single instances"
    );
}

#[test]
fn a_device_in_power_saving_mode_is_asked_within_its_activity_timer() {
    let mut bench = bench(ProfileParts {
        power: PowerMode::Psm {
            activity_timer: 10_000,
        }
        .into(),
        ..with_steps(vec![
            PlannedStep::Read(planned("/3/0/0")),
            PlannedStep::Read(planned("/3/0/1")),
        ])
    });
    let (location, sent) = registered(&mut bench, peer(1), "dev-1");
    assert_eq!(sent[0].path(), "/3/0/0");
    bench.wait(10_100);
    let view = bench.registration("dev-1");
    assert_eq!(view.state, DeviceState::Asleep);
    assert!(
        view.state_reason.starts_with("power saving mode"),
        "{}",
        view.state_reason
    );
    let answer = response(&sent[0], Code::CONTENT, &[], b"x");
    let next = bench.send(peer(1), &answer);
    assert_eq!(
        next[0].path(),
        "/3/0/1",
        "any message shows that it listens"
    );
    let _ = location;
}

#[test]
fn a_device_in_edrx_is_paged_once_per_cycle_and_has_the_cycle_to_answer() {
    let mut bench = bench(ProfileParts {
        power: PowerMode::Edrx {
            cycle: 60_000,
            paging_window: 5_000,
        }
        .into(),
        ..with_steps(vec![])
    });
    let (location, _) = registered(&mut bench, peer(1), "dev-1");
    bench.wait(6_000);
    assert_eq!(bench.registration("dev-1").state, DeviceState::Asleep);
    let read = |path: &str| crate::proto::lwm2m::operation::Operation::Read {
        path: path.parse().unwrap(),
    };
    let (mut first, sent) = bench.operate_for(read("/3/0/0"), 120_000);
    assert_eq!(sent.len(), 1, "the network pages it");
    let (mut second, none) = bench.operate_for(read("/3/0/1"), 120_000);
    assert!(none.is_empty());
    assert!(
        bench.wait(59_000).is_empty(),
        "no retransmission wakes it twice"
    );
    bench.wait(2_000);
    assert!(first.error().is_timeout());
    assert!(bench.wait(30_000).is_empty(), "one page per sleep");
    let mut sent = bench.send(peer(1), &request(Code::POST, 9, &location, &[], b""));
    assert_eq!(sent.remove(0).code(), Code::CHANGED);
    assert_eq!(sent[0].path(), "/3/0/1");
    bench.send(
        peer(1),
        &response(
            &sent[0],
            Code::CONTENT,
            &[(option::CONTENT_FORMAT, 0)],
            b"R1",
        ),
    );
    assert!(second.outcome().unwrap().is_ok());
}
