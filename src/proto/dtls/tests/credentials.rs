//! Who is looked up, what the verdict does, and how sessions end.

use std::sync::Arc;

use super::client::{Login, Setup};
use super::world::{DEVICE_KEY, IDENTITY, World, all_credentials, psk};
use crate::proto::dtls::{
    AlertDescription, Claim, CloseReason, Event, FailReason, Mode, ServerContexts,
    ServerCredentials, SessionId, Suite, Verdict,
};

fn closed(world: &World) -> Vec<(SessionId, CloseReason)> {
    let closed = |event: &Event| match event {
        Event::Closed { session, reason } => Some((*session, *reason)),
        _ => None,
    };
    world.events.iter().filter_map(closed).collect()
}

#[test]
fn the_finished_of_the_server_waits_for_the_verdict() {
    for setup in [Setup::rpk(), Setup::certificate(), Setup::rpk().cid(b"c")] {
        let mut world = World::new();
        world.verdict = |_| None;
        let mut client = setup.start();
        client.pump(&mut world);
        assert!(!client.connected && world.established().is_empty());
        let (handshake, claim, resumed) = world.lookups.remove(0);
        assert!(!resumed);
        match &claim {
            Claim::RawPublicKey(key) => {
                assert_eq!(**key, DEVICE_KEY.public_key_to_der().unwrap());
            }
            Claim::Certificate(chain) => assert_eq!(chain.len(), 1),
            Claim::PskIdentity(_) => unreachable!(),
        }
        assert!(world.answer(handshake, Verdict::Accepted));
        client.connect(&mut world);
        assert_eq!(world.established()[0].claim, claim);
    }
}

#[test]
fn a_refusal_reaches_the_peer_as_the_alert_of_the_verdict() {
    const ALERTS: [AlertDescription; 8] = [
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnknownCa,
        AlertDescription::AccessDenied,
        AlertDescription::UnknownPskIdentity,
    ];
    for alert in ALERTS {
        for setup in [Setup::psk(), Setup::rpk(), Setup::certificate()] {
            let mut world = World::new();
            world.verdict = |_| None;
            let mut client = setup.start();
            client.pump(&mut world);
            let handshake = world.lookups[0].0;
            assert!(world.answer(handshake, Verdict::Refused(alert)));
            client.pump(&mut world);
            assert_eq!(client.alerts, [alert.code()]);
            assert!(client.failed.is_some() && world.endpoint.handshakes() == 0);
            let counters = world.endpoint.counters();
            assert_eq!(counters.failed(FailReason::Refused), 1);
        }
    }
}

#[test]
fn an_unknown_identity_is_told_at_once() {
    let mut world = World::new();
    let login = Login::Psk(b"nobody".into(), b"key".into());
    let mut client = Setup::new(login, Suite::PskCcm8.name()).start();
    client.pump(&mut world);
    assert_eq!(client.alerts, [115]);
}

#[test]
fn without_a_verdict_the_handshake_ends_with_its_deadline() {
    let mut world = World::new();
    world.verdict = |_| None;
    let mut client = Setup::psk().start();
    client.pump(&mut world);
    world.pass(60_000);
    let counters = world.endpoint.counters();
    assert_eq!(counters.failed(FailReason::NoVerdict), 1);
    let handshake = world.lookups[0].0;
    assert!(!world.answer(handshake, psk(b"late")));
}

#[test]
fn a_resumed_session_is_looked_up_again_and_can_be_refused() {
    for setup in [Setup::psk(), Setup::rpk(), Setup::certificate().cid(b"c")] {
        let mut setup = setup;
        setup.options = openssl::ssl::SslOptions::empty();
        let mut world = World::new();
        let first = setup.clone().start().connect(&mut world);
        setup.session = Some(first.session());
        let second = setup.clone().start().connect(&mut world);
        assert!(second.resumed() && world.lookups[1].2);
        assert_eq!(world.lookups[0].1, world.lookups[1].1);
        assert!(world.established()[1].resumed);

        world.verdict = |_| Some(Verdict::Refused(AlertDescription::AccessDenied));
        let mut third = setup.start();
        third.pump(&mut world);
        assert_eq!(third.alerts, [49]);
        assert_eq!(world.established().len(), 2);
    }
}

