//! Every suite, with and without connection identifiers, both ways.

use openssl::ssl::SslOptions;

use super::client::{Login, Setup};
use super::world::{DEVICE_KEY, IDENTITY, KEY, World};
use crate::proto::dtls::wire::TLS12_CID;
use crate::proto::dtls::{FailReason, SealError, Suite};

fn exchange(world: &mut World, setup: Setup, suite: Suite) {
    let with_cid = setup.cid.is_some();
    let mut client = setup.connect(world);
    let established = world.established();
    let established = established.last().unwrap();
    assert_eq!((established.suite, established.cid), (suite, with_cid));
    assert!(!established.resumed);
    let session = established.session;
    for round in 0..3_u8 {
        let up = vec![round; 100 * usize::from(round)];
        let datagram = client.say(&[&up[..], b"!"].concat());
        assert_eq!(datagram[0] == TLS12_CID, with_cid);
        world.deliver(client.address, &datagram);
        assert_eq!(
            world.received.pop(),
            Some((session, [&up[..], b"!"].concat())),
            "{suite:?}"
        );
        world.send(session, &[round; 33]);
        client.pump(world);
        assert_eq!(client.received.pop(), Some(vec![round; 33]), "{suite:?}");
    }
}

impl Setup {
    fn connect(self, world: &mut World) -> super::client::Client {
        self.start().connect(world)
    }
}

#[test]
fn every_suite_carries_data_both_ways_in_the_classic_form() {
    let mut world = World::new();
    for &suite in Suite::ALL {
        exchange(&mut world, Setup::of_suite(suite), suite);
    }
}

#[test]
fn every_suite_carries_data_both_ways_with_connection_identifiers() {
    let mut world = World::new();
    for &suite in Suite::ALL {
        for cid in [&b""[..], b"abc", b"12345678", &[9; 32]] {
            exchange(&mut world, Setup::of_suite(suite).cid(cid), suite);
        }
    }
}

#[test]
fn the_extended_master_secret_may_be_missing() {
    const NO_EXTENDED_MASTER_SECRET: SslOptions = SslOptions::from_bits_retain(1);
    let mut world = World::new();
    let mut setup = Setup::psk().cid(b"x");
    setup.options |= NO_EXTENDED_MASTER_SECRET;
    exchange(&mut world, setup, Suite::PskCcm8);
}

#[test]
fn the_server_prefers_its_own_order() {
    let mut world = World::new();
    let all = "PSK-AES128-CBC-SHA256:PSK-AES256-GCM-SHA384:PSK-AES128-CCM:PSK-AES128-CCM8";
    let setup = Setup::new(Login::Psk(IDENTITY.into(), KEY.into()), all);
    exchange(&mut world, setup, Suite::PskCcm8);
}

#[test]
fn a_client_without_a_suite_of_ours_is_told_so() {
    let mut world = World::new();
    let login = Login::Psk(IDENTITY.into(), KEY.into());
    let mut client = Setup::new(login, "PSK-CHACHA20-POLY1305").start();
    client.pump(&mut world);
    assert_eq!(client.alerts, [40]);
    let counters = world.endpoint.counters();
    assert_eq!(counters.failed(FailReason::NoCommonSuite), 1);
    assert_eq!(counters.handshakes_started, 0);
}

#[test]
fn the_fragment_length_a_client_asks_for_bounds_our_records() {
    let mut world = World::new();
    let mut setup = Setup::psk();
    setup.max_fragment_code = 1;
    let client = setup.connect(&mut world);
    let session = world.established()[0].session;
    assert_eq!(world.endpoint.max_plaintext(session), Some(512));
    let too_large = world.endpoint.seal(session, &[0; 513], &mut Vec::new());
    let most = 512;
    assert_eq!(too_large, Err(SealError::TooLarge { length: 513, most }));
    assert_eq!(world.endpoint.peer(session), Some(client.address));
}

#[test]
fn the_record_size_a_client_takes_bounds_our_records() {
    let mut world = World::new();
    let mut setup = Setup::psk().cid(b"c");
    setup.record_limit = Some(256);
    setup.connect(&mut world);
    let session = world.established()[0].session;
    // One byte of it is the type (RFC 9146 §4).
    assert_eq!(world.endpoint.max_plaintext(session), Some(255));
}

#[test]
fn hellos_and_certificates_may_come_in_small_fragments() {
    for mtu in [256, 300, 400] {
        let mut world = World::new();
        for mut setup in [Setup::psk(), Setup::certificate(), Setup::rpk().cid(b"z")] {
            setup.mtu = mtu;
            setup.connect(&mut world);
        }
        assert_eq!(world.established().len(), 3);
    }
}

#[test]
fn a_small_mtu_of_ours_splits_our_flights() {
    let mut world = World::with(|config| config.limits.mtu = 256);
    let login = Login::RawPublicKey(DEVICE_KEY.clone());
    let mut client = Setup::new(login, Suite::EcdsaGcm.name()).start();
    for datagram in client.outgoing() {
        world.deliver(client.address, &datagram);
    }
    for datagram in world.take_sent(client.address) {
        client.take(&datagram);
    }
    for datagram in client.outgoing() {
        world.deliver(client.address, &datagram);
    }
    assert!(world.sent.len() > 1);
    assert!(world.sent.iter().all(|(_, bytes)| bytes.len() <= 256));
    client.connect(&mut world);
}
