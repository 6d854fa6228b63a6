//! A UDP socket, a DTLS session for each peer, and as much LwM2M as devices need.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType, ResponseType};

use super::{Server, ServerOptions, World};

/// What the gateway saw.
#[derive(Default)]
pub struct Seen {
    pub handshakes: u32,
    pub endpoints: usize,
    /// Sessions whose identifier came from another address.
    pub moved: usize,
    /// Records that were for no session.
    pub dropped: u32,
    /// Sessions that devices ended.
    pub closed: usize,
    /// Reads that were answered.
    pub reads: u32,
    /// Handshakes under way at a time, at most.
    pub most_at_once: usize,
}

pub struct Gateway {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    closes: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

struct Peer {
    session: Server,
    address: SocketAddr,
    moved: bool,
    registered: bool,
}

struct State {
    world: World,
    socket: UdpSocket,
    peers: Vec<Peer>,
    by_address: HashMap<SocketAddr, usize>,
    started: Instant,
    closes: Arc<AtomicBool>,
    seen: Seen,
}

const CLIENT_HELLO: u8 = 1;

impl Gateway {
    pub fn start(options: &ServerOptions) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let wait = Some(Duration::from_millis(20));
        socket.set_read_timeout(wait).unwrap();
        let address = socket.local_addr().unwrap();
        let (stop, closes) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let mut state = State {
            world: World::new(options),
            socket,
            peers: Vec::new(),
            by_address: HashMap::new(),
            started: Instant::now(),
            closes: Arc::clone(&closes),
            seen: Seen::default(),
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                state.serve();
            }
            let done = |peer: &&Peer| peer.session.done;
            Seen {
                handshakes: state.peers.iter().filter(done).count() as u32,
                moved: state.peers.iter().filter(|peer| peer.moved).count(),
                closed: state
                    .peers
                    .iter()
                    .filter(|peer| peer.session.closed)
                    .count(),
                endpoints: state.peers.iter().filter(|peer| peer.registered).count(),
                ..state.seen
            }
        });
        Self {
            address,
            stop,
            closes,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// End each device's first session once it has registered.
    pub fn close_after_register(&self) {
        self.closes.store(true, Ordering::Relaxed);
    }

    pub fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl State {
    fn serve(&mut self) {
        let mut buffer = [0; 2_048];
        let now = self.started.elapsed().as_micros() as u64;
        let under_way = self.peers.iter().filter(|peer| !peer.session.done).count();
        self.seen.most_at_once = self.seen.most_at_once.max(under_way);
        if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            match self.peer_of(&buffer[..length], from) {
                Some(index) => {
                    self.peers[index].session.receive(&buffer[..length], now);
                    self.work(index);
                }
                None => self.seen.dropped += 1,
            }
        }
        for index in 0..self.peers.len() {
            self.peers[index].session.poll(now);
            self.send(index);
        }
    }

    /// Whose a datagram is: by identifier, by address, or a new one's, whose hello it is.
    fn peer_of(&mut self, datagram: &[u8], from: SocketAddr) -> Option<usize> {
        if datagram[0] == 25 {
            let index =
                usize::try_from(u64::from_be_bytes(datagram[11..19].try_into().ok()?)).ok()?;
            let peer = &mut self.peers[index];
            peer.moved |= peer.address != from;
            peer.address = from;
            return Some(index);
        }
        let is_first_hello = datagram[0] == 22
            && datagram[3..5] == [0, 0]
            && datagram[13] == CLIENT_HELLO
            && datagram[17..19] == [0, 0];
        let known = self.by_address.get(&from).copied();
        match known {
            Some(index) if !(is_first_hello && self.peers[index].session.done) => Some(index),
            _ if is_first_hello => {
                let index = self.peers.len();
                let cid = (index as u64).to_be_bytes();
                self.peers.push(Peer {
                    session: Server::with_cid(&self.world, cid),
                    address: from,
                    moved: false,
                    registered: false,
                });
                self.by_address.insert(from, index);
                Some(index)
            }
            _ => None,
        }
    }

    fn work(&mut self, index: usize) {
        for message in std::mem::take(&mut self.peers[index].session.received) {
            let packet = Packet::from_bytes(&message).unwrap();
            let MessageClass::Request(method) = packet.header.code else {
                self.seen.reads += 1;
                continue;
            };
            let is_register = method == RequestType::Post
                && packet.get_option(CoapOption::UriPath).unwrap().len() == 1;
            let mut answer = Packet::new();
            answer.header.set_type(MessageType::Acknowledgement);
            answer.header.message_id = packet.header.message_id;
            answer.set_token(packet.get_token().to_vec());
            let code = match method {
                _ if is_register => ResponseType::Created,
                RequestType::Delete => ResponseType::Deleted,
                _ => ResponseType::Changed,
            };
            answer.header.code = MessageClass::Response(code);
            if is_register {
                answer.add_option(CoapOption::LocationPath, b"rd".to_vec());
                answer.add_option(CoapOption::LocationPath, b"x".to_vec());
            }
            let session = &mut self.peers[index].session;
            session.send(&answer.to_bytes().unwrap());
            if is_register {
                session.send(&read());
                self.peers[index].registered = true;
                if self.closes.load(Ordering::Relaxed) {
                    self.peers[index].session.close();
                }
            }
        }
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        for datagram in std::mem::take(&mut peer.session.out) {
            self.socket.send_to(&datagram, peer.address).unwrap();
        }
    }
}

/// A Read of the battery level.
fn read() -> Vec<u8> {
    let mut read = Packet::new();
    read.header.set_type(MessageType::NonConfirmable);
    read.header.code = MessageClass::Request(RequestType::Get);
    read.header.message_id = 77;
    read.set_token(vec![1]);
    for segment in ["3", "0", "9"] {
        read.add_option(CoapOption::UriPath, segment.into());
    }
    read.to_bytes().unwrap()
}
