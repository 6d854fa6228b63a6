//! Datagrams on their way out, gathered by socket.

use rookery::net::{OutDatagram, PeerAddr, SendBatch, ShardSocket};

use crate::fleet::Addresses;

/// Datagrams of all sockets.
pub struct Outbox {
    server: PeerAddr,
    addresses: Addresses,
    lanes: Vec<Lane>,
    /// Sockets that have datagrams.
    waiting: Vec<u32>,
    batch: SendBatch,
    length: usize,
}

#[derive(Default)]
struct Lane {
    arena: Vec<u8>,
    datagrams: Vec<OutDatagram>,
}

/// Datagrams handed to the kernel in one call.
const BATCH: usize = 64;

impl Outbox {
    /// For datagrams to `server` over `sockets` sockets.
    #[must_use]
    pub fn new(server: PeerAddr, addresses: Addresses, sockets: usize) -> Self {
        Self {
            server,
            addresses,
            lanes: (0..sockets).map(|_| Lane::default()).collect(),
            waiting: Vec::new(),
            batch: SendBatch::new(BATCH),
            length: 0,
        }
    }

    /// Puts a datagram of device `index` in; `write` appends its bytes.
    pub fn put(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let (socket, local) = self.addresses.place(index);
        let lane = &mut self.lanes[socket as usize];
        if lane.datagrams.is_empty() {
            self.waiting.push(socket);
        }
        let start = lane.arena.len();
        write(&mut lane.arena);
        let len = lane.arena.len() - start;
        lane.datagrams.push(OutDatagram {
            peer: self.server,
            local,
            start: start as u32,
            len: len as u32,
        });
        self.length += 1;
    }

    /// How many datagrams it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Hands everything to the kernel; what a full socket does not take stays. Returns how many datagrams failed.
    pub fn flush(&mut self, sockets: &[ShardSocket]) -> u64 {
        let mut failed = 0;
        let batch = &mut self.batch;
        let (lanes, length) = (&mut self.lanes, &mut self.length);
        self.waiting.retain(|&socket| {
            let lane = &mut lanes[socket as usize];
            let report = batch.send(&sockets[socket as usize], &lane.arena, &lane.datagrams);
            failed += report.failed() as u64;
            *length -= report.handled();
            if report.would_block {
                lane.datagrams.drain(..report.handled());
                return true;
            }
            lane.datagrams.clear();
            lane.arena.clear();
            false
        });
        failed
    }
}
