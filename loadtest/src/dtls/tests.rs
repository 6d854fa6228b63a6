//! Handshakes and records against an OpenSSL server in memory, over a network that loses datagrams as its seed says.

mod network;
mod resumption;

use fastrand::Rng;
use network::{Line, client, connected};

use super::double::{self, SERVER_CID, Server, ServerOptions, World};
use super::*;

const MODES: [Mode; 3] = [Mode::Psk, Mode::RawPublicKey, Mode::Certificate];

#[test]
fn every_kind_of_credentials_connects_with_every_suite_and_talks_both_ways() {
    for mode in MODES {
        let suites: &[&str] = match mode {
            Mode::Psk => &["PSK-AES128-CCM8", "PSK-AES128-CCM", "PSK-AES128-GCM-SHA256"],
            _ => &[
                "ECDHE-ECDSA-AES128-CCM8",
                "ECDHE-ECDSA-AES128-CCM",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ],
        };
        for &suites in suites {
            let world = World::new(&ServerOptions {
                suites,
                ..ServerOptions::new(mode)
            });
            let mut line = connected(&world, &[], 0.0, 1);
            let established = line.established();
            assert_eq!(established, [(suites, false, None)], "{mode:?}");
            line.talk();
        }
    }
}

#[test]
fn connection_identifiers_go_both_ways_only_as_negotiated() {
    for mode in MODES {
        for suites in [
            "PSK-AES128-CCM8:ECDHE-ECDSA-AES128-CCM8",
            "PSK-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
        ] {
            for own in [&[][..], &[7; 4], &[8; 40]] {
                let world = World::new(&ServerOptions {
                    suites,
                    connection_id: true,
                    ..ServerOptions::new(mode)
                });
                let mut line = connected(&world, own, 0.0, 1);
                assert_eq!(line.established()[0].2, Some(SERVER_CID.len()));
                line.talk();
                assert!(line.server.with_cid > 1, "the Finished and the data");
                let with_own = line.client.session_cid_length();
                assert_eq!(with_own, own.len(), "{mode:?}");
            }
        }
    }
}

#[test]
fn a_client_that_wants_no_identifiers_does_without_them() {
    let world = World::new(&ServerOptions {
        connection_id: true,
        ..ServerOptions::new(Mode::Psk)
    });
    let mut options = ConnectorOptions::new(Mode::Psk);
    options.connection_id = false;
    let connector = Connector::new(options).unwrap();
    let client = Connection::new(connector, world.login.clone(), Vec::new());
    let mut line = Line::new(client, Server::new(&world), 0.0, 1);
    line.connect();
    line.talk();
    assert_eq!(line.server.with_cid, 0);
}

#[test]
fn handshakes_come_through_when_a_fifth_of_all_datagrams_is_lost() {
    for mode in MODES {
        for connection_id in [false, true] {
            let world = World::new(&ServerOptions {
                connection_id,
                ..ServerOptions::new(mode)
            });
            for seed in 0..40 {
                let mut line = connected(&world, &[3; 4], 0.2, seed);
                line.loss = 0.0;
                line.talk();
            }
        }
    }
}

#[test]
fn a_wrong_key_is_told_apart_from_an_unknown_identity() {
    let world = World::new(&ServerOptions::new(Mode::Psk));
    let login = |identity: &[u8], key: &[u8]| Login::Psk {
        identity: identity.to_vec(),
        key: key.to_vec(),
    };
    for (login, expected) in [
        (
            login(b"stranger", double::KEY),
            "alert 115 (unknown identity)",
        ),
        (login(double::IDENTITY, b"wrong"), "not done in time"),
    ] {
        let client = client(&world, login, &[]);
        let mut line = Line::new(client, Server::new(&world), 0.0, 1);
        line.client.send(b"hello", line.now);
        line.run_until(|line| !line.events.is_empty());
        let ConnectionEvent::Failed(reason) = &line.events[0] else {
            panic!("{:?}", line.events);
        };
        assert!(reason.contains(expected), "{reason}");
        assert!(!line.client.is_up());
    }
}

