//! A client, a server, and a line between them.

use fastrand::Rng;

use super::*;
use crate::clock::Micros;

/// Nothing takes longer, in the time of the line.
const LONGEST: Micros = 600_000_000;

pub struct Line {
    pub client: Connection,
    pub server: Server,
    pub now: Micros,
    pub loss: f64,
    /// Datagrams of the client to be lost from now on, whatever the chance says.
    pub lose_next: u32,
    pub events: Vec<ConnectionEvent>,
    /// Messages that the client got.
    pub delivered: Vec<Vec<u8>>,
    rng: Rng,
}

pub fn client(world: &World, login: Login, own: &[u8]) -> Connection {
    let connector = Connector::new(ConnectorOptions::new(world.login.mode())).unwrap();
    Connection::new(connector, login, own.to_vec())
}

/// A line on which the client's first message has arrived.
pub fn connected(world: &World, own: &[u8], loss: f64, seed: u64) -> Line {
    let client = client(world, world.login.clone(), own);
    let mut line = Line::new(client, Server::new(world), loss, seed);
    line.connect();
    line
}

impl Line {
    pub fn new(client: Connection, server: Server, loss: f64, seed: u64) -> Self {
        Self {
            client,
            server,
            now: 1_000,
            loss,
            lose_next: 0,
            events: Vec::new(),
            delivered: Vec::new(),
            rng: Rng::with_seed(seed),
        }
    }

    /// Lets the client send a message, which takes a handshake, and waits for the session.
    pub fn connect(&mut self) {
        self.client.send(b"first", self.now);
        self.run_until(|line| line.client.is_up() && line.server.done);
        self.run_until_quiet();
    }

    /// A message each way.
    pub fn talk(&mut self) {
        self.client.send(b"ping", self.now);
        self.server.send(b"pong");
        self.run_until_quiet();
        assert_eq!(self.server.received.last().unwrap(), b"ping");
        assert_eq!(self.delivered.last().unwrap(), b"pong");
    }

    /// What handshakes came to: suite, resumed, length of the server's identifier.
    pub fn established(&self) -> Vec<(&'static str, bool, Option<usize>)> {
        let of = |event: &ConnectionEvent| match event {
            ConnectionEvent::Established {
                suite,
                resumed,
                connection_id,
            } => Some((*suite, *resumed, *connection_id)),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    pub fn run_until(&mut self, holds: impl Fn(&Self) -> bool) {
        let end = self.now + LONGEST;
        while !holds(self) {
            if !self.exchange() {
                let client = self.client.next_wake().unwrap_or(Micros::MAX);
                let next = client.min(self.server.next_wake());
                assert!(next <= end, "nothing happens any more: {:?}", self.events);
                self.now = self.now.max(next);
                self.client.poll(self.now);
                self.server.poll(self.now);
            }
        }
    }

    pub fn run_until_quiet(&mut self) {
        while self.exchange() {}
    }

    /// Carries what is on the way; whether there was anything.
    fn exchange(&mut self) -> bool {
        let to_server: Vec<_> = self.client.transmit().collect();
        let to_client = std::mem::take(&mut self.server.out);
        let any = !to_server.is_empty() || !to_client.is_empty();
        for datagram in to_server {
            let lost = self.lose_next > 0 || self.rng.f64() < self.loss;
            self.lose_next = self.lose_next.saturating_sub(1);
            if !lost {
                self.server.receive(&datagram, self.now);
            }
        }
        for datagram in to_client {
            if self.rng.f64() >= self.loss {
                let delivered = &mut self.delivered;
                let mut deliver = |message: &[u8]| delivered.push(message.to_vec());
                self.client.receive(&datagram, self.now, &mut deliver);
            }
        }
        self.events
            .extend(std::iter::from_fn(|| self.client.next_event()));
        any
    }
}
