//! Datagrams on their way out, gathered by socket.

use rookery::net::{LocalAddr, OutDatagram, PeerAddr, SendBatch, ShardSocket};

use crate::fleet::Addresses;

/// Datagrams of all sockets.
pub struct Outbox {
    /// Who devices talk to: the server of the run, and those that they were told.
    servers: Vec<PeerAddr>,
    /// Which of them, by device; empty when all talk to the first.
    at: Vec<u8>,
    addresses: Addresses,
    lanes: Vec<Lane>,
    /// Devices that have moved to the second half of the sockets, one bit for each; empty when nobody ever does.
    moved: Vec<u64>,
    /// Sockets that have datagrams.
    waiting: Vec<u32>,
    batch: SendBatch,
    length: usize,
}

/// Who sent a datagram to a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sender {
    /// The server that it talks to.
    Server,
    /// The server of the run, which it talked to before.
    First,
    /// Somebody else.
    Stranger,
}

#[derive(Default)]
struct Lane {
    arena: Vec<u8>,
    datagrams: Vec<OutDatagram>,
}

/// Where datagrams of devices go.
pub trait Sink {
    /// Takes a datagram of device `index` to the server; `write` appends its bytes.
    fn put(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>));
}

/// Datagrams handed to the kernel in one call.
const BATCH: usize = 64;

impl Sink for Outbox {
    fn put(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        Self::put(self, index, write);
    }
}

impl Outbox {
    /// For datagrams to `server` over `sockets` sockets.
    #[must_use]
    pub fn new(server: PeerAddr, addresses: Addresses, sockets: usize) -> Self {
        Self {
            servers: vec![server],
            at: Vec::new(),
            addresses,
            lanes: (0..sockets).map(|_| Lane::default()).collect(),
            moved: Vec::new(),
            waiting: Vec::new(),
            batch: SendBatch::new(BATCH),
            length: 0,
        }
    }

    /// Puts a datagram of device `index` to the server in; `write` appends its bytes.
    pub fn put(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_to(
            self.servers[usize::from(self.server_of(index))],
            index,
            write,
        );
    }

    /// Puts a datagram in for the server of the run, whoever the device talks to by now.
    pub fn put_to_first(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_to(self.servers[0], index, write);
    }

    /// Puts a datagram of device `index` to somebody in.
    pub fn put_to(&mut self, peer: PeerAddr, index: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let (socket, local) = self.addresses.place(index);
        let socket = socket + self.half_of(index);
        let lane = &mut self.lanes[socket as usize];
        if lane.datagrams.is_empty() {
            self.waiting.push(socket);
        }
        let start = lane.arena.len();
        write(&mut lane.arena);
        let len = lane.arena.len() - start;
        lane.datagrams.push(OutDatagram {
            peer,
            local,
            start: start as u32,
            len: len as u32,
        });
        self.length += 1;
    }

    /// Lets devices move: `devices` of them, over twice the sockets that they need.
    #[must_use]
    pub fn with_rebinds(mut self, devices: u32) -> Self {
        self.moved = vec![0; devices.div_ceil(64) as usize];
        self
    }

    /// Lets `devices` devices go to other servers.
    #[must_use]
    pub fn with_servers(mut self, devices: u32) -> Self {
        self.at = vec![0; devices as usize];
        self
    }

    /// The number of a server that devices may go to; `None` when there are too many.
    pub fn server(&mut self, server: PeerAddr) -> Option<u8> {
        let known = self.servers.iter().position(|known| *known == server);
        let number = u8::try_from(known.unwrap_or(self.servers.len())).ok()?;
        if known.is_none() {
            self.servers.push(server);
        }
        Some(number)
    }

    /// Device `index` talks to another server from now on.
    pub fn go(&mut self, index: u32, server: u8) {
        if let Some(at) = self.at.get_mut(index as usize) {
            *at = server;
        }
    }

    /// Whose datagram it is that came to device `index` from `peer`.
    #[must_use]
    pub fn sender(&self, index: u32, peer: PeerAddr) -> Sender {
        if self.servers[usize::from(self.server_of(index))] == peer {
            Sender::Server
        } else if self.servers[0] == peer {
            Sender::First
        } else {
            Sender::Stranger
        }
    }

    fn server_of(&self, index: u32) -> u8 {
        self.at.get(index as usize).copied().unwrap_or_default()
    }

    /// Device `index` sends from its other socket from now on.
    pub fn rebind(&mut self, index: u32) {
        if let Some(word) = self.moved.get_mut(index as usize / 64) {
            *word ^= 1 << (index % 64);
        }
    }

    /// The device at `local` of `socket`, and whether it still has that address.
    #[must_use]
    pub fn device(&self, socket: u32, local: Option<LocalAddr>) -> Option<(u32, bool)> {
        let half = self.half();
        let index = self.addresses.device(socket % half, local)?;
        Some((index, self.half_of(index) == socket / half * half))
    }

    /// How many sockets the devices have before they move.
    fn half(&self) -> u32 {
        let all = self.lanes.len() as u32;
        if self.moved.is_empty() { all } else { all / 2 }
    }

    fn half_of(&self, index: u32) -> u32 {
        match self.moved.get(index as usize / 64) {
            Some(word) if word & 1 << (index % 64) != 0 => self.half(),
            _ => 0,
        }
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
