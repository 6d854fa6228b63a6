//! Which handshakes may begin: per second, per IP address, and none while too many are in flight.

use std::collections::HashMap;
use std::net::IpAddr;

use ahash::RandomState;

use crate::proto::time::Tick;

use super::{Limits, RecordDrop};

/// Counts what began within a second. Its memory is bounded by what may begin in one.
pub(super) struct Admission {
    second: u64,
    begun: u32,
    by_ip: HashMap<IpAddr, u32, RandomState>,
    holding_off: bool,
}

impl Admission {
    pub(super) fn new(seeds: [u64; 4]) -> Self {
        let hash = RandomState::with_seeds(seeds[3], seeds[2], seeds[1], seeds[0]);
        Self {
            second: 0,
            begun: 0,
            by_ip: HashMap::with_hasher(hash),
            holding_off: false,
        }
    }

    /// Whether new handshakes are held off: from the moment all that may be are in flight until a
    /// tenth of them has ended, and for the rest of a second that had as many beginnings as may
    /// be. Hellos are not answered meanwhile, so that clients back off by their own timers.
    pub(super) fn holds_off(&mut self, now: Tick, in_flight: usize, limits: &Limits) -> bool {
        self.turn(now);
        if in_flight >= limits.handshakes {
            self.holding_off = true;
        } else if in_flight < limits.handshakes - limits.handshakes / 10 {
            self.holding_off = false;
        }
        self.holding_off || self.begun >= limits.handshakes_per_second
    }

    /// Takes a handshake from this address into account, or says why it may not begin.
    pub(super) fn admit(
        &mut self,
        now: Tick,
        ip: IpAddr,
        in_flight: usize,
        limits: &Limits,
    ) -> Result<(), RecordDrop> {
        if self.holds_off(now, in_flight, limits) {
            return Err(RecordDrop::HoldOff);
        }
        let begun = self.by_ip.entry(ip).or_default();
        if *begun >= limits.handshakes_per_ip {
            return Err(RecordDrop::AddressRate);
        }
        *begun += 1;
        self.begun += 1;
        Ok(())
    }

    fn turn(&mut self, now: Tick) {
        let second = now.as_millis() / 1_000;
        if second != self.second {
            self.second = second;
            self.begun = 0;
            self.by_ip.clear();
        }
    }
}