#[test]
fn a_session_is_not_resumed_under_another_key_of_its_identity() {
    for by_id in [true, false] {
        let credentials = ServerCredentials {
            session_ids: 8,
            ..all_credentials()
        };
        let mut world = World::of(&credentials, |_| {});
        let mut setup = Setup::psk();
        if !by_id {
            setup.options = openssl::ssl::SslOptions::empty();
        }
        let first = setup.clone().start().connect(&mut world);
        world.verdict = |_| Some(psk(b"another key"));
        setup.session = Some(first.session());
        let mut second = setup.clone().start();
        second.pump(&mut world);
        assert!(world.lookups[1].2 && world.established().len() == 1);
        assert_eq!(second.alerts, [40], "by id: {by_id}");
        setup.session = None;
        setup.login = Login::Psk(IDENTITY.into(), b"another key".into());
        setup.start().connect(&mut world);
    }
}

#[test]
fn new_credentials_leave_sessions_alone() {
    let mut world = World::new();
    let mut client = Setup::psk().start().connect(&mut world);
    let certificates_only = ServerCredentials {
        psk: false,
        ..all_credentials()
    };
    let contexts = Arc::new(ServerContexts::build(&certificates_only).unwrap());
    world.endpoint.replace_credentials(contexts);
    let data = client.say(b"on");
    world.deliver(client.address, &data);
    assert_eq!(world.received.len(), 1);
    let mut newcomer = Setup::psk().at(2, 2).start();
    newcomer.pump(&mut world);
    assert_eq!(newcomer.alerts, [40]);
    Setup::certificate().at(3, 3).start().connect(&mut world);
    assert_eq!(world.established()[1].claim.mode(), Mode::Certificate);
}

#[test]
fn close_notify_goes_both_ways() {
    let mut world = World::new();
    let mut client = Setup::psk().start().connect(&mut world);
    let session = world.established()[0].session;
    for datagram in client.shut_down() {
        world.deliver(client.address, &datagram);
    }
    assert_eq!(closed(&world), [(session, CloseReason::PeerClosed)]);
    assert_eq!(world.take_sent(client.address).len(), 1);

    let mut client = Setup::psk().cid(b"c").start().connect(&mut world);
    let session = world.established()[1].session;
    assert!(world.close(session));
    client.pump(&mut world);
    assert_eq!(client.failed.as_deref(), Some("ErrorCode(6)"));
}

#[test]
fn all_sessions_of_an_identity_end_together() {
    let mut world = World::new();
    for last in 1..4 {
        Setup::psk().at(last, 1).start().connect(&mut world);
    }
    Setup::rpk().at(9, 9).start().connect(&mut world);
    let fingerprint = world.established()[0].claim.fingerprint();
    world.endpoint.close_identity(fingerprint);
    world.pass(1);
    let closed = closed(&world);
    assert_eq!(closed.len(), 3);
    assert!(
        closed
            .iter()
            .all(|(_, reason)| *reason == CloseReason::Revoked)
    );
    assert_eq!(world.endpoint.sessions(), 1);
}

#[test]
fn silent_sessions_end_after_the_limit() {
    let mut world = World::with(|config| config.limits.session_idle_ms = 10_000);
    let mut client = Setup::psk().start().connect(&mut world);
    world.pass(9_000);
    let data = client.say(b"x");
    world.deliver(client.address, &data);
    world.pass(9_000);
    assert_eq!(world.endpoint.sessions(), 1);
    world.pass(3_000);
    assert_eq!(closed(&world)[0].1, CloseReason::Idle);
}
