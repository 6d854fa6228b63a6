//! Observations that commands make and end.

use super::commands::{TEXT, at_rest, command, path};
use super::*;
use crate::engine::endpoint::observations::Observed;
use crate::engine::endpoint::request::{DeviceAnswer, DeviceCommand, RequestError};
use crate::proto::lwm2m::operation::{NotificationAttributes, Operation};

fn observe(text: &str) -> Operation {
    Operation::Observe {
        path: path(text),
        attributes: NotificationAttributes::default(),
    }
}

fn observe_composite(paths: &[&str]) -> Operation {
    Operation::ObserveComposite {
        paths: paths.iter().map(|text| path(text)).collect(),
        attributes: NotificationAttributes::default(),
    }
}

#[test]
fn observations_made_by_commands_are_kept_listed_and_cancelled_actively() {
    let mut bench = at_rest();
    let (mut asked, sent) = bench.operate(observe("/3303/0/5700"));
    let observed = [(option::OBSERVE, 5), (option::CONTENT_FORMAT, 0)];
    bench.answer(&sent[0], Code::CONTENT, &observed, b"20.5");
    let DeviceAnswer::Values { observing, .. } = asked.answer() else {
        panic!("no values");
    };
    assert!(observing);
    let token = sent[0].view().token().to_vec();
    let (mut all, _) = bench.ask_device("dev-1", command(DeviceCommand::ReadAllObservations));
    let single = |text| Observed::Single(path(text));
    assert_eq!(
        all.answer(),
        DeviceAnswer::Observations(vec![single("/3/0/9"), single("/3303/0/5700")])
    );

    let cancel = |text| Operation::CancelObservation { path: path(text) };
    let (mut asked, sent) = bench.operate(cancel("/3303/0/5700"));
    assert_eq!(asked.answer(), DeviceAnswer::Cancelled { count: 1 });
    let view = sent[0].view();
    assert_eq!((view.token(), view.observe()), (&token[..], Some(1)));
    let crossing = message(
        MessageType::Confirmable,
        Code::CONTENT,
        77,
        &token,
        &[(option::OBSERVE, 6)],
        b"20.6",
    );
    let reset = bench.send(peer(1), &crossing);
    assert_eq!(reset[0].bytes, [0x70, 0, 0, 77], "it is observed no more");
    bench.answer(&sent[0], Code::CONTENT, TEXT, b"20.6");
    assert_eq!(bench.registration("dev-1").queue_length, 0);
    let (mut again, _) = bench.operate(cancel("/3303/0/5700"));
    assert_eq!(again.error(), RequestError::NotObserved);
}

#[test]
fn all_observations_are_cancelled_at_once_and_the_device_is_told_one_by_one() {
    let mut bench = at_rest();
    let (_asked, sent) = bench.operate(observe("/3303"));
    bench.answer(
        &sent[0],
        Code::CONTENT,
        &[(option::OBSERVE, 5), (option::CONTENT_FORMAT, 110)],
        b"[]",
    );
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 2.0);
    let (mut asked, mut sent) =
        bench.ask_device("dev-1", command(DeviceCommand::CancelAllObservations));
    assert_eq!(asked.answer(), DeviceAnswer::Cancelled { count: 2 });
    assert_eq!(bench.metric("lwm2m_observations{strategy=\"single\"}"), 0.0);
    let mut told = Vec::new();
    while let Some(request) = sent.pop() {
        assert_eq!(request.view().observe(), Some(1));
        told.push(request.path());
        sent = bench.answer(&request, Code::CONTENT, TEXT, b"1");
    }
    assert_eq!(told, ["/3/0/9", "/3303"]);
    let (mut asked, _) = bench.ask_device("dev-1", command(DeviceCommand::CancelAllObservations));
    assert_eq!(asked.answer(), DeviceAnswer::Cancelled { count: 0 });
}

#[test]
fn an_observe_that_overlaps_another_is_refused_without_asking_the_device() {
    let mut bench = at_rest();
    let (mut asked, sent) = bench.operate(observe("/3"));
    assert!(sent.is_empty());
    let RequestError::Conflict {
        requested,
        existing,
    } = asked.error()
    else {
        panic!("a conflict");
    };
    assert_eq!(
        (requested, existing),
        (path("/3"), Observed::Single(path("/3/0/9")))
    );
    let (_asked, sent) = bench.operate(observe("/3/0/9"));
    assert_eq!(sent.len(), 1, "the same again replaces it");
    bench.answer(
        &sent[0],
        Code::CONTENT,
        &[(option::OBSERVE, 1), (option::CONTENT_FORMAT, 0)],
        b"50",
    );
    assert_eq!(bench.registration("dev-1").observations.len(), 1);
}

#[test]
fn values_of_a_composite_observation_flow_like_all_others() {
    let mut bench = at_rest();
    let (mut asked, sent) =
        bench.ask_device("dev-1", command(DeviceCommand::CancelAllObservations));
    asked.answer();
    bench.answer(&sent[0], Code::CONTENT, TEXT, b"1");
    let (mut asked, sent) = bench.operate(observe_composite(&["/3303/0/5700", "/3/0/9"]));
    assert_eq!(
        (sent[0].code(), sent[0].view().observe()),
        (Code::FETCH, Some(0))
    );
    let options = [(option::OBSERVE, 1), (option::CONTENT_FORMAT, 110)];
    let body = br#"[{"n":"/3303/0/5700","v":20.5},{"n":"/3/0/9","v":61}]"#;
    bench.answer(&sent[0], Code::CONTENT, &options, body);
    assert_eq!(asked.values().len(), 2);
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 61);
    assert_eq!(
        bench.metric("lwm2m_observations{strategy=\"composite\"}"),
        1.0
    );
    let notification = message(
        MessageType::NonConfirmable,
        Code::CONTENT,
        78,
        sent[0].view().token(),
        &[(option::OBSERVE, 2), (option::CONTENT_FORMAT, 110)],
        br#"[{"n":"/3/0/9","v":60},{"n":"/3/0/10","v":7}]"#,
    );
    bench.send(peer(1), &notification);
    assert_eq!(bench.telemetry("dev-1")["batteryLevel"][0].value, 60);
    let view = bench.registration("dev-1");
    assert_eq!(view.observations[0].path, "[/3303/0/5700, /3/0/9]");
    assert_eq!(view.observations[0].notifications, 1);
    let problem = view
        .problems
        .iter()
        .find(|p| p.path.as_deref() == Some("/3/0/10"));
    assert!(problem.unwrap().detail.contains("does not cover"));
}
