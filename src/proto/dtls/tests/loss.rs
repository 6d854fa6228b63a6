//! Handshakes over a network that loses, repeats and reorders, both ways.

use std::time::Duration;

use super::client::Setup;
use super::world::World;

/// Runs one handshake and one exchange of data; the seed decides the fate of every datagram.
fn survives(seed: u64, setup: Setup) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World::new();
    let mut client = Setup {
        quick: true,
        ..setup
    }
    .start();
    for _ in 0..2_000 {
        let mut up = client.outgoing();
        shake(&mut up, &mut rng);
        up.iter()
            .for_each(|datagram| world.deliver(client.address, datagram));
        let mut down = world.take_sent(client.address);
        shake(&mut down, &mut rng);
        down.iter().for_each(|datagram| client.take(datagram));
        if client.connected && !world.established().is_empty() {
            let repeated = client.outgoing();
            repeated
                .iter()
                .for_each(|datagram| world.deliver(client.address, datagram));
            let data = client.say(b"through");
            world.deliver(client.address, &data);
            assert_eq!(world.received.len(), 1, "seed {seed}");
            return;
        }
        world.pass(200);
        std::thread::sleep(Duration::from_millis(1));
        client.time_out();
    }
    panic!(
        "seed {seed}: no handshake; {:?} {:?}",
        client.failed, world.endpoint
    );
}

fn shake(datagrams: &mut Vec<Vec<u8>>, rng: &mut fastrand::Rng) {
    datagrams.retain(|_| rng.u8(0..5) > 0);
    for at in 0..datagrams.len() {
        if rng.u8(0..8) == 0 {
            let again = datagrams[at].clone();
            datagrams.push(again);
        }
    }
    if rng.u8(0..3) == 0 {
        rng.shuffle(datagrams);
    }
}

#[test]
fn every_seed_completes_with_a_pre_shared_key() {
    (0..25).for_each(|seed| survives(seed, Setup::psk()));
}

#[test]
fn every_seed_completes_with_connection_identifiers() {
    (100..125).for_each(|seed| survives(seed, Setup::psk().cid(b"c")));
}

#[test]
fn every_seed_completes_with_certificates_in_small_fragments() {
    for seed in 200..210 {
        let mut setup = Setup::certificate();
        setup.mtu = 300;
        survives(seed, setup);
    }
}
