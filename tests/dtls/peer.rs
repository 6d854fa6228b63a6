//! A device whose datagrams a test can look at, keep and send from anywhere.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use data_encoding::HEXUPPER_PERMISSIVE;
use loadtest::dtls::{Connection, ConnectionEvent, Connector, ConnectorOptions, Login, Mode};

use crate::support::datagram::{Datagram, POST};
use crate::support::peer::location;
use crate::support::secured::Secured;

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long silence must last to be believed.
pub const SILENCE: Duration = Duration::from_millis(500);

pub const CREATED: u8 = 0x41;
pub const CHANGED: u8 = 0x44;
/// 4.04, acknowledged.
const NOT_FOUND: u8 = 0x84;

pub struct Peer {
    connection: Connection,
    pub socket: UdpSocket,
    began: Instant,
    mid: u16,
    /// Handshakes that were done.
    pub handshakes: u32,
    /// The last datagram that came.
    pub last_received: Vec<u8>,
}

impl Peer {
    /// One with the pre-shared key that was generated for this endpoint; `cid` is whether it
    /// offers connection identifiers.
    pub fn new(server: &Secured, endpoint: &str, cid: bool) -> Self {
        Self::over(connection(server, endpoint, cid), server)
    }

    /// One with this identity and key.
    pub fn knowing(server: &Secured, identity: &[u8], key: &[u8]) -> Self {
        let (identity, key) = (identity.into(), key.into());
        let login = Login::Psk { identity, key };
        Self::over(connection_of(login, false), server)
    }

    fn over(connection: Connection, server: &Secured) -> Self {
        Self {
            connection,
            socket: socket_to(server.coaps),
            began: Instant::now(),
            mid: 1,
            handshakes: 0,
            last_received: Vec::new(),
        }
    }

    /// One that is provisioned and registered; its registration id.
    pub fn registered(server: &Secured, endpoint: &str, cid: bool) -> (Self, String) {
        server.provision("psk", endpoint, &[]);
        let mut peer = Self::new(server, endpoint, cid);
        let id = peer.register().expect("registered");
        peer.serve(Duration::from_millis(300));
        (peer, id)
    }

    pub fn register(&mut self) -> Option<String> {
        let register = self.request().path("rd").query("lwm2m=1.1&lt=300");
        let answer = self.ask(register.payload(b"</1/0>,</3/0>"), PATIENCE)?;
        (answer[1] == CREATED).then(|| location(&answer))?
    }

    /// The code of the answer to an Update, if one comes.
    pub fn update(&mut self, id: &str, patience: Duration) -> Option<u8> {
        let update = self.request().path("rd").path(id);
        self.ask(update, patience).map(|answer| answer[1])
    }

    /// A record with an Update, which nobody has sent yet.
    pub fn sealed_update(&mut self, id: &str) -> Vec<u8> {
        let update = self.request().path("rd").path(id).encode();
        self.connection.send(&update, self.now());
        let sealed = self.connection.transmit().next();
        sealed.expect("a session to seal with")
    }

    /// Answers what the engine asks, so long.
    pub fn serve(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.turn(|_| {});
        }
    }

    /// Lets go of the session without a word.
    pub fn forget(&mut self) {
        self.connection.forget();
    }

    pub fn has_session(&self) -> bool {
        self.connection.is_up()
    }

    /// Goes on from another port; the old socket.
    pub fn move_away(&mut self) -> UdpSocket {
        let server = self.socket.peer_addr().expect("connected");
        std::mem::replace(&mut self.socket, socket_to(server))
    }

    fn request(&mut self) -> Datagram {
        self.mid += 1;
        Datagram::con(POST, self.mid)
    }

    /// Sends a request, again each second, until it is answered or patience is at its end.
    fn ask(&mut self, request: Datagram, patience: Duration) -> Option<Vec<u8>> {
        let bytes = request.encode();
        let until = Instant::now() + patience;
        let mut next = Instant::now();
        while Instant::now() < until {
            if next <= Instant::now() {
                self.connection.send(&bytes, self.now());
                next += Duration::from_secs(1);
            }
            let mut answer = None;
            self.turn(|message| {
                if message[0] >> 4 == 6 && message[2..4] == bytes[2..4] {
                    answer = Some(message.to_vec());
                }
            });
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    fn turn(&mut self, mut deliver: impl FnMut(&[u8])) {
        let now = self.now();
        self.connection.poll(now);
        self.transmit();
        let mut buffer = [0; 2_048];
        // Nothing came, or nobody was there for what was sent before.
        let Ok(length) = self.socket.recv(&mut buffer) else {
            return;
        };
        self.last_received = buffer[..length].to_vec();
        let mut messages = Vec::new();
        let mut keep = |message: &[u8]| messages.push(message.to_vec());
        self.connection.receive(&buffer[..length], now, &mut keep);
        for message in messages {
            if matches!(message[1], 1..=7) {
                let mid = u16::from_be_bytes([message[2], message[3]]);
                let token = &message[4..4 + usize::from(message[0] & 15)];
                let answer = Datagram::ack(NOT_FOUND, mid).token(token);
                self.connection.send(&answer.encode(), now);
            }
            deliver(&message);
        }
        self.transmit();
        while let Some(event) = self.connection.next_event() {
            self.handshakes += u32::from(matches!(event, ConnectionEvent::Established { .. }));
        }
    }

    fn transmit(&mut self) {
        for datagram in self.connection.transmit() {
            // Nobody may be there just now.
            let _ = self.socket.send(&datagram);
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

/// A connection that is down.
pub fn connection(server: &Secured, endpoint: &str, cid: bool) -> Connection {
    let key = server.text(&format!("{endpoint}_psk.hex"));
    let login = Login::Psk {
        identity: endpoint.into(),
        key: HEXUPPER_PERMISSIVE
            .decode(key.as_bytes())
            .expect("hexadecimal digits"),
    };
    connection_of(login, cid)
}

fn connection_of(login: Login, cid: bool) -> Connection {
    let connector = Connector::new(ConnectorOptions {
        connection_id: cid,
        ..ConnectorOptions::new(Mode::Psk)
    });
    Connection::new(connector.expect("OpenSSL"), login, Vec::new())
}

pub fn socket_to(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("a local address");
    let patience = Some(Duration::from_millis(20));
    socket.set_read_timeout(patience).expect("a duration");
    socket
}

/// The first datagram that comes in time.
pub fn received(socket: &UdpSocket, patience: Duration) -> Option<Vec<u8>> {
    let until = Instant::now() + patience;
    let mut buffer = [0; 2_048];
    while Instant::now() < until {
        if let Ok(length) = socket.recv(&mut buffer) {
            return Some(buffer[..length].to_vec());
        }
    }
    None
}
