//! How many new endpoints one address may bring: a flood of Registers fills the engine with names,
//! so each address gets a token bucket out of a table of fixed size.

use crate::net::PeerAddr;
use crate::proto::time::Tick;

const BUCKETS: usize = 4096;
const BURST_SECONDS: u32 = 4;

/// Token buckets by address. Addresses that share a bucket share its rate.
pub struct Newcomers {
    buckets: Box<[Bucket; BUCKETS]>,
    hasher: ahash::RandomState,
    per_second: u32,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: u32,
    refilled: u32,
}

impl Newcomers {
    /// Lets each address bring `per_second` endpoints per second, after a burst of four times as many.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let full = Bucket {
            tokens: per_second.saturating_mul(BURST_SECONDS),
            refilled: 0,
        };
        Self {
            buckets: Box::new([full; BUCKETS]),
            hasher: ahash::RandomState::new(),
            per_second,
        }
    }

    /// Takes a token of the address; `false` when there is none.
    pub fn admit(&mut self, peer: &PeerAddr, now: Tick) -> bool {
        let at = self.hasher.hash_one(peer) as usize % BUCKETS;
        let bucket = &mut self.buckets[at];
        // 10 ms granules keep a slow refill exact enough in integers.
        let granule = (now.as_millis() / 10) as u32;
        let elapsed = granule.wrapping_sub(bucket.refilled);
        let refill = u64::from(elapsed) * u64::from(self.per_second) / 100;
        if refill > 0 {
            let full = u64::from(self.per_second.saturating_mul(BURST_SECONDS));
            bucket.tokens = (u64::from(bucket.tokens) + refill).min(full) as u32;
            bucket.refilled = granule;
        }
        let admitted = bucket.tokens > 0;
        bucket.tokens -= u32::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_is_held_to_its_rate_after_a_burst() {
        let mut newcomers = Newcomers::new(10);
        let peer = PeerAddr::v4(Ipv4Addr::LOCALHOST, 5000);
        let mut admit = |from: u64, to: u64| {
            (from..to)
                .filter(|ms| newcomers.admit(&peer, Tick::from_millis(*ms)))
                .count()
        };
        assert_eq!(
            admit(0, 1000),
            49,
            "a burst of 40 and the first second's rate but its last granule"
        );
        let later = admit(10_000, 11_000);
        assert!((48..=51).contains(&later), "{later}");
        let steady = admit(11_000, 21_000);
        assert!((98..=102).contains(&steady), "{steady}");
    }

    #[test]
    fn other_addresses_are_not_held_back() {
        let mut newcomers = Newcomers::new(1);
        let flood = PeerAddr::v4(Ipv4Addr::LOCALHOST, 1);
        for _ in 0..100 {
            newcomers.admit(&flood, Tick::ZERO);
        }
        let others = (2..202)
            .filter(|port| newcomers.admit(&PeerAddr::v4(Ipv4Addr::LOCALHOST, *port), Tick::ZERO));
        assert!(others.count() > 190);
    }
}
