//! A panic in one endpoint costs that endpoint alone.

use super::*;
use crate::engine::endpoint::slot::State;

pub(super) fn inject_fault(bench: &mut Bench, endpoint: &str) {
    let home = bench.shared.directory.home(endpoint).unwrap();
    match &mut bench.shard.endpoints.get_mut(home.slot).unwrap().state {
        State::Rest(core) => core.inject_fault(),
        _ => panic!("the endpoint is at rest"),
    }
}

#[test]
fn a_panicking_endpoint_is_rebuilt_with_its_registration_and_its_values() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "bad");
    initialised(&mut bench, peer(1), first);
    inject_fault(&mut bench, "bad");
    let update = |mid| request(Code::POST, mid, &location, &[], &[]);
    assert!(
        bench.send(peer(1), &update(2)).is_empty(),
        "the message that hurt is lost"
    );
    assert_eq!(bench.metric("lwm2m_actor_restarts_total"), 1.0);
    assert_eq!(bench.metric("lwm2m_observations"), 0.0);
    let sent = bench.send(peer(1), &update(2));
    assert_eq!(
        sent[0].code(),
        Code::CHANGED,
        "its repetition is handled by the rebuilt endpoint"
    );
    initialised(&mut bench, peer(1), sent.into_iter().skip(1).collect());
    assert_eq!(
        bench.registration("bad").observations.len(),
        1,
        "observed anew"
    );
    assert_eq!(bench.attributes("bad")["modelNumber"].value, "R1");
}

#[test]
fn others_notice_nothing() {
    let mut bench = Bench::new();
    registered(&mut bench, peer(1), "bad");
    let (location, _) = registered(&mut bench, peer(2), "good");
    inject_fault(&mut bench, "bad");
    bench.send(peer(1), &register(0x777, "bad"));
    let sent = bench.send(peer(2), &request(Code::POST, 2, &location, &[], &[]));
    assert_eq!(sent[0].code(), Code::CHANGED);
}

#[test]
fn an_endpoint_that_panics_again_and_again_is_quarantined_for_a_while() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "bad");
    initialised(&mut bench, peer(1), first);
    let update = |mid| request(Code::POST, mid, &location, &["lt=3600"], &[]);
    bench.send(peer(1), &update(1));
    for mid in 10..13 {
        inject_fault(&mut bench, "bad");
        bench.send(peer(1), &update(mid));
    }
    assert!(bench.send(peer(1), &update(20)).is_empty());
    assert_eq!(
        bench.metric("lwm2m_coap_rejected_total{reason=\"quarantined\"}"),
        1.0
    );
    assert!(
        bench
            .registration("bad")
            .state_reason
            .contains("quarantined")
    );
    bench.wait(302_000);
    let sent = bench.send(peer(1), &update(21));
    assert_eq!(sent[0].code(), Code::CHANGED);
}