#[test]
fn a_server_with_another_key_or_certificate_is_refused() {
    for (mode, right) in [
        (Mode::RawPublicKey, true),
        (Mode::RawPublicKey, false),
        (Mode::Certificate, true),
        (Mode::Certificate, false),
    ] {
        let world = World::new(&ServerOptions::new(mode));
        let key = if right {
            world.server_key.clone()
        } else {
            double::new_key()
        };
        for usage in [1, 2, 3] {
            let trust = match mode {
                Mode::RawPublicKey => {
                    let der = key.public_key_to_der().unwrap();
                    Trust::PublicKey(openssl::pkey::PKey::public_key_from_der(&der).unwrap())
                }
                _ => {
                    let certificate = if right {
                        world.server_certificate.clone()
                    } else {
                        double::certificate("server", &key)
                    };
                    Trust::Certificate {
                        usage,
                        certificate,
                        anchors: vec![world.server_certificate.clone()],
                    }
                }
            };
            let connector = Connector::new(ConnectorOptions {
                trust,
                ..ConnectorOptions::new(mode)
            })
            .unwrap();
            let client = Connection::new(connector, world.login.clone(), Vec::new());
            let mut line = Line::new(client, Server::new(&world), 0.0, 1);
            line.client.send(b"hello", line.now);
            line.run_until(|line| !line.events.is_empty());
            assert_eq!(
                line.client.is_up(),
                right,
                "{mode:?} {usage}: {:?}",
                line.events
            );
        }
    }
}

#[test]
fn a_repeated_or_forged_record_is_dropped_and_an_early_one_delivered() {
    let world = World::new(&ServerOptions::new(Mode::Psk));
    let mut line = connected(&world, &[], 0.0, 1);
    line.server.send(b"one");
    line.server.send(b"two");
    let datagrams = std::mem::take(&mut line.server.out);
    let mut forged = datagrams[0].clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut got = Vec::new();
    for datagram in [
        &forged,
        &datagrams[1],
        &datagrams[0],
        &datagrams[1],
        &datagrams[0],
    ] {
        line.client.receive(datagram, line.now, &mut |message| {
            got.push(message.to_vec())
        });
    }
    assert_eq!(got, [b"two", b"one"]);
}

#[test]
fn both_sides_can_end_a_session_and_the_next_message_brings_a_new_one() {
    let world = World::new(&ServerOptions::new(Mode::Psk));
    let mut line = connected(&world, &[], 0.0, 1);
    line.server.close();
    line.run_until(|line| !line.client.is_up());
    assert_eq!(line.events.last(), Some(&ConnectionEvent::Closed(0)));
    line.server = Server::new(&world);
    line.connect();
    line.talk();
    line.client.close();
    line.run_until(|line| line.server.closed);
}

#[test]
fn garbage_never_ends_a_session_nor_a_handshake() {
    let world = World::new(&ServerOptions::new(Mode::Psk));
    let mut rng = Rng::with_seed(9);
    let mut line = connected(&world, &[], 0.0, 1);
    let mut handshaking = client(&world, world.login.clone(), &[1, 2]);
    handshaking.send(b"hello", 0);
    for _ in 0..2_000 {
        let mut bytes: Vec<u8> = (0..rng.usize(0..80)).map(|_| rng.u8(..)).collect();
        if bytes.len() > 13 && rng.bool() {
            let length = (bytes.len() - 13) as u16;
            bytes[..5].copy_from_slice(&[rng.u8(20..26), 0xfe, 0xfd, 0, 1]);
            bytes[11..13].copy_from_slice(&length.to_be_bytes());
        }
        line.client
            .receive(&bytes, line.now, &mut |_| panic!("nothing to deliver"));
        handshaking.receive(&bytes, 0, &mut |_| panic!("nothing to deliver"));
    }
    line.talk();
    assert!(handshaking.next_wake().is_some(), "still at it");
}

#[test]
fn a_session_takes_at_most_128_bytes() {
    let size = size_of::<Session>();
    assert!(size <= 128, "{size} bytes");
}

#[test]
fn unknown_suites_are_refused_with_the_known_ones() {
    let connector = |suites: &str| {
        let mut options = ConnectorOptions::new(Mode::Psk);
        options.suites = Some(suites.into());
        Connector::new(options)
    };
    assert!(connector("TLS_PSK_WITH_AES_128_CCM_8,PSK-AES128-GCM-SHA256").is_ok());
    let error = connector("PSK-AES128-CBC-SHA256")
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("PSK-AES128-CCM8"), "{error}");
}
