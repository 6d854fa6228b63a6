//! Whatever comes: nothing panics, and ends stay within bounds.

use proptest::prelude::*;

use super::client::Setup;
use super::world::World;
use crate::proto::dtls::wire::{ClientHello, Fragment, Header, psk_identity};

proptest! {
    #[test]
    fn parsers_stay_within_their_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), cid in 0_usize..17) {
        if let Some(header) = Header::parse(&bytes, cid) {
            prop_assert!(header.total() <= bytes.len());
            let _ = Fragment::parse(header.fragment(&bytes));
        }
        if let Some(hello) = ClientHello::parse(&bytes) {
            prop_assert!(hello.head.before_cookie.len() < bytes.len());
            let _ = (hello.connection_id(), hello.record_limit(), hello.takes_our_curves());
        }
        let _ = psk_identity(&bytes);
    }
}

#[test]
fn noise_into_a_live_endpoint_ends_nothing() {
    let mut world = World::new();
    let mut client = Setup::psk().cid(b"c").start().connect(&mut world);
    let mut rng = fastrand::Rng::with_seed(9);
    let model = client.say(b"model");
    for _ in 0..20_000 {
        let mut bytes = model.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bytes[0] = rng.u8(19..27);
        world.deliver(client.address, &bytes);
    }
    world.received.clear();
    let data = client.say(b"alive");
    world.deliver(client.address, &data);
    assert_eq!(world.received.len(), 1);
}
