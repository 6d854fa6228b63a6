//! A device that is nothing but a UDP socket.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

use super::datagram::{CONTENT, Datagram, NOT_FOUND, OBSERVE};
use super::engine::Engine;

const PATIENCE: Duration = Duration::from_secs(5);
/// How long silence must last to be believed.
const SILENCE: Duration = Duration::from_millis(400);
const LARGEST_DATAGRAM: usize = 65_535;

/// Sends bytes to the engine and looks at the bytes that come back.
pub struct Peer {
    socket: UdpSocket,
    /// Requests of the engine nobody has looked at yet.
    requests: VecDeque<Vec<u8>>,
    last_mid: u16,
}

impl Peer {
    pub fn of(engine: &Engine) -> Self {
        Self::at(engine.coap())
    }

    /// One that talks to another port of the engine.
    pub fn at(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
        socket.connect(server).expect("an address to talk to");
        Self {
            socket,
            requests: VecDeque::new(),
            last_mid: 0x1000,
        }
    }

    /// A message id this peer has not used yet.
    pub fn next_mid(&mut self) -> u16 {
        self.last_mid += 1;
        self.last_mid
    }

    pub fn send(&self, datagram: &[u8]) {
        self.socket.send(datagram).expect("a datagram is sent");
    }

    /// Sends a message and returns the ACK or RST that carries its message id.
    pub fn exchange(&mut self, datagram: &[u8]) -> Vec<u8> {
        self.send(datagram);
        self.answer(mid(datagram), PATIENCE)
            .unwrap_or_else(|| panic!("no answer to {datagram:02x?}"))
    }

    /// Sends a message to which nothing must come back.
    pub fn expect_silence(&mut self, datagram: &[u8]) {
        self.send(datagram);
        if let Some(answer) = self.answer(mid(datagram), SILENCE) {
            panic!("{datagram:02x?} is answered by {answer:02x?}");
        }
    }

    /// Registers and returns the registration id.
    pub fn register(&mut self, register: &[u8]) -> String {
        let answer = self.exchange(register);
        location(&answer).unwrap_or_else(|| panic!("no location in {answer:02x?}"))
    }

    /// Plays a device to which `/3/0/9` is `value`: answers requests until it is observed; returns the token.
    pub fn be_observed(&mut self, value: &str) -> Vec<u8> {
        loop {
            let request = self.request();
            let packet = parse(&request);
            let answer = Datagram::ack(CONTENT, mid(&request)).token(packet.get_token());
            if observes(&packet) {
                self.send(
                    &answer
                        .option(OBSERVE, &[])
                        .payload(value.as_bytes())
                        .encode(),
                );
                return packet.get_token().to_vec();
            }
            self.send(
                &Datagram::ack(NOT_FOUND, mid(&request))
                    .token(packet.get_token())
                    .encode(),
            );
        }
    }

    /// The next request of the engine.
    pub fn request(&mut self) -> Vec<u8> {
        if let Some(request) = self.requests.pop_front() {
            return request;
        }
        self.next(PATIENCE, is_request)
            .expect("the engine asks the device for something")
    }

    fn answer(&mut self, expected: u16, patience: Duration) -> Option<Vec<u8>> {
        self.next(patience, |bytes| {
            !is_request(bytes) && mid(bytes) == expected
        })
    }

    /// The next datagram that is wanted; requests passed over are kept.
    fn next(&mut self, patience: Duration, wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            self.socket
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .expect("a timeout");
            let Ok(length) = self.socket.recv(&mut buffer) else {
                continue;
            };
            let datagram = buffer[..length].to_vec();
            if wanted(&datagram) {
                return Some(datagram);
            }
            if is_request(&datagram) {
                self.requests.push_back(datagram);
            }
        }
    }
}

/// The registration id in the Location-Path of a 2.01.
pub fn location(answer: &[u8]) -> Option<String> {
    let packet = parse(answer);
    let path = packet.get_option(CoapOption::LocationPath)?;
    let segments: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
    match segments[..] {
        [b"rd", id] => String::from_utf8(id.to_vec()).ok(),
        _ => None,
    }
}

/// The payload as text: the diagnostic of an error answer.
pub fn diagnostic(answer: &[u8]) -> String {
    String::from_utf8(parse(answer).payload).expect("a diagnostic is UTF-8")
}

fn parse(datagram: &[u8]) -> Packet {
    Packet::from_bytes(datagram).unwrap_or_else(|e| panic!("{datagram:02x?} is no CoAP: {e}"))
}

fn mid(datagram: &[u8]) -> u16 {
    u16::from_be_bytes([datagram[2], datagram[3]])
}

fn is_request(datagram: &[u8]) -> bool {
    let packet = parse(datagram);
    let kind = packet.header.get_type();
    matches!(packet.header.code, MessageClass::Request(_))
        && matches!(kind, MessageType::Confirmable | MessageType::NonConfirmable)
}

fn observes(packet: &Packet) -> bool {
    matches!(packet.get_observe_value(), Some(Ok(0)))
}
