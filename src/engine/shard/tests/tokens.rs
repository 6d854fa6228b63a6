//! A token stands for one request as long as the device may answer it (RFC 7252 §5.3.1).

use std::collections::HashSet;

use super::*;

fn sequence(bench: &Bench, token: &[u8]) -> u16 {
    bench.shared.keys.token_parts(token).unwrap().sequence
}

#[test]
fn registrations_of_one_device_share_no_token_even_if_their_salts_are_alike() {
    let mut bench = Bench::new();
    let mut sequences = HashSet::new();
    for mid in 0..20 {
        let sent = bench.send(peer(1), &register(mid, "dev-1"));
        let observe = sent.last().unwrap();
        let fresh = sequences.insert(sequence(&bench, observe.view().token()));
        assert!(fresh, "the half of the salt in a token may repeat");
    }
}

#[test]
fn the_token_of_an_observation_is_not_dealt_out_again() {
    let mut bench = Bench::new();
    let (location, first) = registered(&mut bench, peer(1), "dev-1");
    let observed = initialised(&mut bench, peer(1), first);
    let mut requests = 0;
    let mut mid = 1_000u16;
    // Changed links make the server read attributes again.
    let links: [&[u8]; 2] = [b"</3/0>", b"</3/0>,</3303/0>"];
    while requests < 1 << 16 {
        mid = mid.wrapping_add(1);
        let links = links[usize::from(mid % 2)];
        let update = request(Code::POST, mid, &location, &[], links);
        let mut waiting = bench.send(peer(1), &update).split_off(1);
        assert!(!waiting.is_empty());
        while let Some(asked) = waiting.pop() {
            requests += 1;
            assert_ne!(asked.view().token(), observed, "request {requests}");
            waiting = bench.send(peer(1), &response(&asked, Code::CONTENT, &[], b"x"));
        }
    }
}
