//! Bad networks, devices that begin anew, several at once.

use super::*;

#[test]
fn a_session_survives_loss_reordering_and_copies() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::seeded(one_server(), seed);
        let mut device = Device::new(1);
        let request = device.bootstrap_request();
        let mut to_server = vec![request.clone()];
        let mut to_device: Vec<Vec<u8>> = Vec::new();
        for second in 0..240 {
            if device.finished && !world.ended.is_empty() {
                break;
            }
            // The device repeats its request as long as nobody answers.
            if device.requests.is_empty() && second % 3 == 2 {
                to_server.push(request.clone());
            }
            for _ in 0..20 {
                rng.shuffle(&mut to_server);
                for bytes in std::mem::take(&mut to_server) {
                    let copies = [0, 1, 1, 1, 2][rng.usize(..5)];
                    for _ in 0..copies {
                        let sent = world.deliver(device.address, &bytes);
                        to_device.extend(sent.into_iter().map(|(_, bytes)| bytes));
                    }
                }
                rng.shuffle(&mut to_device);
                for bytes in std::mem::take(&mut to_device) {
                    let copies = [0, 1, 1, 1, 2][rng.usize(..5)];
                    for _ in 0..copies {
                        to_server.extend(device.take(&bytes));
                    }
                }
            }
            let sent = world.pass(1_000);
            to_device.extend(sent.into_iter().map(|(_, bytes)| bytes));
        }
        // A Finish whose answer never arrives leaves a device that has all of it.
        let end = world.ends();
        assert!(
            device.finished || end == [End::Unanswered],
            "seed {seed}: {end:?}"
        );
        assert_eq!(world.asked.len(), 1, "seed {seed}: one session");
        if device.finished {
            assert_eq!(device.text("/0/1/0"), "coap://localhost:5685");
            assert_eq!(device.text("/1/0/0"), "123");
        }
    }
}

#[test]
fn a_repeated_request_is_answered_again_and_begins_nothing() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let request = device.bootstrap_request();
    let first = world.deliver(device.address, &request);
    let second = world.deliver(device.address, &request);
    assert_eq!(second, first[..1]);
    assert_eq!(world.asked.len(), 1);
    world.pass(248_000);
    world.deliver(device.address, &request);
    assert_eq!(
        world.asked.len(),
        2,
        "after the lifetime of an exchange it is a new one"
    );
}

#[test]
fn a_device_that_restarts_in_the_middle_begins_again_and_the_first_session_ends() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let sent = world.deliver(device.address, &device.bootstrap_request());
    let answer = device.take(&sent[1].1).pop().unwrap();
    let write = world.deliver(device.address, &answer).pop().unwrap().1;
    let late = device.take(&write).pop().unwrap();
    let mut again = Device::new(2);
    let request = again.bootstrap_request();
    world.talk(&mut again, request);
    assert_eq!(world.ends(), [End::Superseded, End::Finished]);
    assert!(again.finished);
    // What the earlier session asked is answered late: nobody goes on with it.
    assert!(world.deliver(device.address, &late).is_empty());
    assert!(!device.finished);
}

#[test]
fn a_request_that_is_refused_leaves_the_session_of_that_device_alone() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let sent = world.deliver(device.address, &device.bootstrap_request());
    world.refusal = Some(Refusal::Unauthorized);
    let mut stranger = Device::new(2);
    world.deliver(stranger.address, &stranger.bootstrap_request());
    let answer = device.take(&sent[1].1).pop().unwrap();
    world.talk(&mut device, answer);
    assert_eq!(world.ends(), [End::Finished]);
}

#[test]
fn services_end_a_session_whose_device_went_to_another_shard() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let sent = world.deliver(device.address, &device.bootstrap_request());
    let directive = Directive {
        number: world.asked[0].ticket.number,
        what: Order::Supersede,
    };
    world.member.shard.on_command(Command::Bootstrap(directive));
    world.settle();
    assert_eq!(world.ends(), [End::Superseded]);
    let late = device.take(&sent[1].1).pop().unwrap();
    assert!(world.deliver(device.address, &late).is_empty());
}

#[test]
fn several_devices_at_one_address_are_told_apart() {
    let mut world = World::new(one_server());
    let mut device = Device::new(1);
    let mut requests = Vec::new();
    for endpoint in ["ep=a", "ep=b", "ep=c"] {
        let request = device.request(Code::POST, "bs", &[endpoint]);
        requests.push(world.deliver(device.address, &request).pop().unwrap().1);
    }
    assert_eq!(world.open(), 3);
    let mut devices: Vec<_> = (0..3).map(|_| Device::new(1)).collect();
    while !requests.is_empty() {
        let mut next = Vec::new();
        for (device, request) in devices.iter_mut().zip(&requests) {
            let answer = device.take(request).pop().unwrap();
            next.extend(world.deliver(device.address, &answer).pop());
        }
        requests = next.into_iter().map(|(_, bytes)| bytes).collect();
    }
    assert_eq!(world.ends(), [End::Finished; 3]);
}

#[test]
fn a_server_that_restarts_in_the_middle_knows_nothing_and_the_device_begins_again() {
    let mut before = World::new(one_server());
    let mut device = Device::new(1);
    let sent = before.deliver(device.address, &device.bootstrap_request());
    let late = device.take(&sent[1].1).pop().unwrap();
    let mut world = World::seeded(one_server(), 2);
    assert!(world.deliver(device.address, &late).is_empty());
    assert!(world.asked.is_empty() && world.ends().is_empty());
    let request = device.bootstrap_request();
    world.talk(&mut device, request);
    assert_eq!(world.ends(), [End::Finished]);
    assert_eq!(device.text("/0/1/0"), "coap://localhost:5685");
}
