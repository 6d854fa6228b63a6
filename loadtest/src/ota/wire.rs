//! The network between devices and server: datagrams are lost, and are late, by a seed.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use fastrand::Rng;
use rookery::net::{PeerAddr, ShardSocket};

use crate::clock::Micros;
use crate::engine::{Outbox, Sink};

/// What a network does to each datagram of one direction.
#[derive(Clone, Debug)]
pub struct Weather {
    loss: f64,
    delay: Micros,
    rng: Rng,
    /// Datagrams lost.
    pub lost: u64,
}

/// A datagram that is still under way.
pub struct Late {
    at: Micros,
    order: u64,
    /// Whose it is.
    pub index: u32,
    /// To whom, or from whom.
    pub peer: PeerAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Datagrams that are still under way, in the order of their arrival.
#[derive(Default)]
pub struct Lates {
    heap: BinaryHeap<Reverse<Late>>,
    count: u64,
}

/// The way to the server.
pub struct Wire {
    outbox: Outbox,
    server: PeerAddr,
    weather: Weather,
    late: Lates,
    /// The present.
    pub now: Micros,
    scratch: Vec<u8>,
}

impl Weather {
    /// A network that loses a share `loss` of the datagrams and takes `delay` for the others.
    #[must_use]
    pub fn new(loss: f64, delay: Micros, seed: u64) -> Self {
        Self {
            loss,
            delay,
            rng: Rng::with_seed(seed),
            lost: 0,
        }
    }

    /// How long a datagram takes; `None` for one that is lost.
    pub fn fate(&mut self) -> Option<Micros> {
        if self.loss > 0.0 && self.rng.f64() < self.loss {
            self.lost += 1;
            return None;
        }
        Some(self.delay)
    }
}

impl Lates {
    /// Puts a datagram in that arrives at `at`.
    pub fn push(&mut self, at: Micros, index: u32, peer: PeerAddr, bytes: Vec<u8>) {
        let order = self.count;
        self.count += 1;
        self.heap.push(Reverse(Late {
            at,
            order,
            index,
            peer,
            bytes,
        }));
    }

    /// The next one that has arrived by `now`.
    pub fn pop(&mut self, now: Micros) -> Option<Late> {
        if self.next() > now {
            return None;
        }
        self.heap.pop().map(|Reverse(late)| late)
    }

    /// When the next one arrives; the largest number for never.
    #[must_use]
    pub fn next(&self) -> Micros {
        self.heap
            .peek()
            .map_or(Micros::MAX, |Reverse(late)| late.at)
    }
}

impl Wire {
    /// A way to `server`.
    #[must_use]
    pub fn new(outbox: Outbox, server: PeerAddr, weather: Weather) -> Self {
        Self {
            outbox,
            server,
            weather,
            late: Lates::default(),
            now: 0,
            scratch: Vec::new(),
        }
    }

    /// Puts a datagram of device `index` to somebody in.
    pub fn put_to(&mut self, peer: PeerAddr, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        match self.weather.fate() {
            Some(0) => self.outbox.put_to(peer, index, write),
            fate => {
                self.scratch.clear();
                // It is written in any case: what protects it counts its records.
                write(&mut self.scratch);
                if let Some(delay) = fate {
                    let at = self.now + delay;
                    self.late.push(at, index, peer, self.scratch.clone());
                }
            }
        }
    }

    /// Lets go what is late no longer.
    pub fn release(&mut self) {
        while let Some(late) = self.late.pop(self.now) {
            let write = |arena: &mut Vec<u8>| arena.extend_from_slice(&late.bytes);
            self.outbox.put_to(late.peer, late.index, write);
        }
    }

    /// When there is something to release.
    #[must_use]
    pub fn next_release(&self) -> Micros {
        self.late.next()
    }

    /// How many datagrams wait for the kernel.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.outbox.len()
    }

    /// Hands everything to the kernel; how many datagrams it did not take.
    pub fn flush(&mut self, sockets: &[ShardSocket]) -> u64 {
        if self.outbox.is_empty() {
            return 0;
        }
        self.outbox.flush(sockets)
    }

    /// Datagrams that were lost on purpose.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.weather.lost
    }
}

impl Sink for Wire {
    fn put(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_to(self.server, index, write);
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn a_network_loses_its_share_and_the_same_seed_loses_the_same() {
        let fates = |seed| {
            let mut weather = Weather::new(0.1, 7, seed);
            let fates: Vec<_> = (0..10_000).map(|_| weather.fate()).collect();
            (fates, weather.lost)
        };
        let (first, lost) = fates(1);
        assert!((900..1_100).contains(&lost), "{lost}");
        assert_eq!(first, fates(1).0);
        assert_ne!(first, fates(2).0);
        assert!(first.iter().flatten().all(|delay| *delay == 7));
    }

    #[test]
    fn what_is_late_arrives_in_its_order_at_its_time() {
        let peer: SocketAddr = "127.0.0.1:5683".parse().unwrap();
        let mut lates = Lates::default();
        for (at, index) in [(30, 1), (10, 2), (10, 3)] {
            lates.push(at, index, peer.into(), vec![]);
        }
        assert_eq!(lates.next(), 10);
        assert!(lates.pop(9).is_none());
        let order: Vec<_> = std::iter::from_fn(|| lates.pop(30))
            .map(|l| l.index)
            .collect();
        assert_eq!(order, [2, 3, 1]);
        assert_eq!(lates.next(), Micros::MAX);
    }
}
