//! A device that counts what it is asked: a UDP socket with one resource that is observed.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use coap_lite::{MessageClass, MessageType, Packet, RequestType};

use crate::support::datagram::{
    CONTENT, DELETE, Datagram, LINK_FORMAT, NOT_FOUND, OBSERVE, POST, URI_PATH,
};
use crate::support::engine::Engine;
use crate::support::peer::location;

const PATIENCE: Duration = Duration::from_secs(5);
/// 2.04
pub const CHANGED: u8 = 0x44;
const CONTENT_FORMAT: u16 = 12;

pub struct Device {
    pub name: String,
    socket: UdpSocket,
    mid: u16,
    sequence: u32,
    /// Last segment of the location of the registration.
    pub id: String,
    /// Tokens of the observations of `/3/0/9` it has, as RFC 7641 has it keep them.
    pub observers: Vec<Vec<u8>>,
    /// Requests to observe that came, in all.
    pub observes: usize,
    /// Notifications answered with a Reset.
    pub resets: usize,
    pub battery: u32,
}

impl Device {
    pub fn new(engine: &Engine, name: &str) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
        socket.connect(engine.coap()).expect("an address");
        Self {
            name: name.to_owned(),
            socket,
            mid: fastrand::Rng::with_seed(name.len() as u64).u16(..),
            sequence: 1,
            id: String::new(),
            observers: Vec::new(),
            observes: 0,
            resets: 0,
            battery: 0,
        }
    }

    /// Registers; the device forgets its observations, as LwM2M wants it to.
    pub fn register(&mut self, more: &str) {
        self.observers.clear();
        let query = format!("ep={}&lt=600&lwm2m=1.1{more}", self.name);
        let message = Datagram::con(POST, self.next_mid())
            .path("/rd")
            .option(CONTENT_FORMAT, &[LINK_FORMAT])
            .query(&query)
            .payload(b"</1/0>,</3/0>");
        let answer = self.exchange(&message).expect("an answer to Register");
        self.id = location(&answer).expect("a location");
    }

    /// Updates the registration; the code of the answer.
    pub fn update(&mut self, query: &str) -> u8 {
        let path = format!("/rd/{}", self.id);
        let message = Datagram::con(POST, self.next_mid())
            .path(&path)
            .query(query);
        self.exchange(&message).expect("an answer to Update")[1]
    }

    pub fn deregister(&mut self) -> u8 {
        let path = format!("/rd/{}", self.id);
        let message = Datagram::con(DELETE, self.next_mid()).path(&path);
        self.exchange(&message).expect("an answer to De-register")[1]
    }

    /// Notifies every observer of the next value by Confirmable messages. Returns whether all were
    /// acknowledged.
    pub fn notify(&mut self) -> bool {
        self.battery += 1;
        let mut acknowledged = !self.observers.is_empty();
        for token in self.observers.clone() {
            self.sequence += 1;
            let sequence = self.sequence.to_be_bytes();
            let message = Datagram::con(CONTENT, self.next_mid())
                .token(&token)
                .option(OBSERVE, &sequence[1..])
                .option(CONTENT_FORMAT, &[])
                .payload(self.battery.to_string().as_bytes());
            let answer = self.exchange(&message);
            acknowledged &= answer.as_ref().is_some_and(|bytes| bytes[0] >> 4 & 3 == 2);
            if answer.is_some_and(|bytes| bytes[0] >> 4 & 3 == 3) {
                self.resets += 1;
                self.observers.retain(|known| *known != token);
            }
        }
        acknowledged
    }

    /// Answers requests until it is observed.
    pub fn await_observation(&mut self) {
        self.await_observations(1);
    }

    /// Answers requests until it is observed under so many tokens.
    pub fn await_observations(&mut self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.observers.len() < count {
            assert!(Instant::now() < deadline, "nobody observes {}", self.name);
            self.serve(Duration::from_millis(20));
        }
    }

    /// Answers requests for a while.
    pub fn serve(&mut self, time: Duration) {
        self.receive(time, |_| false);
    }

    fn exchange(&mut self, message: &Datagram) -> Option<Vec<u8>> {
        let bytes = message.clone().encode();
        let mid = [bytes[2], bytes[3]];
        self.socket.send(&bytes).ok()?;
        self.receive(PATIENCE, |answer| answer[2..4] == mid)
    }

    /// Takes datagrams, answers requests among them, until the wanted one comes. A refused port, that
    /// of an engine that is gone, ends the wait.
    fn receive(&mut self, time: Duration, wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 2_048];
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            let left = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return None,
                Err(_) => continue,
            };
            let bytes = &buffer[..length];
            let packet = Packet::from_bytes(bytes).expect("CoAP");
            if let MessageClass::Request(method) = packet.header.code {
                self.answer(&packet, method);
            } else if wanted(bytes) && packet.header.get_type() != MessageType::Confirmable {
                return Some(bytes.to_vec());
            }
        }
    }

    fn answer(&mut self, request: &Packet, method: RequestType) {
        let path: Vec<_> = request
            .get_option(URI_PATH.into())
            .into_iter()
            .flatten()
            .map(|segment| String::from_utf8_lossy(segment).into_owned())
            .collect();
        let token = request.get_token().to_vec();
        let mid = request.header.message_id;
        let battery = method == RequestType::Get && path == ["3", "0", "9"];
        let mut answer =
            Datagram::ack(if battery { CONTENT } else { NOT_FOUND }, mid).token(&token);
        if battery {
            match request.get_observe_value() {
                Some(Ok(0)) => {
                    self.observes += 1;
                    if !self.observers.contains(&token) {
                        self.observers.push(token);
                    }
                    answer = answer.option(OBSERVE, &[]);
                }
                Some(Ok(1)) => self.observers.retain(|known| *known != token),
                _ => {}
            }
            answer = answer
                .option(CONTENT_FORMAT, &[])
                .payload(self.battery.to_string().as_bytes());
        }
        // The engine may be gone by now.
        let _ = self.socket.send(&answer.encode());
    }

    fn next_mid(&mut self) -> u16 {
        self.mid = self.mid.wrapping_add(1);
        self.mid
    }
}
