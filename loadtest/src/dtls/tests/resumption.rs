use super::*;

/// Connects, loses power, and connects again.
fn again(world: &World, own: &[u8], loss: f64, seed: u64) -> Line {
    let mut line = connected(world, own, loss, seed);
    line.client.forget();
    line.server = Server::new(world);
    line.connect();
    line
}

#[test]
fn sessions_are_resumed_by_id_and_by_ticket_with_every_kind_of_credentials() {
    for mode in MODES {
        for tickets in [false, true] {
            for connection_id in [false, true] {
                let world = World::new(&ServerOptions {
                    tickets,
                    connection_id,
                    ..ServerOptions::new(mode)
                });
                let mut line = again(&world, &[5; 3], 0.0, 1);
                assert!(line.server.is_resumed());
                assert!(line.established()[1].1, "{mode:?} {tickets}");
                line.talk();
            }
        }
    }
}

#[test]
fn a_session_that_the_server_has_forgotten_is_not_resumed() {
    let world = World::new(&ServerOptions::new(Mode::Psk));
    let mut line = connected(&world, &[], 0.0, 1);
    line.client.forget();
    line.server = Server::new(&World::new(&ServerOptions::new(Mode::Psk)));
    line.connect();
    assert!(!line.established()[1].1);
    line.talk();
}

#[test]
fn the_last_flight_is_sent_again_when_the_server_repeats_its_own() {
    for connection_id in [false, true] {
        let world = World::new(&ServerOptions {
            connection_id,
            ..ServerOptions::new(Mode::Psk)
        });
        let mut line = connected(&world, &[5; 3], 0.0, 1);
        line.client.forget();
        line.server = Server::new(&world);
        line.client.send(b"again", line.now);
        // Hello, hello with cookie, then the last flight and the message behind it.
        while !line.client.is_up() {
            line.run_until(|_| true);
            let datagrams: Vec<_> = line.client.transmit().collect();
            if !line.client.is_up() {
                datagrams
                    .iter()
                    .for_each(|datagram| line.server.receive(datagram, line.now));
            }
            let answers = std::mem::take(&mut line.server.out);
            for answer in answers {
                line.client.receive(&answer, line.now, &mut |_| {});
            }
        }
        // What the client said last, and all behind it, is lost.
        assert!(line.client.transmit().count() >= 2);
        assert!(!line.server.done);
        line.run_until(|line| line.server.done);
        line.talk();
    }
}

#[test]
fn resumed_handshakes_come_through_losses() {
    for seed in 0..40 {
        let world = World::new(&ServerOptions {
            connection_id: seed % 2 == 0,
            ..ServerOptions::new(Mode::Psk)
        });
        let mut line = again(&world, &[5; 3], 0.2, seed);
        line.loss = 0.0;
        line.talk();
    }
}
