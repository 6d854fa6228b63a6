//! Many peers from few sockets: the source address is chosen for each datagram out of 127.0.0.0/8.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rookery::net::{
    LocalAddr, OutDatagram, PeerAddr, ReceiveBatch, SendBatch, ShardSocket, SocketGroup,
    SocketOptions,
};

const SOCKETS: usize = 64;
/// Nothing came for so long: the rest of the window is lost.
const PATIENCE: Duration = Duration::from_millis(300);

/// Numbers of peers and where they are: `number = address * 64 + socket`.
#[derive(Clone, Copy, Debug)]
pub struct Peers(usize);

impl Peers {
    pub fn new(count: usize) -> Self {
        assert!(
            count >= SOCKETS && count.is_multiple_of(SOCKETS),
            "a multiple of {SOCKETS}"
        );
        Self(count)
    }

    fn address(number: usize) -> LocalAddr {
        LocalAddr::v4(Ipv4Addr::from_bits(0x7f01_0000 + (number / SOCKETS) as u32))
    }

    fn number(local: Option<LocalAddr>, socket: usize) -> Option<usize> {
        let address = u32::from(local?.as_v4()?).checked_sub(0x7f01_0000)?;
        Some(address as usize * SOCKETS + socket)
    }
}

/// The sockets of all peers.
pub struct Client {
    server: PeerAddr,
    sockets: Vec<ShardSocket>,
    addresses: usize,
    inbox: ReceiveBatch,
    outbox: SendBatch,
    arena: Vec<u8>,
    datagrams: Vec<OutDatagram>,
    next_socket: usize,
    rng: fastrand::Rng,
}

impl Client {
    pub fn new(server: SocketAddr, Peers(count): Peers) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let options = SocketOptions::default();
        let socket = |_| {
            SocketGroup::bind(any, 1, &options)
                .expect("a port is free")
                .remove(0)
        };
        Self {
            server: server.into(),
            sockets: (0..SOCKETS).map(socket).collect(),
            addresses: count / SOCKETS,
            inbox: ReceiveBatch::new(64, 2_048),
            outbox: SendBatch::new(64),
            arena: Vec::new(),
            datagrams: Vec::new(),
            next_socket: 0,
            rng: fastrand::Rng::with_seed(7),
        }
    }

    /// Random peers that share a socket, each socket in its turn.
    pub fn random(&mut self, count: usize) -> (usize, Vec<usize>) {
        let socket = self.next_socket;
        self.next_socket = (self.next_socket + 1) % SOCKETS;
        let peers = (0..count).map(|_| self.rng.usize(..self.addresses) * SOCKETS + socket);
        (socket, peers.collect())
    }

    /// All peers, in lots that share a socket.
    pub fn lots(&self, size: usize) -> impl Iterator<Item = (usize, Vec<usize>)> + use<> {
        let addresses = self.addresses;
        (0..addresses.div_ceil(size)).flat_map(move |lot| {
            let end = ((lot + 1) * size).min(addresses);
            let peers = move |socket| (lot * size..end).map(|a| a * SOCKETS + socket).collect();
            (0..SOCKETS).map(move |socket| (socket, peers(socket)))
        })
    }

    /// Sends one datagram of each of these peers.
    pub fn send(
        &mut self,
        socket: usize,
        peers: &[usize],
        mut write: impl FnMut(usize, &mut Vec<u8>),
    ) {
        self.arena.clear();
        self.datagrams.clear();
        for &number in peers {
            let start = self.arena.len();
            write(number, &mut self.arena);
            self.datagrams.push(OutDatagram {
                peer: self.server,
                local: Some(Peers::address(number)),
                start: start as u32,
                len: (self.arena.len() - start) as u32,
            });
        }
        let report = self
            .outbox
            .send(&self.sockets[socket], &self.arena, &self.datagrams);
        assert_eq!(report.sent, peers.len(), "the send buffer is large enough");
    }

    /// Receives until `missing` datagrams for which `wanted` is true have come, or none any more.
    pub fn receive(
        &mut self,
        socket: usize,
        mut missing: usize,
        mut wanted: impl FnMut(usize, &[u8]) -> bool,
    ) -> usize {
        let (mut found, mut last) = (0, Instant::now());
        while missing > 0 && last.elapsed() < PATIENCE {
            match self.inbox.receive(&self.sockets[socket]) {
                Ok(_) => {
                    last = Instant::now();
                    for datagram in self.inbox.iter() {
                        let number = Peers::number(datagram.local, socket);
                        if number.is_some_and(|number| wanted(number, datagram.bytes)) {
                            found += 1;
                            missing = missing.saturating_sub(1);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        found
    }
}
